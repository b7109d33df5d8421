"""Processes that tests wait for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

PATIENCE_S = 180.0


class Started(subprocess.Popen[bytes]):
    """A process that ends when the test that uses it fails: it may wait for what only that test would have done."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the end, whoever brings it about."""
        if exc_type is not None:
            self.kill()
        super().__exit__(exc_type, value, traceback)


def heed_signals() -> None:
    """Undo what whoever starts us may have done to signals: nohup and `&` leave some ignored, for our children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def open_files() -> int:
    """Count what this process has open: files, sockets, pipes."""
    return len(os.listdir("/proc/self/fd"))


def end_all_with(variable: str) -> None:
    """Kill all that was started with a variable in its environment, such as `HOME=/far`, whoever its parent is."""
    wanted = os.fsencode(variable)
    while found := [int(name) for name in os.listdir("/proc") if name.isdigit() and _was_given(int(name), wanted)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _was_given(pid: int, variable: bytes) -> bool:
    """Return whether a process that still runs was started with a variable; a zombie has none any more."""
    try:
        return variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def await_end(pid: int) -> None:
    """Wait until a process that is no child of ours runs no more."""
    wait_until(lambda: not is_alive(pid), f"the end of process {pid}")


def is_alive(pid: int) -> bool:
    """Return whether a process still does something; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until(
    is_so: Callable[[], object], what: str = "what the test waits for", timeout_s: float = PATIENCE_S
) -> None:
    """Wait for something that is sure to come; the time limit is only there to end a test that would hang."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.01)
