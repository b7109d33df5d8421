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
from locusts_fab.manager.planfile import tasks_list
from locusts_fab.manager.records import ended_record
from locusts_fab.manager.times import FENCE_S
from locusts_fab.model.swarms import LeaveReason
from locusts_fab.model.tasks import FINAL, Choice, Chunk
from locusts_fab.operations.cancel import stop_managers
from locusts_fab.operations.earlier import Nearby, Unarchived, plan_of, refuse_absent, with_sources
from locusts_fab.operations.environment import RESULTS, complete_removal, mark_removal, reserve
from locusts_fab.operations.judgement import Judged, judge_submit, remember
from locusts_fab.operations.order import refuse_unfinished
from locusts_fab.operations.scripts import render_scripts, what_is_asked
from locusts_fab.operations.session import opened, results_of
from locusts_fab.plan.tasks import make_chunks
from locusts_fab.preflight.here import DanglingInputs
from locusts_fab.progress import LOGGER, Silent
from locusts_fab.replica.sync import agreed_manifest, stage_replica
from locusts_fab.results.lists import refuse_tables_of_others
from locusts_fab.results.outdir import is_where_it_was, note_outdir, refuse_stranded
from locusts_fab.results.places import refuse_taken
from locusts_fab.results.unarchive import remove_unarchived
from locusts_fab.text import counted, first_few

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.swarms import Counts, Submission
    from locusts_fab.model.tasks import Planned, PlannedTask, Taken, Task
    from locusts_fab.operations.session import Session
    from locusts_fab.plan.tasks import Plan
    from locusts_fab.state.ledger import Ledger
    from locusts_fab.ui.screen import Screen

_SHOWN = 5
#: Said where some of an earlier submit has begun.
_OUTDATED = (
    "the config has changed since the submit that is running, and it goes on as it was started;"
    " `locusts cancel`, then `locusts submit`, runs the rest by the config as it is now"
)


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
    redo_changed: bool = False,
    retry: bool = False,
    only: Sequence[str] = (),
    limit: int | None = None,
    overwrite: bool = False,
    force: bool = False,
    screen: Screen | Silent | None = None,
) -> Submitted:
    """Submit what has not ended yet: new, lost and interrupted tasks.

    :param connection: an open Fabric connection to use.
    :param redo: forget all earlier results first; with `only` or `limit`, run again just what those choose.
    :param redo_changed: submit done tasks again too whose command, inputs or outputs have changed since they ran.
    :param retry: submit failed tasks again too.
    :param only: ids, or patterns of them with `*`, `?` and `[…]`: submit no others.
    :param limit: submit no more than so many, the first of those that would be.
    :param overwrite: also where the tables of another swarm are, which `collect(overwrite=True)` will replace.
    :param force: do not look first whether the target can take it, and go on with what is done of the swarms that this
        one comes after.
    :param screen: where to show progress; nowhere if not given.
    :returns: how many tasks were started, and what a person should know.
    :raises LocustsError: it could not be done; the same call again carries on.
    """
    if limit is not None and limit < 1:
        raise StateError(f"limit: {limit} is no number of tasks", hint="give a number from 1 on")
    screen = screen or Silent()
    choice = Choice(retry, redo_changed, redo, tuple(only), limit)
    if not force:
        refuse_unfinished(swarm)
    with opened(swarm, connection, create=True) as session:
        is_there = session.poll()
        session.refuse_strangers()
        results = results_of(swarm)
        if not overwrite:
            is_known = is_where_it_was(results, session.ledger, swarm.folder)
            refuse_tables_of_others(results, session.ledger, is_known=is_known)
        note_outdir(results, session.ledger, swarm.folder)
        judged = Judged() if force else None
        if redo and not choice.is_partial:
            judged = _begin_anew(session, connection, screen, judged, is_there=is_there)
            is_there = session.poll()
        live = session.live_submission()
        live_number = live.number if live else None
        dangling = DanglingInputs(swarm)
        plan, planned = _plan(session, screen, live_number, dangling)
        notes = [*plan.warnings, *_note_changed(planned, is_redone=redo_changed or redo), *_note_gone(planned)]
        ledger = session.ledger
        if ledger.choose(choice, live_number) == 0:
            notes += _note_unchosen(ledger, choice)
            if live is not None and not _may_replace(session, live, plan, notes):
                counts = ledger.counts()
                return Submitted(0, planned.total, planned.changed, notes, waiting=counts.pending + counts.running)
        refuse_taken(results, ledger, live_number)
        refuse_stranded(results, ledger, swarm.folder, session.claims_there, but_chosen=True)
        judged = judged or judge_submit(session, connection, plan, dangling, choice, is_there=is_there)
        refuse_absent(plan, session.site.environment.root, ledger)
        _refuse_failures(session)
        notes += judged.notes
        if swarm.is_custom and is_there:
            agreed_manifest(swarm, session.site)  # it is refused, if need be, while what runs still runs
        _fence(session, live)
        _refuse_failures(session)  # some may have failed meanwhile
        taken = ledger.take_chosen(live_number)
        if taken.tasks:
            with ledger.given_back_if_refused():
                _start(session, plan, taken, screen, notes, is_there=is_there)
            remember(session, judged)
        return Submitted(taken.tasks, planned.total, planned.changed, notes)


