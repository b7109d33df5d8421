"""What is collected again: what was removed here, what did not come, and what a later attempt made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.errors import StateError
from tests.support.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[targets.here]
mode = "local"
slots = 2
[swarms.s]
command = "echo A > a.txt; echo B > b.txt; echo log <arg0>"
outputs = ["a.txt", "b.txt"]
args = ARGS
"""
TWO, THREE = '[["x"], ["y"]]', '[["x"], ["y"], ["z"]]'


def two_outputs(workspace: Workspace, args: str, more: str = "") -> None:
    workspace.write(CONFIG.replace("ARGS", args) + more)


def files_of(workspace: Workspace, task: str) -> set[str]:
    """Return what is here of a task."""
    folder = workspace.result(task)
    return {path.name for path in folder.iterdir()} | {path.name for path in workspace.result("logs").glob(f"{task}.*")}


@pytest.mark.parametrize("more", ["", "pack = true\n"])
def test_a_file_that_is_gone_for_good_takes_nothing_along(workspace: Workspace, more: str) -> None:
    two_outputs(workspace, TWO, more)
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("clean")[0] == 0
    workspace.result("000001/a.txt").unlink()
    for words in (["collect"], ["run"]):  # there is no environment
        code, text = workspace.locusts(*words)
        assert (code, "1 output could not be brought back" in text) == (1, True), text
    assert workspace.locusts("clean")[0] == 0  # it would lose nothing
    two_outputs(workspace, THREE, more)
    assert workspace.locusts("run")[0] == 1  # there is another one
    assert workspace.locusts("collect")[0] == 1
    assert files_of(workspace, "000001") == {"b.txt", "000001.log"}
    rows = {(row["task"], row["output"]): row["status"] for row in workspace.table("outputs.tsv")}
    assert {row for row, status in rows.items() if status != "present"} == {("000001", "a.txt")}
    reason = workspace.tasks()["000001"]["reason"]
    assert reason.endswith("`locusts submit --redo --only TASK` makes it anew")
    code, text = workspace.locusts("cat", "000001", "a.txt")
    assert (code, "makes it anew" in text) == (2, True), text
    assert workspace.locusts("clean")[0] == 0
    assert workspace.locusts("run")[0] == 1
    assert workspace.locusts("submit", "--redo", "--only", "000001")[0] == 0
    assert workspace.locusts("run")[0] == 0
    assert files_of(workspace, "000001") == {"a.txt", "b.txt", "000001.log"}


def test_a_log_that_was_removed_takes_no_outputs_along_where_the_target_has_another_name(workspace: Workspace) -> None:
    two_outputs(workspace, TWO)
    assert workspace.locusts("run")[0] == 0
    workspace.result("logs/000001.log").unlink()
    two_outputs(workspace, THREE)
    workspace.write((workspace.folder / "locusts.toml").read_text().replace("targets.here", "targets.there"))
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert files_of(workspace, "000001") == {"a.txt", "b.txt"}


def test_results_that_are_files_stay_where_they_could_not_be_packed_again(workspace: Workspace) -> None:
    two_outputs(workspace, TWO, "pack = true\n")
    assert workspace.locusts("run")[0] == 0
    for archive in (workspace.folder / ".locusts/here/s/work").glob("*.tar"):
        archive.unlink()
    workspace.result("000001/a.txt").unlink()
    two_outputs(workspace, TWO, 'pack = true\nresults = "archive"\n')
    for _ in range(2):
        assert workspace.locusts("collect")[0] == 1
        assert files_of(workspace, "000001") == {"b.txt", "000001.log"}
    rows = [(row["task"], row["output"], row["status"]) for row in workspace.table("outputs.tsv")]
    assert [row for row in rows if row[2] != "present"] == [("000001", "a.txt", "error")]


# ---------------------------------------------------------------------------------------------------------------------
# What a later attempt made is told from what lies here of an earlier one

