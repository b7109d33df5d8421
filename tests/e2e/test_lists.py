"""The tasks of a swarm, and what they printed, as a user looks for them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.managers import holding
from tests.support.workspace import HERE, REPOSITORY, Workspace

if TYPE_CHECKING:
    from pathlib import Path

ROWS = """
[swarms.s]
command = "printf '%s\\\\n' one two <arg0>; test <arg0> != bad"
args = [["good"], ["bad"], ["fine"], ["bad"]]
"""


@pytest.fixture
def ran(workspace: Workspace) -> Workspace:
    """Return a workspace in which two of four tasks failed."""
    workspace.write(HERE + ROWS)
    assert workspace.locusts("run")[0] == 1
    return workspace


def test_tasks_before_the_first_submit(workspace: Workspace) -> None:
    workspace.write(HERE + ROWS)
    code, text = workspace.locusts("tasks")
    assert code == 0
    assert [line.split()[:2] for line in text.splitlines()[1:]] == [[f"00000{n}", "pending"] for n in range(1, 5)]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ([], "1234"),
        (["--state", "failed"], "24"),
        (["--state", "done"], "13"),
        (["--state", "pending"], ""),
        (["--only", "000003"], "3"),
        (["--only", "*3", "--only", "00000[12]"], "123"),
        (["--only", "*[34]", "--state", "failed"], "4"),
    ],
)
def test_tasks_that_are_chosen(ran: Workspace, words: list[str], ids: str) -> None:
    code, text = ran.locusts("tasks", *words)
    assert code == 0
    assert [line[:6] for line in text.splitlines() if line[:1] == "0"] == [f"00000{each}" for each in ids]
    found = json.loads(ran.locusts("tasks", "--json", *words)[1])["tasks"]
    assert [each["id"] for each in found] == [f"00000{each}" for each in ids]
    assert all(each["reason"].startswith("exit 1") == (each["state"] == "failed") for each in found)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["tasks", "--only", "7"], "`locusts tasks` lists them"),
        (["tasks", "--only", "3"], "did you mean 000003?"),
        (["tasks", "--only", "x*"], "`locusts tasks` lists them"),
        (["tasks", "--state", "faild"], "did you mean failed?"),
        (["logs", "4"], "did you mean 000004?"),
        (["logs", "0000004"], "did you mean 000004?"),
        (["logs", "--failed", "2"], "did you mean 000002?"),
        (["logs"], "locusts logs 000007"),
        (["logs", "4", "--tail", "many"], "`locusts logs --help`"),
    ],
)
def test_what_was_meant(ran: Workspace, words: list[str], hint: str) -> None:
    code, text = ran.locusts(*words)
    assert code == 2
    assert hint in text
    assert len(text.splitlines()) == 2


def test_names_that_are_no_numbers(workspace: Workspace) -> None:
    (workspace.folder / "in").mkdir()
    for name in ("alpha", "[beta]", "b"):
        (workspace.folder / "in" / f"{name}.txt").touch()
    workspace.write(HERE + '[swarms.s]\ncommand = "true"\nindir = "in"\ninputs = ["<id>.txt"]\n')
    assert "did you mean alpha?" in workspace.locusts("tasks", "--only", "alhpa")[1]
    assert "[beta]" in workspace.locusts("tasks", "--only", "[beta]")[1]
    assert "\nb " in workspace.locusts("tasks", "--only", "[b]")[1]


def test_logs_of_all_that_failed(ran: Workspace) -> None:
    code, text = ran.locusts("logs", "--failed")
    assert code == 0
    assert text.count("task     ") == text.count("printed:\none\ntwo\nbad\n") == 2
    text = ran.locusts("logs", "--failed", "000004", "--tail", "1")[1]
    assert text.count("task     ") == text.count("printed:\nbad\n") == 1
    assert ran.locusts("logs", "000001", "--tail", "2", "--raw")[1] == "two\ngood\n"
    assert ran.locusts("logs", "--failed", "000001")[1] == "no such task has failed\n"


def test_a_log_is_followed_until_its_task_ends(workspace: Workspace, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    command = f"echo begins; {holding(gate)}; echo ends"
    workspace.write(HERE + f'[swarms.s]\ncommand = {json.dumps(command)}\nargs = [["x"]]\n')
    assert workspace.locusts("submit")[0] == 0
    with workspace.start("logs", "000001", "--follow") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        (gate / "go").touch()
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, b"ends\n")
    assert err.endswith(b"task 000001: done\n")
    assert workspace.locusts("watch")[0] == 0
    assert workspace.locusts("logs", "000001", "--follow")[1] == "begins\nends\ntask 000001: done\n"


def test_invoke_has_them_too(ran: Workspace) -> None:
    (ran.folder / "tasks.py").write_text("import locusts_fab\nnamespace = locusts_fab.collection\n")
    for words in (["tasks", "--only", "000002", "--only", "000003"], ["logs", "000002", "--tail", "1"]):
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=ran.folder,
            env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )
        assert b"000002" in done.stdout
        assert b"000001" not in done.stdout
