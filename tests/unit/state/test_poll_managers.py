"""What a poll makes of managers: whether they live, as far as it can be known."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager import times
from locusts_fab.model.swarms import ManagerState
from locusts_fab.state import poll as module
from locusts_fab.state.clock import Reading
from tests.support.environments import ID
from tests.support.polls import (
    HOST,
    START_S,
    began,
    dead_pid,
    ended,
    look,
    manager,
    set_clock,
    state_of,
    states,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.state.ledger import Ledger

pytestmark = pytest.mark.usefixtures("_clock")


def test_one_that_took_its_leave(root: Path, ledger: Ledger) -> None:
    write(root, manager(), began(1), ended(1), "left\tbreaker\t12.000000\t.\n")
    (root / f"exec/beats/1-0-{ID}.end").touch()
    look(ledger, root)
    assert state_of(ledger) is ManagerState.LEFT
    assert ledger.manager_reason(f"1-0-{ID}") == "breaker"
    assert ledger.offsets() == {f"1-0-{ID}": -1}
    write(root, ended(2))
    assert look(ledger, root) == 0  # nothing more is asked for
    assert ledger.manager_reason(f"1-0-{ID}") == "breaker"


def test_one_that_is_about_to_leave(root: Path, ledger: Ledger) -> None:
    """Its last record is there, its mark not yet: what it said stands, whatever its heartbeat looks like."""
    write(root, manager(), began(1), ended(1), "left\tbreaker\t12.000000\t.\n")
    look(ledger, root)
    (root / f"exec/beats/1-0-{ID}.end").touch()
    look(ledger, root)
    assert state_of(ledger) is ManagerState.LEFT
    assert ledger.manager_reason(f"1-0-{ID}") == "breaker"


def test_one_on_this_machine_whose_process_is_no_more(root: Path, ledger: Ledger) -> None:
    write(root, manager(HOST, dead_pid()), began(1))
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE
    assert states(ledger)[0] == "p"


def test_the_reason_is_what_was_seen(root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, manager(HOST, dead_pid()))
    write(root, manager(name="1-1"), name="1-1")
    look(ledger, root)
    set_clock(monkeypatch, START_S + times.STALE_S + 1)
    look(ledger, root)
    assert [ledger.manager_reason(f"{name}-{ID}") for name in ("1-0", "1-1")] == [
        "its process was killed",
        "its heartbeat stood still for more than 300 s",
    ]


def test_a_job_that_is_over_lets_us_lose_patience(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "squeue").write_text("#!/bin/sh\n", encoding="utf-8")  # it knows no jobs, which is an answer
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ledger.set_submission(1, state="started", job="7")
    write(root, manager(), began(1))
    look(ledger, root)
    assert state_of(ledger) is ManagerState.ALIVE
    set_clock(monkeypatch, START_S + times.FRESH_S + 1)
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE
    assert ledger.manager_reason(f"1-0-{ID}") == "its job is over, and its heartbeat stood still for more than 40 s"


def test_a_process_that_only_has_its_number_is_not_it(root: Path, ledger: Ledger) -> None:
    write(root, manager(HOST, os.getpid()), began(1))
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE


def test_one_on_this_machine_that_is_at_work(root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "exec/manager.sh").write_text("printf 'ready\\n'; read -r _\n", encoding="utf-8")
    command = ["bash", str(root / "exec/manager.sh"), "1-0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        write(root, manager(HOST, process.pid), began(1))
        look(ledger, root)
        assert state_of(ledger) is ManagerState.ALIVE
        set_clock(monkeypatch, START_S + times.STALE_S / 2)
        look(ledger, root)
        assert state_of(ledger) is ManagerState.ALIVE  # its process is a better witness than its heartbeat
        assert states(ledger)[0] == "r"
        process.communicate(b"end\n")
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE


@pytest.mark.parametrize("later", [times.STALE_S * 10, -500.0])
def test_alive_is_alive_whatever_the_beat_says(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, later: float
) -> None:
    (root / "exec/manager.sh").write_text("printf 'ready\\n'; read -r _\n", encoding="utf-8")
    command = ["bash", str(root / "exec/manager.sh"), "1-0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        write(root, manager(HOST, process.pid), began(1))
        look(ledger, root)
        set_clock(monkeypatch, START_S + later)
        look(ledger, root)
        assert (state_of(ledger), states(ledger)[0]) == (ManagerState.ALIVE, "r")
        process.communicate(b"end\n")


def test_after_another_start_of_this_machine_nobody_is_gone_at_once(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, manager(), began(1))
    look(ledger, root)
    monkeypatch.setattr(module, "read_clock", lambda: Reading("next boot", 90_000.0, 90_000.0))
    look(ledger, root)
    assert state_of(ledger) is ManagerState.ALIVE


def test_a_manager_that_is_gone_may_be_seen_to_be_in_a_clock_that_was_ahead(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look of the future does not make a heartbeat fresh for ever."""
    write(root, manager(), began(1))
    set_clock(monkeypatch, START_S + 86_400)
    look(ledger, root)
    for after_s in (0, times.STALE_S + 1):
        set_clock(monkeypatch, START_S + after_s)
        look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE


