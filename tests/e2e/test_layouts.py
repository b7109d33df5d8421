"""Where results lie: one folder for all tasks, one for each, archives; and what becomes of them when that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

FLAT = (
    HERE
    + """
[swarms.s]
command = "echo <arg0> dose <arg1> > <arg0>.txt"
args = [["a", "1"], ["b", "1"]]
outputs = ["<arg0>.txt"]
layout = "flat"
"""
)
CHANGED = FLAT.replace('"a", "1"', '"a", "2"')


def here(workspace: Workspace) -> dict[str, tuple[str, str]]:
    """Return what is listed as present: task, path, and what it holds."""
    rows = [row for row in workspace.table("outputs.tsv") if row["status"] == "present"]
    return {row["task"]: (row["path"], workspace.result(row["path"]).read_text().strip()) for row in rows}


def test_no_task_of_a_changed_row_takes_the_place_of_the_one_before(workspace: Workspace) -> None:
    workspace.write(FLAT)
    assert workspace.locusts("run")[0] == 0
    before = {"000001": ("a.txt", "a dose 1"), "000002": ("b.txt", "b dose 1")}
    assert here(workspace) == before
    workspace.write(CHANGED)
    for words in (["run"], ["submit", "--only", "000003"], ["submit", "--redo-changed"]):
        code, said = workspace.locusts(*words)
        assert code == 2, said
        line = "a.txt of task 000003: task 000001 has it, which the config does not mean any more"
        assert [part in said for part in (line, "put <id> into", 'layout = "tasks"', "--redo`")] == [True] * 4, said
    workspace.write(FLAT)
    assert workspace.locusts("run")[0] == 0
    assert here(workspace) == before


@pytest.mark.parametrize("is_collected", [True, False])
def test_each_way_out_keeps_every_result_with_its_task(workspace: Workspace, *, is_collected: bool) -> None:
    workspace.write(FLAT)
    for words in ["run"] if is_collected else ["submit", "watch"]:
        assert workspace.locusts(words)[0] == 0
    workspace.write(CHANGED)
    assert workspace.locusts("run")[0] == 2
    workspace.write(CHANGED.replace("<arg0>.txt", "<arg0>_<id>.txt"))
    assert workspace.locusts("run")[0] == 0
    assert here(workspace) == {
        "000001": ("a.txt", "a dose 1"),
        "000002": ("b.txt", "b dose 1"),
        "000003": ("a_000003.txt", "a dose 2"),
    }
    workspace.write(CHANGED)
    assert workspace.locusts("submit", "--redo")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert here(workspace) == {"000002": ("b.txt", "b dose 1"), "000003": ("a.txt", "a dose 2")}


def test_a_task_that_was_run_under_another_name_keeps_it_until_it_runs_again(workspace: Workspace) -> None:
    named = FLAT.replace('outputs = ["<arg0>.txt"]', 'outputs = ["<arg1>.txt"]').replace("> <arg0>.txt", "> <arg1>.txt")
    workspace.write(FLAT.replace('[["a", "1"], ["b", "1"]]', '[["x", "y"]]'))
    assert workspace.locusts("run")[0] == 0
    workspace.write(named.replace('[["a", "1"], ["b", "1"]]', '[["x", "y"], ["z", "x"]]'))
    code, said = workspace.locusts("run")
    assert (code, "x.txt of task 000002: task 000001 has it, as it was run" in said) == (2, True), said
    assert "--redo-changed` runs it again" in said
    assert workspace.locusts("submit", "--redo-changed")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert here(workspace) == {"000001": ("y.txt", "x dose y"), "000002": ("x.txt", "z dose x")}


KEPT = FLAT.replace('layout = "flat"\n', "").replace("<arg0>.txt", "out.txt")
PACKED = 'pack = true\nresults = "archive"\n'


@pytest.mark.parametrize(("first", "then"), [(FLAT, KEPT), (KEPT, FLAT), (FLAT, KEPT + PACKED), (KEPT + PACKED, FLAT)])
@pytest.mark.parametrize("words", ["--redo", "--redo-changed"])
def test_after_a_change_of_the_layout_no_two_tasks_have_one_file(
    workspace: Workspace, first: str, then: str, words: str
) -> None:
    workspace.write(first)
    assert workspace.locusts("run")[0] == 0
    workspace.write(then.replace("dose", "now"))
    assert workspace.locusts("submit", words)[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    rows = workspace.table("outputs.tsv")
    assert [row["status"] for row in rows] == ["present", "present"]
    for row, value in zip(rows, "ab", strict=True):
        assert workspace.locusts("cat", row["task"], row["output"]) == (0, f"{value} now 1\n")
    found = {str(path.relative_to(workspace.result(""))) for path in workspace.result("").rglob("*") if path.is_file()}
    assert found == {"tasks.tsv", "outputs.tsv", *(row["path"] for row in rows)}
