"""What a submit takes of tasks that have ended, and that a refusal changes nothing of them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import LocustsError, PlanError, StateError, TransferError
from locusts_fab.model.tasks import FINAL, Choice
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import ROOT, began, ended, states, task, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Yield the ledger of a swarm of which one is done, one failed, one waits, and the last one is done too."""
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        plan(made)
        made.begin_submission(1, 9)
        tell(made, "1-0", began(1), ended(1, "done"), began(2), ended(2, "failed", reason="exit 3"))
        tell(made, "1-0", began(4), ended(4, "done"))
        made.set_collected([(1, "a"), (4, FINAL)])
        yield made


def plan(ledger: Ledger, command: str = "true") -> None:
    """Enter the plan of three tasks, and of the one after these."""
    ledger.take_plan([task(name, command) for name in ("a", "b", "c", FINAL)], ROOT, final=FINAL)


def rows(ledger: Ledger) -> list[object]:
    """Return all that is known of tasks that have ended."""
    query = "SELECT t.*, c.* FROM tasks t JOIN commands c USING (number) WHERE state IN ('done', 'failed')"
    return list(ledger._db.execute(f"{query} ORDER BY t.number"))


@pytest.mark.parametrize("choice", [Choice(ended=True), Choice(failed=True), Choice(changed=True), Choice()])
@pytest.mark.parametrize(
    ("error", "is_refusal"), [(StateError("x"), True), (PlanError("x"), True), (TransferError("x"), False)]
)
@pytest.mark.parametrize("command", ["true", "false"])
def test_what_is_refused_changes_nothing(
    ledger: Ledger, choice: Choice, error: LocustsError, command: str, *, is_refusal: bool
) -> None:
    plan(ledger, command)
    before = rows(ledger)
    ledger.choose(choice, None)
    assert ledger.take_chosen(None).tasks
    taken = states(ledger)
    with pytest.raises(LocustsError), ledger.given_back_if_refused():
        number = ledger.begin_submission(2, 9, chosen=True).number
        ledger.drop_submission(number)
        raise error
    assert (rows(ledger) == before) is is_refusal
    assert states(ledger) == ("dfpd" if is_refusal else taken)
    ledger.choose(choice, None)
    ledger.take_chosen(None)
    assert states(ledger) == taken


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), (4, 1)),
        (Choice(failed=True), (4, 0)),
        (Choice(failed=True, only=("a", "c")), (4, 1)),
        (Choice(ended=True, only=("b",)), (4, 0)),
    ],
)
def test_what_stays_failed_is_known_before(ledger: Ledger, choice: Choice, expected: tuple[int, int]) -> None:
    ledger.choose(choice, None)
    counts = ledger.counts_beside_chosen()
    assert (counts.total, counts.failed) == expected
    ledger.take_chosen(None)
    counts = ledger.counts()
    assert (counts.total, counts.failed) == expected


def test_neither_what_is_forgotten_nor_a_last_one_that_runs_again_counts(ledger: Ledger) -> None:
    ledger._db.execute("UPDATE tasks SET state = 'failed' WHERE number = 4")
    ledger.take_plan([task(name) for name in ("a", "b", "d", FINAL)], ROOT, live=1, final=FINAL)  # c may still begin
    ledger.choose(Choice(), None)
    counts = ledger.counts_beside_chosen()
    assert (counts.total, counts.failed) == (4, 1)
    ledger.take_chosen(None)
    assert (ledger.counts().total, ledger.counts().failed) == (4, 1)
