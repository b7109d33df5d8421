"""A command line as people type it: nothing runs that was not asked for, and help is about this program."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.support.workspace import HERE, REPOSITORY, Workspace

CONFIG = f"""{HERE}
[swarms.s]
command = "echo <arg0> >> '<shared>log'; echo <arg0> > out.txt"
args = [["1"], ["2"]]
outputs = ["out.txt"]
shared = {{ log = "log" }}
"""


@pytest.fixture
def ran(workspace: Workspace) -> Workspace:
    """Return a swarm of two tasks that ran."""
    (workspace.folder / "log").touch()
    workspace.write(CONFIG)
    (workspace.folder / "other.toml").write_text(CONFIG)
    assert workspace.locusts("run")[0] == 0
    return workspace


@pytest.mark.parametrize(
    "line",
    [
        "--dry submit --redo",
        "submit --dry --redo",
        "-R submit --redo",
        "--echo submit --redo",
        "--hide both submit --redo",
        "--no-dedupe submit --redo",
        "status submit --redo",
    ],
)
def test_what_is_not_understood_runs_nothing(ran: Workspace, line: str) -> None:
    code, text = ran.locusts(*line.split())
    assert code == 2, text
    assert "--help`" in text
    assert (ran.folder / "log").read_text().split() in (["1", "2"], ["2", "1"])
    assert "2 of 2 done" in ran.locusts("status")[1]


@pytest.mark.parametrize(
    "line",
    [
        "--config other.toml status",
        "-c other.toml status",
        "--swarm s status",
        "-t here status",
        "logs -t here 000001",
        "logs 000001 --target here",
        "logs -s s -t here -c other.toml 000001",
    ],
)
def test_options_mean_the_same_wherever_they_stand(ran: Workspace, line: str) -> None:
    code, text = ran.locusts(*line.split())
    assert code == 0, text
    assert "2 of 2 done" in text or "task     000001: done" in text


@pytest.mark.parametrize("line", ["logs --help", "logs -h", "convert --help", "-h logs", "help logs", "-h"])
def test_help_can_be_asked_for_in_every_way(workspace: Workspace, line: str) -> None:
    code, text = workspace.locusts(*line.split())  # there is no config
    assert code == 0, text
    assert text.startswith("Usage: locusts ")


@pytest.mark.parametrize("line", ["--help", "submit --help", "collect --help", "attach --help"])
def test_help_is_about_this_program_and_breaks_no_word(workspace: Workspace, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locusts_fab", *line.split()],
        cwd=workspace.folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    assert re.findall(r"sudo|\bpyc\b|--hide|--echo|subcommand|core-opts|docstring", done.stdout, re.IGNORECASE) == []
    lines = done.stdout.splitlines()
    assert (max(map(len, lines)) <= 80, len(lines) <= 24) == (True, True)
