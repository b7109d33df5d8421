"""Commands are strict, as a user meets it: what failed half-way is never a result, unless the config says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
