"""What a file or folder of the user holds for one who follows its symlinks, to an end whatever they lead to.

A symlink counts as what it leads to. Left out, and noted, is what leads nowhere, what leads to a folder that it lies in
itself, for that would have no end, and what is neither a file nor a folder.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE = "a link that leads nowhere"
ROUND = "a link to a folder that it lies in"
ODD = "neither a file nor a folder"


@dataclass(frozen=True)
class Place:
    """A file, or a folder that is entered for the first time on the way to it.

    :param path: where it is.
    :param status: of what it leads to.
    :param trail: device and inode of a folder, and of all that it lies in; empty for a file.
    """

    path: str
    status: os.stat_result
    trail: frozenset[tuple[int, int]] = frozenset()

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.status.st_mode)


@dataclass
class Follow:
    """One walk, or several, through what the user has.

    :param left_out: why something is left out, by its path.
    """

    left_out: dict[str, str] = field(default_factory=dict)
    _whole: dict[str, bool] = field(default_factory=dict)

    def start(self, path: str) -> Place | None:
        """Return a file or folder; None if it is left out.

        :raises OSError: it cannot be looked at, is not there, or is neither a file nor a folder.
        """
        place = self._look(path, frozenset())
        if self.left_out.get(path) == ODD:
            raise OSError(f"{path} is {ODD}")
        if place is None or not place.is_folder:
            return place
        # a folder above it holds it, whichever way one comes there
        above = os.path.realpath(path)
        trail = set(place.trail)
        while above != "/":
            above = os.path.dirname(above)
            status = os.stat(above)
            trail.add((status.st_dev, status.st_ino))
        return Place(path, place.status, frozenset(trail))

    def within(self, place: Place) -> Iterator[tuple[str, Place]]:
        """Yield what is in a folder, by name, in order.

        :raises OSError: something of it cannot be looked at.
        """
        for name in sorted(os.listdir(place.path)):
            inner = self._look(f"{place.path}/{name}", place.trail)
            if inner is not None:
                yield name, inner

    def is_whole(self, path: str) -> bool:
        """Return whether nothing of a file or folder is left out; a folder is looked through once.

        :raises OSError: it cannot be looked at.
        """
        if path not in self._whole:
            alone = Follow()
            start = alone.start(path)
            waiting = [start] if start is not None and start.is_folder else []
            while waiting:
                waiting.extend(inner for _, inner in alone.within(waiting.pop()) if inner.is_folder)
            self._whole[path] = not alone.left_out
        return self._whole[path]

    def _look(self, path: str, trail: frozenset[tuple[int, int]]) -> Place | None:
        try:
            status = os.stat(path)
        except OSError:
            if not os.path.islink(path):
                raise
            self.left_out[path] = NOWHERE
            return None
        if stat.S_ISREG(status.st_mode):
            return Place(path, status)
        if not stat.S_ISDIR(status.st_mode):
            self.left_out[path] = ODD
            return None
        me = (status.st_dev, status.st_ino)
        if me in trail:
            self.left_out[path] = ROUND
            return None
        return Place(path, status, trail | {me})


def tree_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return how many inodes and bytes a file has, or a folder with all that is in it; (0, 0) if it is not there."""
    try:
        return place_size(Follow().start(os.fspath(path)))
    except OSError:
        return 0, 0


def place_size(place: Place | None) -> tuple[int, int]:
    """Return how many inodes and bytes a file has, or a folder with all in it that can be seen; (0, 0) for none."""
    if place is None:
        return 0, 0
    if not place.is_folder:  # nearly always
        return 1, place.status.st_size
    follow = Follow()
    count = size_bytes = 0
    waiting = [place]
    while waiting:
        place = waiting.pop()
        count += 1
        if not place.is_folder:
            size_bytes += place.status.st_size
            continue
        try:
            waiting.extend(inner for _, inner in follow.within(place))
        except OSError:
            continue
    return count, size_bytes
