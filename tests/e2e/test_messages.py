"""What people are told while things break: the truth, in a line or two, with the exit code that the table has."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import wait_until
from tests.support.workspace import COPY, HERE, REPOSITORY, Workspace

if TYPE_CHECKING:
    from pathlib import Path

# ---------------------------------------------------------------------------------------------------------------------
# Ctrl-C, however early or late

WAITING = """
import os, pathlib, time
pathlib.Path(os.environ["MARK"]).touch()
while True:
    time.sleep(0.01)
"""
STUBBORN = """
import os, pathlib, time
while True:
    try:
        pathlib.Path(os.environ["MARK"]).touch()
        time.sleep(0.01)
    except BaseException:
        pass
"""
LATE = """
import atexit, os, pathlib, time
def wait():
    pathlib.Path(os.environ["MARK"]).touch()
    while True:
        time.sleep(0.01)
atexit.register(wait)
"""


def interrupted(tmp_path: Path, name: str, source: str, *words: str) -> tuple[int, str]:
    """Start the program with a module of ours in the place of another, and press Ctrl-C when it has been reached.

    :returns: the exit code, and what was printed.
    """
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / f"{name}.py").write_text(source)
    mark = tmp_path / "reached"
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{REPOSITORY}", "MARK": str(mark)}
    with subprocess.Popen(
        [sys.executable, "-m", "locusts_fab", *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_until(lambda: mark.exists() or process.poll() is not None, "the module")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    return process.returncode, (out + err).decode()


@pytest.mark.parametrize("source", [WAITING, STUBBORN], ids=["waiting", "stubborn"])
@pytest.mark.parametrize(
    ("name", "words"),
    [("click", ["status"]), ("click", ["--version"]), ("click", ["--help"])],
)
def test_while_the_program_loads(tmp_path: Path, name: str, words: list[str], source: str) -> None:
    code, text = interrupted(tmp_path, name, source, *words)
    assert (code, text) == (130, "interrupted; the same command again carries on\n")


def test_while_a_command_loads(tmp_path: Path) -> None:
    (tmp_path / "locusts.toml").write_text(HERE + COPY)
    code, text = interrupted(tmp_path, "tomli", WAITING, "status")
    assert (code, text) == (130, "interrupted; the same command again carries on\n")


def test_when_all_is_done(tmp_path: Path) -> None:
    code, text = interrupted(tmp_path, "tomli", LATE + "\nraise ImportError('no')\n", "status")
    assert code == 130
    assert text.endswith("interrupted; the same command again carries on\n")
    assert "Traceback" not in text


def test_the_program_that_is_installed_loads_as_late() -> None:
    assert 'locusts = "locusts_fab.__main__:main"' in (REPOSITORY / "pyproject.toml").read_text()


# ---------------------------------------------------------------------------------------------------------------------
# A state folder that cannot be written or read


@pytest.fixture
def small(workspace: Workspace) -> Workspace:
    """Return a workspace of two tasks."""
    workspace.pairs(2)
    workspace.write(HERE + COPY)
    return workspace


def test_a_state_folder_that_cannot_be_made(small: Workspace) -> None:
    (small.folder / ".locusts").symlink_to("/proc/self/ns")  # where not even root may make anything
    code, text = small.locusts("submit")
    assert code == 3, text
    assert "cannot be made" in text
    assert "permissions" in text


def test_a_lock_that_cannot_be_opened(small: Workspace) -> None:
    (small.folder / ".locusts/s/lock").mkdir(parents=True)
    code, text = small.locusts("submit")
    assert code == 3, text
    assert "cannot be opened" in text


def test_a_ledger_that_cannot_be_opened(small: Workspace) -> None:
    (small.folder / ".locusts/s/ledger.sqlite").mkdir(parents=True)
    for command in ("submit", "status"):
        code, text = small.locusts(command)
        assert code == 3, text
        assert "cannot be written" in text


@pytest.mark.parametrize(
    "command", [["status"], ["watch"], ["collect"], ["submit"], ["cancel"], ["clean"], ["logs", "0"]]
)
def test_a_damaged_ledger(small: Workspace, command: list[str]) -> None:
    assert small.locusts("run")[0] == 0
    ledger = small.folder / ".locusts/s/ledger.sqlite"
    data = ledger.read_bytes()
    ledger.write_bytes(data[:4096] + b"\x5a" * (len(data) - 4096))
    code, text = small.locusts(*command)
    assert code == 2, text
    assert "is damaged" in text
    assert "locusts attach" in text
    assert "should not happen" not in text
    ledger.unlink()


# ---------------------------------------------------------------------------------------------------------------------
# Cleaned


def test_what_was_given_up_is_not_done(small: Workspace) -> None:
    assert small.locusts("submit")[0] == 0
    assert small.locusts("watch")[0] == 0
    assert small.locusts("clean")[0] == 2
    assert small.locusts("clean", "--force")[0] == 0
    for _ in range(2):
        code, text = small.locusts("status")
        assert "finished" not in text
        assert "0 of 2 done" in text
        assert "nothing is on the target any more" in text
        assert "the results of 2 tasks were given up" in text
        assert code == 1
    assert small.locusts("run")[0] == 0
    assert small.result("0/out_0.txt").read_text() == "0\n"
    assert "cleaned" not in small.locusts("status")[1]


def test_what_is_here_stays_done(small: Workspace) -> None:
    assert small.locusts("run")[0] == 0
    assert small.locusts("clean")[0] == 0
    code, text = small.locusts("status")
    assert code == 0
    assert "2 of 2 done" in text
    assert "nothing is on the target any more" in text
    assert "given up" not in text


def test_what_failed_was_given_up_too(small: Workspace) -> None:
    small.write(HERE + COPY.replace("cat f", "false && cat f"))
    assert small.locusts("submit")[0] == 0
    assert small.locusts("watch")[0] == 1
    assert small.locusts("clean", "--force")[0] == 0
    text = small.locusts("status")[1]
    assert "2 failed" not in text
    assert "the results of 2 tasks were given up" in text


# ---------------------------------------------------------------------------------------------------------------------
# Nobody was heard


def test_the_last_words_of_a_manager_are_shown(small: Workspace) -> None:
    assert small.locusts("submit")[0] == 0
    assert small.locusts("watch")[0] == 0
    environment = small.folder / ".locusts/here/s/exec"
    for file in (environment / "cache").iterdir():
        file.unlink()
    for file in (environment / "logs").iterdir():
        file.unlink()
    (environment / "logs/1-0.out").write_text("bash: cannot write: No space left on device\n\x1b[2J\nmore\n")
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (small.folder / ".locusts/s" / name).unlink(missing_ok=True)
    text = small.locusts("attach")[1] + small.locusts("status")[1]
    words = "ends with: bash: cannot write: No space left on device / \\x1b[2J / more"
    assert f"nobody was heard; {environment}/logs/1-0.out {words}" in text
    (environment / "logs/1-0.out").write_text("")
    text = small.locusts("status")[1]
    assert f"nobody was heard, and nothing was printed to {environment}/logs/1-*.out" in text


# ---------------------------------------------------------------------------------------------------------------------
# What to do about it


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("inputs = ['walk_<id>.txt']\nsweep = { n = [1, 2] }\n", "put <id> where the names of the files differ"),
        ("inputs = ['walk_<n>.txt']\nsweep = { n = [1, 2] }\n", "task 000001: walk_1.txt"),
        ("inputs = ['/nowhere/x.txt']\nargs = [['1']]\n", "task 000001: /nowhere/x.txt add the files"),
        ("inputs = ['/nowhere/<id>.txt']\n", "there is no folder /nowhere fix its path in the config"),
    ],
)
def test_an_input_that_is_none_is_told_with_what_to_write(workspace: Workspace, config: str, said: str) -> None:
    for name in ("run_1.txt", "run_2.txt"):
        (workspace.folder / name).touch()
    workspace.write(f"{HERE}[swarms.s]\ncommand = 'true'\n{config}")
    code, text = workspace.locusts("run")
    assert (code, said in " ".join(text.split())) == (2, True), text


def test_one_is_no_plural(workspace: Workspace) -> None:
    workspace.pairs(1)
    workspace.write(HERE + COPY)
    said = [workspace.locusts(*line.split())[1] for line in ("check", "submit --dry-run", "submit", "collect --wait")]
    said += [workspace.locusts(line)[1] for line in ("submit", "run", "status", "failures", "clean")]
    workspace.write(HERE + COPY.replace("cat f", "false && cat f"))
    said += [
        workspace.locusts(*line.split())[1] for line in ("submit --redo", "watch", "clean", "clean --force", "status")
    ]
    assert re.findall(r"\b1 [a-z]+s\b(?! \w*s\b)", "\n".join(said)) == []
    assert sum("1 task" in text for text in said) >= 8


@pytest.mark.parametrize(
    ("first", "second"), [("nt.fa", "nt.fa.nhr"), ("reads.bam", "reads.bam.bai"), ("ref.fa", "ref.dict")]
)
def test_shared_files_that_belong_together_are_named(workspace: Workspace, first: str, second: str) -> None:
    for name in (first, second):
        (workspace.folder / name).touch()
    shared = f"shared = {{ one = '{first}', two = '{second}' }}\n"
    workspace.write(f"{HERE}[swarms.s]\ncommand = 'ls <shared>one <shared>two'\nargs = [['1']]\n{shared}")
    for line in ("check", "run"):
        code, text = workspace.locusts(line)
        assert (code, "share their folder" in text) == (0, True), text
