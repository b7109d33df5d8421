"""Collecting: every output is there whole or not at all, and the tables tell the truth."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

import pytest

from locusts_fab.errors import TransferError
from locusts_fab.results.collect import wanted_files
from tests.support.outcomes import Case

HOSTILE = ["a b", "it's", '"quoted', "$(x)", "-rf", "new\nline", "tab\there", "back\\slash", "\udcff", "é", "\\n"]


def marks(folder: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of every file."""
    stats = {str(path): path.lstat() for path in folder.rglob("*") if path.is_file()}
    return {name: (found.st_ino, found.st_mtime_ns) for name, found in stats.items()}


# ---------------------------------------------------------------------------------------------------------------------
# What comes back


def test_outputs_and_logs_come_back(case: Case) -> None:
    case.plan(a=("out", "sub/out"), b=("out", "other"), c=("out",))
    for name in ("out", "junk"):
        (case.sandbox(1) / name).write_text(f"a {name}", encoding="utf-8")
    (case.sandbox(1) / "sub").mkdir()
    (case.sandbox(1) / "sub/out").write_text("a sub", encoding="utf-8")
    (case.sandbox(2) / "out").write_text("b out", encoding="utf-8")
    case.end(1, "11")
    case.end(2, "10", "failed", log="hello\nsorry\n", reason="exit 3")
    assert case.collect() == 2
    assert case.files() == {"a/out", "a/sub/out", "failed/b/out", "logs/b.log"}
    assert (case.outdir / "a/sub/out").read_text(encoding="utf-8") == "a sub"
    assert (case.outdir / "logs/b.log").read_text(encoding="utf-8") == "hello\nsorry\n"
    assert case.outputs() == [
        ("a", "out", "present", "a/out"),
        ("a", "sub/out", "present", "a/sub/out"),
        ("b", "out", "present", "failed/b/out"),
        ("b", "other", "missing", ""),
        ("c", "out", "missing", ""),
    ]
    first, second, third = case.tasks()
    assert list(first) == [
        "task",
        "state",
        "exit",
        "attempts",
        "node",
        "start",
        "seconds",
        "reason",
        "cpu_s",
        "peak_mb",
    ]
    assert list(first.values()) == ["a", "done", "0", "1", "a\tnode", "10.500000", "2.250000", "", "1.50", "20.5"]
    assert list(second.values()) == [
        "b",
        "failed",
        "3",
        "1",
        "a\tnode",
        "10.500000",
        "2.250000",
        "exit 3: sorry",
        "1.50",
        "20.5",
    ]
    assert list(third.values()) == ["c", "pending", "", "0", "", "", "", "not started", "", ""]


def test_what_has_to_be_fetched_from_a_target(case: Case) -> None:
    case.plan(a=("out", "sub/out", "other"), b=("out",), c=("out",))
    case.end(1, "110", "failed", attempt=2, log="hi")
    case.end(2, "1")
    first, second = case.ledger.uncollected()
    assert list(wanted_files(first, case.environment, case.results)) == [
        "work/000001.1/1.2/out",
        "work/000001.1/1.2/sub/out",
        "work/000001.1/log.12",
    ]
    assert list(wanted_files(second, case.environment, case.results)) == ["work/000001.1/2/out"]


def test_flat(tmp_path: Path) -> None:
    case = Case(tmp_path, is_flat=True)
    with contextlib.closing(case.ledger):
        case.plan(a=("out_a", "sub/a"), b=("out_b",))
        (case.sandbox(1) / "sub").mkdir()
        for number, name in ((1, "out_a"), (1, "sub/a"), (2, "out_b")):
            (case.sandbox(number) / name).touch()
        case.end(1, "11")
        case.end(2, "1")
        case.collect()
        assert case.files() == {"out_a", "sub/a", "out_b"}
        assert [row[3] for row in case.outputs()] == ["out_a", "sub/a", "out_b"]


def test_hostile_names(case: Case) -> None:
    case.plan_all({name: (f"out {name}",) for name in HOSTILE})
    for number, name in enumerate(HOSTILE, 1):
        (case.sandbox(number) / f"out {name}").write_bytes(os.fsencode(name))
        case.end(number, "1", log=f"log of {name}")
    assert case.collect() == len(HOSTILE)
    for name in HOSTILE:
        assert (case.outdir / name / f"out {name}").read_bytes() == os.fsencode(name)
        assert (case.outdir / "logs" / f"{name}.log").read_bytes() == os.fsencode(f"log of {name}")
    assert case.outputs() == [(name, f"out {name}", "present", f"{name}/out {name}") for name in HOSTILE]
    assert [row["task"] for row in case.tasks()] == HOSTILE


