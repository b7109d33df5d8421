"""The ledger: it knows what is planned, submitted and collected, and a kill leaves a state that was true."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.errors import StateError
from locusts_fab.manager.planfile import PlannedChunk
from locusts_fab.model.swarms import Counts, Submission
from locusts_fab.model.tasks import Planned, PlannedTask, Task, TaskState
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import ROOT, began, change_much, ended, found, started, states, task, tell
from tests.support.processes import open_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        yield made


def rebuild(ledger: Ledger, tasks: list[PlannedTask]) -> None:
    ledger.rebuild([PlannedChunk(1, tasks, is_whole=True)], [Submission(1, 1, "started", 1.0, "locusts-a", "")])


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
    before = open_files()
    with pytest.raises(StateError, match="cannot be used") as caught:
        Ledger(path)
    assert open_files() == before
    assert "attach" in str(caught.value.hint)
    assert path.read_bytes().startswith(b"not a database")


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = open_files()
    with pytest.raises(StateError, match="another version") as caught:
        Ledger(path)
    assert open_files() == before
    assert "another root" in str(caught.value.hint)


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
    planned = list(ledger.planned_tasks(submission.number))
    assert [Task(known.id, known.command, known.inputs, known.outputs) for known in planned] == tasks
    for name in HOSTILE:
        assert found(ledger, name).outputs == (name, f"{name}.2")


def test_tasks_without_files(ledger: Ledger) -> None:
    ledger.take_plan([Task("a", "true", (), ())], ROOT)
    (planned,) = ledger.planned_tasks(ledger.begin_submission(1, 1).number)
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
        "b": ("false", ("out",)),  # failed: as it would be retried, with the outputs that it left
        "c": ("true", ("out",)),  # running: as it runs
        "d": ("false", ("out",)),  # waiting; the manager that may take it has the older plan
    }
    ledger.reset_failed()
    begun = ledger.begin_submission(2, 2)
    assert {planned.id: planned.outputs for planned in ledger.planned_tasks(begun.number)} == {
        "b": ("other",),
        "d": ("other",),
    }
    assert found(ledger, "b").outputs == ("other",)


def test_a_task_whose_command_became_strict_or_loose_has_changed(ledger: Ledger) -> None:
    started(ledger, "a", "b")
    tell(ledger, "1-0", began(1), ended(1, "done"))
    loose = [replace(task(task_id), is_strict=False) for task_id in "ab"]
    assert ledger.take_plan(loose, ROOT) == Planned(2, 0, ["a"])
    assert ledger.take_plan([task("a"), task("b")], ROOT) == Planned(2, 0, [])


def test_a_task_that_only_moved_has_not_changed(ledger: Ledger) -> None:
    ledger.take_plan([task("a", "cat /old/pairs/shared/x/y")], "/old/pairs")
    tell(ledger, "1-0", ended(1, "done"))
    assert ledger.take_plan([task("a", "cat /new/pairs/shared/x/y")], "/new/pairs").changed == []
    assert ledger.take_plan([task("a", "cat /new/pairs/shared/x/z")], "/new/pairs").changed == ["a"]


def test_waiting_tasks_that_are_not_meant_any_more_are_forgotten(ledger: Ledger) -> None:
    started(ledger, "a", "b", "c", "d")
    tell(ledger, "1-0", ended(1, "done"), ended(2, "failed"), began(3))
    assert ledger.take_plan([task("e")], ROOT) == Planned(1, 1, [], gone=["a", "b", "c"])
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
    rebuild(ledger, [PlannedTask(4, "d", "true", (), ("out",)), PlannedTask(2, "b", "true", (), ("out",))])
    tell(ledger, "1-0", began(2), ended(2, "done"))
    assert [(outcome.number, outcome.id) for outcome in ledger.outcomes()] == [(2, "b"), (4, "d")]
    assert ledger.take_plan([task("b"), task("d"), task("e")], ROOT) == Planned(3, 1, [])
    made = ledger.begin_submission(1, 1).number
    assert [(known.number, known.inputs) for known in ledger.planned_tasks(made)] == [(4, ("in",)), (5, ("in",))]


def test_a_task_that_was_forgotten_and_came_back_is_learned_under_its_latest_number(ledger: Ledger) -> None:
    """Chunks of both submits lie on the target, and the ledger may know the task already."""
    old, other, new = (
        PlannedTask(number, task_id, command, (), ("out",))
        for number, task_id, command in ((2, "b", "old"), (3, "c", "true"), (4, "b", "new"))
    )
    for plan in ([old, other, new], [old, other, new], [new, other, old]):
        rebuild(ledger, plan)
        assert [(each.number, each.id, each.command) for each in ledger.outcomes()] == [
            (3, "c", "true"),
            (4, "b", "new"),
        ]
        tell(ledger, "1-0", ended(2, "failed"), ended(4, "done"))
        assert found(ledger, "b").state is TaskState.DONE


# ---------------------------------------------------------------------------------------------------------------------
# Submissions


def test_a_submission_takes_what_waits(ledger: Ledger) -> None:
    assert ledger.latest_submission() is None
    assert started(ledger, "a", "b", "c") == 1
    tell(ledger, "1-0", began(1), ended(1, "done"), began(2))
    assert ledger.count_pending() == 1
    assert ledger.count_pending(beyond=1) == 0
    begun = ledger.begin_submission(2, 9)
    assert (begun.number, begun.last_chunk, begun.state, begun.job) == (2, 9, "staging", "")
    assert begun.token.startswith("locusts-")
    assert begun == ledger.latest_submission()
    assert [known.id for known in ledger.planned_tasks(2)] == ["c"]
    ledger.set_submission(2, state="started", job="77")
    latest = ledger.latest_submission()
    assert latest is not None
    assert (latest.number, latest.last_chunk, latest.state, latest.job) == (2, 9, "started", "77")
    assert latest.token == begun.token
    assert ledger._db.execute("SELECT first_chunk FROM submissions").fetchall() == [(1,), (2,)]


def test_submissions_of_the_target_are_learned_with_their_tokens(ledger: Ledger) -> None:
    started(ledger, "z")  # what was known before goes: it may have had the same numbers
    there = [Submission(2, 9, "started", 1.0, "locusts-a", "12"), Submission(7, 40, "started", 1.0, "locusts-b", "")]
    assert ledger.rebuild([PlannedChunk(44, [], is_whole=False)], there) == 1
    assert ledger.tokens() == " 2:locusts-a 7:locusts-b "
    latest = ledger.latest_submission()
    assert latest is not None
    assert (latest.number, latest.last_chunk) == (7, 44)  # no chunk of the plan gets another meaning
    assert ledger.begin_submission(45, 50).number == 8
    assert ledger.find("z") is None


def test_a_submission_that_came_to_nothing_is_forgotten(ledger: Ledger) -> None:
    number = started(ledger, "a")
    ledger.drop_submission(number)
    assert (ledger.latest_submission(), ledger.count_pending(beyond=number)) == (None, 1)


def test_a_new_submission_is_not_cancelled(ledger: Ledger) -> None:
    ledger.set_fact("cancelled", "yes")
    started(ledger, "a")
    assert ledger.fact("cancelled") is None


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


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_within_a_transaction_leaves_all_as_it_was(ledger: Ledger, error: type[BaseException]) -> None:
    started(ledger, "a", "b")

    def look() -> tuple[object, ...]:
        return list(ledger.outcomes()), ledger.managers(), ledger.offsets(), ledger.fact("updated")

    before = look()
    with pytest.raises(error), ledger.transaction():
        change_much(ledger)
        raise error
    assert look() == before
    with ledger.transaction():
        change_much(ledger)
    assert look() != before


KILLED = """
import os, sys
from pathlib import Path
from tests.support.ledgers import change_much, started
from locusts_fab.state.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
started(ledger, "a", "b")
with ledger.transaction():
    change_much(ledger)
    os.kill(os.getpid(), 9)
