"""Two stages: the results of one swarm are the inputs of another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

#: Another target.
THERE = HERE.replace("here", "there")
FIRST = """
[swarms.one]
command = "cat in_<id>.txt > out_<id>.txt; mkdir plots; echo <id> > plots/p.png; [[ <id> != a ]] || echo extra > o.log"
indir = "in"
inputs = ["in_<id>.txt"]
outputs = ["out_<id>.txt", "plots/*.png"]
optional_outputs = ["o.log"]
"""
SECOND = """
[swarms.two]
command = "cat out_<id>.txt p.png > both"
inputs = ["@one/<id>/out_<id>.txt", "@one/<id>/plots/p.png"]
outputs = ["both"]
"""
ODD = ["a", "it's $(touch x)", "-rf", "[*]"]


def fill(workspace: Workspace, *ids: str) -> None:
    (workspace.folder / "in").mkdir(exist_ok=True)
    for name in ids:
        (workspace.folder / "in" / f"in_{name}.txt").write_text(f"<{name}>\n")


@pytest.mark.parametrize("layout", ["tasks", "flat"])
def test_results_are_inputs(workspace: Workspace, layout: str) -> None:
    fill(workspace, *ODD)
    first = FIRST.replace("plots", "p_<id>").replace("optional", "#") if layout == "flat" else FIRST
    second = SECOND.replace("plots", "p_<id>") if layout == "flat" else SECOND
    workspace.write(HERE + first + f'layout = "{layout}"\n' + second)
    code, text = workspace.locusts("run")
    assert code == 0, text
    for name in ODD:
        assert workspace.result(f"{name}/both", "two").read_text() == f"<{name}>\n{name}\n"


def test_what_is_made_anew_changes_what_comes_after(workspace: Workspace) -> None:
    fill(workspace, "a", "b")
    workspace.write(HERE + FIRST + SECOND)
    assert workspace.locusts("run")[0] == 0
    assert "nothing to submit" in workspace.locusts("run", "--swarm", "two")[1]
    (workspace.folder / "in/in_b.txt").write_text("new\n")
    assert workspace.locusts("submit", "--swarm", "one", "--redo-changed")[0] == 0
    assert workspace.locusts("collect", "--swarm", "one", "--wait")[0] == 0
    code, text = workspace.locusts("submit", "--swarm", "two", "--redo-changed")
    assert (code, "submitted 1 of 2 tasks" in text) == (0, True), text
    assert workspace.locusts("collect", "--swarm", "two", "--wait")[0] == 0
    assert [workspace.result(f"{name}/both", "two").read_text() for name in "ab"] == ["<a>\na\n", "new\nb\n"]


def test_on_one_target_nothing_need_be_collected(workspace: Workspace) -> None:
    fill(workspace, *ODD)
    workspace.write(HERE + FIRST + SECOND)
    for command in ("submit", "watch"):
        assert workspace.locusts(command, "--swarm", "one")[0] == 0
    code, text = workspace.locusts("run", "--swarm", "two")
    assert (code, "had to travel" in text) == (0, False), text
    for name in ODD:
        assert workspace.result(f"{name}/both", "two").read_text() == f"<{name}>\n{name}\n"
    target = workspace.folder / ".locusts/here"
    made = next((target / "one/work").glob("*/*/out_a.txt"))
    assert [path.samefile(made) for path in (target / "two/inputs").rglob("out_a.txt")] == [True]
    assert not workspace.result("", "one").exists()


def test_what_is_lost_there_travels(workspace: Workspace) -> None:
    fill(workspace, "a", "b")
    workspace.write(HERE + FIRST + SECOND)
    assert workspace.locusts("run", "--swarm", "one")[0] == 0
    made = next((workspace.folder / ".locusts/here/one/work").glob("*/*/out_a.txt"))
    made.unlink()
    code, text = workspace.locusts("run", "--swarm", "two")
    assert (code, "1 input of other swarms had to travel" in text) == (0, True), text
    assert workspace.result("a/both", "two").read_text() == "<a>\na\n"
    assert workspace.locusts("clean", "--swarm", "one")[0] == 0
    code, text = workspace.locusts("run", "--swarm", "two", "--only", "b")
    assert code == 0, text
    code, text = workspace.locusts("submit", "--swarm", "two", "--redo")
    assert (code, "4 inputs of other swarms had to travel" in text) == (0, True), text
    assert workspace.locusts("collect", "--swarm", "two", "--wait")[0] == 0
    assert workspace.result("b/both", "two").read_text() == "<b>\nb\n"


def test_what_is_neither_there_nor_here_is_refused(workspace: Workspace) -> None:
    fill(workspace, "a", "b")
    workspace.write(HERE + FIRST + SECOND)
    for command in ("submit", "watch"):
        assert workspace.locusts(command, "--swarm", "one")[0] == 0
    made = next((workspace.folder / ".locusts/here/one/work").glob("*/*/out_a.txt"))
    made.unlink()
    code, text = workspace.locusts("submit", "--swarm", "two")
    assert (code, "@one/a/out_a.txt: it is not collected" in text) == (2, True), text
    made.write_text("again\n")
    code, text = workspace.locusts("run", "--swarm", "two")
    assert (code, workspace.result("a/both", "two").read_text()) == (0, "again\na\n"), text


def test_what_is_not_collected_is_refused(workspace: Workspace) -> None:
    fill(workspace, "a", "b")
    workspace.write(HERE + THERE + FIRST + 'target = "here"\n' + SECOND + 'target = "there"\n')
    assert workspace.locusts("submit", "--swarm", "one")[0] == 0
    assert workspace.locusts("watch", "--swarm", "one")[0] == 0
    for words in ([], ["--force"]):
        code, text = workspace.locusts("submit", "--swarm", "two", *words)
        assert (code, "4 inputs of other swarms cannot be sent from here" in text) == (2, True), text
        assert "`locusts collect --swarm one`" in text
    assert workspace.locusts("collect", "--swarm", "one")[0] == 0
    workspace.result("a/out_a.txt", "one").unlink()
    assert "there is no " in workspace.locusts("submit", "--swarm", "two")[1]
    assert workspace.locusts("collect", "--swarm", "one")[0] == 0
    assert workspace.locusts("run", "--swarm", "two")[0] == 0
    assert workspace.result("a/both", "two").read_text() == "<a>\na\n"


PACKED_FIRST = """
[swarms.one]
target = "here"
command = "cat in_<id>.txt > {long}; chmod 755 {long}; mkdir -p d/e; echo <id> > d/e/f; ln -s e/f d/link; echo printed"
indir = "in"
inputs = ["in_<id>.txt"]
outputs = ["{long}", "d/"]
pack = true
results = "archive"
"""
PACKED_SECOND = """
[swarms.two]
target = "{target}"
command = "[[ -x {long} ]]; cat {long} d/link > both"
inputs = ["@one/<id>/{long}", "@one/<id>/d"]
outputs = ["both"]
"""
LONG = "n" * 150


@pytest.mark.parametrize("target", ["here", "there"])
def test_results_that_stay_packed_are_inputs_elsewhere(workspace: Workspace, target: str) -> None:
    """They are taken out of their archives for it; so too where what made them is there no more."""
    fill(workspace, *ODD)
    workspace.write(HERE + THERE + PACKED_FIRST.format(long=LONG) + PACKED_SECOND.format(long=LONG, target=target))
    assert workspace.locusts("run", "--swarm", "one")[0] == 0
    if target == "here":
        assert workspace.locusts("clean", "--swarm", "one")[0] == 0
    code, text = workspace.locusts("run", "--swarm", "two")
    assert code == 0, text
    assert [workspace.result(f"{name}/both", "two").read_text() for name in ODD] == [
        f"<{name}>\n{name}\n" for name in ODD
    ]
    left = workspace.folder / ".locusts/two/.unarchived"
    assert left.exists()  # tasks that may be run again have links to them
    assert workspace.locusts("submit", "--swarm", "two", "--redo")[0] == 0
    assert workspace.locusts("collect", "--swarm", "two", "--wait")[0] == 0
    assert workspace.locusts("clean", "--swarm", "two")[0] == 0
    assert not left.exists()


def test_an_archive_that_is_gone_is_no_input(workspace: Workspace) -> None:
    fill(workspace, "a")
    workspace.write(HERE + THERE + PACKED_FIRST.format(long=LONG) + PACKED_SECOND.format(long=LONG, target="there"))
    assert workspace.locusts("run", "--swarm", "one")[0] == 0
    archive = workspace.result("archives/000001.tar", "one")
    whole = archive.read_bytes()
    archive.unlink()
    code, text = workspace.locusts("run", "--swarm", "two")
    assert (code, f"there is no {archive} any more" in text) == (2, True), text
    archive.write_bytes(whole[:512])  # such a one would give half an input
    code, text = workspace.locusts("run", "--swarm", "two")
    assert (code, f"cannot be taken out of {archive}" in text, "Traceback" in text) == (3, True, False), text
    archive.write_bytes(whole)
    code, text = workspace.locusts("run", "--swarm", "two")
    assert (code, workspace.result("a/both", "two").read_text()) == (0, "<a>\na\n"), text


def test_before_the_first_stage_ran_it_is_told(workspace: Workspace) -> None:
    fill(workspace, "a")
    workspace.write(HERE + FIRST + SECOND)
    code, text = workspace.locusts("status")
    assert (code, "swarm one, whose results they are, was never run here" in text) == (0, True), text
    code, text = workspace.locusts("submit", "--swarm", "two", "--force")
    assert (code, "was never run here" in text, "`locusts run --swarm one`" in text) == (2, True, True), text
    code, text = workspace.locusts("submit", "--swarm", "two", "--dry-run")
    assert (code, "was never run here" in text) == (2, True), text


def test_what_never_got_a_plan_is_not_done(workspace: Workspace) -> None:
    fill(workspace, "a")
    workspace.write(HERE + FIRST.replace('"in_<id>', '"out_<id>') + SECOND)
    code, text = workspace.locusts("run")
    assert (code, "swarm two comes after one, of which not every task is done: one: it was never run" in text) == (
        2,
        True,
    )
    code, text = workspace.locusts("submit", "--swarm", "two", "--force")
    assert (code, "was never run here" in text) == (2, True), text


def test_forced_it_goes_on_with_what_is_done(workspace: Workspace) -> None:
    fill(workspace, "a", "b")
    workspace.write(HERE + FIRST.replace("cat in", "[[ <id> == a ]]; cat in") + SECOND)
    code, text = workspace.locusts("run")
    assert (code, "1 task missing: b (failed)" in text) == (1, True), text
    code, text = workspace.locusts("run", "--swarm", "two", "--force")
    assert (code, list(workspace.tasks("two"))) == (0, ["a"]), text


def test_what_only_some_made_is_looked_up(workspace: Workspace) -> None:
    fill(workspace, "a", "b")
    second = SECOND.replace("@one/<id>/plots/p.png", "@one/<id>/o.log").replace("p.png", "o.log")
    workspace.write(HERE + FIRST + second)
    code, text = workspace.locusts("run")
    assert (code, "'b' lacks @one/<id>/o.log" in text) == (2, True), text
    workspace.write(HERE + FIRST + second + 'missing_inputs = "skip"\n')
    code, text = workspace.locusts("run")
    assert (code, workspace.result("a/both", "two").read_text()) == (0, "<a>\nextra\n"), text


@pytest.mark.parametrize("target", ["here", "there"])
def test_what_a_task_left_as_it_was_is_no_output(workspace: Workspace, target: str) -> None:
    fill(workspace, "a")
    (workspace.folder / "whole.txt").write_text("w\n")
    second = f"""
