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

from locusts_fab.bounds.entries import Entry
from locusts_fab.bounds.names import Name
from locusts_fab.manager.planfile import PlannedChunk
from locusts_fab.manager.records import Ended, Left, Manager, Matched, Record, read_found
from locusts_fab.model.swarms import Counts, ManagerState, Submission
from locusts_fab.model.tasks import PlannedTask, Task, TaskState
from locusts_fab.state.clock import Reading
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import ROOT, began, ended, found, started, states, task, tell

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
            is_lost = outcome.reason == "lost with its manager 3 times"
            assert (outcome.state is TaskState.FAILED) is ((is_failed or is_lost) and not is_done)


def test_offsets_add_up_and_end_when_a_manager_has_left(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.apply("1-0", [], 100)
        ledger.apply("1-0", [], 20)
        ledger.apply("2-13", [], 7)
    assert ledger.offsets() == {"1-0": 120, "2-13": 7}
    ledger.set_manager("1-0", ManagerState.GONE)
    assert ledger.offsets() == {"1-0": 120, "2-13": 7}  # it may have been only a bad link
    ledger.set_manager("1-0", ManagerState.LEFT)
    assert ledger.offsets() == {"1-0": 120, "2-13": 7}  # as above: it was only said of it
    tell(ledger, "1-0", Left("finished", 20.0))
    assert ledger.offsets() == {"1-0": -1, "2-13": 7}


def test_a_heartbeat_counts_by_our_own_clock(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.apply("1-0", [], 0)
    assert ledger.note_beat("1-0", "5", at(1000.0)) == 0
    assert ledger.note_beat("1-0", "5", at(1090.0)) == 90
    assert ledger.note_beat("1-0", "6", at(1100.0)) == 0
    assert ledger.note_beat("1-0", "6", at(1150.0)) == 50


def at(awake_s: float, boot: str = "this") -> Reading:
    return Reading(boot, awake_s, awake_s)


def test_a_heartbeat_of_another_start_of_this_machine_counts_from_now(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.apply("1-0", [], 0)
    assert ledger.note_beat("1-0", "5", at(90_000.0)) == 0
    assert ledger.note_beat("1-0", "5", at(10.0, "next")) == 0
    assert ledger.note_beat("1-0", "5", at(350.0, "next")) == 340


def test_no_heartbeat_is_of_the_future(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.apply("1-0", [], 0)
    assert ledger.note_beat("1-0", "5", at(90_000.0)) == 0
    assert ledger.note_beat("1-0", "5", at(10.0)) == 0
    assert ledger.note_beat("1-0", "5", at(350.0)) == 340


def test_who_cannot_beat_does_not_grow_old(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.apply("1-0", [], 0)
    assert ledger.note_beat("1-0", "5", at(10.0)) == 0
    assert ledger.note_beat("1-0", "5", at(900.0), is_paused=True) == 0
    assert ledger.note_beat("1-0", "5", at(930.0)) == 30


# ---- what was lost ----


def lose(ledger: Ledger, number: int, submission: int) -> None:
    """Let a manager run a task, and be gone."""
    tell(ledger, f"{submission}-0", began(number))
    ledger.set_manager(f"{submission}-0", ManagerState.GONE, "why")
    ledger.set_manager(f"{submission}-0", ManagerState.LEFT, "why")  # as it is marked then


def test_a_task_that_was_lost_three_times_has_failed(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    for submission in (1, 2):
        lose(ledger, 1, submission)
        assert (states(ledger), found(ledger, "a").reason) == ("pp", "lost with its manager")
        ledger.begin_submission(1, 1)
    lose(ledger, 1, 3)
    outcome = found(ledger, "a")
    assert (outcome.state, outcome.reason) == (TaskState.FAILED, "lost with its manager 3 times")
    assert [each.id for each in ledger.judged_here()] == ["a"]
    assert (outcome.exit_code, outcome.found) == (None, ())
    assert [task.number for task in ledger.uncollected()] == [1]
    ledger.reset_failed()
    ledger.begin_submission(1, 1)
    assert ledger.count_suspects() == 1  # it may run once more, last and alone
    lose(ledger, 1, 4)
    assert found(ledger, "a").reason == "lost with its manager 3 times"


def test_it_counts_though_another_manager_runs_it_by_now(ledger: Ledger) -> None:
    started(ledger, "a")
    for manager in ("1-0", "1-1", "1-2"):
        tell(ledger, manager, began(1))
    ledger.set_manager("1-0", ManagerState.GONE)
    ledger.set_manager("1-1", ManagerState.GONE)
    assert states(ledger) == "r"
    ledger.set_manager("1-2", ManagerState.GONE)
    assert states(ledger) == "f"


def test_a_slot_that_was_lost_counts(ledger: Ledger) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", *(began(1, 1, f"000001.{generation}") for generation in (1, 2, 3)))
    assert states(ledger) == "r"
    ledger.set_manager("1-0", ManagerState.LEFT)
    assert states(ledger) == "f"


@pytest.mark.parametrize("state", ["done", "failed", "interrupted", "retry"])
def test_what_came_to_an_end_was_not_lost(ledger: Ledger, state: str) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", began(1), ended(1, state), Left("finished", 20.0))
    assert ledger._db.execute("SELECT lost FROM tasks").fetchall() == [(0,)]


def test_nobody_is_blamed_for_what_a_person_did(ledger: Ledger) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", began(1))
    ledger.set_manager("1-0", ManagerState.LEFT, "the environment was removed", is_removed=True)
    tell(ledger, "1-1", began(1))
    ledger.set_fact("cancelled", "yes")
    ledger.set_manager("1-1", ManagerState.GONE)
    assert states(ledger) == "p"
    assert ledger._db.execute("SELECT lost FROM tasks").fetchall() == [(0,)]


def test_lost_tasks_are_planned_last_in_falling_certainty(ledger: Ledger) -> None:
    started(ledger, "a", "b", "c", "d")
    lose(ledger, 1, 1)
    lose(ledger, 2, 1)
    lose(ledger, 1, 2)
    begun = ledger.begin_submission(1, 1)
    assert [planned.id for planned in ledger.planned_tasks(begun.number)] == ["c", "d", "b", "a"]
    assert ledger.count_suspects() == 1


# ---- records that are of another plan ----


@pytest.mark.parametrize("found_text", ["", "10", "111"])
def test_a_done_record_with_more_or_fewer_outputs_than_the_plan_is_none(ledger: Ledger, found_text: str) -> None:
    started(ledger, "a")
    tell(ledger, "1-0", began(1), ended(1, "done")._replace(found=read_found(found_text)))
    assert states(ledger) == "r"


def test_a_failed_record_need_not_list_outputs(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    tell(ledger, "1-0", ended(1, "failed")._replace(found=()), ended(2, "failed")._replace(found=(True, False)))
    assert states(ledger) == "fp"


def test_the_outcome_of_a_task_has_the_outputs_that_it_ran_with(ledger: Ledger) -> None:
    """The config changed while the task waited its turn, ran, or had failed."""
    started(ledger, "a", "b", "c")
    tell(ledger, "1-0", began(2), began(3), ended(3, "failed"))
    ledger.take_plan([task(task_id, "false", ("x", "y")) for task_id in "abc"], ROOT, live=1)
    tell(ledger, "1-0", began(1), ended(1, "done"), ended(2, "failed"))
    assert [(outcome.state.value, outcome.outputs, outcome.found) for outcome in ledger.outcomes()] == [
        ("done", ("out",), (True,)),
        ("failed", ("out",), (True,)),
        ("failed", ("out",), (True,)),
    ]
    assert ledger.take_plan([task(task_id, "false", ("x", "y")) for task_id in "abc"], ROOT).changed == ["a"]


def test_a_late_record_of_a_command_that_was_replaced_is_none(ledger: Ledger) -> None:
    """As many outputs, and yet another command: the record is of what was planned before."""
    started(ledger, "a", "b")
    ledger.take_plan([task("a", "false", ("other",)), task("b")], ROOT)
    ledger.begin_submission(2, 2)
    tell(ledger, "1-0", began(1), ended(1, "done"), began(2), ended(2, "done"))
    assert states(ledger) == "pd"
    tell(ledger, "2-0", began(1), ended(1, "done"))
    assert (states(ledger), found(ledger, "a").outputs) == ("dd", ("other",))


def test_a_task_that_was_planned_anew_on_the_target_has_records_of_that_plan_only(ledger: Ledger) -> None:
    old, new = (PlannedTask(1, "a", "true", (), (name,)) for name in ("old", "new"))
    chunks = [PlannedChunk(1, [old], is_whole=True), PlannedChunk(2, [new], is_whole=True)]
    ledger.rebuild(chunks, [Submission(1, 1, "", 0, "t", ""), Submission(2, 2, "", 0, "u", "")])
    tell(ledger, "1-0", ended(1, "done"))
    assert states(ledger) == "p"
    tell(ledger, "2-0", ended(1, "failed"))
    assert (states(ledger), found(ledger, "a").outputs) == ("f", ("new",))


def test_managers_of_one_submission(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    tell(ledger, "1-0", ended(1, "done"))
    tell(ledger, "12-0", ended(2, "failed"))
    assert [manager.id for manager in ledger.managers()] == ["1-0", "12-0"]
    assert [manager.id for manager in ledger.managers(12)] == ["12-0"]
    assert [ledger.count_ended_in(number) for number in (1, 12, 3)] == [1, 1, 0]


# ---- what patterns matched ----


def matched(part: int, *names: str, output: int = 0, attempt: int = 1) -> Matched:
    """Make a record of what a pattern of task 1 matched."""
    return Matched("000001.1", 1, attempt, part, output, tuple(map(Name, names)))


def patterned(ledger: Ledger) -> None:
    """Submit a task with patterns among its outputs."""
    outputs = (Entry("/g/*.csv"), "plain", Entry("/go/core.*"))
    ledger.take_plan([Task("a", "true", (), outputs)], ROOT)
    ledger.begin_submission(1, 1)


END = ended(1, "done")._replace(found=(True, True, False), parts=2)


def test_what_patterns_matched_comes_with_the_end(ledger: Ledger) -> None:
    patterned(ledger)
    for record in (began(1), matched(1, "a.csv", "\udcff\n.csv"), matched(2, "b.csv")):
        tell(ledger, "1-0", record)
        assert found(ledger, "a").designated == [("/g/*.csv", False), ("plain", False)]
    tell(ledger, "1-0", END)
    names = [("a.csv", True), ("\udcff\n.csv", True), ("b.csv", True), ("plain", True)]
    assert (found(ledger, "a").state, found(ledger, "a").designated) == (TaskState.DONE, names)
    assert ledger._db.execute("SELECT count(*) FROM match_parts").fetchone() == (0,)


@pytest.mark.parametrize(
    "records",
    [
        [END],
        [matched(1, "a.csv"), END],
        [matched(2, "a.csv"), END],
        [matched(1, "a.csv"), matched(3, "b.csv"), END],
        [matched(1, "a.csv"), matched(2, "b.csv"), matched(3, "c.csv"), END],
        [matched(1, "a.csv", attempt=2), matched(2, "b.csv", attempt=2), END],
        [matched(1, "a.csv"), matched(2, "b.txt"), END],
        [matched(1, "a.csv"), matched(2, "d/b.csv"), END],
        [matched(1, "a.csv"), matched(2, "plain", output=1), END],
        [matched(1, "a.csv"), matched(2, "core.1", output=2), END],
        [matched(1, "a.csv"), matched(2, "core.1", output=9), END],
    ],
)
def test_an_end_without_just_what_was_matched_is_none(ledger: Ledger, records: list[Record]) -> None:
    patterned(ledger)
    tell(ledger, "1-0", began(1), *records)
    assert states(ledger) == "r"


def test_parts_that_come_twice_count_once(ledger: Ledger) -> None:
    patterned(ledger)
    tell(ledger, "1-0", matched(1, "a.csv"), matched(1, "a.csv"), matched(2, "b.csv"), END)
    assert [name for name, _ in found(ledger, "a").designated] == ["a.csv", "b.csv", "plain"]


def test_matches_of_an_earlier_attempt_go(ledger: Ledger) -> None:
    patterned(ledger)
    failed = END._replace(state="failed")
    tell(ledger, "1-0", matched(1, "a.csv"), matched(2, "b.csv"), failed)
    tell(ledger, "1-0", matched(1, "c.csv", attempt=2), END._replace(attempt=2, parts=1))
    assert [name for name, _ in found(ledger, "a").designated] == ["c.csv", "plain"]
    tell(ledger, "1-0", matched(1, "d.csv", attempt=3), END._replace(attempt=3, parts=1))
    assert [name for name, _ in found(ledger, "a").designated] == ["c.csv", "plain"], "the first done one wins"
