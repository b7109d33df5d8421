"""Files and folders of this machine: write them whole or not at all, remove them whatever is in them.

Paths are strings where this runs for every file of a million tasks.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.bounds.removal import remove_at
from locusts_fab.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextlib.contextmanager
def new_beside(place: str | Path) -> Iterator[str]:
    """Yield a free name in the folder of `place`: what is made under it can be renamed to `place` in one step.

    If something goes wrong within, what was made is removed.
    """
    part = f"{os.path.dirname(place) or '.'}/.locusts-{secrets.token_hex(8)}"
    try:
        yield part
    except BaseException:
        with contextlib.suppress(OSError):
            remove(part)
        raise


def write_whole(path: str | Path, data: bytes | Iterable[bytes | memoryview], mode: int = 0o600) -> None:
    """Write a file so that it is there whole or not at all, also for a bash that is just reading an older one.

    :param data: what is to be in it, as a whole or in pieces.
    :param mode: its mode, whatever an older one had; less what the umask or the rules of its folder take away.
    :raises OSError: it cannot be written; an older one is as it was.
    """
    with new_beside(path) as part:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
        os.replace(part, path)


def remove(path: str | Path) -> None:
    """Remove a file, a symlink or a whole folder, if it is there; nothing is removed through a symlink.

    Folders that may not be written, as tasks may leave some, are no obstacle as long as they are ours.

    :raises OSError: something of it cannot be removed.
    """
    try:
        os.unlink(path)
    except IsADirectoryError:
        folder = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_at(folder, os.path.basename(path))
        finally:
            os.close(folder)
    except (FileNotFoundError, NotADirectoryError):
        pass


#: What the names of folders that pass begin with, after a dot: what goes up, what comes in, single notes, what links
#: lead to. With the dot no swarm has such a name: the folder with the state of one swarm may be the one in which the
#: local environments of others are, each under the name of its swarm.
FRESH_PREFIXES = ("stage-", "incoming-", "pieces-", "note-", "links-")
#: What older versions made, under these prefixes without the dot.
_OF_OLDER = re.compile(f"(?:{'|'.join(FRESH_PREFIXES)})(?:tree-)?[a-z0-9_]{{8}}")


@contextlib.contextmanager
def fresh_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder that its owner alone can enter; it is removed afterwards.

    :param prefix: one of `FRESH_PREFIXES`, by which `remove_left_folders` knows it if we are killed.
    :raises TransferError: it cannot be made or removed.
    """
    try:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=f".{prefix}"))
    except OSError as error:
        raise TransferError(
            f"no folder can be made in {parent}: {error.strerror}", hint="free some space there, or see its permissions"
        ) from error
    try:
        yield folder
    finally:
        remove_tree(folder)


def remove_left_folders(parent: Path) -> None:
    """Remove what `fresh_folder` made here for commands that were killed. No other command may be at work here.

    :param parent: the folder with the state of a swarm.
    :raises TransferError: something of it cannot be removed.
    """
    for prefix in FRESH_PREFIXES:
        for left in parent.glob(f".{prefix}*"):
            remove_tree(left)
        for left in parent.glob(f"{prefix}*"):
            if _OF_OLDER.fullmatch(left.name) and not may_be_environment(left):
                remove_tree(left)


def may_be_environment(folder: Path) -> bool:
    """Return whether a folder among the state of a swarm may be the environment of another swarm, which has its name.

    Of such a swarm there is state beside, or its environment has the mark of one, or both.
    """
    marks = ("exec/id.*", ".exec.*", ".removed.*")
    return os.path.lexists(folder.parent.parent / folder.name) or any(any(folder.glob(mark)) for mark in marks)


def remove_tree(folder: str | Path) -> None:
    """Remove a folder, as `remove` does.

    :raises TransferError: something of it cannot be removed.
    """
    try:
        remove(folder)
    except OSError as error:
        raise TransferError(f"{folder} cannot be removed: {error}", hint="see what still uses it") from error


class Span(io.RawIOBase):
    """A part of a file, read as if it were a file of its own.

    :param descriptor: of the file; it stays open as long as this does, and is not closed with it unless `owns` says so.
    :param offset: where the part begins.
    :param size: how long it is, in bytes.
    """

    def __init__(self, descriptor: int, offset: int, size: int, *, owns: bool = False) -> None:
        super().__init__()
        self._descriptor, self._offset, self.size, self._owns = descriptor, offset, size, owns
        self._at = 0

    def part(self, offset: int, size: int) -> Span:
        """Return a part of this part; it takes over what this one owns."""
        made = Span(self._descriptor, self._offset + offset, size, owns=self._owns)
        self._owns = False
        return made

    def before(self, size: int) -> bytes:
        """Return so many bytes of the file that stand before the part, or as many as there are."""
        return os.pread(self._descriptor, min(size, self._offset), max(0, self._offset - size))

    def is_whole(self) -> bool:
        """Return whether the file is long enough to hold all of the part."""
        return os.fstat(self._descriptor).st_size >= self._offset + self.size

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer is one of them
        """Fill a buffer with the next bytes; see `io.RawIOBase`."""
        free = memoryview(buffer)[: max(0, self.size - self._at)]
        count = os.preadv(self._descriptor, [free], self._offset + self._at) if free else 0
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in it, and return that."""
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence])
        return self._at

    def tell(self) -> int:
        """Return the place in it."""
        return self._at

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be read from any place on."""
        return True

    def close(self) -> None:
        """Close it, and the file if it owns that."""
        if self._owns and not self.closed:
            os.close(self._descriptor)
        super().close()
