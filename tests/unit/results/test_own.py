"""What stands under outdir and is not ours stays as it is; what is ours is replaced and removed as ever."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from locusts_fab.bounds.inside import Inside
from locusts_fab.errors import StateError
from locusts_fab.results.lists import refuse_tables_of_others
from locusts_fab.state.ledger import Ledger
from tests.support.outcomes import Case


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def again(case: Case, *, redo: bool = True) -> None:
    """Begin another submission, as `submit --redo` or `retry` does."""
    if redo:
        case.ledger.forget_results()
    else:
        case.ledger.reset_failed()
    number = case.ledger.begin_submission(2, 2).number
    assert number > 1


def end_with(case: Case, text: str, claim: str = "000001.1", name: str = "out") -> None:
    """Let task 1 end with an output, and a log."""
    write(case.sandbox(1, claim=claim) / name, text)
    case.end(1, "1", claim=claim, log=f"log of {text}")


def reasons(case: Case) -> dict[tuple[int, str], str]:
    return case.ledger.troubles()


# ---- what is not ours ----


@pytest.mark.parametrize("is_flat", [False, True])
def test_a_file_of_the_user_stays_and_says_so(tmp_path: Path, *, is_flat: bool) -> None:
    case = Case(tmp_path, is_flat=is_flat)
    case.plan(a=("out", "other"))
    theirs = write(case.outdir / ("out" if is_flat else "a/out"), "precious")
    write(case.sandbox(1) / "other", "x")
    write(case.sandbox(1) / "out", "new")
    case.end(1, "11")
    for _ in range(2):
        case.collect()
        assert theirs.read_text() == "precious"
        assert [row[2] for row in case.outputs()] == ["error", "present"]
        assert "out did not come back: in the way: " in case.tasks()[0]["reason"]
    theirs.rename(tmp_path / "away")
    case.collect()
    assert theirs.read_text() == "new"
    assert (case.tasks()[0]["reason"], reasons(case)) == ("", {})
    case.ledger.close()


def test_a_folder_of_the_user_stays(tmp_path: Path) -> None:
    """Such as `figures` beside the config, with `outdir = "."`."""
    case = Case(tmp_path, is_flat=True)
    case.plan(a=("figures",))
    write(case.outdir / "figures/mine.png", "precious")
    write(case.sandbox(1) / "figures/new.png", "new")
    case.end(1, "1")
    case.collect()
    assert case.files() == {"figures/mine.png"}
    assert case.outputs() == [("a", "figures", "error", "")]
    assert case.collect(overwrite=True) == 1
    assert case.files() == {"figures/new.png"}
    assert case.outputs() == [("a", "figures", "present", "figures")]
    case.ledger.close()


def test_a_log_that_is_not_ours_stays_and_is_not_read(case: Case) -> None:
    case.plan(a=())
    write(case.outdir / "logs/a.log", "mine")
    case.end(1, "", "failed", log="sorry", reason="exit 3")
    case.collect()
    assert (case.outdir / "logs/a.log").read_text() == "mine"
    (row,) = case.tasks()
    assert row["reason"].startswith("exit 3; its log did not come back: in the way: logs/a.log is here already")
    case.collect(overwrite=True)
    assert (case.outdir / "logs/a.log").read_text() == "sorry"
    assert case.tasks()[0]["reason"] == "exit 3: sorry"


@pytest.mark.parametrize("there", ["link", "pipe", "folder", "empty"])
def test_whatever_stands_there_is_not_ours(case: Case, tmp_path: Path, there: str) -> None:
    case.plan(a=("out",))
    place = case.outdir / "a/out"
    place.parent.mkdir(parents=True)
    if there == "link":
        place.symlink_to(write(tmp_path / "far", "new"))
    elif there == "pipe":
        os.mkfifo(place)
    elif there == "folder":
        write(place / "x", "x")
    else:
        place.touch()
    before = place.lstat()
    end_with(case, "new")
    case.collect()
    assert place.lstat() == before
    assert "in the way" in reasons(case)[1, "out"]


def test_no_error_makes_a_file_of_the_user_ours(case: Case) -> None:
    """Something was to come there, and did not: what stands there later is not from us."""
    case.plan(a=("out",))
    case.sandbox(1)
    case.end(1, "1", log="hi")
    Path(case.environment.absolute(case.environment.log("000001.1", 11))).unlink()
    case.collect()
    mine, log = write(case.outdir / "a/out", "mine"), write(case.outdir / "logs/a.log", "mine")
    again(case)
    end_with(case, "new", "000002.1")
    case.collect()
    assert (mine.read_text(), log.read_text()) == ("mine", "mine")


# ---- what is ours ----


@pytest.mark.parametrize("redo", [True, False])
def test_what_is_ours_is_replaced(case: Case, *, redo: bool) -> None:
    case.plan(a=("out", "tree"))
    write(case.sandbox(1) / "out", "old")
    write(case.sandbox(1) / "tree/x", "old")
    case.end(1, "11", "done" if redo else "failed", log="old", reason="exit 3")
    case.collect()
    again(case, redo=redo)
    write(case.sandbox(1, claim="000002.1") / "out", "newer")
    write(case.sandbox(1, claim="000002.1") / "tree/y", "newer")
    case.end(1, "11", claim="000002.1", log="newer")
    case.collect()
    assert reasons(case) == {}
    assert case.files() == {"a/out", "a/tree/y", "logs/a.log"}
    assert {(case.outdir / name).read_text() for name in case.files()} == {"newer"}


@pytest.mark.parametrize("name", ["out", "tree", "log"])
def test_what_the_user_changed_since_is_not_replaced(case: Case, name: str) -> None:
    case.plan(a=("out", "tree"))
    write(case.sandbox(1) / "out", "old")
    write(case.sandbox(1) / "tree/x", "old")
    case.end(1, "11", log="old")
    case.collect()
    mine = {"out": "a/out", "tree": "a/tree/notes", "log": "logs/a.log"}[name]
    (case.outdir / mine).unlink(missing_ok=True)
    write(case.outdir / mine, "edited")
    again(case)
    write(case.sandbox(1, claim="000002.1") / "out", "newer")
    write(case.sandbox(1, claim="000002.1") / "tree/x", "newer")
    case.end(1, "11", claim="000002.1", log="newer")
    case.collect()
    assert (case.outdir / mine).read_text() == "edited"
    (why,) = reasons(case).values()
    assert why.endswith("was changed here since it was brought")
    case.collect(overwrite=True)
    assert reasons(case) == {}
    assert {(case.outdir / path).read_text() for path in case.files()} == {"newer"}


def test_what_is_in_an_output_folder_and_named_besides(case: Case) -> None:
    case.plan(a=("tree", "tree/x", "tree/link"))
    for claim, text in (("000001.1", "old"), ("000002.1", "newer")):
        write(case.sandbox(1, claim=claim) / "tree/x", text)
        (case.sandbox(1, claim=claim) / "tree/link").symlink_to("x")
        case.end(1, "111", claim=claim)
        case.collect()
        assert reasons(case) == {}
        assert (case.outdir / "a/tree/x").read_text() == (case.outdir / "a/tree/link").read_text() == text
        again(case)


def test_what_stands_there_just_as_it_would_come_is_ours(case: Case, tmp_path: Path) -> None:
    """As after `attach`: nobody knows what is here."""
    case.plan(a=("out", "tree"))
    write(case.sandbox(1) / "out", "same")
    write(case.sandbox(1) / "tree/sub/x", "same")
    (case.sandbox(1) / "tree/link").symlink_to("sub")
    case.end(1, "11", log="same")
    case.collect()
    shutil.copytree(case.outdir, tmp_path / "copy", symlinks=True)
    shutil.rmtree(case.outdir)
    shutil.copytree(tmp_path / "copy", case.outdir, symlinks=True, copy_function=shutil.copyfile)
    with contextlib.closing(sqlite3.connect(case.ledger.path)) as database:
        database.execute("DELETE FROM own_files")
        database.execute("UPDATE tasks SET place = NULL, collected = 0")
        database.commit()
    before = (case.outdir / "a/out").stat()
    case.collect()
    assert reasons(case) == {}
    assert (case.outdir / "a/out").stat().st_ino == before.st_ino
    again(case)
    write(case.sandbox(1, claim="000002.1") / "out", "newer")
    case.end(1, "10", claim="000002.1")
    case.collect()
    assert (reasons(case), case.files()) == ({}, {"a/out"})


def test_a_collect_that_was_killed_half_way_is_ours_still(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.plan(a=("out",), b=("out",))
    end_with(case, "old")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Ledger, "set_collected", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        case.collect()
    assert (case.outdir / "a/out").read_text() == "old"
    again(case)
    end_with(case, "newer", "000002.1")
    case.collect()
    assert reasons(case) == {}
    assert (case.outdir / "a/out").read_text() == "newer"


def test_what_an_earlier_version_brought_is_ours(case: Case) -> None:
    case.plan(a=("out", "gone"), b=("out",))
    write(case.sandbox(1) / "out", "old")
    case.end(1, "10", "failed", log="old", reason="missing output")
    case.collect()
    with contextlib.closing(sqlite3.connect(case.ledger.path)) as database:
        database.execute("DROP TABLE own_files")
    case.ledger.close()
    case.ledger = Ledger(case.ledger.path)
    mine = write(case.outdir / "b/out", "mine")
    again(case)
    write(case.sandbox(1, claim="000002.1") / "out", "newer")
    case.end(1, "10", claim="000002.1")
    write(case.sandbox(2, claim="000002.1") / "out", "newer")
    case.end(2, "1", claim="000002.1")
    case.collect()
    assert (case.outdir / "a/out").read_text() == "newer"
    assert (mine.read_text(), list(reasons(case))) == ("mine", [(2, "out")])


# ---- a file system that takes capital letters for small ones ----


@pytest.fixture
def blind(case: Case, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Have all names below a folder taken so. No such file system is at hand, so this stands for it."""
    at, folder = Inside._at, Inside._folder
    monkeypatch.setattr(Inside, "_at", lambda self, name, **more: at(self, name.lower(), **more))
    monkeypatch.setattr(Inside, "_folder", lambda self, path, **more: folder(self, path.lower(), **more))
    return case