ATTEMPTS = """
[targets.here]
mode = "local"
slots = 2
[swarms.s]
command = "echo WORD > out.txt; echo WORD words; exit CODE"
outputs = ["out.txt"]
args = [["x"], ["y"]]
"""
KINDS = ["", "pack = true\n", 'pack = true\nresults = "archive"\n']


def attempt(workspace: Workspace, word: str, code: int, more: str) -> None:
    workspace.write(ATTEMPTS.replace("WORD", word).replace("CODE", str(code)) + more)


def refuses_older(workspace: Workspace, word: str) -> None:
    """See that what is told of a task is of its latest attempt, which is not collected yet."""
    for words in (["logs", "000001"], ["logs", "000001", "--follow"]):
        code, text = workspace.locusts(*words)
        assert (code, f"\n{word} words\n" in f"\n{text}", "first" in text) == (0, True, False), text
    code, text = workspace.locusts("cat", "000001", "out.txt")
    assert (code, "task 000001 is not collected yet" in text) == (2, True), text
    assert "`locusts collect --wait` brings what it leaves" in text
    with pytest.raises(StateError, match="not collected yet"):
        locusts_fab.open_output(locusts_fab.load(workspace.folder / "locusts.toml"), "000001", "out.txt")


@pytest.mark.parametrize("more", KINDS)
def test_what_failed_again_is_not_told_by_what_failed_before(workspace: Workspace, more: str) -> None:
    attempt(workspace, "first", 3, more)
    assert workspace.locusts("run")[0] == 1
    assert workspace.locusts("cat", "000001", "out.txt") == (0, "first\n")
    attempt(workspace, "second", 4, more)
    assert workspace.locusts("retry")[0] == 0
    assert workspace.locusts("watch")[0] == 1
    refuses_older(workspace, "second")
    code, text = workspace.locusts("logs", "--failed")
    assert (code, text.count("printed:\nsecond words\n"), text.count("first")) == (0, 2, 0), text
    assert workspace.locusts("collect")[0] == 1
    assert workspace.locusts("cat", "000001", "out.txt") == (0, "second\n")
    assert "printed:\nsecond words" in workspace.locusts("logs", "000001")[1]


@pytest.mark.parametrize("more", KINDS)
def test_what_was_made_anew_is_not_told_by_what_was_made_before(workspace: Workspace, more: str) -> None:
    attempt(workspace, "first", 0, more)
    assert workspace.locusts("run")[0] == 0
    attempt(workspace, "second", 0, more)
    assert workspace.locusts("submit", "--redo-changed")[0] == 0
    assert workspace.locusts("watch")[0] == 0
    refuses_older(workspace, "second")
    assert workspace.locusts("collect")[0] == 0
    assert workspace.locusts("cat", "000001", "out.txt") == (0, "second\n")
    assert "printed:\nsecond words" in workspace.locusts("logs", "000001")[1]


def test_a_file_of_the_user_is_not_taken_for_a_log(workspace: Workspace) -> None:
    attempt(workspace, "first", 0, "")
    workspace.result("logs").mkdir(parents=True)
    workspace.result("logs/000001.log").write_text("mine\n")
    assert workspace.locusts("run")[0] == 1
    code, text = workspace.locusts("logs", "000001")
    assert (code, "first words" in text, "mine" in text) == (0, True, False), text


# ---------------------------------------------------------------------------------------------------------------------
# What did not come comes later

FINAL = """
[swarms.s.final]
command = "cat <results>/*/a.txt > all.txt"
outputs = ["all.txt"]
"""


def present(workspace: Workspace) -> dict[str, str]:
    """Return where the outputs a.txt are, by the table; those in archives with their bytes."""
    return {
        row["task"]: f"{row['path']} {row.get('size', '')}".strip()
        for row in workspace.table("outputs.tsv")
        if (row["output"], row["status"]) == ("a.txt", "present")
    }