def test_a_link_comes_back_as_what_it_means(case: Case, tmp_path: Path) -> None:
    case.plan(a=("file", "folder"))
    (tmp_path / "far").mkdir()
    (tmp_path / "far/x").write_text("x", encoding="utf-8")
    (case.sandbox(1) / "file").symlink_to(tmp_path / "far/x")
    (case.sandbox(1) / "folder").symlink_to(tmp_path / "far")
    case.end(1, "11")
    case.collect()
    for name in ("file", "folder"):
        assert not (case.outdir / "a" / name).is_symlink()
    assert (case.outdir / "a/file").read_text(encoding="utf-8") == "x"
    assert (case.outdir / "a/folder/x").read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize("link", ["file", "folder", "sub"])
def test_what_a_link_meant_is_not_changed_by_who_edits_the_result(case: Case, tmp_path: Path, link: str) -> None:
    """An output that links to one of the user's own files, a shared one say, must not become one with it."""
    names = {"file": "file", "folder": "folder", "sub": "sub/x"}
    (tmp_path / "far").mkdir()
    (tmp_path / "far/x").write_text("precious", encoding="utf-8")
    (case.sandbox(1) / link).symlink_to(tmp_path / ("far/x" if link == "file" else "far"))
    case.plan(a=(names[link],))
    case.end(1, "1")
    case.collect()
    result = case.outdir / "a" / (names[link] if link != "folder" else "folder/x")
    assert result.read_text(encoding="utf-8") == "precious"
    result.write_text("edited", encoding="utf-8")
    assert (tmp_path / "far/x").read_text(encoding="utf-8") == "precious"


def test_an_empty_swarm(case: Case) -> None:
    assert case.collect() == 0
    assert case.outputs() == []
    assert case.tasks() == []


# ---------------------------------------------------------------------------------------------------------------------
# Again


def test_a_second_collect_moves_nothing(case: Case) -> None:
    case.plan(a=("out", "tree"), b=("out",))
    (case.sandbox(1) / "out").touch()
    (case.sandbox(1) / "tree").mkdir()
    (case.sandbox(1) / "tree/x").touch()
    (case.sandbox(2) / "out").touch()
    case.end(1, "11", log="hi")
    case.end(2, "1")
    assert case.collect() == 2
    before = marks(case.outdir / "a"), marks(case.outdir / "b"), marks(case.outdir / "logs")
    assert case.collect() == 0
    case.ledger.set_uncollected([1, 2])  # as after `attach`, when nobody knows what is here
    assert case.collect() == 2
    assert (marks(case.outdir / "a"), marks(case.outdir / "b"), marks(case.outdir / "logs")) == before


def test_what_was_removed_comes_again(case: Case) -> None:
    case.plan(a=("out",), b=("out",), c=("out",))
    for number in (1, 2, 3):
        (case.sandbox(number) / "out").touch()
        case.end(number, "1", log="hi")
    case.collect()
    (case.outdir / "a/out").unlink()
    (case.outdir / "logs/b.log").unlink()
    assert case.collect() == 2
    assert case.files() == {f"{task}/out" for task in "abc"} | {f"logs/{task}.log" for task in "abc"}


def test_an_older_file_is_replaced_whole(case: Case) -> None:
    case.plan(a=("out",))
    (case.sandbox(1) / "out").write_text("old, and longer", encoding="utf-8")
    case.end(1, "1")
    case.collect()
    case.ledger.forget_results()
    case.ledger.begin_submission(2, 2)
    (case.sandbox(1, claim="000002.1") / "out").write_text("new", encoding="utf-8")
    case.end(1, "1", claim="000002.1")
    with (case.outdir / "a/out").open(encoding="utf-8") as reader:
        case.collect()
        assert reader.read() == "old, and longer"
    assert (case.outdir / "a/out").read_text(encoding="utf-8") == "new"
    assert case.files() == {"a/out"}  # nothing temporary stays


def test_outputs_of_an_earlier_attempt_that_are_missing_now_are_removed(case: Case) -> None:
    case.plan(a=("out", "tree", "kept"))
    for name in ("out", "kept"):
        (case.sandbox(1) / name).write_text("old", encoding="utf-8")
    (case.sandbox(1) / "tree").mkdir()
    case.end(1, "111", "failed", log="old", reason="exit 3")
    case.collect()
    assert (case.outdir / "failed/a/tree").is_dir()
    assert case.files() == {"failed/a/out", "failed/a/kept", "logs/a.log"}
    case.ledger.reset_failed()
    case.ledger.begin_submission(2, 2)
    (case.sandbox(1, claim="000002.1") / "kept").write_text("new", encoding="utf-8")
    case.end(1, "001", "failed", claim="000002.1", reason="exit 3")
    case.collect()
    assert case.files() == {"failed/a/kept"}
    assert not (case.outdir / "failed/a/tree").exists()
    assert (case.outdir / "failed/a/kept").read_text(encoding="utf-8") == "new"
    assert [row[2] for row in case.outputs()] == ["missing", "missing", "present"]


def test_another_file_of_the_user_in_the_folder_of_results_stays(case: Case) -> None:
    case.plan(a=("out",))
    (case.outdir / "a").mkdir(parents=True)
    (case.outdir / "a/notes").touch()
    case.end(1, "0", "failed", reason="missing output")
    case.collect()
    case.collect()
    assert case.files() == {"a/notes"}