def _refuse_failures(session: Session) -> None:
    """Refuse a submit beside which too many tasks stay failed.

    :raises StateError: they do.
    """
    if session.swarm.settings.max_failures is not None:
        failures_left(session.swarm, session.ledger.counts_beside_chosen())


def _begin_anew(
    session: Session,
    connection: fabric.Connection | None,
    screen: Screen | Silent,
    judged: Judged | None,
    *,
    is_there: bool,
) -> Judged:
    """Forget all results; before that, see that all can be planned and run, for else they are kept.

    :param judged: the judgement, if there is one already.
    """
    dangling = DanglingInputs(session.swarm)
    plan, _ = _plan(session, screen, None, dangling)
    judged = judged or judge_submit(session, connection, plan, dangling, Choice(ended=True), is_there=is_there)
    refuse_absent(plan, session.site.environment.root)
    _forget(session, screen)
    return judged


def _may_replace(session: Session, live: Submission, plan: Plan, notes: list[str]) -> bool:
    """Return whether a submission that has all that is to do gives way to another, for the config has changed.

    :param notes: gets what a person should know of it.
    """
    if not _is_outdated(session, live, plan):
        return False
    if not session.has_begun_nothing(live):
        notes.append(_OUTDATED)
        return False
    notes.append(f"job {live.job} of the earlier submit waits, and the config has changed: it is replaced")
    return True


def _is_outdated(session: Session, live: Submission, plan: Plan) -> bool:
    """Return whether the config would start the managers of a submission, or run its waiting tasks, differently now."""
    number, _, asked = (session.ledger.fact("asked") or "").partition(" ")
    if number == str(live.number) and asked != what_is_asked(plan):
        return True
    return session.ledger.count_replanned(live.number) > 0


def _plan(
    session: Session, screen: Screen | Silent, live: int | None, dangling: DanglingInputs
) -> tuple[Plan, Planned]:
    """Enter into the ledger what the config means now, and return the plan and how it differs from what was known.

    :param dangling: notes inputs that are links to nothing.
    """
    plan = plan_of(session.swarm, session.site.environment.root, session.ledger.memory())
    with screen.step("planning", plan.count) as progress:

        def shown() -> Iterator[Task]:
            for count, task in enumerate(dangling.passing(plan.tasks(stamped=True)), 1):
                if count % 1000 == 0:
                    progress.update(count)
                yield task

        planned = session.ledger.take_plan(
            shown(),
            session.site.environment.root,
            live,
            plan.last_number,
            plan.final.id if plan.final else None,
        )
    return plan, planned


def _note_changed(planned: Planned, *, is_redone: bool) -> list[str]:
    """Return a note on done tasks that would run differently now, if there are any and they stay as they are."""
    if not planned.changed or is_redone:
        return []
    names = ", ".join(first_few(planned.changed, _SHOWN))
    have, they = ("has", "it") if len(planned.changed) == 1 else ("have", "they")
    tasks = counted(len(planned.changed), "done task")
    stand = "what was run stays as it is; `locusts submit --redo-changed` runs just these again"
    return [f"{tasks} {have} changed, in the config or by inputs, since {they} ran ({names}); {stand}"]


def _note_gone(planned: Planned) -> list[str]:
    """Return a note on tasks that are no longer in the config, if there are any."""
    if not planned.gone:
        return []
    names = ", ".join(first_few(planned.gone, _SHOWN))
    are = "is" if len(planned.gone) == 1 else "are"
    return [
        f"{counted(len(planned.gone), 'task')} {are} no longer in the config ({names}); what was run stays, as it is"
    ]