@pytest.mark.parametrize("more", KINDS)
def test_what_was_left_on_the_target_comes_when_it_is_wanted(workspace: Workspace, more: str) -> None:
    two_outputs(workspace, TWO, f'{more}collect = "final"\n{FINAL}')
    assert workspace.locusts("run")[0] == 0
    code, text = workspace.locusts("cat", "000001", "a.txt")
    assert (code, "stays on the target" in text, '`collect = "final"` is why' in text) == (2, True, True), text
    two_outputs(workspace, TWO, more + FINAL)
    assert workspace.locusts("cat", "000001", "a.txt")[0] == 2
    assert "2 tasks collected now" in workspace.locusts("collect")[1]
    is_archive = "archive" in more
    assert present(workspace) == {
        task: "archives/000002.tar 2" if is_archive else f"{task}/a.txt" for task in ("000001", "000002")
    }
    assert "collected now" not in workspace.locusts("collect")[1]
    assert workspace.locusts("clean")[0] == 0
    assert workspace.locusts("cat", "000002", "a.txt") == (0, "A\n")
    assert "printed:\nlog y" in workspace.locusts("logs", "000002")[1]


@pytest.mark.parametrize("more", KINDS[1:])
def test_what_was_out_of_reach_comes_when_it_is_there_again(workspace: Workspace, more: str) -> None:
    two_outputs(workspace, TWO, more)
    assert workspace.locusts("submit")[0] == 0
    assert workspace.locusts("watch")[0] == 0
    work = workspace.folder / ".locusts/here/s/work"
    work.rename(work.with_name("away"))
    work.mkdir()
    archives = workspace.result("archives")
    for _ in range(2):
        code, text = workspace.locusts("collect")
        assert (code, "4 outputs could not be brought back" in text) == (1, True), text
        assert present(workspace) == {}
        assert sorted(path.name for path in archives.glob("*")) == (["000001.tar"] if "archive" in more else [])
    code, text = workspace.locusts("clean")
    assert (code, "fix the cause there and `locusts collect` first" in text) == (2, True), text
    work.rmdir()
    work.with_name("away").rename(work)
    assert workspace.locusts("collect")[0] == 0
    assert present(workspace).keys() == {"000001", "000002"}
    assert workspace.locusts("cat", "000001", "a.txt") == (0, "A\n")
    assert workspace.locusts("clean")[0] == 0


def test_what_never_can_come_is_not_asked_for_again(workspace: Workspace) -> None:
    two_outputs(workspace, TWO, KINDS[2])
    config = (workspace.folder / "locusts.toml").read_text()
    workspace.write(config.replace("echo A > a.txt", "mkdir a.txt; ln -s /etc a.txt/x"))
    assert workspace.locusts("run")[0] == 1
    for _ in range(2):
        code, text = workspace.locusts("collect")
        assert (code, "2 outputs could not" in text, "collected now" in text) == (1, True, False), text
    assert [path.name for path in workspace.result("archives").iterdir()] == ["000001.tar"]
    assert workspace.locusts("cat", "000002", "b.txt") == (0, "B\n")


def test_an_archive_that_was_removed_with_its_environment_gone(workspace: Workspace) -> None:
    two_outputs(workspace, TWO, KINDS[2])
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("clean")[0] == 0
    workspace.result("archives/000001.tar").unlink()
    for words in (["collect"], ["run"], ["collect"]):
        code, text = workspace.locusts(*words)
        assert (code, "4 outputs could not be brought back" in text) == (1, True), text
    assert present(workspace) == {}
    assert workspace.locusts("clean")[0] == 0
    assert workspace.locusts("submit", "--redo")[0] == 0
    assert workspace.locusts("run")[0] == 0
    assert present(workspace).keys() == {"000001", "000002"}


# ---------------------------------------------------------------------------------------------------------------------
# What was given up, and what is no longer known

NAMED = """
[targets.here]
mode = "local"
slots = 2
[swarms.s]
command = '''while [[ ! -e GATE ]]; do sleep 0.05; done; echo <arg0> > out.txt'''
outputs = ["out.txt"]
id = "<arg0>"
args = ARGS
"""


