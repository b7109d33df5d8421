"""What tests of the poll write on a target, and how they look at it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.hosts.local import LocalHost
from locusts_fab.layout import Environment
from locusts_fab.schedulers.registry import SCHEDULERS
from locusts_fab.state import poll as module
from locusts_fab.state.clock import Reading
from locusts_fab.state.poll import PollResult, poll
from tests.support.environments import ID

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.manager.records import Record
    from locusts_fab.model.swarms import ManagerState
    from locusts_fab.state.ledger import Ledger

HOST = LocalHost().run('printf %s "${HOSTNAME:-localhost}"').text
ELSEWHERE = "another-node"
SLURM = SCHEDULERS["slurm"]
START_S = 1000.0


def manager(host: str = ELSEWHERE, pid: int = 1, name: str = "1-0") -> str:
    return f"manager\t{name}-{ID}\t{host}\t{pid}\t2\t9.000000\t5.2.15(1)-release\t.\n"


def began(task: int) -> str:
    return f"began\t000001.1.{ID}\t{task}\t1\t10.000000\t1\t.\n"


def ended(task: int, state: str = "done") -> str:
    return f"ended\t000001.1.{ID}\t{task}\t1\t{state}\t0\t10.000000\t12.500000\t1\t0\t\t.\n"


def write(root: Path, *lines: str, name: str = "1-0", beat: str | None = "1") -> None:
    """Append to a manager's cache file, and set its heartbeat."""
    with (root / "exec/cache" / f"{name}-{ID}.tsv").open("a", encoding="utf-8") as file:
        file.write("".join(lines))
    if beat is not None:
        (root / "exec/beats" / f"{name}-{ID}").write_text(f"{beat}\n", encoding="utf-8")


def look(ledger: Ledger, root: Path) -> int:
    """Poll, and count the records that came."""
    came = 0
    apply = ledger.apply

    def counted(manager: str, records: list[Record], read: int) -> None:
        nonlocal came
        came += len(records)
        apply(manager, records, read)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "apply", counted)
        assert poll(LocalHost(), ledger, Environment(str(root), ID), SLURM) == PollResult()
    return came


def states(ledger: Ledger) -> str:
    return "".join(outcome.state.value[0] for outcome in ledger.outcomes())


def state_of(ledger: Ledger, name: str = "1-0") -> ManagerState:
    return next(status.state for status in ledger.managers() if status.id == f"{name}-{ID}")


def dead_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        return process.pid


def set_clock(monkeypatch: pytest.MonkeyPatch, now_s: float) -> None:
    """Let the poll believe that it is another time."""
    monkeypatch.setattr(module, "read_clock", lambda: Reading("this boot", now_s, now_s))
