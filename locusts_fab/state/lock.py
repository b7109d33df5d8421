"""The lock by which one command at a time changes a swarm; the kernel frees it however the command ends.

Who only looks needs no lock. What they enter, they enter only if nobody held it meanwhile; see `Session`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.errors import BusyError, TransferError
from locusts_fab.progress import Wait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

#: How long a command waits for another one; to bring much, or to remove it, takes its time.
WAIT_S = 900.0
#: How often it looks whether the other one has ended.
_TICK_S = 0.1
#: What the holder writes about itself is no longer.
_MOST_BYTES = 500


@contextlib.contextmanager
def locked(path: Path, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock within; first wait for another command that holds it, and say so.

    :param path: the lock file; it stays, empty but for who held it last.
    :raises BusyError: another command kept it all that time.
    :raises TransferError: it cannot be opened.
    """
    with _opened(path) as file:
        _wait_for(file, wait_s)
        with contextlib.suppress(OSError):  # the disk may be full, and this is only for messages
            file.truncate(0)
            file.write(os.fsencode(f"{os.getpid()}\t{socket.gethostname()}\t{_this_command()}\n"))
        yield


def _wait_for(file: FileIO, wait_s: float) -> None:
    """Take the lock, or raise who kept it."""
    deadline, wait = time.monotonic() + wait_s, None
    try:
        while not _take(file, fcntl.LOCK_EX):
            wait = wait or Wait("")
            wait.what = f"waiting for another command to end ({_describe(file)})"
            wait.tell()
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"another command is working on this swarm ({_describe(file)})",
                    hint="wait for it to end, or end it, then repeat this one; `locusts status` needs not wait",
                )
            time.sleep(_TICK_S)
    finally:
        if wait is not None:
            wait.end()


def holder_of(path: Path) -> str:
    """Return in words which command holds the lock; empty if none does."""
    try:
        file = path.open("rb", buffering=0)
    except OSError:
        return ""
    with file:
        return "" if _take(file, fcntl.LOCK_SH) else _describe(file)


def _take(file: FileIO, kind: int) -> bool:
    """Take the lock if it is free, and return whether it was."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _describe(file: FileIO) -> str:
    """Return in words what the holder wrote about itself."""
    file.seek(0)
    process, host, command, *_ = [*os.fsdecode(file.read(_MOST_BYTES)).strip().split("\t"), "", "", ""]
    where = f" on {host}" if host not in {"", socket.gethostname()} else ""
    return f"{command or 'unknown'}, process {process or 'unknown'}{where}"


def _this_command() -> str:
    """Return what this process is called, and its first word: `locusts collect`."""
    program, *words = [*sys.argv, ""]
    name = Path(program).name
    first = next((word for word in words if word and not word.startswith("-")), "")
    return f"{'locusts' if name == '__main__.py' else name} {first}".replace("\t", " ").replace("\n", " ").strip()


def _opened(path: Path) -> FileIO:
    try:
        return path.open("ab+", buffering=0)
    except OSError as error:
        raise TransferError(
            f"the lock {path} cannot be opened: {error.strerror}",
            hint="free some space there, or see its permissions; then repeat this",
        ) from error
