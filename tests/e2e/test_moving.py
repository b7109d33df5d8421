"""A swarm that goes from one target to another: no task runs on both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.managers import holding
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workspace import Workspace

TARGETS = """
[targets.a]
mode = "local"
slots = 1

[targets.b]
mode = "local"
slots = 1
"""
SWARM = """
[swarms.s]
target = "a"
command = '{held}; echo <arg0> >> "{ran}"; echo <arg0> > out'
args = [["x"], ["y"], ["z"]]
outputs = ["out"]
"""


def held(workspace: Workspace, gate: Path, passes: int = 0) -> None:
    """Let three tasks be submitted to target a, which wait at a gate but for some; nobody has looked since."""
    gate.mkdir()
    workspace.write(TARGETS + SWARM.format(held=holding(gate, passes), ran=gate / "ended"))
    code, text = workspace.locusts("submit")
    assert code == 0, text


def ran(gate: Path) -> str:
    """Return which tasks ran to their end."""
    return "".join(sorted((gate / "ended").read_text().split()))


def test_another_target_before_the_first_look(workspace: Workspace, tmp_path: Path) -> None:
    held(workspace, tmp_path / "gate")
    for words in (["submit"], ["status"], ["collect"]):
        code, text = workspace.locusts(*words, "--target", "b")
        assert (code, "was submitted to target a" in text, "`locusts cancel --target a`" in text) == (2, True, True)
    (tmp_path / "gate/go").touch()
    assert workspace.locusts("watch")[0] == 0
    assert workspace.locusts("submit", "--target", "b")[0] == 2  # what is done has not come
    assert workspace.locusts("collect")[0] == 0
    assert ran(tmp_path / "gate") == "xyz"
    code, text = workspace.locusts("submit", "--target", "b")
    assert (code, "nothing to submit" in text) == (0, True), text


def test_cancelled_there_it_goes_on_here(workspace: Workspace, tmp_path: Path) -> None:
    held(workspace, tmp_path / "gate")
    assert workspace.locusts("cancel", "--target", "a")[0] == 0
    (tmp_path / "gate/go").touch()
    code, text = workspace.locusts("submit", "--target", "b")
    assert (code, "submitted 3 of 3 tasks" in text) == (0, True), text
    assert workspace.locusts("collect", "--wait", "--target", "b")[0] == 0
    assert ran(tmp_path / "gate") == "xyz"
    assert workspace.result("000001/out").read_text() == "x\n"


def test_what_is_done_there_is_collected_first(workspace: Workspace, tmp_path: Path) -> None:
    held(workspace, tmp_path / "gate", passes=1)
    wait_until(lambda: any((tmp_path / "gate").glob("at-work.*")), "the second task")
    assert workspace.locusts("cancel")[0] == 0
    assert workspace.locusts("submit", "--target", "b")[0] == 2
    assert workspace.locusts("collect")[0] in {0, 1}
    (tmp_path / "gate/go").touch()
    code, text = workspace.locusts("submit", "--target", "b")
    assert (code, "submitted 2 of 3 tasks" in text) == (0, True), text
    assert workspace.locusts("collect", "--wait", "--target", "b")[0] == 0
    assert ran(tmp_path / "gate") == "xyz"
