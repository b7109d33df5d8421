"""What managers report: the same news give the same state, however they come."""

from __future__ import annotations

import contextlib
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.manager.records import Ended, Left, Manager, Record
from locusts_fab.model import Counts, ManagerState, TaskState
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import began, ended, found, started, states, tell

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        yield made


def test_the_life_of_a_task(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    tell(ledger, "1-0", Manager("1-0", "node", 12, 2, 9.0), began(1))
    assert ledger.counts() == Counts(total=2, pending=1, running=1, done=0, failed=0)
    assert (found(ledger, "a").node, found(ledger, "a").start_s) == ("node", 10.0)
    tell(ledger, "1-0", ended(1, "retry"), began(1, 2), ended(1, "done", 2))
    outcome = found(ledger, "a")
    assert (outcome.state, outcome.exit_code, outcome.attempts, outcome.attempt) == (TaskState.DONE, 0, 2, 2)
    assert (outcome.seconds, outcome.found, outcome.log, outcome.claim) == (2.5, (True,), 1, "000001.1")
    assert ledger._db.execute("SELECT found FROM tasks ORDER BY number").fetchall() == [("1",), ("",)]
    (manager,) = ledger.managers()
    assert (manager.host, manager.slots, manager.done, manager.failed) == ("node", 2, 1, 0)


DONE, FAILED = ended(1, "done"), ended(1, "failed")


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([began(1)], "r"),
        ([began(1), DONE], "d"),
        ([DONE], "d"),  # the line of its beginning was lost
        ([began(1), FAILED], "f"),
        ([FAILED, DONE], "d"),
        ([DONE, FAILED], "d"),
        ([DONE, began(1, 1, "000001.2")], "d"),
        ([FAILED, began(1, 1, "000001.2")], "f"),
        ([began(1), ended(1, "retry")], "r"),
        ([began(1), ended(1, "interrupted")], "p"),
        ([began(1), DONE, ended(1, "interrupted")], "d"),
        ([began(1), FAILED, ended(1, "interrupted")], "f"),
        ([began(1), ended(1, "interrupted"), began(1, 1, "000001.2")], "r"),
        ([began(1), Left("finished", 20.0)], "p"),
        ([began(1), Left("finished", 20.0), DONE], "d"),
        ([began(2)], "p"),  # of another task, which nobody knows
    ],
)
def test_what_becomes_of_a_task(ledger: Ledger, records: list[Record], state: str) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", *records)
    assert states(ledger) == state


def test_the_first_done_record_wins(ledger: Ledger) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", ended(1, "done", claim="000001.1"))
    tell(ledger, "1-1", ended(1, "done", claim="000001.2"), ended(1, "failed", claim="000001.2"))
    assert found(ledger, "a").claim == "000001.1"
    assert [(manager.done, manager.failed) for manager in ledger.managers()] == [(1, 0), (0, 0)]


def test_done_wins_over_failed_with_all_that_belongs_to_it(ledger: Ledger) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", ended(1, "failed", claim="000001.1", reason="exit 1"))
    ledger.set_collected([(1, "a")])
    tell(ledger, "1-1", ended(1, "done", claim="000001.2"))
    outcome = found(ledger, "a")
    assert (outcome.state, outcome.claim, outcome.exit_code, outcome.reason) == (TaskState.DONE, "000001.2", 0, "")
    assert ledger.count_collected() == 0  # its outputs have to be brought again


@pytest.mark.parametrize("state", [ManagerState.LEFT, ManagerState.GONE])
def test_what_a_manager_ran_that_is_no_more_waits_again(ledger: Ledger, state: ManagerState) -> None:
    started(ledger, "a", "b", "c", "d")
    tell(ledger, "1-0", began(1), ended(1, "done"), began(2), ended(2, "failed"), began(3))
    tell(ledger, "1-1", began(4))
    ledger.set_manager("1-0", state, "why")
    assert states(ledger) == "dfpr"
    assert found(ledger, "c").reason == "lost with its manager"
    assert ledger.manager_reason("1-0") == "why"


