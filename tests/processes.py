"""Processes that tests wait for."""

from __future__ import annotations

import time
from pathlib import Path

PATIENCE_S = 20.0


def await_end(pid: int) -> None:
    """Wait until a process that is no child of ours runs no more."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} is still there")