@pytest.mark.parametrize("overwrite", [False, True])
def test_no_task_takes_a_name_that_is_another_one_only_by_its_letters(blind: Case, *, overwrite: bool) -> None:
    case = blind
    case.plan(a=("out",), A=("out", "other"), LOGS=("a.log",))
    for number, name in ((1, "out"), (2, "out"), (2, "other"), (3, "a.log")):
        write(case.sandbox(number) / name, f"{number}")
    case.end(1, "1", log="log of 1")
    case.end(2, "11", log="log of 2")
    case.end(3, "1")
    for _ in range(2):
        case.collect(overwrite=overwrite)
        assert (case.outdir / "a/out").read_text() == "1"
        assert (case.outdir / "a/other").read_text() == "2"
        assert (case.outdir / "logs/a.log").read_text() == "log of 1"
        assert [row[2] for row in case.outputs()] == ["present", "error", "present", "error"]
    told = reasons(case)
    assert set(told) == {(2, "out"), (2, ""), (3, "a.log")}
    assert told[2, "out"].startswith("in the way: A/out")


# ---- tables ----


@pytest.mark.parametrize("name", ["tasks.tsv", "outputs.tsv"])
@pytest.mark.parametrize(
    "text", ["temperature\n3\n", "task\tstate\texit\tattempts\tnode\tstart\nb\tpending\t\t0\t\t\n", ""]
)
def test_a_table_that_is_not_ours_stays(case: Case, name: str, text: str) -> None:
    case.plan(a=("out",))
    theirs = write(case.outdir / name, text)
    end_with(case, "x")
    with pytest.raises(StateError, match="is here already"):
        refuse_tables_of_others(case.results, case.ledger)
    with pytest.raises(StateError, match="is here already") as caught:
        case.collect()
    assert "--overwrite" in str(caught.value.hint)
    assert {path.name for path in case.outdir.glob("*.tsv")} == {name}
    assert theirs.read_text() == text
    assert case.files() == {"a/out", "logs/a.log"}
    case.collect(overwrite=True)
    assert [row["task"] for row in case.tasks()] == ["a"]
    refuse_tables_of_others(case.results, case.ledger)
    case.collect()


