"""The ledger: the same news give the same state however they come, and a kill leaves a state that was true."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import StateError
from locusts_fab.ledger import Ledger
from locusts_fab.model import Counts, ManagerState, Outcome, Task, TaskState
from locusts_fab.records import Began, Ended, Left, Manager, Record
from locusts_fab.rows import Planned, PlannedTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = "/scratch/pairs"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        yield made


def task(task_id: str, command: str = "true", outputs: tuple[str, ...] = ("out",)) -> Task:
    return Task(task_id, command, ("in",), outputs)


def began(number: int, attempt: int = 1, claim: str = "000001.1") -> Began:
    return Began(claim, number, attempt, 10.0)


def ended(number: int, state: str, attempt: int = 1, claim: str = "000001.1", reason: str = "") -> Ended:
    code = 0 if state == "done" else 1
    return Ended(claim, number, attempt, state, code, 10.0, 2.5, "1", printed=True, reason=reason)


def tell(ledger: Ledger, manager: str, *records: Record) -> None:
    with ledger.transaction():
        ledger.apply(manager, records, 0)


def states(ledger: Ledger) -> str:
    """Give the first letter of each task's state."""
    return "".join(outcome.state.value[0] for outcome in ledger.outcomes())


def started(ledger: Ledger, *ids: str) -> int:
    """Plan tasks and submit them."""
    ledger.take_plan([task(task_id) for task_id in ids], ROOT)
    return ledger.begin_submission(1, 1)


def found(ledger: Ledger, task_id: str) -> Outcome:
    outcome = ledger.find(task_id)
    assert outcome is not None
    return outcome


# ---------------------------------------------------------------------------------------------------------------------
# The file


def test_it_is_there_again_when_opened_again(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "it's \n a ledger")) as ledger:
        started(ledger, "a", "b")
        tell(ledger, "1-0", began(1), ended(1, "done"))
        before = list(ledger.outcomes())
    with contextlib.closing(Ledger(tmp_path / "it's \n a ledger")) as ledger:
        assert list(ledger.outcomes()) == before
        assert states(ledger) == "dp"


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database, though it is long enough to be taken for one\n" * 100)
    with pytest.raises(StateError, match="cannot be used") as caught:
        Ledger(path)
    assert "attach" in str(caught.value.hint)
    assert path.read_bytes().startswith(b"not a database")


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="another version") as caught:
        Ledger(path)
    assert "attach" in str(caught.value.hint)


def test_facts(ledger: Ledger) -> None:
    assert ledger.fact("target") is None
    ledger.set_fact("target", "here")
    ledger.set_fact("target", "it's '; DROP TABLE facts")
    assert ledger.fact("target") == "it's '; DROP TABLE facts"
    ledger.set_fact("target", None)
    assert ledger.fact("target") is None


# ---------------------------------------------------------------------------------------------------------------------
# The plan


def test_tasks_are_numbered_in_the_order_of_the_config(ledger: Ledger) -> None:
    assert ledger.take_plan([task("b"), task("a"), task("c")], ROOT) == Planned(3, 3, [])
    assert [(outcome.number, outcome.id) for outcome in ledger.outcomes()] == [(1, "b"), (2, "a"), (3, "c")]
    assert ledger.take_plan([task("c"), task("d"), task("a"), task("b")], ROOT) == Planned(4, 1, [])
    assert [outcome.id for outcome in ledger.outcomes()] == ["b", "a", "c", "d"]


HOSTILE = ["a\nb", "\udcff\udc80", "$(x) `y`", "'; DROP TABLE tasks; --", "\\t", "-rf", "\ufeff", "%s"]


def test_hostile_names_come_out_as_they_went_in(ledger: Ledger) -> None:
    tasks = [Task(name, name, (name, "a\tb"), (name, f"{name}.2")) for name in HOSTILE]
    ledger.take_plan(tasks, ROOT)
    submission = ledger.begin_submission(1, 1)
    planned = list(ledger.planned_tasks(submission))
    assert [Task(known.id, known.command, known.inputs, known.outputs) for known in planned] == tasks
    for name in HOSTILE:
        assert found(ledger, name).outputs == (name, f"{name}.2")


def test_tasks_without_files(ledger: Ledger) -> None:
    ledger.take_plan([Task("a", "true", (), ())], ROOT)
    (planned,) = ledger.planned_tasks(ledger.begin_submission(1, 1))
    assert (planned.inputs, planned.outputs) == ((), ())
    assert found(ledger, "a").outputs == ()


