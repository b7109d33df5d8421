"""Which submits take the task after all others: those after which all others have ended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.planfile import PlannedChunk
from locusts_fab.model.swarms import ManagerState, Submission
from locusts_fab.model.tasks import FINAL, Choice, PlannedTask, Taken
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import ROOT, began, ended, task, tell

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path_factory.mktemp("state") / "ledger.sqlite")) as made:
        planned(made)
        yield made


def planned(ledger: Ledger, *more: str) -> None:
    """Enter the plan of tasks a, b, more of them, and the one after these."""
    ledger.take_plan([task(name) for name in ("a", "b", *more, FINAL)], ROOT, final=FINAL)


def submitted(ledger: Ledger, choice: Choice | None = None, live: int | None = None) -> tuple[Taken, list[str]]:
    """Take what a submit takes, and return what it took, in its order."""
    ledger.choose(choice or Choice(), live)
    taken = ledger.take_chosen(live)
    if not taken.tasks:
        return taken, []
    made = ledger.begin_submission(1, 9, chosen=True)
    return taken, [each.id for each in ledger.planned_tasks(made.number)]


def states(ledger: Ledger) -> dict[str, str]:
    """Return the state of each task."""
    return {outcome.id: outcome.state.value for outcome in ledger.outcomes()}


def all_done(ledger: Ledger, manager: str = "1-0", *numbers: int) -> None:
    """Have tasks done."""
    for number in numbers or (1, 2, 3):
        tell(ledger, manager, began(number), ended(number, "done"))


def test_it_is_taken_with_the_others_and_comes_last(ledger: Ledger) -> None:
    assert submitted(ledger) == (Taken(3, 0, has_final=True), ["a", "b", FINAL])
    assert list(ledger.numbers()) == [(1, "a"), (2, "b")]


def test_it_comes_last_whatever_its_number_is(ledger: Ledger) -> None:
    planned(ledger, "c")
    assert submitted(ledger) == (Taken(4, 0, has_final=True), ["a", "b", "c", FINAL])


@pytest.mark.parametrize("choice", [Choice(limit=1), Choice(only=("a",)), Choice(only=(FINAL,))])
def test_not_as_long_as_others_wait(ledger: Ledger, choice: Choice) -> None:
    taken, names = submitted(ledger, choice)
    assert not taken.has_final
    assert FINAL not in names
    assert states(ledger)[FINAL] == "pending"


def test_not_as_long_as_others_run(ledger: Ledger) -> None:
    submitted(ledger)
    tell(ledger, "1-0", began(1))
    planned(ledger, "c")
    assert submitted(ledger, live=1) == (Taken(2, 0, has_final=False), ["b", "c"])
    tell(ledger, "1-0", ended(1, "done"))
    tell(ledger, "2-0", began(2), ended(2, "done"), began(4), ended(4, "done"))
    assert submitted(ledger) == (Taken(1, 0, has_final=True), [FINAL])


def test_what_is_done_is_done(ledger: Ledger) -> None:
    submitted(ledger)
    all_done(ledger)
    assert submitted(ledger) == (Taken(0, 0, has_final=False), [])


def test_new_results_make_it_run_again(ledger: Ledger) -> None:
    submitted(ledger)
    all_done(ledger)
    planned(ledger, "c")
    assert submitted(ledger) == (Taken(2, 0, has_final=True), ["c", FINAL])


def test_results_that_it_does_not_know_make_it_wait(ledger: Ledger) -> None:
    submitted(ledger)
    all_done(ledger)
    planned(ledger, "c", "d")
    assert submitted(ledger, Choice(limit=1)) == (Taken(1, 0, has_final=False), ["c"])
    assert states(ledger) == {"a": "done", "b": "done", "c": "pending", "d": "pending", FINAL: "pending"}


def test_a_retry_takes_it_along(ledger: Ledger) -> None:
    submitted(ledger)
    tell(ledger, "1-0", began(1), ended(1, "done"), began(2), ended(2, "failed"), ended(3, "failed"))
    assert submitted(ledger) == (Taken(0, 0, has_final=False), [])
    assert submitted(ledger, Choice(failed=True)) == (Taken(2, 0, has_final=True), ["b", FINAL])


def test_what_is_run_again_alone_takes_it_along(ledger: Ledger) -> None:
    submitted(ledger)
    all_done(ledger)
    assert submitted(ledger, Choice(ended=True, only=("a",))) == (Taken(2, 0, has_final=True), ["a", FINAL])


def test_it_can_be_run_again_alone(ledger: Ledger) -> None:
    submitted(ledger)
    all_done(ledger)
    assert submitted(ledger, Choice(ended=True, only=(FINAL,))) == (Taken(1, 0, has_final=True), [FINAL])


def test_a_suspect_comes_before_it(ledger: Ledger) -> None:
    submitted(ledger)
    for manager in ("1-0", "1-1"):
        tell(ledger, manager, began(1))
        with ledger.transaction():
            ledger.set_manager(manager, ManagerState.GONE)
    assert submitted(ledger, live=1) == (Taken(3, 1, has_final=True), ["b", "a", FINAL])


def test_no_row_takes_it_for_its_own(ledger: Ledger) -> None:
    assert FINAL not in [task_id for task_id, _ in ledger.memory().valued]


def test_a_config_without_it_forgets_it(ledger: Ledger) -> None:
    ledger.take_plan([task("a"), task("b")], ROOT)
    assert submitted(ledger) == (Taken(2, 0, has_final=False), ["a", "b"])


def without(ledger: Ledger, *more: str) -> None:
    """Enter the plan of tasks a, b and more of them, and none after these."""
    ledger.take_plan([task(name) for name in ("a", "b", *more)], ROOT)


def test_what_was_added_while_there_was_none_makes_it_run_again(ledger: Ledger) -> None:
    submitted(ledger)
    all_done(ledger)
    without(ledger, "c")
    assert submitted(ledger) == (Taken(1, 0, has_final=False), ["c"])
    planned(ledger, "c")
    assert states(ledger)[FINAL] == "pending", "it is not done, though c may still run"
    tell(ledger, "2-0", began(4), ended(4, "done"))
    assert submitted(ledger, live=2) == (Taken(1, 0, has_final=True), [FINAL])
    tell(ledger, "3-0", began(3), ended(3, "done"))
    planned(ledger, "c")
    assert submitted(ledger) == (Taken(0, 0, has_final=False), [])


def test_what_was_run_again_while_there_was_none_does_too(ledger: Ledger) -> None:
    submitted(ledger)
    tell(ledger, "1-0", began(1), ended(1, "done"), began(2), ended(2, "failed"), ended(3, "failed"))
    without(ledger)
    submitted(ledger, Choice(failed=True))
    tell(ledger, "2-0", began(2), ended(2, "done"))
    planned(ledger)
    assert submitted(ledger) == (Taken(1, 0, has_final=True), [FINAL])


def test_what_others_learn_of_a_target_makes_it_run_again(ledger: Ledger) -> None:
    names = ["a", "b", FINAL, "c"]
    tasks = [PlannedTask(number, name, "true", (), ("out",)) for number, name in enumerate(names, 1)]
    chunks = [PlannedChunk(1, tasks[:3], is_whole=True), PlannedChunk(2, tasks[3:], is_whole=True)]
    ledger.rebuild(chunks, [Submission(at, at, "started", 1.0, f"locusts-{at}", "") for at in (1, 2)])
    all_done(ledger)
    tell(ledger, "2-0", began(4), ended(4, "done"))
    planned(ledger, "c")
    assert submitted(ledger) == (Taken(1, 0, has_final=True), [FINAL])


def test_without_new_results_it_stays_as_it_is(ledger: Ledger) -> None:
    submitted(ledger)
    all_done(ledger)
    without(ledger, "c")  # which nobody submits
    without(ledger)
    planned(ledger)
    assert submitted(ledger) == (Taken(0, 0, has_final=False), [])


def test_one_that_runs_when_others_come_counts_for_nothing(ledger: Ledger) -> None:
    submitted(ledger)
    all_done(ledger, "1-0", 1, 2)
    tell(ledger, "1-0", began(3))
    planned(ledger, "c")
    assert submitted(ledger, live=1) == (Taken(2, 0, has_final=True), ["c", FINAL])
    tell(ledger, "1-0", ended(3, "done"))
    assert states(ledger) == {"a": "done", "b": "done", FINAL: "pending", "c": "pending"}
    tell(ledger, "2-0", began(4), ended(4, "done"), began(3), ended(3, "done"))
    assert set(states(ledger).values()) == {"done"}
