"""What other programs, and cron, get of the commands: JSON, silence, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.workspace import COPY, HERE, REPOSITORY, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def half(workspace: Workspace) -> Workspace:
    """Return a workspace in which one of two tasks fails."""
    workspace.pairs(2)
    workspace.write(HERE + COPY.replace("cat f", "test <id> -gt 0 && cat f"))
    return workspace


def answer(workspace: Workspace, *words: str) -> tuple[int, str, str]:
    """Run the program, and return its exit code and what it printed on each stream."""
    with workspace.start(*words) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


def test_json_is_all_that_the_answer_holds(half: Workspace) -> None:
    looks: dict[str, Callable[[Any], object]] = {
        "status": lambda found: found["tasks"]["failed"],
        "check": lambda found: found["exit_status"],
        "collect": lambda found: found["status"]["tasks"]["failed"],
    }
    assert answer(half, "run")[0] == 1
    found = {name: look(json.loads(answer(half, name, "--json")[1])) for name, look in looks.items()}
    assert found == {"status": 1, "check": 0, "collect": 1}
    for name in looks:
        code, out, err = answer(half, name, "--json", "--quiet")
        assert json.loads(out)
        assert "s on here" not in err or code == 1


def test_quiet_tells_only_what_went_wrong(half: Workspace) -> None:
    code, out, err = answer(half, "run", "--quiet")
    assert (code, out) == (1, "")
    assert err.startswith("s on here: finished, 1 of 2 done, 1 failed\n")
    assert answer(half, "status", "-q") == (1, "", "")
    half.write(HERE + COPY)
    assert answer(half, "retry", "--quiet") == (0, "", "")
    assert answer(half, "collect", "--wait", "--quiet") == (0, "", "")
    assert answer(half, "check", "--quiet") == (0, "", "")
    assert answer(half, "--quiet", "submit", "--config", "none.toml")[2].startswith("none.toml: no such file")


@pytest.mark.parametrize(
    ("words", "failed"),
    [
        (("status", "--json"), lambda found: [each for cause in found["causes"] for each in cause["examples"]]),
        (("failures", "--json"), lambda found: [each for cause in found["causes"] for each in cause["examples"]]),
        (("tasks", "--json", "--state", "failed"), lambda found: [each["id"] for each in found["tasks"]]),
        (
            ("collect", "--json"),
            lambda found: [each for cause in found["status"]["causes"] for each in cause["examples"]],
        ),
    ],
)
def test_a_program_learns_which_tasks_failed(
    half: Workspace, words: tuple[str, ...], failed: Callable[[Any], object]
) -> None:
    assert answer(half, "run")[0] == 1
    assert failed(json.loads(answer(half, *words)[1])) == ["0"]


@pytest.mark.parametrize("command", ["submit", "status", "watch", "collect", "run", "check", "clean", "cancel"])
def test_cron_gets_nothing_where_all_went_well(workspace: Workspace, command: str) -> None:
    workspace.pairs(2)
    workspace.write(HERE + COPY)
    if command not in {"submit", "run", "check"}:
        assert answer(workspace, "run")[0] == 0
    assert answer(workspace, command, "--quiet") == (0, "", "")


def test_what_shows_progress_can_be_imported(half: Workspace) -> None:
    code = "import locusts_fab as l; s = l.load(); w = l.Screen(); w.note('begins'); l.submit(s, screen=w)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=half.folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr.splitlines()[0]) == ("", "begins")
