"""The lock by which one command at a time changes a swarm; the kernel frees it however the command ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from locusts_fab.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path


@contextlib.contextmanager
def locked(path: Path, wait_s: float = 10.0) -> Iterator[None]:
    """Hold the lock within; first wait a little for another command that holds it.

    :param path: the lock file; it stays, empty but for the holder's process id.
    :raises StateError: another command kept it, or it cannot be opened.
    """
    deadline = time.monotonic() + wait_s
    with _opened(path) as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    file.seek(0)
                    holder = file.read().decode("ascii", "replace").strip() or "unknown"
                    raise StateError(
                        f"another locusts command is running on this swarm (process {holder})",
                        hint="wait for it to end, or end it, then repeat this one",
                    ) from None
                time.sleep(0.1)
        with contextlib.suppress(OSError):  # the disk may be full, and this is only for the message above
            file.truncate(0)
            file.write(b"%d\n" % os.getpid())
        yield


def _opened(path: Path) -> FileIO:
    try:
        return path.open("ab+", buffering=0)
    except OSError as error:
        raise StateError(f"the lock {path} cannot be opened: {error.strerror}") from error
