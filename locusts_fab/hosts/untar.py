"""Take files out of a tar archive that a host sends, and nothing else: the host is not trusted.

Only plain files and folders, only under names that were asked for, only into a folder that is empty at first. So no
symlink can ever lie on the way, and nothing is written anywhere else. What is passed over here, `transfer/arrived.py`
looks for; it makes symlinks when all files are there. The other direction is `transfer/tarball.py`: it packs what is
sent.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from typing import IO, TYPE_CHECKING

from locusts_fab.bounds.names import why_not_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

#: How much is read at once. More is slower: tarfile moves what is left of a piece for each header that it reads.
_PIECE = 1 << 14


def take_files(
    stream: IO[bytes],
    wanted: Collection[bytes],
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write those files of an archive that are wanted to a folder.

    :param stream: the archive; it may hold anything.
    :param wanted: plain relative names; what lies below one of them is wanted too.
    :param folder: an empty folder that nobody else can write to. What is in it gets the modes that new files of this
        user have, and files no more than they had on the host.
    :param progress: called with (files, bytes taken) now and then.
    :raises OSError: something cannot be written, or the archive is none, or ends in the middle of a file. If it ends
        between two, only the exit status of whoever made it shows that.
    """
    base = os.fsencode(folder)
    made = {base}
    files = size = 0
    try:
        with tarfile.open(
            fileobj=stream,
            mode="r|",
            bufsize=_PIECE,
            encoding=sys.getfilesystemencoding(),
            errors="surrogateescape",
        ) as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined]  # it would remember each of a million files
                name = os.fsencode(member.name).removeprefix(b"./")
                if not _is_wanted(name, wanted):
                    continue
                if member.isdir():
                    _make_folder(base, name, made)
                elif member.isreg() and (data := archive.extractfile(member)) is not None:
                    _make_folder(base, name.rpartition(b"/")[0], made)
                    _write(base + b"/" + name, data, member)
                    files, size = files + 1, size + member.size
                    if progress is not None:
                        progress(files, size)
    except (tarfile.TarError, ValueError, OverflowError) as error:  # the latter two: numbers that make no sense
        raise OSError(f"what came is not a whole archive: {error}") from error


def _is_wanted(name: bytes, wanted: Collection[bytes]) -> bool:
    """Return whether a name was asked for, or lies below one that was."""
    if name in wanted:
        return True
    if why_not_plain(os.fsdecode(name)) is not None:
        return False
    parts = name.split(b"/")
    return any(b"/".join(parts[:depth]) in wanted for depth in range(1, len(parts)))


def _make_folder(base: bytes, name: bytes, made: set[bytes]) -> None:
    """Make a folder and those above it."""
    path = base + b"/" + name if name else base
    if path not in made:
        try:
            os.mkdir(path)
        except OSError:
            os.makedirs(path, exist_ok=True)
        made.add(path)


def _write(path: bytes, data: IO[bytes], member: tarfile.TarInfo) -> None:
    """Write a file that is not there yet, whole or not at all."""
    mode = (member.mode & 0o777) | 0o600  # less what umask takes away
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _copy_whole(data, file, member.size)
            os.utime(descriptor, (member.mtime, member.mtime))
    except BaseException:
        os.unlink(path)
        raise


def _copy_whole(data: IO[bytes], file: IO[bytes], size: int) -> None:
    shutil.copyfileobj(data, file, _PIECE)
    if file.tell() != size:
        raise OSError("the archive ends in the middle of a file")
    file.flush()
