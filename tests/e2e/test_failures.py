"""Failures of a whole swarm are told by their causes, at the end of every command that shows how it stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from tests.support.findings import load
from tests.support.workspace import COPY, HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

#: Of ten tasks four find no file, three have no such program, two leave no output; each says it with its own name.
COMMAND = r"""case $(( <id> % 10 )) in
  0|1|2|3) printf 'loading\r10%%\r20%%\n'; cat /nowhere/<id>.txt ;;
  4|5|6) echo start; no-such-program <id> ;;
  7|8) echo 'Error: no rows in <id>' ;;
  *) cat f_<id>.txt > out_<id>.txt ;;
esac"""
CONFIG = HERE + COPY.replace('command = "cat f_<id>.txt > out_<id>.txt"', f"command = '''{COMMAND}'''")
LINES = [
    "9 failed, 3 causes:",
    "  4  exit 1: cat: /nowhere/0.txt: No such file or directory",
    "     tasks 0, 1, 2 and 1 more",
    "     `locusts logs 0` shows all that it printed",
    "  3  exit 127: bash: line 3: no-such-program: command not found",
    "     tasks 4, 5, 6",
    "     a program is not there: see its name, or let `setup` load it; `locusts logs 4`",
    "  2  missing output: out_7.txt (Error: no rows in 7)",
    "     tasks 7, 8",
    "     see with `locusts logs 7` what it did, and whether `outputs` names what it makes",
]


@pytest.fixture
def failed(workspace: Workspace) -> Workspace:
    """Return a swarm that was run; nine of its ten tasks failed."""
    workspace.pairs(10)
    workspace.write(CONFIG)
    code, text = workspace.locusts("run")
    assert code == 1, text
    assert [line for line in LINES if line not in text.splitlines()] == []
    return workspace


@pytest.mark.parametrize("command", ["status", "watch", "collect", "failures"])
def test_every_command_that_shows_a_swarm_tells_why_tasks_failed(failed: Workspace, command: str) -> None:
    code, text = failed.locusts(command)
    assert code == 1, text
    lines = text.splitlines()
    at = lines.index(LINES[0])
    assert lines[at : at + len(LINES)] == LINES
    assert [line for line in lines if line != line.rstrip()] == []


def test_for_programs(failed: Workspace) -> None:
    code, text = failed.locusts("failures", "--json")
    found = json.loads(text)
    assert (code, found["failed"], found["total"]) == (1, 9, 10)
    assert [(cause["kind"], cause["exit_code"], cause["count"], cause["examples"]) for cause in found["causes"]] == [
        ("exit", 1, 4, ["0", "1", "2"]),
        ("exit", 127, 3, ["4", "5", "6"]),
        ("missing output", 0, 2, ["7", "8"]),
    ]
    assert json.loads(failed.locusts("status", "--json")[1])["causes"] == found["causes"]
    failures = locusts_fab.failures(load(failed, CONFIG))
    assert failures.to_dict() == found
    assert failures.summary == "9 failed, 3 causes"


def test_before_anything_is_collected(workspace: Workspace) -> None:
    """What a task printed is known from its record; its log was not fetched."""
    workspace.pairs(10)
    workspace.write(CONFIG)
    assert workspace.locusts("submit")[0] == 0
    assert workspace.locusts("watch")[0] == 1
    assert not (workspace.folder / "results").exists()
    code, text = workspace.locusts("failures")
    assert (code, text.splitlines()[: len(LINES)]) == (1, LINES)


def test_where_nothing_failed(workspace: Workspace) -> None:
    workspace.pairs(2)
    workspace.write(HERE + COPY)
    assert workspace.locusts("failures") == (0, "none of 2 tasks failed\n")  # before it is submitted, too
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("failures") == (0, "none of 2 tasks failed\n")
    assert json.loads(workspace.locusts("failures", "--json")[1])["causes"] == []


BAR = r"\r 10%%|#         | 1/10 [00:01<00:09]\r 20%%|##        | 2/10 [00:02<00:08]"


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (f"Error: no rows\\n{BAR}", "Error: no rows"),
        (f"{BAR}\\nError: no rows\\n", "Error: no rows"),
        (f"{BAR}Error: no rows\\n{BAR}", "Error: no rows"),
        (r"\r 10%%\r 20%%\r 30%%Error: no rows\n", "Error: no rows"),
    ],
)
def test_the_reason_is_no_bar_of_a_progress(workspace: Workspace, printed: str, told: str) -> None:
    command = f"printf '{printed}'; exit 3"
    workspace.write(f"{HERE}[swarms.s]\ncommand = {json.dumps(command)}\nargs = [['1'], ['2']]\n")
    code, text = workspace.locusts("run")
    assert (code, f"  2  exit 3: {told}\n" in text) == (1, True), text
    assert {row["reason"] for row in workspace.tasks().values()} == {f"exit 3: {told}"}