def test_two_swarms_in_one_folder_keep_what_each_has(tmp_path: Path) -> None:
    one, other = Case(tmp_path / "one"), Case(tmp_path / "other")
    other.results, other.outdir = one.results, one.outdir
    for case, text in ((one, "one"), (other, "other")):
        case.plan(a=("out",))
        end_with(case, text)
    one.collect()
    with (one.outdir / "tasks.tsv").open(encoding="utf-8") as file:
        before = file.read().replace("10.500000", "9.500000")
    write(one.outdir / "tasks.tsv", before)
    with pytest.raises(StateError, match="is here already"):
        other.collect()
    assert (one.outdir / "a/out").read_text() == "one"
    assert (one.outdir / "logs/a.log").read_text() == "log of one"
    assert (one.outdir / "tasks.tsv").read_text() == before
    for case in (one, other):
        case.ledger.close()


def test_a_table_that_somebody_changed_stays(case: Case) -> None:
    case.plan(a=("out",))
    end_with(case, "x")
    case.collect()
    write(case.outdir / "tasks.tsv", "my notes\n")
    refuse_tables_of_others(case.results, case.ledger)  # what it would bring is not in doubt
    with pytest.raises(StateError, match="was changed here since"):
        case.collect()
    assert (case.outdir / "tasks.tsv").read_text() == "my notes\n"
    (case.outdir / "tasks.tsv").unlink()
    case.collect()
    assert [row["state"] for row in case.tasks()] == ["done"]


@pytest.mark.parametrize("has_ended", [True, False])
def test_after_a_lost_ledger_tables_are_known_by_what_they_say(case: Case, *, has_ended: bool) -> None:
    case.plan(a=("out",), b=())
    if has_ended:
        end_with(case, "x")
    case.collect()
    if not has_ended:
        end_with(case, "x")
    with contextlib.closing(sqlite3.connect(case.ledger.path)) as database:
        database.execute("DELETE FROM own_files")
        database.commit()
    case.end(2, "")
    refuse_tables_of_others(case.results, case.ledger)
    case.collect()
    assert [row["state"] for row in case.tasks()] == ["done", "done"]


def test_tables_that_were_being_written_are_ours(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.plan(a=())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("locusts_fab.results.lists.mark_of_status", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        case.collect()
    assert (case.outdir / "tasks.tsv").exists()
    case.collect()
    assert [row["task"] for row in case.tasks()] == ["a"]
