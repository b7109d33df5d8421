"""Processes that tests wait for."""

from __future__ import annotations

import os
import time
from pathlib import Path

PATIENCE_S = 60.0


def open_files() -> int:
    """Count what this process has open: files, sockets, pipes."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all we want


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