def _note_unchosen(ledger: Ledger, choice: Choice) -> list[str]:
    """Return a note on tasks that were named and need not be run."""
    if not choice.only:
        return []
    states = ", ".join(f"{count} {state}" for state, count in sorted(ledger.states_of(choice.only).items()))
    return [f"of the tasks that were named: {states}; `locusts retry` runs failed ones again, --redo done ones, too"]


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
    session: Session, plan: Plan, taken: Taken, screen: Screen | Silent, notes: list[str], *, is_there: bool
) -> None:
    """Stage and start the chosen tasks as a new submission.

    :param taken: how many there are, and which of them come last.
    :param notes: what a person should know is added to them.
    :param is_there: whether there is an environment.
    """
    swarm, ledger = session.swarm, session.ledger
    latest = ledger.latest_submission()
    first = latest.last_chunk + 1 if latest else 1
    chunks, alone_from = _cut(swarm, taken, first)
    submission = ledger.begin_submission(first, chunks[-1].number, chosen=True)
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
        has_final=taken.has_final,
    )
    if taken.has_final:
        notes += _note_removed(ledger) if not is_there else []
        scripts[site.environment.tasks_list(submission.number)] = tasks_list(ledger.numbers(), site.environment.id)
        lacks_records = not is_there or ledger.has_left_for(LeaveReason.NOT_GATHERED)
        known = "".join(map(ended_record, ledger.ended() if lacks_records else ledger.judged_here()))
        scripts |= {site.environment.known_records(submission.number): known} if known else {}
    where = (swarm.name, swarm.target_name)
    LOGGER.info("%s on %s: %d tasks are sent in %d chunks", *where, taken.tasks, len(chunks))

    nearby = Nearby(plan, site, ledger.planned_tasks(submission.number))

    with Unarchived(plan) as unarchived:

        def tasks() -> Iterator[PlannedTask]:
            return with_sources(plan, ledger.planned_tasks(submission.number), nearby.taken, unarchived)

        notes += nearby.notes + _note_left_out(site.transfer.stage(swarm, tasks, chunks, scripts, screen))
    if not site.transfer.is_linking:
        remove_unarchived(swarm.state_dir)
    nearby.link()
    if swarm.is_custom:
        notes += stage_replica(swarm, site, screen)
    ledger.set_fact("asked", f"{submission.number} {what_is_asked(plan)}")
    ledger.set_submission(submission.number, state="starting")
    job = site.launcher.start(submission.number, submission.token, len(chunks))
    ledger.set_submission(submission.number, state="started", job=job)
    LOGGER.info("%s on %s: submission %d is started%s", *where, submission.number, f" as job {job}" if job else "")


def _note_removed(ledger: Ledger) -> list[str]:
    """Return a note on done tasks whose results are not on the target, where the last task would look for them."""
    done = ledger.counts().done
    if not done:
        return []
    was = "was" if done == 1 else "were"
    what = f"what {counted(done, 'done task')} made {was} removed from the target, where {FINAL} would look for it"
    return [f"{what}; `locusts submit --redo` runs all again"]


def _note_left_out(left_out: Mapping[str, str]) -> list[str]:
    """Return a note on what of inputs and shared files tasks will not see, if there is anything."""
    if not left_out:
        return []
    lines = first_few([f"{path}, {why}" for path, why in left_out.items()], _SHOWN)
    return ["\n  ".join(["left out of inputs and shared files:", *lines])]


def failures_left(swarm: Swarm, counts: Counts) -> int:
    """Return after how many more failures no more tasks are to be taken, as `max_failures` says; 0: never.

    :raises StateError: so many have failed already.
    """
    text = swarm.settings.max_failures
    if text is None:
        return 0
    most = max(1, math.ceil(counts.total * float(text[:-1]) / 100)) if text.endswith("%") else int(text)
    if counts.failed >= most:
        have = "has" if counts.failed == 1 else "have"
        raise StateError(
            f"{counted(counts.failed, 'task')} {have} failed, and max_failures = {text}, so no more are taken",
            hint="`locusts retry` runs them again once the cause is fixed; or raise max_failures in the config",
        )
    return most - counts.failed


def _cut(swarm: Swarm, taken: Taken, first: int) -> tuple[list[Chunk], int]:
    """Cut the tasks that wait into chunks: those lost twice with their managers each into one of its own, last.

    After them comes that of the task that comes after all others, if it is among them.

    :returns: the chunks, and the number of the first that is to run alone; there need not be one.
    """
    chunks = make_chunks(taken.tasks - taken.suspects - taken.has_final, swarm.all_slots, first)
    alone_from = first + len(chunks)
    alone = taken.suspects + taken.has_final
    chunks += [Chunk(alone_from + number, 1) for number in range(alone)]
    return chunks, alone_from if taken.suspects else first + len(chunks)


def retry(
    swarm: Swarm,
    connection: fabric.Connection | None = None,
    *,
    only: Sequence[str] = (),
    limit: int | None = None,
    force: bool = False,
    screen: Screen | Silent | None = None,
) -> Submitted:
    """Submit again what failed or was lost, as the config has it now; what it means no more is not run.

    :param only: as in `submit`.
    :param limit: as in `submit`.
    :param force: as in `submit`.
    :returns: as `submit`.
    :raises LocustsError: as `submit`.
    """
    return submit(swarm, connection, retry=True, only=only, limit=limit, force=force, screen=screen)


def _forget(session: Session, screen: Screen | Silent) -> None:
    """Stop what runs, remove the environment, and forget what is known of the tasks."""
    stop_managers(session, screen)
    mark_removal(session.ledger, RESULTS)
    complete_removal(session.swarm, session.site, session.ledger)
