"""Ctrl-C while the program is still loading, or is already leaving: one line, and no traceback."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a person reads after Ctrl-C.
INTERRUPTED = "interrupted; the same command again carries on"
_EXIT_STATUS = 130


def _leave(*_: object) -> None:
    """End at once: nothing has begun yet, or all is done."""
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(_EXIT_STATUS)


def leave_on_interrupt() -> None:
    """Let Ctrl-C end this process at once from now on, unless whoever started it wants it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


@contextlib.contextmanager
def ordinary_interrupts() -> Iterator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt` within, as ever; where `leave_on_interrupt` was not called, do nothing."""
    if signal.getsignal(signal.SIGINT) is not _leave:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _leave)
