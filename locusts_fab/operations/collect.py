"""What can be done with a swarm besides submitting it: look, watch, collect, read logs, clean up, find it again."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from locusts_fab.errors import StateError, TransferError
from locusts_fab.layout import Results
from locusts_fab.model import Counts, PlannedTask, Status, SwarmState
from locusts_fab.operations.session import opened
from locusts_fab.operations.submit import stop_managers
from locusts_fab.operations.watching import keep_looking
from locusts_fab.plan.tasks import make_plan
from locusts_fab.progress import Silent
from locusts_fab.replica.manifest import workdir
from locusts_fab.replica.sync import bring_back, forget_table, has_news, read_table, recall_table
from locusts_fab.results.collect import describe, find_lost, write_tables
from locusts_fab.schedulers.slurm.jobs import parse_job_id
from locusts_fab.shell.scripts import remote_script
from locusts_fab.tsv import unescape

if TYPE_CHECKING:
    from collections.abc import Iterator

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model import Outcome
    from locusts_fab.operations.session import Session
    from locusts_fab.replica.sync import Brought
    from locusts_fab.ui.screen import Screen


#: While somebody waits for results, a look brings some if so many tasks have ended, or the latest are so long ago.
ALONG_WORTH = 200
ALONG_EVERY_S = 60.0
#: It brings so many at first; then as many as come in so long a time.
ALONG_TASKS = 500
ALONG_HOLD_S = 2.0


def status(swarm: Swarm, connection: fabric.Connection | None = None) -> Status:
    """Look once.

    :raises LocustsError: the target could not be asked.
    """
    if not (swarm.state_dir / "ledger.sqlite").exists():
        count = make_plan(swarm, swarm.environment_dir).count
        return Status(swarm.name, swarm.target_name, SwarmState.PLANNED, Counts(count, count, 0, 0, 0), 0)
    with opened(swarm, connection) as session:
        session.poll()
        return session.status()


def watch(
    swarm: Swarm, connection: fabric.Connection | None = None, *, screen: Screen | Silent | None = None
) -> Status:
    """Look again and again until nothing more happens by itself.

    The state is only held for the moment of each look, so that other commands may come in between.

    :param connection: an open Fabric connection to use. It is not ours to open again, should its link break.
    :returns: the last status.
    :raises LocustsError: the target could not be asked, and not for some minutes if it could at first.
    """
    look = partial(status, swarm, connection)
    return keep_looking(look, swarm, screen or Silent(), reconnect=connection is None)


@dataclass(frozen=True)
class Collected:
    """What a collect came to: the tasks whose outcome came now, and the status after it.

    :param troubles: outputs that could not be brought back.
    :param brought: what became of the tree, in a custom environment.
    """

    tasks: int
    status: Status
    troubles: int
    results: Results
    brought: Brought | None = None


def collect(
    swarm: Swarm,
    connection: fabric.Connection | None = None,
    *,
    wait: bool = False,
    apply_removals: bool = False,
    screen: Screen | Silent | None = None,
) -> Collected:
    """Bring back what has ended so far; what is here already does not move again.

    The tree of a custom environment comes back once no manager is at work on it.

    :param wait: first watch until nothing is left to run, and meanwhile bring what has ended by then.
    :param apply_removals: remove from the local tree what tasks removed from its replica.
    :raises LocustsError: something could not be brought; the same call again carries on.
    """
    screen = screen or Silent()
    along = _Along(swarm, connection)
    if wait:
        keep_looking(along.look, swarm, screen, reconnect=connection is None)
    with opened(swarm, connection) as session:
        session.poll()
        ledger, results = session.ledger, results_of(swarm)
        along.see_what_is_lost(session)
        tasks = along.tasks + session.site.files.collect(ledger, results, screen)
        write_tables(ledger, results)
        brought = None
        if swarm.is_custom and session.status().is_over and read_table(swarm):
            brought = bring_back(session, screen, apply_removals=apply_removals)
        return Collected(tasks, session.status(), len(ledger.troubles()), results, brought)


class _Along:
    """Brings results while a swarm is watched: what has ended is safe here, and the end has less to bring.

    A look that brings something keeps other commands on the swarm waiting, so it brings no more than takes a moment.

    :ivar tasks: the number of tasks brought so far.
    """

    def __init__(self, swarm: Swarm, connection: fabric.Connection | None) -> None:
        self.tasks = 0
        self._swarm, self._connection = swarm, connection
        self._results = results_of(swarm)
        self._limit = ALONG_TASKS
        self._latest = time.monotonic()
        self._has_seen = False

    def see_what_is_lost(self, session: Session) -> None:
        """Once, look whether all that came earlier is still here; what is not comes again."""
        if not self._has_seen:
            session.ledger.set_uncollected(list(find_lost(session.ledger.placed(), self._results)))
            self._has_seen = True

    def look(self) -> Status:
        """Look once, as `status` does, and bring something if it is worth it."""
        with opened(self._swarm, self._connection) as session:
            session.poll()
            self.see_what_is_lost(session)
            now = session.status()
            there = now.tasks.ended - now.collected
            is_late = time.monotonic() - self._latest > ALONG_EVERY_S
            if now.is_over or not there or (there < ALONG_WORTH and not is_late):
                return now
            self._bring(session)
            return session.status()

    def _bring(self, session: Session) -> None:
        start = self._latest = time.monotonic()
        with contextlib.suppress(TransferError):  # if it lasts, it is told at the end
            count = session.site.files.collect(session.ledger, self._results, Silent(), limit=self._limit)
            self._latest = time.monotonic()
            self._limit = max(1, int(count * ALONG_HOLD_S / (self._latest - start)))
            self.tasks += count


@dataclass(frozen=True)
class TaskLog:
    """What `logs` tells of a task.

    :param sandbox: where its sandbox is or was, on the target.
    :param printed: what the task printed; None if it cannot be had any more.
    """

    outcome: Outcome
    description: str
    sandbox: str
    printed: bytes | None


def logs(swarm: Swarm, task_id: str, connection: fabric.Connection | None = None) -> TaskLog:
    """Tell what became of a task, and what it printed.

    :raises StateError: there is no such task.
    """
    with opened(swarm, connection) as session:
        session.poll()
        outcome = session.ledger.find(task_id)
        if outcome is None:
            raise StateError(
                f"swarm {swarm.name} has no task {task_id!r}", hint=f"the tasks are listed in {swarm.outdir}/tasks.tsv"
            )
        environment = session.site.environment
        if not outcome.claim:
            return TaskLog(outcome, describe(outcome), "", b"")
        sandbox = environment.absolute(environment.sandbox(outcome.claim, outcome.number, outcome.attempt))
        return TaskLog(outcome, describe(outcome), sandbox, _read_log(session, outcome))


def _read_log(session: Session, outcome: Outcome) -> bytes | None:
    if outcome.has_ended and not outcome.log:
        return b""
    here = session.swarm.outdir / Results(session.swarm.outdir, is_flat=False).log(outcome.id)
    if outcome.place and outcome.has_ended and here.exists():
        return here.read_bytes()
    return session.site.files.read(session.site.environment.log(outcome.claim, outcome.log))


def clean(
    swarm: Swarm,
    connection: fabric.Connection | None = None,
    *,
    force: bool = False,
    screen: Screen | Silent | None = None,
) -> None:
    """Remove the environment from the target; what was collected stays here.

    :param force: also while tasks run (they are stopped) or results are not collected (they are lost).
    :raises StateError: tasks run or results are uncollected.
    """
    with opened(swarm, connection) as session:
        session.poll()
        counts = session.ledger.counts()
        uncollected = counts.ended - session.ledger.count_collected()
        if not force and counts.ended < counts.total and session.live_submission() is not None:
            raise StateError(
                f"swarm {swarm.name} is still at work", hint="`locusts cancel` stops it; --force stops and removes it"
            )
        if not force and uncollected:
            raise StateError(
                f"{uncollected} tasks have ended and are not collected",
                hint="`locusts collect` first; --force gives them up",
            )
        stop_managers(session, screen or Silent())
        if not force and swarm.is_custom and session.poll() and has_news(session):
            raise StateError(
                "tasks have changed the tree, and that has not come home",
                hint="`locusts collect` first; --force gives it up",
            )
        session.site.files.remove()
        forget_table(swarm)


def attach(swarm: Swarm, connection: fabric.Connection | None = None) -> Status:
    """Rebuild the local state of a swarm from the target alone.

    Nothing counts as collected afterwards; the next collect finds what is here already and moves only the rest.

    :raises StateError: there is no environment of the swarm on the target.
    """
    with opened(swarm, connection, create=True) as session:
        environment = session.site.environment
        result = session.site.host.run(remote_script("read_plan"), environment.root)
        if result.exit_status != 0:
            raise StateError(
                f"there is no environment of swarm {swarm.name} at {environment.root} ({session.site.host.name})",
                hint="see that root and the swarm's name are those it was submitted with",
            )
        head, _, plan = result.stdout.partition(b"\n")
        session.ledger.learn(_parse_plan(plan))
        latest, last_chunk, job = head.decode("ascii", "replace").split(" ", 2)
        if latest != "0" and session.ledger.latest_submission() is None:
            submission = session.ledger.begin_submission(1, int(last_chunk), number=int(latest))
            session.ledger.set_submission(submission.number, state="started", job=parse_job_id(job) or "")
        if swarm.is_custom:
            recall_table(session)
        session.poll()
        return session.status()


def _parse_plan(plan: bytes) -> Iterator[PlannedTask]:
    """Read the lines of all chunks. Inputs are not in them; the config tells them at the next submit."""
    for line in plan.decode("utf-8", "surrogateescape").split("\n"):
        number, *fields = line.split("\t")
        if len(fields) >= 2 and number.isdigit():  # noqa: PLR2004 - an id and a command
            task_id, command, *outputs = map(unescape, fields)
            yield PlannedTask(int(number), task_id, command, (), tuple(outputs))


def results_of(swarm: Swarm) -> Results:
    """Tell where a swarm's results are."""
    tree_dir = workdir(swarm) if swarm.is_custom else None
    return Results(swarm.outdir, swarm.settings.layout == "flat", tree_dir)
