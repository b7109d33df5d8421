"""The lock: one command at a time, and nobody is locked out by a command that is no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from locusts_fab.errors import StateError
from locusts_fab.state.lock import locked

HOLD = """
import sys
from pathlib import Path
from locusts_fab.state.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "a lock"
    with (
        locked(path),
        pytest.raises(StateError, match=rf"is working.*process {os.getpid()}\b") as caught,
        locked(path, 0),
    ):
        pass
    assert caught.value.hint


def test_it_is_let_go_at_the_end_and_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(path, 0):
            raise ZeroDivisionError
    with locked(path, 0):
        assert path.read_text().startswith(f"{os.getpid()}\t")


def test_a_holder_that_is_killed_lets_it_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=rf"process {holder.pid}\b"), locked(path, 0):
            pass
        holder.kill()
        with locked(path, 30):
            assert path.read_text().startswith(f"{os.getpid()}\t")


def test_what_was_started_meanwhile_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path):
        child = subprocess.Popen(["sleep", "30"])
    try:
        with locked(path, 0):
            pass
    finally:
        child.kill()
        child.wait()
