"""Take files out of a tar archive that a host sends, and nothing else: the host is not trusted.

Only plain files and folders, only under names that were asked for, only into a folder that is empty at first. So no
symlink can ever lie on the way, and nothing is written anywhere else. What is passed over here, `transfer/arrived.py`
looks for; it makes symlinks when all files are there. The other direction is `transfer/tarball.py`: it packs what is
sent.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tarfile
from typing import IO, TYPE_CHECKING

from locusts_fab.bounds.budget import TooManyEntriesError, TooMuchError, most_entries
from locusts_fab.bounds.names import LONGEST_PATH_BYTES, why_not_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

#: How much is read at once. More is slower: tarfile moves what is left of a piece for each header that it reads.
_PIECE = 1 << 14
#: What is not wanted may come all the same, for a folder may hold pipes and the like: so much of it, in bytes.
_MOST_UNWANTED = 64_000_000
#: How many folders are remembered to be there.
_MOST_MADE = 10_000
#: The types of members that `tar --format=gnu` never makes, at least not as it is asked here.
_STRANGE = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_SPARSE}
#: Those that hold a long path, or what a symlink holds, for the member after them.
_BEFORE_HEAD = {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}


def take_files(
    stream: IO[bytes],
    wanted: Collection[bytes],
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    links: dict[bytes, bytes] | None = None,
) -> None:
    """Write those files of an archive that are wanted to a folder.

    :param stream: the archive; it may hold anything.
    :param wanted: plain relative names; what lies below one of them is wanted too.
    :param folder: an empty folder that nobody else can write to. What is in it gets the modes that new files of this
        user have, and files no more than they had on the host.
    :param progress: called with (files, bytes taken) now and then.
    :param links: gets what those symlinks hold that are wanted; none is made. With it, the archive is one that a
        manager packed: it may hold more than is wanted, and something twice.
    :raises OSError: something cannot be written, or the archive is none, or ends in the middle of a file. If it ends
        between two, only the exit status of whoever made it shows that.
    :raises TooMuchError: it holds more than what is wanted; TooManyEntriesError: more links than can be in there.
    """
    taker = _Taker(os.fsencode(folder), wanted, links)
    try:
        with tarfile.open(
            fileobj=stream,
            mode="r|",
            bufsize=_PIECE,
            encoding=sys.getfilesystemencoding(),
            errors="surrogateescape",
            tarinfo=_Member,
        ) as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined]  # it would remember each of a million files
                if taker.take(member, archive) and progress is not None:
                    progress(taker.files, taker.size)
    except (tarfile.TarError, ValueError, OverflowError) as error:  # the latter two: numbers that make no sense
        raise OSError(f"what came is not a whole archive: {error}") from error


class _Member(tarfile.TarInfo):
    """The head of a member, as `tar --format=gnu` makes it.

    Others hold what we never ask for: a few bytes that stand for a large file of holes, heads of any length.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo | tarfile.TarFile:
        """Read what comes before the data; see `tarfile.TarInfo`."""
        if self.type in _STRANGE:
            raise tarfile.ReadError("it is not of the format that was asked for")
        if self.type in _BEFORE_HEAD and not 0 <= self.size <= LONGEST_PATH_BYTES + 1:
            raise tarfile.ReadError("a name in it is too long")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]  # typeshed leaves it out


class _Taker:
    """Takes from an archive what is wanted, and sees that not too much else is in it.

    :param base: the folder that it is written to.
    :param wanted: see `take_files`.
    :param links: see `take_files`.
    """

    def __init__(self, base: bytes, wanted: Collection[bytes], links: dict[bytes, bytes] | None = None) -> None:
        self._base, self._wanted, self._links = base, wanted, links
        self._made = {base}
        self._unwanted = self._seen_links = self._may_see = 0
        self.files = self.size = 0

    def take(self, member: tarfile.TarInfo, archive: tarfile.TarFile) -> bool:
        """Take a member, or pass it over; return whether it was a file that is here now.

        :raises OSError: it cannot be written.
        :raises TooMuchError: too much was passed over.
        """
        name = os.fsencode(member.name).removeprefix(b"./")
        if self._is_wanted(name):
            if member.isdir() and self._make_folder(name):
                return False
            if member.isreg() and (data := archive.extractfile(member)) is not None:
                self._make_folder(name.rpartition(b"/")[0])
                with contextlib.suppress(*([] if self._links is None else [FileExistsError])):  # it came before
                    write_member(self._base + b"/" + name, data, member)
                    self.files, self.size = self.files + 1, self.size + member.size
                return True
            if member.issym():
                self._see_link(name, member)
                return False
        if self._links is not None:
            return False
        self._unwanted += tarfile.BLOCKSIZE + member.size
        if self._unwanted > _MOST_UNWANTED:
            raise TooMuchError("the archive holds what nobody asked for")
        return False

    def _see_link(self, name: bytes, member: tarfile.TarInfo) -> None:
        """Note a symlink that is wanted. It is made later, from a list that may have as many entries as may come here.

        :raises TooManyEntriesError: there are more.
        """
        if self._links is not None:
            self._links[name] = os.fsencode(member.linkname)
            return
        self._seen_links += 1
        if self._seen_links > self._may_see:
            self._may_see = most_entries(len(self._wanted), self.files)
            if self._seen_links > self._may_see:
                raise TooManyEntriesError(f"the archive holds what nobody asked for: more than {self._may_see} links")

    def _is_wanted(self, name: bytes) -> bool:
        """Return whether a name was asked for, or lies below one that was."""
        if name in self._wanted:
            return True
        if why_not_plain(os.fsdecode(name)) is not None:
            return False
        parts = name.split(b"/")
        return any(b"/".join(parts[:depth]) in self._wanted for depth in range(1, len(parts)))

    def _make_folder(self, name: bytes) -> bool:
        """Make a folder and those above it; return whether it may be new."""
        path = self._base + b"/" + name if name else self._base
        if path in self._made:
            return False
        is_new = True
        try:
            os.mkdir(path)
        except FileExistsError:
            is_new = False
        except OSError:
            os.makedirs(path, exist_ok=True)
        if len(self._made) >= _MOST_MADE:
            self._made.clear()
        self._made.add(path)
        return is_new


def write_member(path: bytes, data: IO[bytes], member: tarfile.TarInfo) -> None:
    """Write a file that is not there yet, whole or not at all, with the mode and the time of a member.

    :param data: what is in it.
    :raises OSError: it cannot be written, or data ends before all of the member was there.
    """
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