@pytest.mark.parametrize("state", [ManagerState.ALIVE, ManagerState.UNKNOWN])
def test_what_may_still_run_counts_as_running(ledger: Ledger, state: ManagerState) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", began(1))
    ledger.set_manager("1-0", state)
    assert states(ledger) == "r"


def test_a_task_that_another_manager_runs_now_is_not_lost_with_the_first(ledger: Ledger) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", began(1))
    tell(ledger, "1-1", began(1, 1, "000001.2"))
    ledger.set_manager("1-0", ManagerState.GONE)
    assert states(ledger) == "r"


task_records = st.one_of(
    st.builds(began, st.integers(1, 4), st.integers(1, 3), st.sampled_from(["000001.1", "000001.2"])),
    st.builds(
        ended,
        st.integers(1, 4),
        st.sampled_from(["done", "failed", "retry", "interrupted"]),
        st.integers(1, 3),
        st.sampled_from(["000001.1", "000001.2"]),
    ),
    st.just(Manager("1-0", "node", 12, 2, 9.0)),
    st.just(Left("finished", 20.0)),
)
news = st.lists(st.tuples(st.sampled_from(["1-0", "1-1"]), task_records), max_size=25)


@contextlib.contextmanager
def told(polls: list[list[tuple[str, Record]]]) -> Iterator[Ledger]:
    """Make a ledger that was told records, each list of them in one transaction."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Ledger(Path(folder) / "ledger")) as ledger:
        ledger._db.execute("PRAGMA synchronous = OFF")
        started(ledger, "a", "b", "c", "d")
        for poll in polls:
            with ledger.transaction():
                for manager, record in poll:
                    ledger.apply(manager, [record], 10)
        yield ledger


@settings(max_examples=25, deadline=None)
@given(news, st.lists(st.integers(0, 25), max_size=4))
def test_the_same_records_in_any_split_into_polls_give_the_same_state(
    records: list[tuple[str, Record]], cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    parts = [records[start:end] for start, end in pairwise(edges)]
    with told([records]) as once, told(parts) as bit_by_bit:
        assert list(bit_by_bit.outcomes()) == list(once.outcomes())
        assert bit_by_bit.managers() == once.managers()
        assert bit_by_bit.offsets() == once.offsets()
        ends = {(record.task, record.state) for _, record in records if isinstance(record, Ended)}
        for outcome in once.outcomes():
            is_done, is_failed = (outcome.number, "done") in ends, (outcome.number, "failed") in ends
            assert (outcome.state is TaskState.DONE) is is_done
            assert (outcome.state is TaskState.FAILED) is (is_failed and not is_done)


def test_offsets_add_up_and_end_when_a_manager_has_left(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.apply("1-0", [], 100)
        ledger.apply("1-0", [], 20)
        ledger.apply("2-13", [], 7)
    assert ledger.offsets() == {"1-0": 120, "2-13": 7}
    ledger.set_manager("1-0", ManagerState.GONE)
    assert ledger.offsets() == {"1-0": 120, "2-13": 7}  # it may have been only a bad link
    ledger.set_manager("1-0", ManagerState.LEFT)
    assert ledger.offsets() == {"1-0": -1, "2-13": 7}


def test_a_heartbeat_counts_by_our_own_clock(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.apply("1-0", [], 0)
    assert ledger.note_beat("1-0", "5", 1000.0) == 0
    assert ledger.note_beat("1-0", "5", 1090.0) == 90
    assert ledger.note_beat("1-0", "6", 1100.0) == 0
    assert ledger.note_beat("1-0", "6", 1150.0) == 50


def test_managers_of_one_submission(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    tell(ledger, "1-0", ended(1, "done"))
    tell(ledger, "12-0", ended(2, "failed"))
    assert [manager.id for manager in ledger.managers()] == ["1-0", "12-0"]
    assert [manager.id for manager in ledger.managers(12)] == ["12-0"]
    assert [ledger.count_ended_in(number) for number in (1, 12, 3)] == [1, 1, 0]
