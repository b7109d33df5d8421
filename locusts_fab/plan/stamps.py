"""Stamps of inputs: their sizes and times, in a few bytes, to see later whether a task ran with others."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from locusts_fab.bounds.follow import Follow
from locusts_fab.layout import input_path, named_swarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locusts_fab.plan.inputs import Inputs

#: Inputs that all tasks have in common are looked at once.
_REMEMBERED = 1024


def stamper(there: Inputs) -> Callable[[tuple[str, ...]], bytes]:
    """Return a function that makes the stamp of a task's inputs; it is empty if there are none."""
    indir = str(there.indir)

    def look_at(name: str) -> str:
        if named_swarm(name) is None:
            return _look(input_path(indir, name))
        origin = there.origin(name)
        return "none" if origin is None else origin.stamp

    look = functools.lru_cache(_REMEMBERED)(look_at)

    def stamp(inputs: tuple[str, ...]) -> bytes:
        text = "\n".join(map(look, inputs))
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).digest() if inputs else b""

    return stamp


def _look(path: str) -> str:
    """Return size and time of a file, or of all that is in a folder."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path for each of a million inputs takes longer than the look
    except OSError:
        return "none"
    if not stat.S_ISDIR(status.st_mode):
        return f"{status.st_size} {status.st_mtime_ns}"
    return "\t".join(_look_through(path))


def _look_through(folder: str) -> Iterator[str]:
    """Yield path, size and time of each file in a folder, whatever links lead to it, and each folder's path."""
    follow = Follow()
    with contextlib.suppress(OSError):  # what cannot be read cannot be sent either, and whoever sends it says so
        start = follow.start(folder)
        waiting = [("", start)] if start is not None else []
        while waiting:
            above, place = waiting.pop()
            for name, inner in follow.within(place):
                path = f"{above}{name}"
                if inner.is_folder:
                    yield path
                    waiting.append((f"{path}/", inner))
                else:
                    yield f"{path} {inner.status.st_size} {inner.status.st_mtime_ns}"