[swarms.two]
target = "{target}"
command = "cat *.txt > new; mv new new.txt"
inputs = ["@one/<id>/out_<id>.txt", {json.dumps(str(workspace.folder / "whole.txt"))}]
outputs = ["*.txt"]
"""
    workspace.write(HERE + THERE + FIRST + 'target = "here"\n' + second)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert [path.name for path in workspace.result("a", "two").iterdir()] == ["new.txt"]


def test_what_turns_out_to_be_neither_there_nor_here_changes_nothing(workspace: Workspace) -> None:
    fill(workspace, "a", "b")
    workspace.write(HERE + FIRST + SECOND)
    for swarm in ("one", "two"):
        assert workspace.locusts("submit", "--swarm", swarm)[0] == 0
        assert workspace.locusts("watch", "--swarm", swarm)[0] == 0
    next((workspace.folder / ".locusts/here/one/work").glob("*/*/out_a.txt")).unlink()
    workspace.write(HERE + FIRST + SECOND.replace("> both", ">> both"))
    code, text = workspace.locusts("submit", "--swarm", "two", "--redo-changed")
    assert (code, "@one/a/out_a.txt: it is not collected" in text) == (2, True), text
    assert "2 of 2 done" in workspace.locusts("status", "--swarm", "two")[1]
    assert workspace.locusts("collect", "--swarm", "two")[0] == 0
