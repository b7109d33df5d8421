"""Logs: what became of one task, and what it printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.bounds.names import Name, TaskId
from locusts_fab.errors import StateError
from locusts_fab.model import Outcome, TaskState
from locusts_fab.operations.glance import glanced_at, working_on
from locusts_fab.operations.session import busy_note, results_of
from locusts_fab.plan.tasks import make_plan
from locusts_fab.results.lists import describe

if TYPE_CHECKING:
    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.operations.session import Session


@dataclass(frozen=True)
class TaskLog:
    """The answer of `logs` on a task.

    :param description: why the task is in its state, in words.
    :param sandbox: where its sandbox is or was, on the target.
    :param printed: what the task printed, or the end of it; None if that is no longer available.
    :param left_out: how many bytes of it came before that.
    :param notes: what a person should know besides, a line each.
    """

    outcome: Outcome
    description: str
    sandbox: str
    printed: bytes | None
    left_out: int = 0
    notes: list[str] = field(default_factory=list)


#: Of what a task printed, so much is shown, in bytes: the end of it.
_SHOWN_BYTES = 10_000_000


def logs(swarm: Swarm, task_id: str, connection: fabric.Connection | None = None) -> TaskLog:
    """Return what became of a task, and what it printed.

    :param task_id: the task's id, as in tasks.tsv.
    :returns: its outcome, its sandbox, and what it printed.
    :raises StateError: there is no such task.
    """
    busy = working_on(swarm)
    if busy and not (swarm.state_dir / "ledger.sqlite").exists():  # its first submit has begun just now
        return _planned(swarm, task_id, [busy_note(busy)])
    with glanced_at(swarm, connection) as session:
        notes = session.busy_notes()
        outcome = session.ledger.find(task_id)
        if outcome is None:
            if busy or session.busy:  # a submit may be about to plan it
                return _planned(swarm, task_id, notes)
            raise _no_such_task(swarm, task_id)
        environment = session.site.environment
        if not outcome.claim:
            return TaskLog(outcome, describe(outcome), "", b"", notes=notes)
        sandbox = environment.absolute(environment.sandbox(outcome.claim, outcome.number, outcome.attempt))
        printed, left_out = _read_log(session, outcome) or (None, 0)
        return TaskLog(outcome, describe(outcome), sandbox, printed, left_out, notes)


def _planned(swarm: Swarm, task_id: str, notes: list[str]) -> TaskLog:
    """Return what is known of a task that only the config knows of.

    :raises StateError: there is no such task.
    """
    task = next((task for task in make_plan(swarm, swarm.environment_dir).tasks() if task.id == task_id), None)
    if task is None:
        raise _no_such_task(swarm, task_id)
    outcome = Outcome(
        number=0,
        id=TaskId(task.id),
        command=task.command,
        outputs=tuple(map(Name, task.outputs)),
        state=TaskState.PENDING,
        exit_code=None,
        attempts=0,
        node="",
        start_s=None,
        seconds=None,
        reason="",
        found=(),
        log=0,
        claim="",
        attempt=0,
        place="",
    )
    return TaskLog(outcome, describe(outcome), "", b"", notes=notes)


def _no_such_task(swarm: Swarm, task_id: str) -> StateError:
    return StateError(
        f"swarm {swarm.name} has no task {task_id!r}", hint=f"the tasks are listed in {swarm.outdir}/tasks.tsv"
    )


def _read_log(session: Session, outcome: Outcome) -> tuple[bytes, int] | None:
    """Return the end of what a task printed, and how many bytes were before it."""
    if outcome.has_ended and not outcome.log:
        return b"", 0
    here = session.swarm.outdir / results_of(session.swarm).log(outcome.id)
    if outcome.place and outcome.has_ended and here.exists():
        with here.open("rb") as file:
            before = max(0, here.stat().st_size - _SHOWN_BYTES)
            file.seek(before)
            return file.read(_SHOWN_BYTES), before
    return session.site.transfer.read_end(session.site.environment.log(outcome.claim, outcome.log), _SHOWN_BYTES)
