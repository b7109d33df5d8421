"""Tasks that are to run again, whose results are given up or forgotten, and tasks that the config means no more."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.model.findings import Kept
from locusts_fab.model.tasks import TaskState
from locusts_fab.outputs import ABSENT
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import ROOT, began, ended, found, started, states, task, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        yield made


def test_failed_tasks_are_reset_for_a_retry(ledger: Ledger) -> None:
    started(ledger, "a", "b", "c")
    tell(ledger, "1-0", ended(1, "done"), ended(2, "failed"))
    ledger.set_collected([(1, "a"), (2, "b")])
    assert ledger.reset_failed() == 1
    assert states(ledger) == "dpp"
    assert ledger.count_collected() == 1
    ledger.begin_submission(2, 2)
    tell(ledger, "2-0", began(2, claim="000002.1"), ended(2, "failed", claim="000002.1"))
    outcome = found(ledger, "b")
    assert (outcome.state, outcome.claim, outcome.place) == (TaskState.FAILED, "000002.1", "b")


def test_forgetting_results_leaves_tasks_as_new(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    ledger.take_plan([task("a"), task("b")], ROOT)
    before = list(ledger.outcomes())
    tell(ledger, "1-0", began(1), ended(1, "failed", reason="exit 1"), began(2), ended(2, "done"))
    ledger.set_collected([(2, "b")], [(2, "out", "gone")])
    ledger.forget_results()
    first, second = ledger.outcomes()
    assert first == before[0]
    assert (second.state, second.attempts, second.found, second.place) == (TaskState.PENDING, 0, (), "b")
    assert (ledger.offsets(), ledger.troubles(), ledger.count_collected()) == ({}, {}, 0)
    assert ledger.count_pending(beyond=1) == 2  # no submission holds them any more


def test_what_is_given_up_waits_and_lacks_nothing(ledger: Ledger) -> None:
    """That is what did not come, and what lacks an output that never came; not what was removed here since."""
    started(ledger, *"abcdef")
    tell(ledger, "1-0", *(ended(number, "done") for number in range(1, 6)), began(6))
    ledger.set_collected(
        [(1, "a"), (2, "b"), (3, "c"), (4, "d")],
        [(1, "out", "in the way"), (2, "", "in the way"), (3, "out", ABSENT)],
    )
    for _ in range(2):
        ledger.give_up()
        assert states(ledger) == "pdddpp"
        assert ledger.troubles().keys() == {(3, "out")}
        assert (ledger.count_collected(), ledger.count_pending()) == (3, 3)
        assert ledger.fact("cleaned") == "1 2"
    assert found(ledger, "a").reason == "its results were given up"
    assert [found(ledger, each).is_here for each in "ab"] == [False, True]


def test_a_task_that_waits_lacks_nothing(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    tell(ledger, "1-0", ended(1, "failed"), ended(2, "failed"))
    ledger.set_collected([(1, "a"), (2, "b")], [(1, "out", "why"), (2, "out", "why")])
    ledger.set_uncollected([1])
    assert ledger.troubles(1).keys() == {(1, "out")}
    ledger.reset_failed()
    assert (ledger.troubles(), ledger.troubles(1)) == ({}, {})


def test_a_task_is_forgotten_with_all_that_is_known_of_it(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    tell(ledger, "1-0", ended(1, "failed"), ended(2, "failed"))
    ledger.set_collected([(1, "a"), (2, "b")], [(2, "out", "why")], kept=[(2, "other", Kept(512, 1))])
    ledger._db.execute("INSERT INTO matches VALUES (2, x'')")
    ledger._db.execute("INSERT INTO match_parts VALUES (2, '000001.1', 1, 1, 0, x'')")
    ledger.reset_failed()
    ledger.take_plan([task("a")], ROOT)
    assert states(ledger) == "p"
    for table in ("tasks", "commands", "troubles", "matches", "match_parts", "archived"):
        rows = ledger._db.execute(f"SELECT number FROM {table}").fetchall()  # noqa: S608
        assert (2,) not in rows, table
