"""Whose the places under outdir are: no task's results are put where those of another one lie, nor taken for them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.model.tasks import Task
from tests.support.outcomes import Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def flat(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path, is_flat=True)
    with contextlib.closing(made.ledger):
        yield made


def leave(case: Case, number: int, *names: str, claim: str = "000001.1", found: str = "") -> None:
    """Let a task end well with outputs, each of which says whose it is."""
    for name in names:
        path = case.sandbox(number, claim=claim) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number} in {claim}")
    case.end(number, found or "1" * len(names), claim=claim)


def plan_more(case: Case, **outputs: tuple[str, ...]) -> None:
    """Plan what the config means now, and submit it."""
    case.ledger.take_plan([Task(task_id, "other", (), names) for task_id, names in outputs.items()], "/e")
    case.ledger.begin_submission(2, 2)


def statuses(case: Case) -> list[tuple[str, ...]]:
    """Return task, status and path of each output."""
    return [(task, status, path) for task, _, status, path in case.outputs()]


def text(case: Case, path: str) -> str:
    return (case.outdir / path).read_text()


@pytest.mark.parametrize("turned", [False, True])
def test_tasks_that_change_places_have_what_is_theirs(flat: Case, *, turned: bool) -> None:
    names = [("x",), ("y",), ("z",)]
    flat.plan(**dict(zip("abc", names, strict=True)))
    for number, (name,) in enumerate(names, 1):
        leave(flat, number, name)
    flat.collect()
    flat.ledger.forget_results()
    names = [*names[1:], *names[:1]] if turned else [*names[2:], *names[:2]]
    plan_more(flat, **dict(zip("abc", names, strict=True)))
    for number, (name,) in enumerate(names, 1):
        leave(flat, number, name, claim="000002.1")
    assert flat.collect() == 3
    assert flat.ledger.troubles() == {}
    for number, (task, (name,)) in enumerate(zip("abc", names, strict=True), 1):
        assert (task, "present", name) in statuses(flat)
        assert text(flat, name) == f"{number} in 000002.1"
    assert flat.collect() == 0
