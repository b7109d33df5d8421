"""Ledgers for tests: tasks, and what managers report of them, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.manager.records import Began, Ended
from locusts_fab.model.swarms import ManagerState
from locusts_fab.model.tasks import Outcome, Task

if TYPE_CHECKING:
    from locusts_fab.manager.records import Record
    from locusts_fab.state.ledger import Ledger

ROOT = "/scratch/pairs"


def task(task_id: str, command: str = "true", outputs: tuple[str, ...] = ("out",)) -> Task:
    """Make a task of the config."""
    return Task(task_id, command, ("in",), outputs)


def began(number: int, attempt: int = 1, claim: str = "000001.1") -> Began:
    """Make the record of a beginning."""
    return Began(claim, number, attempt, 10.0, 1)


def ended(number: int, state: str, attempt: int = 1, claim: str = "000001.1", reason: str = "") -> Ended:
    """Make the record of an end."""
    code = 0 if state == "done" else 1
    return Ended(claim, number, attempt, state, code, 10.0, 12.5, (True,), 1, reason)


def tell(ledger: Ledger, manager: str, *records: Record) -> None:
    """Enter what a manager reported."""
    with ledger.transaction():
        ledger.apply(manager, records, 0)


def states(ledger: Ledger) -> str:
    """Return the first letter of each task's state."""
    return "".join(outcome.state.value[0] for outcome in ledger.outcomes())


def started(ledger: Ledger, *ids: str) -> int:
    """Plan tasks and submit them."""
    ledger.take_plan([task(task_id) for task_id in ids], ROOT)
    return ledger.begin_submission(1, 1).number


def found(ledger: Ledger, task_id: str) -> Outcome:
    """Find a task."""
    outcome = ledger.find(task_id)
    assert outcome is not None
    return outcome


def change_much(ledger: Ledger) -> None:
    """Change something of everything; within a transaction."""
    ledger.apply("1-0", [began(1), ended(1, "done"), began(2)], 100)
    ledger.set_manager("1-0", ManagerState.GONE, "why")
    ledger.set_fact("updated", "12")