# ---------------------------------------------------------------------------------------------------------------------
# What does not come


def test_an_output_that_vanished_is_an_error_and_the_rest_comes(case: Case) -> None:
    case.plan(a=("gone", "out"), b=("out",))
    (case.sandbox(1) / "out").touch()
    (case.sandbox(2) / "out").touch()
    case.end(1, "11")
    case.end(2, "1")
    assert case.collect() == 2
    assert case.outputs() == [
        ("a", "gone", "error", ""),
        ("a", "out", "present", "a/out"),
        ("b", "out", "present", "b/out"),
    ]
    assert "any more" in case.ledger.troubles()[1, "gone"]


def test_an_output_whose_folder_became_a_file_is_an_error(case: Case) -> None:
    case.plan(a=("sub/out",), b=("out",))
    (case.sandbox(1) / "sub").touch()
    (case.sandbox(2) / "out").touch()
    case.end(1, "1")
    case.end(2, "1")
    case.collect()
    assert [row[2] for row in case.outputs()] == ["error", "present"]


def test_an_output_with_a_file_in_its_way_is_an_error(case: Case) -> None:
    case.plan(a=("sub/out", "other"))
    (case.sandbox(1) / "sub").mkdir()
    for name in ("sub/out", "other"):
        (case.sandbox(1) / name).touch()
    (case.outdir / "a").mkdir(parents=True)
    (case.outdir / "a/sub").touch()
    case.end(1, "11")
    case.collect()
    assert [row[2] for row in case.outputs()] == ["error", "present"]
    assert case.ledger.troubles()[1, "sub/out"] == "in the way: on the path to a/sub/out lies a file or a link"
    assert case.collect() == 1  # it is tried again, and there is still no place for it
    assert case.files() == {"a/sub", "a/other"}


def test_links_that_lead_in_a_circle_are_errors(case: Case) -> None:
    case.plan(a=("out", "other"))
    (case.sandbox(1) / "out").symlink_to("out")
    (case.sandbox(1) / "other").touch()
    case.end(1, "11")
    case.collect()
    assert [row[2] for row in case.outputs()] == ["error", "present"]


def test_a_disk_that_takes_no_more_is_an_error_of_the_whole(case: Case, tmp_path: Path) -> None:
    """Here the limit of the size of a file stands for a full disk."""
    case.plan(a=("out",))
    (tmp_path / "large").write_bytes(b"x" * 6_000_000)
    (case.sandbox(1) / "out").symlink_to(tmp_path / "large")
    case.end(1, "1")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, before[1]))
    try:
        with pytest.raises(TransferError, match="cannot be written"):
            case.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert case.files() == set()  # nor is there anything half
    assert case.collect() == 1
    assert (case.outdir / "a/out").stat().st_size == 6_000_000


def test_a_whole_sandbox_that_vanished(case: Case) -> None:
    case.plan(a=("out",))
    case.end(1, "1", log="hi")
    Path(case.environment.absolute(case.environment.log("000001.1", 11))).unlink()
    case.collect()
    assert case.outputs() == [("a", "out", "error", "")]


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_what_is_no_file_is_an_error(case: Case, kind: str) -> None:
    case.plan(a=("out",), b=("out",))
    if kind == "fifo":
        os.mkfifo(case.sandbox(1) / "out")
    else:
        (case.sandbox(1) / "out").symlink_to("/dev/null")
    (case.sandbox(2) / "out").touch()
    case.end(1, "1")
    case.end(2, "1")
    case.collect()
    assert case.outputs() == [("a", "out", "error", ""), ("b", "out", "present", "b/out")]
    assert case.files() == {"b/out"}


def test_an_error_leaves_nothing_of_an_earlier_attempt(case: Case) -> None:
    case.plan(a=("out",))
    (case.sandbox(1) / "out").write_text("old", encoding="utf-8")
    case.end(1, "1", "failed", reason="exit 3")
    case.collect()
    case.ledger.reset_failed()
    case.ledger.begin_submission(2, 2)
    case.sandbox(1, claim="000002.1")
    case.end(1, "1", claim="000002.1")  # it was there, and vanished
    case.collect()
    assert case.outputs() == [("a", "out", "error", "")]
    assert case.files() == set()


def test_an_error_is_forgotten_when_the_output_came(case: Case) -> None:
    case.plan(a=("out",))
    case.sandbox(1)
    case.end(1, "1")
    case.collect()
    (case.sandbox(1) / "out").touch()
    assert case.collect() == 1
    assert case.outputs() == [("a", "out", "present", "a/out")]


def test_results_that_cannot_be_written(case: Case) -> None:
    case.plan(a=("out",))
    (case.sandbox(1) / "out").touch()
    case.end(1, "1")
    case.outdir.write_text("in the way", encoding="utf-8")
    with pytest.raises(TransferError, match="cannot be written") as caught:
        case.collect()
    assert "collect again" in str(caught.value.hint)
    case.outdir.unlink()
    assert case.collect() == 1
