"""What one exchange with another machine may bring: so many bytes and entries, and no more than the disk has space for.

Whoever takes something in counts it here, whatever it is. So whoever sends without end is cut off, and neither our
memory nor our disk is theirs. How long an exchange may take is in `hosts/patience.py`.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MB = 1_000_000
#: A tree or the outputs of a swarm may hold so many entries before anything is known of it; see `entries_of`.
_UNEXPECTED_ENTRIES = 250_000
_ENTRIES_OF_A_TASK = 20
#: How long an entry is on average at most, in bytes: head, path and link.
_ENTRY_BYTES = 150
#: Of a disk that we write to, so much stays free for others, in bytes; or its share of what is free, if that is less.
_KEPT_BYTES = 64 * _MB
_KEPT_SHARE = 20
_KEPT_FILES = 1_000
#: While files of more bytes than this are copied, the space for them is watched.
_LARGE = 64 * _MB


class TooMuchError(Exception):
    """More came than can be expected; the text says what, and which limit it is."""


class TooManyEntriesError(TooMuchError):
    """More entries came than can be expected of what was asked for; of less there would be fewer."""


@dataclass(frozen=True)
class Most:
    """The most that may come as one answer.

    :param size: in bytes.
    :param entries: how many entries it may have; None: they are not counted.
    :param end: what ends each entry.
    :param what: what comes, for messages.
    """

    size: int = 16 * _MB
    entries: int | None = None
    end: bytes = b"\0"
    what: str = "the answer of a script"


#: What any script may print, if nothing else is known of it.
ANSWER = Most()
#: What a program may write to stderr beside it.
COMPLAINT = Most(what="what it prints to its stderr")


def entries_of(what: str, tasks: int, known: int = 0, ends: int = 1, end: bytes = b"\0") -> Most:
    """Return the most that a list of files may bring.

    :param what: what it lists, for messages.
    :param tasks: how many tasks may have made files.
    :param known: how many entries there are for certain.
    :param ends: how many `end` there are in an entry.
    :param end: what its fields end with.
    """
    entries = most_entries(tasks, known)
    return Most(entries * _ENTRY_BYTES, entries * ends, end, what)


def most_entries(tasks: int, known: int = 0) -> int:
    """Return how many entries a list of files may have; see `entries_of`."""
    return _UNEXPECTED_ENTRIES + _ENTRIES_OF_A_TASK * tasks + 2 * known


class Account:
    """Counts what comes as one answer.

    :param most: what may come.
    """

    def __init__(self, most: Most) -> None:
        self.most = most
        self._size = self._entries = 0

    def take(self, data: bytes) -> None:
        """Count the next piece.

        :raises TooMuchError: it is one too many.
        """
        self._size += len(data)
        if self._size > self.most.size:
            kind = TooMuchError if self.most.entries is None else TooManyEntriesError
            raise kind(f"{self.most.what} has more than {_in_words(self.most.size)}")
        if self.most.entries is not None:
            self._entries += data.count(self.most.end)
            if self._entries > self.most.entries:
                raise TooManyEntriesError(f"{self.most.what} has more than {self.most.entries} fields")


class Tail:
    """The last of what came, however much that was.

    :param most: how many bytes of it are kept.
    """

    def __init__(self, most: int = 1 << 16) -> None:
        self._most = most
        self._kept = bytearray()

    def take(self, data: bytes) -> None:
        """Take the next piece."""
        self._kept += data
        if len(self._kept) > 2 * self._most:
            del self._kept[: -self._most]

    def __bytes__(self) -> bytes:
        """Return what is kept."""
        return bytes(self._kept[-self._most :])


class FreeSpace:
    """The disk that something is written to: what others send must not fill it up.

    :param folder: where it is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = folder
        self._free, self._files = self._look()
        self._least = min(_KEPT_BYTES, self._free // _KEPT_SHARE)
        self._least_files = min(_KEPT_FILES, self._files // _KEPT_SHARE)

    def used(self) -> int:
        """Return by how many bytes the disk has filled up since the beginning."""
        return max(0, self._free - self._look()[0])

    def why_full(self) -> str | None:
        """Return why no more may come, in words; None if more may."""
        free, files = self._look()
        if free < self._least:
            return f"the disk of {self._folder} has less than {_in_words(self._least)} left, which are kept free"
        if files < self._least_files:
            return f"the disk of {self._folder} takes less than {self._least_files} more files, which are kept free"
        return None

    def _look(self) -> tuple[int, int]:
        """Return how many bytes and files we may still write."""
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize, status.f_favail


def pieces(read: Callable[[], bytes], size: int, folder: str | Path) -> Iterator[bytes]:
    """Yield a file that somebody else may write to: no more than it held at first, and what the disk has space for.

    :param read: returns the next piece; an empty one at the end.
    :param size: how many bytes it held. If it has grown since, more than that comes.
    :param folder: where it is written to.
    :raises OSError: the disk is full: a file may be a hole, and take no space where it is.
    """
    space = FreeSpace(folder) if size > _LARGE else None
    left = size
    while left >= 0 and (piece := read()):
        yield piece
        left -= len(piece)
        if space is not None and (why := space.why_full()) is not None:
            raise OSError(errno.ENOSPC, why)


def _in_words(count: int) -> str:
    return f"{count / _MB:.3g} MB"
