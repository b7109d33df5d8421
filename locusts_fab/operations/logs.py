"""Logs: what became of one task, and what it printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import StateError
from locusts_fab.operations.session import looked_at, results_of
from locusts_fab.results.lists import describe

if TYPE_CHECKING:
    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model import Outcome
    from locusts_fab.operations.session import Session


@dataclass(frozen=True)
class TaskLog:
    """The answer of `logs` on a task.

    :param description: why the task is in its state, in words.
    :param sandbox: where its sandbox is or was, on the target.
    :param printed: what the task printed, or the end of it; None if that is no longer available.
    :param left_out: how many bytes of it came before that.
    """

    outcome: Outcome
    description: str
    sandbox: str
    printed: bytes | None
    left_out: int = 0


#: Of what a task printed, so much is shown, in bytes: the end of it.
_SHOWN_BYTES = 10_000_000


def logs(swarm: Swarm, task_id: str, connection: fabric.Connection | None = None) -> TaskLog:
    """Return what became of a task, and what it printed.

    :param task_id: the task's id, as in tasks.tsv.
    :returns: its outcome, its sandbox, and what it printed.
    :raises StateError: there is no such task.
    """
    with looked_at(swarm, connection) as session:
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
        printed, left_out = _read_log(session, outcome) or (None, 0)
        return TaskLog(outcome, describe(outcome), sandbox, printed, left_out)


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
