"""What is done before anything else is loaded: Ctrl-C told in one line, streams that are closed, foreign encodings."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a person reads after Ctrl-C.
INTERRUPTED = "interrupted; the same command again carries on"
_EXIT_STATUS = 130
#: The option of Python (`-X`) by which we hand on what the terminal's encoding was.
TERMINAL_ENCODING = "locusts-terminal"


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


def open_closed_streams() -> None:
    """Open /dev/null in the place of each standard stream that is closed.

    Else the next file that is opened, maybe the ledger, would be the standard error that programs we start print on.
    """
    for number in range(3):
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one


def speak_utf8() -> None:
    """Start this program once more if names of files are not UTF-8 here: Python then takes them for UTF-8.

    A config is UTF-8, and so are plans and tables; bytes that are not UTF-8 pass as they are. An option says so to
    Python, not a variable: tasks on this machine would see that.
    """
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable or TERMINAL_ENCODING in sys._xoptions:  # noqa: SLF001 - as documented
        return
    encoding = getattr(sys.stdout or sys.stderr, "encoding", None) or "ascii"
    options = ["-X", "utf8", "-X", f"{TERMINAL_ENCODING}={encoding}"]
    os.execv(sys.executable, [sys.executable, *options, *sys.orig_argv[1:]])  # noqa: S606 - it is this program
