"""The way of one file or folder of this machine to its place among the results.

It comes by a hard link where that is possible, else by a copy, and appears there whole or not at all: what cannot be
linked into place is made beside it and renamed. A folder comes with its symlinks if they stay inside of it; one that
holds anything that cannot come does not come.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING

from locusts_fab.fs import new_beside, remove
from locusts_fab.outputs import GONE, NOT_WHOLE, ODD, UNREADABLE, LeadsOutError, in_folder, links_to_make

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Put = Callable[[str, str], None]

_PIECE = 1 << 20
#: Errors about a name that this file system does not take; those about its space or its rights are about all of it.
_ABOUT_A_NAME = {
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
    errno.EEXIST,  # where small and capital letters are the same
    errno.EOPNOTSUPP,  # it takes no symlinks
}


class NotBroughtError(Exception):
    """One file or folder cannot be brought, for a reason of its own; others can."""


def bring(source: str, destination: str, home: str | None = None, names: Collection[str] = ()) -> None:
    """Bring a file or folder to its place. Where it is a symlink, what it leads to comes: that is what the user named.

    :param home: the folder whose files are ours. What lies elsewhere is never hard-linked but copied, so that an
        edit of a result does not change what the symlink leads to.
    :param names: what absolute symlinks in a folder may call it; see `links_to_make`.
    :raises NotBroughtError: it cannot be read whole, or something lies in its way.
    :raises OSError: nothing can be written there.
    """
    real = os.path.realpath(source)
    try:
        mode = os.stat(real).st_mode
    except FileNotFoundError as error:
        raise NotBroughtError(GONE) from error
    except OSError as error:
        raise NotBroughtError(error.strerror) from error
    is_ours = real == source or (home is not None and real.startswith(f"{os.path.realpath(home)}/"))
    try:
        if stat.S_ISREG(mode):
            _bring_file(real, destination, is_ours=is_ours)
        elif stat.S_ISDIR(mode):
            _bring_folder(real, destination, _link_or_copy if is_ours else _copy, {real, source, *names})
        else:
            raise NotBroughtError(ODD)
    except OSError as error:
        if error.errno in _ABOUT_A_NAME:
            raise NotBroughtError(f"the file system here does not take it: {error.strerror}") from error
        raise


def _bring_file(source: str, destination: str, *, is_ours: bool) -> None:
    _make_folder_of(destination)
    if is_ours:
        with contextlib.suppress(OSError):  # there is an older one, or it is another file system
            os.link(source, destination)
            return
        with contextlib.suppress(OSError):
            if os.path.samefile(source, destination):
                return
    with new_beside(destination) as part:
        (_link_or_copy if is_ours else _copy)(source, part)
        if os.path.isdir(destination):
            remove(destination)
        os.replace(part, destination)


def _bring_folder(source: str, destination: str, put: Put, names: Collection[str]) -> None:
    _make_folder_of(destination)
    with new_beside(destination) as part:
        _copy_tree(source, part, put, names)
        remove(destination)
        os.rename(part, destination)


def _make_folder_of(destination: str) -> None:
    folder = os.path.dirname(destination)
    if os.path.isdir(folder):
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotBroughtError(f"a file lies in its way: {error.filename}") from error


def _copy_tree(source: str, destination: str, put: Put, names: Collection[str]) -> None:
    """Copy a folder with all that is in it.

    :param put: the function that puts a file in its place.
    :raises NotBroughtError: something in it cannot come.
    """
    folders, files, links = _look_through(source)
    try:
        made = links_to_make(links, names)
    except LeadsOutError as error:
        raise NotBroughtError(str(error)) from error
    for path in folders:
        os.mkdir(destination + path)
    path = ""
    try:
        for path in files:
            put(source + path, destination + path)
    except NotBroughtError as error:
        raise NotBroughtError(in_folder(path[1:], str(error))) from error
    for path, text in made.items():
        os.symlink(text, f"{destination}/{path}")
    for path, status in reversed(folders.items()):
        os.chmod(destination + path, stat.S_IMODE(status.st_mode) | stat.S_IRWXU)
        os.utime(destination + path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _look_through(source: str) -> tuple[dict[str, os.stat_result], list[str], dict[str, str]]:
    """Return what is in a folder: folders, itself the first of them, and files, with a `/` before each; and symlinks.

    :raises NotBroughtError: something in it cannot be read, or cannot come.
    """
    folders: dict[str, os.stat_result] = {}
    files: list[str] = []
    links: dict[str, str] = {}
    waiting = [""]
    while waiting:  # no recursion: a folder may be deeper than Python's stack
        above = waiting.pop()
        try:
            folders[above] = os.lstat(source + above)
            with os.scandir(source + above) as entries:
                for entry in entries:
                    path = f"{above}/{entry.name}"
                    if entry.is_symlink():
                        links[path[1:]] = os.readlink(entry.path)
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    elif entry.is_file(follow_symlinks=False):
                        files.append(path)
                    else:
                        raise NotBroughtError(in_folder(path[1:], ODD))
        except OSError as error:
            reason = _why_unread(error)
            raise NotBroughtError(in_folder(above[1:], reason) if above else reason) from error
    return folders, files, links


def _why_unread(error: OSError) -> str:
    return GONE if isinstance(error, FileNotFoundError) else f"{UNREADABLE}: {error.strerror}"


def _link_or_copy(source: str, destination: str) -> None:
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError:  # another file system, or one that knows no links
        _copy(source, destination)


def _copy(source: str, destination: str) -> None:
    """Copy a file whole.

    :raises NotBroughtError: it cannot be read, or changes meanwhile.
    """
    try:  # what was a file just now may be a pipe, which must not hold us
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise NotBroughtError(_why_unread(error)) from error
    with open(descriptor, "rb", buffering=0) as file, open(destination, "xb") as copy:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise NotBroughtError(ODD)
        while piece := _read(descriptor):
            copy.write(piece)
        after = os.fstat(file.fileno())
        if (after.st_size, after.st_mtime_ns, copy.tell()) != (before.st_size, before.st_mtime_ns, before.st_size):
            raise NotBroughtError(NOT_WHOLE)
    with contextlib.suppress(OSError):  # not every file system takes every mode
        shutil.copystat(source, destination)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError as error:
        raise NotBroughtError(_why_unread(error)) from error