def test_what_one_that_was_taken_for_dead_writes_is_read(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, manager(), began(1))
    look(ledger, root)
    set_clock(monkeypatch, START_S + times.STALE_S + 1)
    look(ledger, root)
    ledger.set_manager(f"1-0-{ID}", ManagerState.LEFT, "as it is marked then")
    (root / f"exec/beats/1-0-{ID}.end").touch()
    write(root, ended(1), began(2))
    look(ledger, root)
    assert (state_of(ledger), states(ledger)[:2]) == (ManagerState.LEFT, "dp")
    write(root, ended(2), "left\tstopped\t12.000000\t.\n")
    look(ledger, root)
    assert states(ledger)[:2] == "dd"
    assert ledger.offsets() == {f"1-0-{ID}": -1}


def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Let squeue answer."""
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_the_manager_of_a_job_that_is_suspended_is_not_gone(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ledger.set_submission(1, state="started", job="7")
    squeue(tmp_path, monkeypatch, "7_0|7|0|SUSPENDED|n1|None")
    write(root, manager(), began(1))
    write(root, manager(name="1-1"), began(2), name="1-1")
    for after_s in (0, 500, 90_000):
        set_clock(monkeypatch, START_S + after_s)
        look(ledger, root)
    assert (state_of(ledger), state_of(ledger, "1-1")) == (ManagerState.UNKNOWN, ManagerState.GONE)
    assert states(ledger)[:2] == "rp"
    squeue(tmp_path, monkeypatch, "7_0|7|0|RUNNING|n1|None")
    for after_s in (90_001, 90_250):  # it has to have time to beat
        set_clock(monkeypatch, START_S + after_s)
        look(ledger, root)
        assert state_of(ledger) is not ManagerState.GONE
    set_clock(monkeypatch, START_S + 90_400)
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE


def test_one_elsewhere_is_judged_by_its_heartbeat(root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, manager(), began(1), beat="1")
    start = START_S
    seen = []
    for after_s, beat in [(0, "1"), (39, "1"), (41, "1"), (42, "2"), (81, "2"), (341, "2"), (343, "2"), (344, "3")]:
        set_clock(monkeypatch, start + after_s)
        write(root, beat=beat)
        look(ledger, root)
        seen.append((state_of(ledger).value, states(ledger)[0]))
    assert seen == [
        ("alive", "r"),
        ("alive", "r"),
        ("unknown", "r"),
        ("alive", "r"),  # it moved
        ("alive", "r"),
        ("unknown", "r"),
        ("gone", "p"),  # it stood still for more than 300 s
        ("alive", "p"),  # it was only cut off; what it runs will tell by its record
    ]
    write(root, ended(1))
    look(ledger, root)
    assert states(ledger)[0] == "d"


@pytest.mark.parametrize("beat", [None, "", "  ", "1 2", "x"])
def test_a_heartbeat_that_is_missing_or_makes_no_sense(root: Path, ledger: Ledger, beat: str | None) -> None:
    write(root, manager(), began(1), ended(1), beat=beat)
    look(ledger, root)
    assert states(ledger)[0] == "d"
    assert state_of(ledger) in {ManagerState.ALIVE, ManagerState.UNKNOWN}
