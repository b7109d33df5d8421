"""What in the folder of results is ours, so that it may be replaced or removed; all else stays as it is.

What we put there is known from the ledger, with a mark of how it was then: size and time of a file, those of all that
is in a folder. So what somebody has changed since is told from what is still ours. What would be brought byte by byte
as it stands there counts as ours too, as after a lost ledger.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from locusts_fab.bounds.names import Name, small
from locusts_fab.layout import folders_above
from locusts_fab.results.source import NotBroughtError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locusts_fab.bounds.inside import Inside
    from locusts_fab.results.source import Source

#: How the reason begins why something did not come that has no place.
IN_THE_WAY = "in the way"
_PIECE = 1 << 20


class InTheWayError(NotBroughtError):
    """Something stands where an output should come to, and is not ours; the text says what."""


class Own:
    """What is ours below the folder of results.

    :param marks: of what the ledger has of the paths that are looked at; see `mark_of`.
    :param overwrites: whether everything counts as ours.
    :param spelled: where the file system takes capital letters for small ones, what of ours is there that it takes for
        another path that is looked at, as `small` has it; None: it does not.
    """

    def __init__(
        self,
        outdir: Inside,
        marks: Mapping[str, str],
        *,
        overwrites: bool = False,
        spelled: Mapping[str, str] | None = None,
    ) -> None:
        self._outdir, self._marks, self._overwrites = outdir, marks, overwrites
        self._spelled = None if spelled is None else dict(spelled)
        self._fresh: set[str] = set()
        self._known: dict[str, bool] = {}

    def _is_of_another(self, path: Name) -> bool:
        """Return whether the file system takes a path for another one of ours."""
        return self._spelled is not None and self._spelled.setdefault(small(path), path) != path

    def is_ours(self, path: Name) -> bool:
        """Return whether what stands at a path may be replaced or removed; also where nothing does."""
        return (self._overwrites and not self._is_of_another(path)) or self.is_as_put(path)

    def is_as_put(self, path: Name) -> bool:
        """Return whether what stands at a path was put there by us, and nobody changed it; also where nothing does."""
        if self._is_of_another(path):
            return False
        if not self._fresh.isdisjoint((path, *folders_above(path))):
            return True
        if path not in self._known:
            mark = self._marks.get(path)
            self._known[path] = mark in {"", now} if (now := mark_of(self._outdir, path)) else True
        return self._known[path]

    def is_changed(self, path: Name) -> bool:
        """Return whether we put something at a path, and somebody changed it since."""
        return path in self._marks and not self.is_ours(path)

    def clear_way(self, source: Source, path: Name) -> bool:
        """See that an output may come to its place.

        :returns: whether it is to be brought; False: what stands there is the same already.
        :raises InTheWayError: something else stands there.
        """
        if self.is_ours(path):
            return True
        if is_same(source, self._outdir, path):
            return False
        if self._spelled is not None and (other := self._spelled[small(path)]) != path:
            raise InTheWayError(f"{IN_THE_WAY}: {path}: the file system here takes that name for {other}")
        if self.is_changed(path):
            raise InTheWayError(f"{IN_THE_WAY}: {path} was changed here since it was brought")
        raise InTheWayError(f"{IN_THE_WAY}: {path} is here already, and was not put there by this swarm")

    def remove(self, path: Name) -> bool:
        """Remove what stands at a path if it is ours, and folders above it that hold nothing then.

        What was put there just now stays: it has taken the place of what is to go.

        :returns: whether nothing of ours is there any more.
        """
        if path in self._fresh:
            return False
        if self._outdir.look(path) is not None:
            if not self.is_ours(path):
                return False
            self._outdir.remove(path)
        with contextlib.suppress(OSError):  # something else is in it
            for folder in map(Name, reversed(folders_above(path))):
                status = self._outdir.look(folder)
                if status is None or not stat.S_ISDIR(status.st_mode):  # a link, say
                    break
                self._outdir.remove_one(folder)
        return True

    def add(self, path: Name) -> None:
        """Note that we have put something at a path."""
        self._fresh.add(path)


def takes_capitals_for_small(outdir: Inside, folder: Name) -> bool:
    """Return whether a file system takes capital letters in names for small ones, as some servers and disks do.

    :param folder: one that is there, in small letters.
    """
    there, same = outdir.look(folder), outdir.look(Name(folder.upper()))
    return there is not None and same is not None and os.path.samestat(there, same)


def mark_of(folder: Inside, name: Name) -> str:
    """Return how an entry is now: kind, size and time of a file, or those of all that is in a folder.

    :returns: the mark; empty if nothing is there.
    """
    status = folder.look(name)
    if status is None:
        return ""
    if not stat.S_ISDIR(status.st_mode):
        return mark_of_status(status)
    lines = sorted(f"{path}\0{mark}" for path, mark in _look_through(folder, name))
    return f"d {hashlib.blake2b(os.fsencode(chr(0).join(lines)), digest_size=12).hexdigest()}"


def mark_of_status(status: os.stat_result) -> str:
    """Return how something is that is no folder."""
    return f"{stat.S_IFMT(status.st_mode) >> 12:x} {status.st_size} {status.st_mtime_ns}"


def _look_through(folder: Inside, name: Name) -> list[tuple[str, str]]:
    """Return what is in a folder, each entry by its path in it, with its mark; folders in it have the mark `d`."""
    found = []
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for entry, kind in folder.list(name / above if above else name):
            path = f"{above}/{entry}" if above else entry
            if kind == "d":
                waiting.append(path)
            if kind == "l":
                found.append((path, f"l {folder.readlink(name / path)}"))
            else:
                found.append((path, "d" if kind == "d" else mark_of_status(folder.stat(name / path))))
    return found


def is_same(source: Source, outdir: Inside, path: Name) -> bool:
    """Return whether an output would be brought just as it stands at its place, byte by byte."""
    there = outdir.look(path)
    if there is None or stat.S_IFMT(there.st_mode) != stat.S_IFMT(source.status.st_mode):
        return False
    try:
        if stat.S_ISREG(there.st_mode):
            return _is_same_file(source.folder, source.name, outdir, path)
        if not stat.S_ISDIR(there.st_mode):
            return False
        ours, theirs = dict(_look_through(outdir, path)), dict(_look_through(source.folder, source.name))
        return ours.keys() == theirs.keys() and all(
            _is_same_file(source.folder, source.name / name, outdir, path / name)
            if mark[0] not in "dl"
            else mark == theirs[name] or theirs[name].startswith("l /")  # such a link comes as a relative one
            for name, mark in ours.items()
        )
    except OSError:  # it cannot be read: whoever brings it says why
        return False


def _is_same_file(folder: Inside, name: Name, other: Inside, other_name: Name) -> bool:
    one, two = folder.stat(name), other.stat(other_name)
    if os.path.samestat(one, two):
        return True
    if not stat.S_ISREG(one.st_mode) or not stat.S_ISREG(two.st_mode) or one.st_size != two.st_size:
        return False
    with open(folder.open(name), "rb") as file, open(other.open(other_name), "rb") as second:
        while piece := file.read(_PIECE):
            if piece != second.read(_PIECE):
                return False
        return not second.read(1)