def test_done_tasks_keep_what_was_run_and_changes_are_named(ledger: Ledger) -> None:
    started(ledger, "a", "b", "c", "d")
    tell(ledger, "1-0", began(1), ended(1, "done"), began(2), ended(2, "failed"), began(3))
    changed = [task(task_id, "false", ("other",)) for task_id in "abcd"]
    assert ledger.take_plan(changed, ROOT) == Planned(4, 0, ["a"])
    commands = {outcome.id: (outcome.command, outcome.outputs) for outcome in ledger.outcomes()}
    assert commands == {
        "a": ("true", ("out",)),  # done: as it was run
        "b": ("false", ("other",)),  # failed: as it would be retried
        "c": ("true", ("out",)),  # running: as it runs
        "d": ("false", ("other",)),  # waiting
    }


def test_a_task_that_only_moved_has_not_changed(ledger: Ledger) -> None:
    ledger.take_plan([task("a", "cat /old/pairs/shared/x/y")], "/old/pairs")
    tell(ledger, "1-0", ended(1, "done"))
    assert ledger.take_plan([task("a", "cat /new/pairs/shared/x/y")], "/new/pairs").changed == []
    assert ledger.take_plan([task("a", "cat /new/pairs/shared/x/z")], "/new/pairs").changed == ["a"]


def test_waiting_tasks_that_are_not_meant_any_more_are_forgotten(ledger: Ledger) -> None:
    started(ledger, "a", "b", "c", "d")
    tell(ledger, "1-0", ended(1, "done"), ended(2, "failed"), began(3))
    assert ledger.take_plan([task("e")], ROOT) == Planned(1, 1, [])
    assert [outcome.id for outcome in ledger.outcomes()] == ["a", "b", "c", "e"]
    assert ledger.find("d") is None


def test_tasks_of_a_live_submission_are_not_forgotten(ledger: Ledger) -> None:
    live = started(ledger, "a", "b")
    ledger.take_plan([task("a")], ROOT, live)
    assert [outcome.id for outcome in ledger.outcomes()] == ["a", "b"]
    ledger.take_plan([task("a")], ROOT, live + 1)
    assert [outcome.id for outcome in ledger.outcomes()] == ["a"]


def test_the_number_of_a_forgotten_task_is_never_given_again(ledger: Ledger) -> None:
    """What the target still holds under that number (staged inputs, late records) is not the new task's."""
    started(ledger, "a", "b")
    ledger.take_plan([task("a"), task("c")], ROOT)
    assert found(ledger, "c").number == 3
    tell(ledger, "1-0", began(2), ended(2, "done"))  # a late word of b
    assert found(ledger, "c").state is TaskState.PENDING


