"""What is written as commands and variables: it is what runs, or it is refused before anything is computed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

SWEEP = "sweep = { temperature = [280, 300] }\n"


def swarm(workspace: Workspace, command: str, more: str = SWEEP) -> None:
    """Write a config with a command."""
    workspace.write(f"{HERE}[swarms.s]\ncommand = {json.dumps(command)}\n{more}")


def refused(workspace: Workspace) -> str:
    """Run the swarm, see that it is refused and nothing was started, and return what was said."""
    code, text = workspace.locusts("run")
    assert code == 2, text
    assert not (workspace.folder / ".locusts/here").exists()
    return text


# ---------------------------------------------------------------------------------------------------------------------
# Files of commands


def printed(workspace: Workspace, commands: str) -> list[str]:
    """Run a file of commands and return what each task printed."""
    (workspace.folder / "commands.txt").write_text(commands)
    workspace.write(f'{HERE}[swarms.s]\ncommand_file = "commands.txt"\n')
    code, text = workspace.locusts("run")
    assert code == 0, text
    return [workspace.result(f"logs/{task}.log").read_text() for task in workspace.tasks()]


@pytest.mark.parametrize(
    ("commands", "logs"),
    [
        ("echo one \\\n  two\necho three\n", ["one two\n", "three\n"]),
        ("cat <<END\n# hello\nyou\nEND\necho three\n", ["# hello\nyou\n", "three\n"]),
        ("for word in a b; do\n  echo $word\ndone\n", ["a\nb\n"]),
        ("echo 'one\ntwo'\n", ["one\ntwo\n"]),
        ("echo a |\n  tr a b\n", ["b\n"]),
    ],
    ids=["backslash", "here-document", "loop", "quotes", "pipe"],
)
def test_a_command_goes_on_until_it_is_complete(workspace: Workspace, commands: str, logs: list[str]) -> None:
    assert printed(workspace, commands) == logs


@pytest.mark.parametrize("line", ["echo 'open", "cat <<END\nhello", "for i in 1 2; do\necho $i", "echo )", "fi"])
def test_a_file_with_what_is_no_command_starts_nothing(workspace: Workspace, line: str) -> None:
    (workspace.folder / "commands.txt").write_text(f"true\n{line}\n")
    workspace.write(f'{HERE}[swarms.s]\ncommand_file = "commands.txt"\n')
    assert "commands.txt: line 2: what begins here" in refused(workspace)


@pytest.mark.parametrize("line", ["#DISBATCH PREFIX cd x; ", "#SWARM -g 4 -t 2", "#SBATCH --mem=4G"])
def test_lines_for_other_programs_are_named(workspace: Workspace, line: str) -> None:
    (workspace.folder / "commands.txt").write_text(f"# a remark\n{line}\ntrue\n")
    workspace.write(f'{HERE}[swarms.s]\ncommand_file = "commands.txt"\n')
    text = workspace.locusts("submit", "--dry-run")[1]
    assert f"line 2: {line.strip()}" in text
    assert "a remark" not in text


# ---------------------------------------------------------------------------------------------------------------------
# Handles that are misspelt


@pytest.mark.parametrize(
    ("command", "word", "meant"),
    [
        ("echo <temp> > o.txt", "<temp>", "<temperature>"),
        ("echo <ID> > o.txt", "<ID>", "<id>"),
        ("echo {id} > o.txt", "{id}", "<id>"),
        ("echo <Temperature> <id>", "<Temperature>", "<temperature>"),
        ("run --t={temperature}", "{temperature}", "<temperature>"),
    ],
)
def test_a_handle_that_is_misspelt_starts_nothing(workspace: Workspace, command: str, word: str, meant: str) -> None:
    swarm(workspace, command)
    text = refused(workspace)
    assert f"{word} is no handle here" in text
    assert f"did you mean {meant}?" in text


def test_the_reason_of_a_syntax_error_is_its_first_line(workspace: Workspace) -> None:
    swarm(workspace, "echo <temperature> > > o.txt")
    assert workspace.locusts("run")[0] == 1
    assert {row["reason"].partition("line 1: ")[2] for row in workspace.tasks().values()} == {
        "syntax error near unexpected token `>'"
    }


# ---------------------------------------------------------------------------------------------------------------------
# Variables


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("/opt/tools/bin:$PATH", "a $ is not expanded here"),
        ("${HOME}/bin", "a $ is not expanded here"),
        ("<id>", "<id> has no value here"),
        ("x<temperature>", "<temperature> has no value here"),
    ],
)
def test_a_variable_that_would_be_taken_literally_starts_nothing(workspace: Workspace, value: str, said: str) -> None:
    swarm(workspace, "true", f"{SWEEP}env = {{ PATH = {json.dumps(value)} }}\n")
    text = refused(workspace)
    assert said in text
    assert "in the command" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("PATH", "/nowhere"), ("TMPDIR", "/no/such/folder"), ("BASH_ENV", "/no/such/file")],
)
def test_the_variables_of_tasks_are_nothing_to_the_manager(workspace: Workspace, name: str, value: str) -> None:
    swarm(workspace, f'echo "${name}" > out.txt', f"{SWEEP}outputs = ['out.txt']\nenv = {{ {name} = '{value}' }}\n")
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert [workspace.result(f"{task}/out.txt").read_text() for task in workspace.tasks()] == [f"{value}\n"] * 2


@pytest.mark.parametrize("line", ["outdir = 'results/<id>'", "outdir = '<temperature>'", "indir = 'in/<id:raw>'"])
def test_a_folder_that_would_be_taken_literally_starts_nothing(workspace: Workspace, line: str) -> None:
    (workspace.folder / "in/<id:raw>").mkdir(parents=True)
    swarm(workspace, "true", f"{SWEEP}{line}\n")
    assert "has no value here, for all tasks share this folder" in refused(workspace)
    swarm(workspace, "true", f"{SWEEP}outdir = 'a <folder> of mine'\n")
    assert workspace.locusts("run")[0] == 0
