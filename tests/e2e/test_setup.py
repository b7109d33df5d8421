"""`setup`, as a user meets it: it must succeed, or no task runs, and every command says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

SWARM = """
[swarms.s]
command = "tool > out; echo $VALUE >> out"
args = [["1"], ["2"], ["3"]]
outputs = ["out"]
"""
GOOD = r'setup = ["tool() {\n  echo tool\n}\nexport -f tool", "export VALUE=5"]'


@pytest.mark.parametrize(
    ("setup", "told"),
    [
        ('"source /no/such/place/activate bio"', "entry 1, exit code 1 (source /no/such/place/activate bio): /no/such"),
        ('"export VALUE=5", "echo sorry >&2; exit 4"', "entry 2, ended the shell with exit code 4"),
        (r'"set -e\nfalse\ntrue"', "entry 1, ended the shell with exit code 1"),
    ],
)
def test_a_setup_that_fails_is_told_by_every_command(workspace: Workspace, setup: str, told: str) -> None:
    workspace.write(f"{HERE}setup = [{setup}]\n{SWARM}")
    for command in (("run",), ("status",), ("watch",), ("collect", "--wait"), ("collect",)):
        code, text = workspace.locusts(*command)
        assert (code, text.count(f"setup failed: {told}")) == (1, 1), (command, text)
        assert text.count("1-0.out") == 1
        assert "nobody was heard" not in text
    assert {row["state"] for row in workspace.tasks().values()} == {"pending"}
    workspace.write(f"{HERE}{GOOD}\n{SWARM}")
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert [workspace.result(f"{task}/out").read_text() for task in workspace.tasks()] == ["tool\n5\n"] * 3


def test_a_setup_that_fails_later(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The submit has ended by then."""
    go = workspace.folder / "go"
    monkeypatch.setenv("GO", str(go))
    workspace.write(f"{HERE}setup = ['until [[ -e \"$GO\" ]]; do sleep 0.1; done; false']\n{SWARM}")
    assert workspace.locusts("submit")[0] == 0
    assert "submitted" in workspace.locusts("status")[1]
    go.touch()
    code, text = workspace.locusts("collect", "--wait")
    assert (code, text.count("setup failed: entry 1, exit code 1")) == (1, 1), text
