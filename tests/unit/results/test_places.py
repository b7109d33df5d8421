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


def test_what_another_task_left_stays_and_that_is_said(flat: Case) -> None:
    """As after a row of the config was changed: the old task is known still, and done."""
    flat.plan(a=("a.txt", "own.txt"))
    leave(flat, 1, "a.txt", "own.txt")
    flat.collect()
    plan_more(flat, b=("a.txt", "b.txt"))
    leave(flat, 2, "a.txt", "b.txt", claim="000002.1")
    for overwrite in (False, True, False):
        flat.collect(overwrite=overwrite)
        assert statuses(flat) == [
            ("a", "present", "a.txt"),
            ("a", "present", "own.txt"),
            ("b", "error", ""),
            ("b", "present", "b.txt"),
        ]
        assert text(flat, "a.txt") == "1 in 000001.1"
        assert "a.txt: another task has put something there" in flat.tasks()[1]["reason"]
    assert flat.collect() == 0, "what is known to lack is not brought over and over"


def test_of_a_folder_of_another_task_nothing_is_changed(flat: Case) -> None:
    flat.plan(a=("d",), b=("e/1",))
    leave(flat, 1, "d/1")
    leave(flat, 2, "e/1")
    flat.ledger.set_uncollected([1])
    flat.collect()
    plan_more(flat, c=("d/2",), d=("e",))
    leave(flat, 3, "d/2", claim="000002.1")
    leave(flat, 4, "e/2", claim="000002.1", found="1")
    flat.collect()
    assert [status for _, status, _ in statuses(flat)] == ["present", "present", "error", "error"]
    assert flat.files() == {"d/1", "e/1"}


def test_what_a_version_before_has_put_over_that_of_another_is_seen(flat: Case) -> None:
    flat.plan(a=("a.txt",), b=("a.txt",))
    leave(flat, 1, "a.txt")
    leave(flat, 2, "a.txt")
    flat.outdir.mkdir()
    (flat.outdir / "a.txt").write_text("2 in 000001.1")
    flat.ledger.set_collected([(1, "."), (2, ".")], files=[("a.txt", 2, "")])
    assert flat.collect() == 1
    assert statuses(flat) == [("a", "error", ""), ("b", "present", "a.txt")]
    assert flat.collect() == 0
    assert text(flat, "a.txt") == "2 in 000001.1"


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


@pytest.mark.parametrize("state", ["done", "failed", "pending"])
def test_what_a_task_will_not_have_again_is_no_longer_its_own(flat: Case, state: str) -> None:
    flat.plan(a=("a.txt",))
    leave(flat, 1, "a.txt")
    flat.collect()
    flat.ledger.forget_results()
    plan_more(flat, a=("other.txt",), b=("a.txt",))
    leave(flat, 2, "a.txt", claim="000002.1")
    flat.collect()
    assert statuses(flat) == [("a", "missing", ""), ("b", "present", "a.txt")]
    if state != "pending":
        (flat.sandbox(1, claim="000002.1") / "other.txt").touch()
        flat.end(1, "1", state, claim="000002.1")
        flat.collect()
    assert text(flat, "a.txt") == "2 in 000002.1"
    assert ("b", "present", "a.txt") in statuses(flat)


def test_what_may_match_a_pattern_again_is_kept_for_its_task(flat: Case) -> None:
    flat.plan(a=("/g/*.txt",))
    flat.ledger.set_collected([(1, ".")], files=[("a.txt", 1, "")])
    plan_more(flat, a=("/g/*.txt",), b=("a.txt",))
    leave(flat, 2, "a.txt", claim="000002.1")
    flat.collect()
    assert statuses(flat)[-1] == ("b", "error", "")


def test_an_archive_stays_where_a_task_has_its_name(case: Case) -> None:
    """Where results were archives before."""
    case.plan(archives=("000001.tar",), b=("out",))
    (case.outdir / "archives").mkdir(parents=True)
    (case.outdir / "archives/000001.tar").write_text("archive")
    case.end(2, "1")
    case.ledger.set_collected([(2, "archives/000001.tar")], files=[("archives/000001.tar", 0, "")])
    leave(case, 1, "000001.tar")
    case.collect()
    assert text(case, "archives/000001.tar") == "archive"
    assert statuses(case)[0] == ("archives", "error", "")
