"""Whose the places under outdir are: no task's results are put where those of another one lie, nor taken for them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from locusts_fab.model.findings import Kept
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


def archive(case: Case, outputs: dict[int, str]) -> None:
    """Have what tasks left come to an archive."""
    path = "archives/000001.tar"
    (case.outdir / "archives").mkdir(parents=True)
    (case.outdir / path).write_text("archive")
    kept = [(number, name, Kept(512, 0)) for number, name in outputs.items()]
    case.ledger.set_collected([(number, path) for number in outputs], files=[(path, 0, "")], kept=kept)


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
    case.end(2, "1")
    archive(case, {2: "out"})
    leave(case, 1, "000001.tar")
    case.collect()
    assert text(case, "archives/000001.tar") == "archive"
    assert statuses(case)[0] == ("archives", "error", "")


# ---- another layout than before ----


def turn(case: Case, *, is_flat: bool) -> None:
    case.results = replace(case.results, is_flat=is_flat)


def run_again(case: Case, **outputs: tuple[str, ...]) -> None:
    """Let the config name outputs otherwise, and all tasks run again."""
    case.ledger.forget_results()
    plan_more(case, **outputs)
    for number, names in enumerate(outputs.values(), 1):
        leave(case, number, *names, claim="000002.1")


def test_from_one_folder_each_task_comes_to_its_own(flat: Case) -> None:
    names = {"a": ("a.txt",), "b": ("d/b.txt",), "c": ("c.txt",)}
    flat.plan(**names)
    for number, (name,) in enumerate(names.values(), 1):
        leave(flat, number, name)
    flat.collect()
    turn(flat, is_flat=False)
    run_again(flat, a=("out.txt",), b=("out.txt",), c=("out.txt",))
    assert flat.collect() == 3
    assert flat.files() == {"a/out.txt", "b/out.txt", "c/out.txt"}
    assert statuses(flat) == [(task, "present", f"{task}/out.txt") for task in "abc"]
    assert [text(flat, f"{task}/out.txt") for task in "abc"] == [f"{number} in 000002.1" for number in (1, 2, 3)]
    assert flat.collect() == 0


def test_from_folders_of_their_own_tasks_come_to_one(case: Case) -> None:
    case.plan(a=("out.txt",), b=("out.txt",))
    for number in (1, 2):
        leave(case, number, "out.txt")
    case.collect()
    turn(case, is_flat=True)
    run_again(case, a=("a.txt",), b=("b.txt",))
    assert case.collect() == 2
    assert statuses(case) == [("a", "present", "a.txt"), ("b", "present", "b.txt")]
    assert case.files() == {"a.txt", "b.txt"}


def test_what_came_before_stays_where_it_is_and_is_not_written_to(flat: Case) -> None:
    """Until it comes again: another task may have an id that is a name there."""
    flat.plan(a=("b/out.txt",), c=("c.txt",))
    leave(flat, 1, "b/out.txt")
    leave(flat, 2, "c.txt")
    flat.collect()
    turn(flat, is_flat=False)
    plan_more(flat, a=("b/out.txt",), c=("c.txt",), b=("out.txt", "more.txt"))
    leave(flat, 3, "out.txt", "more.txt", claim="000002.1")
    assert flat.collect() == 1
    assert statuses(flat) == [
        ("a", "present", "b/out.txt"),
        ("c", "present", "c.txt"),
        ("b", "error", ""),
        ("b", "present", "b/more.txt"),
    ]
    assert text(flat, "b/out.txt") == "1 in 000001.1"
    flat.ledger.set_uncollected([1])
    flat.collect()
    assert flat.collect() == 1
    assert statuses(flat)[0] == ("a", "present", "a/b/out.txt")
    assert statuses(flat)[2] == ("b", "present", "b/out.txt")
    assert text(flat, "b/out.txt") == "3 in 000002.1"


@pytest.mark.parametrize("is_flat", [False, True])
def test_from_archives_each_task_comes_to_its_place(case: Case, *, is_flat: bool) -> None:
    case.plan(a=("a.txt",), b=("b.txt",))
    for number, name in ((1, "a.txt"), (2, "b.txt")):
        leave(case, number, name)
    archive(case, {1: "a.txt", 2: "b.txt"})
    turn(case, is_flat=is_flat)
    assert case.collect() == 0
    run_again(case, a=("a.txt",), b=("b.txt",))
    assert case.collect() == 2
    expected = {"a.txt", "b.txt"} if is_flat else {"a/a.txt", "b/b.txt"}
    assert case.files() == expected
