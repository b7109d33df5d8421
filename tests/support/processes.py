"""Processes that tests wait for."""

from __future__ import annotations

import time
from pathlib import Path

PATIENCE_S = 20.0


def await_end(pid: int) -> None:
    """Wait until a process that is no child of ours runs no more."""
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise AssertionError(f"process {pid} is still there")
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Tell whether a process still does something; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