def test_a_plan_that_breaks_off_changes_nothing(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    before = list(ledger.outcomes())

    def tasks() -> Iterator[Task]:
        yield task("c")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.take_plan(tasks(), ROOT)
    assert list(ledger.outcomes()) == before
    assert ledger.take_plan([task("a"), task("b")], ROOT) == Planned(2, 0, [])


def test_what_is_learned_from_the_target_takes_over_the_config_at_the_next_plan(ledger: Ledger) -> None:
    ledger.learn([PlannedTask(4, "d", "true", (), ("out",)), PlannedTask(2, "b", "true", (), ("out",))])
    tell(ledger, "1-0", began(2), ended(2, "done"))
    assert [(outcome.number, outcome.id) for outcome in ledger.outcomes()] == [(2, "b"), (4, "d")]
    assert ledger.take_plan([task("b"), task("d"), task("e")], ROOT) == Planned(3, 1, [])
    ledger.begin_submission(1, 1)
    assert [(known.number, known.inputs) for known in ledger.planned_tasks(1)] == [(4, ("in",)), (5, ("in",))]


# ---------------------------------------------------------------------------------------------------------------------
# Submissions


def test_a_submission_takes_what_waits(ledger: Ledger) -> None:
    assert ledger.latest_submission() is None
    assert started(ledger, "a", "b", "c") == 1
    tell(ledger, "1-0", began(1), ended(1, "done"), began(2))
    assert ledger.count_pending() == 1
    assert ledger.count_pending(beyond=1) == 0
    assert ledger.begin_submission(2, 9) == 2
    assert [known.id for known in ledger.planned_tasks(2)] == ["c"]
    ledger.set_submission(2, state="started", job="77")
    latest = ledger.latest_submission()
    assert latest is not None
    assert (latest.number, latest.first_chunk, latest.last_chunk, latest.state, latest.job) == (
        2,
        2,
        9,
        "started",
        "77",
    )


def test_a_submission_may_be_given_its_number_once(ledger: Ledger) -> None:
    assert ledger.begin_submission(1, 40, number=7) == 7
    assert ledger.begin_submission(1, 99, number=7) == 7
    latest = ledger.latest_submission()
    assert latest is not None
    assert (latest.number, latest.last_chunk) == (7, 40)
    assert ledger.begin_submission(41, 50) == 8


def test_a_new_submission_is_not_cancelled(ledger: Ledger) -> None:
    ledger.set_fact("cancelled", "yes")
    started(ledger, "a")
    assert ledger.fact("cancelled") is None


# ---------------------------------------------------------------------------------------------------------------------
# News


def test_the_life_of_a_task(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    tell(ledger, "1-0", Manager("1-0", "node", 12, 2, 9.0), began(1))
    assert ledger.counts() == Counts(total=2, pending=1, running=1, done=0, failed=0)
    assert (found(ledger, "a").node, found(ledger, "a").start_s) == ("node", 10.0)
    tell(ledger, "1-0", ended(1, "retry"), began(1, 2), ended(1, "done", 2))
    outcome = found(ledger, "a")
    assert (outcome.state, outcome.exit_code, outcome.attempts, outcome.attempt) == (TaskState.DONE, 0, 2, 2)
    assert (outcome.seconds, outcome.found, outcome.printed, outcome.claim) == (2.5, "1", True, "000001.1")
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


# ---------------------------------------------------------------------------------------------------------------------
# Again


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
    assert (second.state, second.attempts, second.found, second.place) == (TaskState.PENDING, 0, "", "b")
    assert (ledger.offsets(), ledger.troubles(), ledger.count_collected()) == ({}, {}, 0)
    assert ledger.count_pending(beyond=1) == 2  # no submission holds them any more


# ---------------------------------------------------------------------------------------------------------------------
# Collecting


def test_what_is_collected(ledger: Ledger) -> None:
    started(ledger, "a", "b", "c", "d")
    tell(ledger, "1-0", ended(1, "done"), ended(2, "failed"), began(3))
    assert [outcome.id for outcome in ledger.uncollected()] == ["a", "b"]
    ledger.set_collected([(1, "here/\udcff"), (2, "b")], [(2, "a\nb", "no such file")])
    assert ledger.uncollected() == []
    assert ledger.count_collected() == 2
    assert found(ledger, "a").place == "here/\udcff"
    assert ledger.troubles() == {(2, "a\nb"): "no such file"}
    ledger.set_uncollected([2])
    assert [outcome.id for outcome in ledger.uncollected()] == ["b"]
    ledger.set_collected([(2, "b")])
    assert ledger.troubles() == {}


# ---------------------------------------------------------------------------------------------------------------------
# Kills


def change_much(ledger: Ledger) -> None:
    ledger.apply("1-0", [began(1), ended(1, "done"), began(2)], 100)
    ledger.set_manager("1-0", ManagerState.GONE, "why")
    ledger.set_fact("updated", "12")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_within_a_transaction_leaves_all_as_it_was(ledger: Ledger, error: type[BaseException]) -> None:
    started(ledger, "a", "b")

    def look() -> tuple[object, ...]:
        return list(ledger.outcomes()), ledger.managers(), ledger.offsets(), ledger.fact("updated")

    before = look()
    with pytest.raises(error), ledger.transaction():  # noqa: PT012 - the change is half-way when it breaks off
        change_much(ledger)
        raise error
    assert look() == before
    with ledger.transaction():
        change_much(ledger)
    assert look() != before


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, "tests")
from test_ledger import change_much, started
from locusts_fab.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
started(ledger, "a", "b")
with ledger.transaction():
    change_much(ledger)
    os.kill(os.getpid(), 9)
"""


def test_a_kill_within_a_transaction_leaves_all_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    root = Path(__file__).resolve().parent.parent
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=root, check=False, timeout=60)
    assert killed.returncode == -9
    with contextlib.closing(Ledger(path)) as ledger:
        assert states(ledger) == "pp"
        assert (ledger.offsets(), ledger.fact("updated")) == ({}, None)


def test_a_second_reader_sees_only_what_is_finished(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    with contextlib.closing(Ledger(ledger.path)) as other:
        with ledger.transaction():
            change_much(ledger)
            assert states(other) == "pp"
        assert states(other) == "dp"


@pytest.mark.parametrize("look", [Ledger.counts, Ledger.count_collected, Ledger.count_pending, Ledger.uncollected])
def test_an_empty_ledger_answers(ledger: Ledger, look: Callable[[Ledger], object]) -> None:
    assert look(ledger) in (Counts(0, 0, 0, 0, 0), 0, [])