"""


def test_a_kill_within_a_transaction_leaves_all_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    root = Path(__file__).resolve().parents[3]
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


# ---------------------------------------------------------------------------------------------------------------------
# Time


@pytest.mark.parametrize(
    ("updated", "clock", "elapsed_s"),
    [
        (0.0, "this 160.0", 60.0),  # the time of day was set back
        (9e9, "this 160.0", 60.0),  # or ahead
        (1030.0, "next 5.0", 30.0),  # this machine was started anew: only the time of day is left
        (900.0, "next 5.0", None),
        (1030.0, None, 30.0),
        (None, None, None),
    ],
)
def test_for_how_long_it_ran_whatever_the_time_of_day(
    ledger: Ledger, updated: float | None, clock: str | None, elapsed_s: float | None
) -> None:
    started(ledger, "a")
    ledger.set_submission(1, state="starting")
    ledger._db.execute("UPDATE submissions SET created = 1000.0, boot = 'this', up = 100.0")
    ledger.set_fact("updated", None if updated is None else str(updated))
    ledger.set_fact("updated_clock", clock)
    latest = ledger.latest_submission()
    assert latest is not None
    assert ledger.elapsed_s(latest) == elapsed_s


def test_two_who_make_the_file_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another command makes it after we have seen that there is none yet."""
    path = tmp_path / "ledger.sqlite"
    connect = sqlite3.connect

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            found = super().execute(sql, *values)
            if sql == "PRAGMA user_version":
                monkeypatch.setattr(sqlite3, "connect", connect)
                if not others:
                    others.append(Ledger(path))
            return found

    others: list[Ledger] = []
    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=Slow))
    with contextlib.closing(Ledger(path)) as ledger:
        assert ledger.is_empty()
    for other in others:
        other.close()
    assert len(others) == 1