def in_the_way(workspace: Workspace) -> Path:
    """Run two tasks, p and q, of which p has a file of the user in the way; they wait for the file that is returned."""
    gate = workspace.folder.parent / "gate"
    gate.touch()
    named(workspace, '[["p"], ["q"]]')
    workspace.result("p").mkdir(parents=True)
    workspace.result("p/out.txt").write_text("mine\n")
    assert workspace.locusts("run")[0] == 1
    return gate


def named(workspace: Workspace, args: str) -> None:
    workspace.write(NAMED.replace("ARGS", args).replace("GATE", str(workspace.folder.parent / "gate")))


def test_what_could_not_come_back_is_given_up_with_the_rest(workspace: Workspace) -> None:
    in_the_way(workspace)
    assert workspace.locusts("clean")[0] == 2
    assert workspace.locusts("clean", "--force")[0] == 0
    for words in (["status"], ["clean"], ["status"]):
        code, text = workspace.locusts(*words)
        if words == ["status"]:
            assert "1 of 2 done" in text
            assert "the results of 1 task were given up" in text
    workspace.result("p/out.txt").unlink()
    code, text = workspace.locusts("run")
    assert (code, "submitted 1 of 2 tasks" in text) == (0, True), text
    assert workspace.result("p/out.txt").read_text() == "p\n"


def test_what_is_lacking_of_a_task_is_forgotten_with_it(workspace: Workspace) -> None:
    gate = in_the_way(workspace)
    gate.unlink()
    assert workspace.locusts("submit", "--redo", "--only", "p")[0] == 0
    assert workspace.locusts("cancel")[0] == 0
    code, text = workspace.locusts("collect")
    assert (code, "could not be brought back" in text) == (1, False), text  # it is cancelled
    assert workspace.tasks()["p"]["state"] == "pending"
    named(workspace, '[["q"]]')
    code, text = workspace.locusts("run")
    assert (code, "could not be brought back" in text) == (0, False), text
    assert workspace.tasks().keys() == {"q"}
    assert workspace.locusts("clean")[0] == 0
    assert workspace.result("p/out.txt").read_text() == "mine\n"


# ---------------------------------------------------------------------------------------------------------------------
# Two projects with one root: numbers mean other tasks

SHARED = """
[targets.here]
mode = "local"
slots = 2
root = "ROOT"
[swarms.s]
command = "echo WORD <arg0> > out.txt"
outputs = ["out.txt"]
id = "<arg0>"
args = ARGS
"""


def project(folder: Path, word: str, ids: str, more: str) -> Workspace:
    folder.mkdir(exist_ok=True)
    made = Workspace(folder)
    args = [[each] for each in ids]
    root = json.dumps(str(folder.parent / "root"))
    made.write(SHARED.replace('"ROOT"', root).replace("WORD", word).replace("ARGS", json.dumps(args)) + more)
    return made


@pytest.mark.parametrize("more", KINDS)
def test_what_was_here_before_an_attach_is_of_no_task_of_the_other_project(tmp_path: Path, more: str) -> None:
    first, other = project(tmp_path / "1", "one", "abc", more), project(tmp_path / "2", "two", "def", more)
    assert first.locusts("run")[0] == 0
    assert first.locusts("clean")[0] == 0
    assert other.locusts("run")[0] == 0
    project(tmp_path / "1", "two", "def", more)
    before = {
        path: path.read_bytes() for path in first.result("").rglob("*") if path.suffix != ".tsv" and path.is_file()
    }
    code, text = first.locusts("attach")
    assert (code, "cleaned" in text) == (0, False), text
    assert "cleaned" not in first.locusts("status")[1]
    assert first.locusts("collect")[0] == 0
    assert first.locusts("submit", "--redo", "--only", "d")[0] == 0
    assert first.locusts("run")[0] == 0
    assert {path: path.read_bytes() for path in before} == before
    for task in "def":
        assert first.locusts("cat", task, "out.txt") == (0, f"two {task}\n")
