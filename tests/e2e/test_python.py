"""What ops scripts see of a swarm: the examples of docs/python.md, and Python's logging."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest

import locusts_fab
from tests.support.workspace import COPY, HERE, REPOSITORY, Workspace

PAGE = (REPOSITORY / "docs/python.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def half(workspace: Workspace) -> Workspace:
    """Return a workspace in which one of two tasks fails."""
    workspace.pairs(2)
    workspace.write(HERE + COPY.replace("[swarms.s]", "[swarms.means]").replace("cat f", "test <id> -gt 0 && cat f"))
    return workspace


def ran(workspace: Workspace, code: str) -> subprocess.CompletedProcess[str]:
    """Run a program in Python."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=workspace.folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_examples_run(half: Workspace) -> None:
    board, logged = (code for code in EXAMPLES if "Board" in code or "logging" in code)
    done = ran(half, board)
    assert "begins: planning\nends: planning\n" in done.stdout
    assert "means on here: finished, 1 of 2 done, 1 failed\n" in done.stdout
    assert not ran(half, logged).stderr
    lines = (half.folder / "ops.log").read_text()
    assert "WARNING:locusts_fab:task 0 failed: exit 1\n" in lines
    assert "INFO:locusts_fab:means on here: 2 tasks are collected into " in lines


def test_a_swarm_needs_no_config(workspace: Workspace) -> None:
    (code,) = (code for code in EXAMPLES if "from_command" in code)
    printed = ran(workspace, code).stdout
    assert printed == "areas on here: finished, 6 of 6 done areas\n"
    made = {path.read_text() for path in workspace.folder.glob("results/areas/*/area.txt")}
    assert made == {f"{size} {seed}\n" for size in (10, 20) for seed in range(3)}
    assert (workspace.folder / ".locusts/areas/ledger.sqlite").exists()
    assert ran(workspace, code).stdout == printed  # the same swarm: nothing is left to do


def test_nothing_is_shown_by_default(half: Workspace) -> None:
    code = "import locusts_fab as l; s = l.load(); l.submit(s); l.collect(s, wait=True); l.cancel(s); l.clean(s)"
    done = ran(half, code)
    assert (done.stdout, done.stderr) == ("", "")


def test_each_step_is_logged(half: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    swarm = locusts_fab.load(half.folder / "locusts.toml")
    with caplog.at_level(logging.INFO, "locusts_fab"):
        locusts_fab.submit(swarm)
        locusts_fab.collect(swarm, wait=True)
        locusts_fab.clean(swarm)
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "locusts_fab"]
    assert told == [
        ("INFO", "means on here: 2 tasks are sent in 2 chunks"),
        ("INFO", "means on here: submission 1 is started"),
        ("WARNING", "task 0 failed: exit 1"),
        ("INFO", f"means on here: 2 tasks are collected into {swarm.outdir}"),
        ("INFO", "means: 0 managers are stopped, 0 may still run"),
        ("INFO", "means on here: the environment is removed"),
    ]
