"""The way of one file or folder of this machine to its place among the results.

It comes by a hard link where that gives just what a new file there would be, else by a copy, and appears there whole or
not at all: what cannot be linked into place is made beside it and renamed. A folder comes with its symlinks if they
stay inside of it; one that holds anything that cannot come does not come.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from functools import partial
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import pieces
from locusts_fab.bounds.inside import PERMISSIONS, Inside
from locusts_fab.outputs import GONE, NOT_WHOLE, ODD, UNREADABLE, LeadsOutError, in_folder, links_to_make
from locusts_fab.results.own import IN_THE_WAY, InTheWayError
from locusts_fab.results.source import NotBroughtError, Source

if TYPE_CHECKING:
    from collections.abc import Collection

    from locusts_fab.bounds.names import Name

_PIECE = 1 << 20
#: Errors about a name that this file system does not take; those about its space or its rights are about all of it.
_ABOUT_A_NAME = {
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
    errno.EEXIST,  # where small and capital letters are the same
    errno.EOPNOTSUPP,  # it takes no symlinks
}


def bring(source: Source, results: Inside, place: Name, names: Collection[str] = ()) -> None:
    """Bring a file or folder to its place.

    :param names: what absolute symlinks in a folder may call it; see `links_to_make`.
    :raises NotBroughtError: it cannot be read whole, or something lies in its way.
    :raises OSError: nothing can be written there.
    """
    try:
        if stat.S_ISREG(source.status.st_mode):
            _bring_file(source, results, place)
        elif stat.S_ISDIR(source.status.st_mode):
            _bring_folder(source, results, place, names)
        else:
            raise NotBroughtError(ODD)
    except NotADirectoryError as error:
        raise InTheWayError(f"{IN_THE_WAY}: on the path to {place} lies a file or a link") from error
    except OSError as error:
        if error.errno in _ABOUT_A_NAME:
            raise NotBroughtError(f"the file system here does not take it: {error.strerror}") from error
        raise


def _bring_file(source: Source, results: Inside, place: Name) -> None:
    if source.is_ours and results.is_as_made(place, source.status):
        with contextlib.suppress(OSError):  # there is an older one, or it is another file system
            results.link(source.folder, source.name, place)
            return
        there = results.look(place)
        if there is not None and os.path.samestat(there, source.status):
            return
    with results.beside(place) as part:
        _link_or_copy(source, results, part)
        results.replace(part, place)


def _bring_folder(source: Source, results: Inside, place: Name, names: Collection[str]) -> None:
    with results.beside(place) as part:
        _copy_tree(source, results, part, names)
        results.remove(place)
        results.replace(part, place)


def _copy_tree(source: Source, results: Inside, place: Name, names: Collection[str]) -> None:
    """Copy a folder with all that is in it.

    :raises NotBroughtError: something in it cannot come.
    """
    folders, files, links = _look_through(source)
    try:
        made = links_to_make(links, names)
    except LeadsOutError as error:
        raise NotBroughtError(str(error)) from error
    for path, status in folders.items():
        results.make_folder(_below(place, path), stat.S_IMODE(status.st_mode) & PERMISSIONS | stat.S_IRWXU)
    path = ""
    try:
        for path in files:
            inner = source.name / path
            status = source.folder.stat(inner)
            _link_or_copy(Source(source.folder, inner, status, source.is_ours), results, place / path)
    except NotBroughtError as error:
        raise NotBroughtError(in_folder(path, str(error))) from error
    except FileNotFoundError as error:
        raise NotBroughtError(in_folder(path, GONE)) from error
    for path, text in made.items():
        results.symlink(text, place / path)
    for path, status in reversed(folders.items()):
        results.set_times(_below(place, path), status)


def _below(folder: Name, path: str) -> Name:
    return folder / path if path else folder


def _look_through(source: Source) -> tuple[dict[str, os.stat_result], list[str], dict[str, str]]:
    """Return what is in a folder: folders, itself the first of them as the empty path, files, and symlinks.

    :raises NotBroughtError: something in it cannot be read, or cannot come.
    """
    folders: dict[str, os.stat_result] = {}
    files: list[str] = []
    links: dict[str, str] = {}
    waiting = [""]
    while waiting:  # no recursion: a folder may be deeper than Python's stack
        above = waiting.pop()
        try:
            here = _below(source.name, above)
            folders[above] = source.folder.stat(here)
            for entry, kind in source.folder.list(here):
                path = f"{above}/{entry}" if above else entry
                if kind == "l":
                    links[path] = source.folder.readlink(here / entry)
                elif kind == "d":
                    waiting.append(path)
                elif kind == "f":
                    files.append(path)
                else:
                    raise NotBroughtError(in_folder(path, ODD))
        except OSError as error:
            reason = _why_unread(error)
            raise NotBroughtError(in_folder(above, reason) if above else reason) from error
    return folders, files, links


def _why_unread(error: OSError) -> str:
    is_gone = isinstance(error, (FileNotFoundError, NotADirectoryError))
    return GONE if is_gone else f"{UNREADABLE}: {error.strerror}"


def _link_or_copy(source: Source, results: Inside, place: Name) -> None:
    if source.is_ours and results.is_as_made(place, source.status):
        with contextlib.suppress(OSError):  # another file system, or one that knows no links
            results.link(source.folder, source.name, place)
            return
    _copy(source, results, place)


def _copy(source: Source, results: Inside, place: Name) -> None:
    """Copy a file whole.

    :raises NotBroughtError: it cannot be read, or changes meanwhile.
    :raises OSError: it cannot be written, or would fill up the disk.
    """
    try:  # what was a file just now may be a pipe, which must not hold us
        descriptor = source.folder.open(source.name)
    except OSError as error:
        raise NotBroughtError(_why_unread(error)) from error
    with open(descriptor, "rb", buffering=0):
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise NotBroughtError(ODD)
        with open(results.new(place, before.st_mode & PERMISSIONS), "wb") as copy:
            copy.writelines(pieces(partial(_read, descriptor), before.st_size, results.root))
            after = os.fstat(descriptor)
            if (after.st_size, after.st_mtime_ns, copy.tell()) != (before.st_size, before.st_mtime_ns, before.st_size):
                raise NotBroughtError(NOT_WHOLE)
            copy.flush()
            with contextlib.suppress(OSError):  # not every file system takes every time
                os.utime(copy.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError as error:
        raise NotBroughtError(_why_unread(error)) from error
