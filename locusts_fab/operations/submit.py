"""Submit a swarm: plan, stage, render, start; and retry, which submits again.

Whatever kills us on the way, the same command again carries on: what was not started is planned anew, what may have
been started is fenced first, and what has ended stays as it ended.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.errors import StateError
from locusts_fab.model import Chunk
from locusts_fab.operations.cancel import stop_managers
from locusts_fab.operations.environment import RESULTS, complete_removal, mark_removal, reserve
from locusts_fab.operations.scripts import render_scripts
from locusts_fab.operations.session import opened
from locusts_fab.plan.tasks import make_chunks, make_plan
from locusts_fab.progress import LOGGER, Silent
from locusts_fab.replica.sync import stage_replica
from locusts_fab.text import first_few

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model import Counts, Planned, Submission, Task
    from locusts_fab.operations.session import Session
    from locusts_fab.plan.tasks import Plan
    from locusts_fab.ui.screen import Screen

#: A slot looks for the fence before each task; after so long each has seen it, or has begun a task that we will see.
FENCE_S = 1.0
_SHOWN = 5


@dataclass(frozen=True)
class Submitted:
    """The result of a submit.

    :param tasks: the tasks that it started.
    :param changed: ids of done tasks that the config would run differently now.
    :param notes: what a person should know besides.
    :param waiting: if it started none: the tasks of an earlier submit that run or wait their turn.
    """

    tasks: int
    total: int
    changed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: int = 0


def submit(
    swarm: Swarm,
    connection: fabric.Connection | None = None,
    *,
    redo: bool = False,
    retry: bool = False,
    ids: Sequence[str] | None = None,
    screen: Screen | Silent | None = None,
) -> Submitted:
    """Submit what has not ended yet: new, lost and interrupted tasks.

    :param connection: an open Fabric connection to use.
    :param redo: forget all earlier results first.
    :param retry: submit failed tasks again too.
    :param ids: no other tasks than these; all if not given.
    :param screen: where to show progress; nowhere if not given.
    :returns: how many tasks were started, and what a person should know.
    :raises LocustsError: it could not be done; the same call again carries on.
    """
    screen = screen or Silent()
    with opened(swarm, connection, create=True) as session:
        is_there = session.poll()
        session.refuse_strangers()
        if redo:
            _plan(session, screen, None)  # before anything is forgotten: what cannot be planned keeps its results
            _forget(session, screen)
            is_there = session.poll()
        live = session.live_submission()
        plan, planned = _plan(session, screen, live)
        retried = session.ledger.reset_failed(ids) if retry else 0
        notes = [*plan.warnings, *_note_changed(planned)]
        ledger = session.ledger
        if live is not None and ledger.count_pending(beyond=live.number) + retried == 0:
            counts = ledger.counts()
            return Submitted(0, planned.total, planned.changed, notes, waiting=counts.pending + counts.running)
        _fence(session, live)
        pending = ledger.count_pending(ids=ids)
        failures_left(swarm, ledger.counts())  # before anything is sent
        if pending:
            _start(session, plan, pending, screen, notes, is_there=is_there, ids=ids)
        return Submitted(pending, planned.total, planned.changed, notes)


def _plan(session: Session, screen: Screen | Silent, live: Submission | None) -> tuple[Plan, Planned]:
    """Enter into the ledger what the config means now, and return the plan and how it differs from what was known."""
    plan = make_plan(session.swarm, session.site.environment.root)
    with screen.step("planning", plan.count) as progress:

        def counted() -> Iterator[Task]:
            for count, task in enumerate(plan.tasks(), 1):
                if count % 1000 == 0:
                    progress.update(count)
                yield task

        planned = session.ledger.take_plan(counted(), session.site.environment.root, live.number if live else None)
    return plan, planned


def _note_changed(planned: Planned) -> list[str]:
    """Return a note on done tasks that the config would run differently now, if there are any."""
    if not planned.changed:
        return []
    names = ", ".join(first_few(planned.changed, _SHOWN))
    stand = "they stay as they are; --redo runs everything again"
    return [f"{len(planned.changed)} done tasks have changed in the config since they ran ({names}); {stand}"]


def _fence(session: Session, live: Submission | None) -> None:
    """Keep managers of earlier submits from taking more tasks. What they run may end, and is not started again."""
    latest = session.ledger.latest_submission()
    if latest is None:
        return
    session.site.launcher.fence(session.ledger.submissions())
    if live is not None or latest.state == "told":  # by another command, maybe just now
        time.sleep(FENCE_S)
        session.poll()
    session.ledger.set_submission(latest.number, state="stopped")


def _start(
    session: Session,
    plan: Plan,
    pending: int,
    screen: Screen | Silent,
    notes: list[str],
    *,
    is_there: bool,
    ids: Sequence[str] | None,
) -> None:
    """Stage and start the pending tasks as a new submission.

    :param notes: what a person should know is added to them.
    :param is_there: whether there is an environment.
    :param ids: those of the pending tasks; None: all.
    """
    swarm, ledger = session.swarm, session.ledger
    latest = ledger.latest_submission()
    first = latest.last_chunk + 1 if latest else 1
    chunks, alone_from = _cut(session, pending, first, ids)
    submission = ledger.begin_submission(first, chunks[-1].number, ids)
    try:
        site = reserve(swarm, session.site, ledger, submission, chunks, is_there=is_there)
    except StateError:
        ledger.drop_submission(submission.number)
        raise
    scripts = render_scripts(
        plan,
        submission.number,
        chunks,
        site.environment.id,
        alone_from,
        bad_nodes=ledger.bad_nodes(),
        max_failures=failures_left(swarm, ledger.counts()),
    )
    where = (swarm.name, swarm.target_name)
    LOGGER.info("%s on %s: %d tasks are sent in %d chunks", *where, pending, len(chunks))
    site.transfer.stage(swarm, lambda: ledger.planned_tasks(submission.number), chunks, scripts, screen)
    if swarm.is_custom:
        notes += stage_replica(swarm, site, screen)
    ledger.set_submission(submission.number, state="starting")
    job = site.launcher.start(submission.number, submission.token, len(chunks))
    ledger.set_submission(submission.number, state="started", job=job)
    LOGGER.info("%s on %s: submission %d is started%s", *where, submission.number, f" as job {job}" if job else "")


def failures_left(swarm: Swarm, counts: Counts) -> int:
    """Return after how many more failures no more tasks are to be taken, as `max_failures` says; 0: never.

    :raises StateError: so many have failed already.
    """
    text = swarm.settings.max_failures
    if text is None:
        return 0
    most = max(1, math.ceil(counts.total * float(text[:-1]) / 100)) if text.endswith("%") else int(text)
    if counts.failed >= most:
        raise StateError(
            f"{counts.failed} tasks have failed, and max_failures = {text}, so no more are taken",
            hint="`locusts retry` runs them again once the cause is fixed; or raise max_failures in the config",
        )
    return most - counts.failed


def _cut(session: Session, pending: int, first: int, ids: Sequence[str] | None = None) -> tuple[list[Chunk], int]:
    """Cut the pending tasks into chunks: those that were lost twice with their managers each into one of its own, last.

    :returns: the chunks, and the number of the first that is to run alone; there need not be one.
    """
    swarm = session.swarm
    suspects = session.ledger.count_suspects(ids)
    chunks = make_chunks(pending - suspects, swarm.slots * swarm.target.nodes, first)
    alone_from = first + len(chunks)
    return [*chunks, *(Chunk(alone_from + number, 1) for number in range(suspects))], alone_from


def retry(
    swarm: Swarm, connection: fabric.Connection | None = None, *, screen: Screen | Silent | None = None
) -> Submitted:
    """Submit again what failed or was lost, as the config has it now.

    :returns: as `submit`.
    :raises LocustsError: as `submit`.
    """
    return submit(swarm, connection, retry=True, screen=screen)


def _forget(session: Session, screen: Screen | Silent) -> None:
    """Stop what runs, remove the environment, and forget what is known of the tasks."""
    stop_managers(session, screen)
    mark_removal(session.ledger, RESULTS)
    complete_removal(session.swarm, session.site, session.ledger)
