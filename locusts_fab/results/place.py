"""The way of one file or folder of this machine to its place among the results.

It comes by a hard link where that is possible, else by a copy, and appears there whole or not at all: what cannot be
linked into place is made beside it and renamed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import TYPE_CHECKING

from locusts_fab.fs import new_beside, remove

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, str], None]


class NotBroughtError(Exception):
    """One file or folder cannot be brought, for a reason of its own; others can."""


def bring(source: str, destination: str, home: str | None = None) -> None:
    """Bring a file or folder to its place. Where it is a symlink, what it leads to comes: that is what the user named.

    :param home: the folder whose files are ours. What lies elsewhere is never hard-linked but copied, so that an
        edit of a result does not change what the symlink leads to.
    :raises NotBroughtError: it cannot be read, or something lies in its way.
    :raises OSError: nothing can be written there.
    """
    real = os.path.realpath(source)
    try:
        mode = os.stat(real).st_mode
    except FileNotFoundError as error:
        reason = "it did not arrive: it is a link or a special file, or it is not there any more"
        raise NotBroughtError(reason) from error
    except OSError as error:
        raise NotBroughtError(error.strerror) from error
    is_ours = real == source or (home is not None and real.startswith(f"{os.path.realpath(home)}/"))
    if stat.S_ISREG(mode):
        _bring_file(real, destination, is_ours=is_ours)
    elif stat.S_ISDIR(mode):
        _bring_folder(real, destination, _link_or_copy if is_ours else _copy)
    else:
        raise NotBroughtError("it is neither a file nor a folder")


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


def _bring_folder(source: str, destination: str, put: Put) -> None:
    _make_folder_of(destination)
    with new_beside(destination) as part:
        _copy_tree(source, part, put)
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


def _copy_tree(source: str, destination: str, put: Put) -> None:
    """Copy a folder. Symlinks in it stay symlinks; pipes and sockets hold nothing, so they stay out.

    :param put: the function that puts a file in its place.
    """
    try:
        found = os.stat(source)
        entries = list(os.scandir(source))
    except OSError as error:
        raise NotBroughtError(f"{error.filename}: {error.strerror}") from error
    os.mkdir(destination)
    for entry in entries:
        place = f"{destination}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)
        elif entry.is_dir():
            _copy_tree(entry.path, place, put)
        elif entry.is_file():
            put(entry.path, place)
    os.chmod(destination, stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
    os.utime(destination, ns=(found.st_atime_ns, found.st_mtime_ns))


def _link_or_copy(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:  # another file system, or one that knows no links
        _copy(source, destination)


def _copy(source: str, destination: str) -> None:
    try:
        with open(source, "rb"):
            pass
    except OSError as error:
        raise NotBroughtError(f"{error.filename}: {error.strerror}") from error
    shutil.copyfile(source, destination)
    with contextlib.suppress(OSError):  # not every file system takes every mode
        shutil.copystat(source, destination)
