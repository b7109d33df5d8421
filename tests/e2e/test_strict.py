"""Commands are strict, as a user meets it: what failed half-way is never a result, unless the config says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

COMMANDS = """
false; : > out
cp no-such-file here; echo fine > out
yes | head -n 1 > out
echo fine > out
"""
SWARM = """
[swarms.s]
command_file = "commands.txt"
outputs = ["out"]
breaker = 0
"""


def test_strict_and_loose(workspace: Workspace) -> None:
    (workspace.folder / "commands.txt").write_text(COMMANDS)
    workspace.write(HERE + SWARM)
    code, text = workspace.locusts("run")
    assert code == 1, text
    tasks = workspace.tasks()
    assert [row["state"] for row in tasks.values()] == ["failed", "failed", "failed", "done"]
    reasons = [row["reason"] for row in tasks.values()]
    assert reasons[0] == "exit 1"
    assert reasons[1].startswith("exit 1: cp: ")
    assert reasons[2].startswith("exit 141: ")
    assert reasons[2].endswith("end that pipe with `|| [[ $? == 141 ]]`, or set strict = false")
    assert reasons[2] in workspace.locusts("logs", "3" if "3" in tasks else "000003")[1]

    workspace.write(HERE + SWARM + "strict = false\n")
    code, text = workspace.locusts("submit")
    assert "1 done task has changed, in the config or by inputs, since it ran (000004)" in text
    assert workspace.locusts("retry")[0] == 0
    code, text = workspace.locusts("collect", "--wait")
    assert (code, [row["state"] for row in workspace.tasks().values()]) == (0, ["done"] * 4), text


@pytest.mark.parametrize(
    "command",
    [
        "false\necho fine > out",
        "cd no-such-folder\necho fine > out",
        "for each in 1 2; do cat no-such-$each; done\necho fine > out",
        "words=$(cat no-such-file)\necho fine > out",
        "cat no-such-file | sort > out",
        "make() { false; echo fine; }\nmake > out",
        "(cat no-such-file; echo fine) > out",
    ],
)
def test_a_line_that_fails_is_the_end_wherever_it_stands(workspace: Workspace, command: str) -> None:
    workspace.write(f"{HERE}[swarms.s]\ncommand = {json.dumps(command)}\nargs = [['1']]\noutputs = ['out']\n")
    code, text = workspace.locusts("run")
    assert (code, "1 failed" in text) == (1, True), text
    assert workspace.tasks()["000001"]["reason"].startswith("exit 1")
    assert not workspace.result("000001/out").exists()


@pytest.mark.parametrize(
    "command", ["false || true", "if false; then :; fi", "! true", "grep x /dev/null && echo y; :"]
)
def test_what_is_asked_whether_it_fails_may_fail(workspace: Workspace, command: str) -> None:
    workspace.write(
        f"{HERE}[swarms.s]\ncommand = {json.dumps(command + '; : > out')}\nargs = [['1']]\noutputs = ['out']\n"
    )
    assert workspace.locusts("run")[0] == 0
