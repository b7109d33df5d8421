"""Exchanges that take too long: they are given up, they are told, and nothing of them is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from locusts_fab.errors import HostError
from locusts_fab.hosts import patience as module
from locusts_fab.hosts.local import LocalHost
from locusts_fab.hosts.patience import Patience
from locusts_fab.progress import looking_on
from tests.support.processes import await_end, wait_until

ROOT = Path(__file__).resolve().parents[3]
#: A client of ours that runs a script, whose leash is short.
CLIENT = """
import sys
from locusts_fab.hosts import base
from locusts_fab.hosts.local import LocalHost
base.LEASH_S = 0
LocalHost().run(*sys.argv[1:])
"""


class Listener:
    """Somebody who wants to know what is waited for."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.is_told = threading.Event()
        self.is_over = threading.Event()

    def waits(self, what: str, seconds: float) -> None:
        """See `Onlooker.waits`."""
        assert seconds >= 2
        self.heard.append(what)
        self.is_told.set()

    def goes_on(self) -> None:
        """See `Onlooker.goes_on`."""
        self.is_over.set()


def hanging(tmp_path: Path) -> Path:
    """Make a file that holds up whoever reads it, as a dead file system does."""
    fifo = tmp_path / "dead"
    os.mkfifo(fifo)
    return fifo


def started(mark: Path) -> int:
    """Wait until a script has left its process id, and return it."""
    wait_until(lambda: mark.exists() and mark.read_text().endswith("\n"), "the script")
    return int(mark.read_text())


# ---------------------------------------------------------------------------------------------------------------------
# Limits


def test_a_script_that_hangs_is_given_up(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(HostError, match=r"this machine: the archive did not answer within 1 s") as caught:
        LocalHost().run(
            'echo $$ >"$1"; cat "$2"', str(mark), str(hanging(tmp_path)), quiet_s=1, waits_for="the archive"
        )
    assert caught.value.may_pass
    assert caught.value.hint
    await_end(started(mark))


@pytest.mark.parametrize("does", ["cat <dead", "read -r x <dead", ": >dead", "[[ $(<dead) ]]", "exec 4<dead; echo"])
def test_it_may_hang_in_anything(tmp_path: Path, does: str) -> None:
    hanging(tmp_path)
    with pytest.raises(HostError, match="did not answer"):
        LocalHost().run(f'cd "$1" && {does}', str(tmp_path), quiet_s=0.5)


def test_what_says_something_all_the_time_is_given_up_too() -> None:
    with pytest.raises(HostError, match="did not end within 1 s"):
        LocalHost().run("while :; do echo; sleep 0.05; done", timeout_s=1, quiet_s=100)


def test_what_got_away_and_holds_the_output_keeps_nobody_waiting(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(HostError, match="did not answer"):
        LocalHost().run('setsid bash -c "echo \\$\\$ >$1; exec sleep 600" & wait', str(mark), quiet_s=1)
    os.kill(started(mark), signal.SIGKILL)


def test_each_sign_of_life_begins_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    patience = Patience("cluster", "it", quiet_s=60, total_s=600)
    now[0] += 59
    assert patience._left_s() == 1
    patience.heard()
    assert patience._left_s() == 60
    now[0] += 530
    assert patience._left_s() == -470
    patience.heard()
    assert patience._left_s() == 11


def test_everything_has_a_limit() -> None:
    assert 0 < module.QUIET_S < module.TOTAL_S < module.LONG_S < float("inf")


# ---------------------------------------------------------------------------------------------------------------------
# Nothing is left running, and Ctrl-C works


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_client_that_ends_leaves_no_script_that_hangs(tmp_path: Path, number: signal.Signals) -> None:
    mark = tmp_path / "mark"
    script = ['echo "$$" >"$1"; cat "$2"', str(mark), str(hanging(tmp_path))]
    with subprocess.Popen([sys.executable, "-c", CLIENT, *script], cwd=ROOT, stderr=subprocess.DEVNULL) as client:
        pid = started(mark)
        client.send_signal(number)
        client.wait(60)
    await_end(pid)


def test_a_script_that_ends_by_itself_is_not_cut_off(tmp_path: Path) -> None:
    """It may be half-way in something that is better ended."""
    mark, go = tmp_path / "mark", tmp_path / "go"
    script = 'echo "$$" >"$1"; while [[ ! -e $2 ]]; do sleep 0.02; done; echo >"$1.end"'
    client = [sys.executable, "-c", CLIENT.replace("LEASH_S = 0", "LEASH_S = 600"), script, str(mark), str(go)]
    with subprocess.Popen(client, cwd=ROOT) as process:
        started(mark)
        process.kill()
        process.wait()
    go.touch()
    wait_until((tmp_path / "mark.end").exists, "the end of the script")


# ---------------------------------------------------------------------------------------------------------------------
# What is told


def test_who_waits_is_told_what_for(tmp_path: Path) -> None:
    listener, go = Listener(), tmp_path / "go"
    with looking_on(listener):
        thread = threading.Thread(
            target=LocalHost().run,
            args=("while [[ ! -e $1 ]]; do sleep 0.02; done", str(go)),
            kwargs={"waits_for": "the scheduler"},
        )
        thread.start()
        assert listener.is_told.wait(60)
        go.touch()
        thread.join()
    assert set(listener.heard) == {"this machine: waiting for the scheduler"}
    assert listener.is_over.is_set()


def test_who_is_asked_something_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    listener, looked = Listener(), threading.Event()
    monkeypatch.setattr(module, "_TICK_S", 0.01)

    def left() -> float:
        looked.set()
        return 3600.0

    with looking_on(listener), Patience("cluster", "the login", total_s=3600) as patience:
        patience.hush()
        monkeypatch.setattr(patience, "_left_s", left)
        patience._wait._since -= 100
        looked.clear()
        assert looked.wait(60)
    assert listener.heard == []


def test_nobody_looks_on() -> None:
    with Patience("cluster", "it") as patience:
        patience._wait._since -= 100
        patience._wait.tell()
