"""Bring one file or folder of this machine to its place among the results.

It comes by a hard link where that is possible, else by a copy, and appears there whole or not at all: what cannot be
linked into place is made beside it and renamed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from typing import TYPE_CHECKING

from locusts_fab.transfer.stage import remove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Put = Callable[[str, str], None]


class NotBroughtError(Exception):
    """This file or folder cannot be brought, for a reason of its own; others can."""


def bring(source: str, destination: str, home: str | None = None) -> None:
    """Bring a file or folder to its place. Where it is a symlink, what it leads to comes: that is what the user named.

    :param home: the folder whose files are ours. What lies elsewhere is never hard-linked but copied, so that nobody
        who edits a result changes what the symlink leads to.
    :raises NotBroughtError: it cannot be read, or something lies in its way.
    :raises OSError: nothing can be written there.
    """
    real = os.path.realpath(source)
    try:
        mode = os.stat(real).st_mode  # noqa: PTH116 - strings: this runs for every file of a million tasks
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
            if os.path.samefile(source, destination):  # noqa: PTH121 - strings, as above
                return
    with _place_beside(destination) as part:
        (_link_or_copy if is_ours else _copy)(source, part)
        if os.path.isdir(destination):  # noqa: PTH112 - the same
            remove(destination)
        os.replace(part, destination)  # noqa: PTH105 - the same


def _bring_folder(source: str, destination: str, put: Put) -> None:
    _make_folder_of(destination)
    with _place_beside(destination) as part:
        _copy_tree(source, part, put)
        remove(destination)
        os.rename(part, destination)  # noqa: PTH104 - strings, as above


def _make_folder_of(destination: str) -> None:
    folder = os.path.dirname(destination)  # noqa: PTH120 - strings, as above
    if os.path.isdir(folder):  # noqa: PTH112 - the same
        return
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - the same
    except (FileExistsError, NotADirectoryError) as error:
        raise NotBroughtError(f"a file lies in its way: {error.filename}") from error


@contextlib.contextmanager
def _place_beside(destination: str) -> Iterator[str]:
    """Give a name on the same file system that nobody else uses; what still has it afterwards is removed."""
    folder = tempfile.mkdtemp(dir=os.path.dirname(destination), prefix=".locusts-")  # noqa: PTH120 - strings, as above
    try:
        yield f"{folder}/new"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_tree(source: str, destination: str, put: Put) -> None:
    """Make a folder like another one. Symlinks in it stay symlinks; pipes and sockets hold nothing, so they stay out.

    :param put: how a file comes to its place.
    """
    try:
        found = os.stat(source)  # noqa: PTH116 - strings, as above
        entries = list(os.scandir(source))
    except OSError as error:
        raise NotBroughtError(f"{error.filename}: {error.strerror}") from error
    os.mkdir(destination)  # noqa: PTH102 - the same
    for entry in entries:
        place = f"{destination}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)  # noqa: PTH115, PTH211 - the same
        elif entry.is_dir():
            _copy_tree(entry.path, place, put)
        elif entry.is_file():
            put(entry.path, place)
    os.chmod(destination, stat.S_IMODE(found.st_mode) | stat.S_IRWXU)  # noqa: PTH101 - else it could not be renamed
    os.utime(destination, ns=(found.st_atime_ns, found.st_mtime_ns))


def _link_or_copy(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:  # another file system, or one that knows no links
        _copy(source, destination)


def _copy(source: str, destination: str) -> None:
    try:
        with open(source, "rb"):  # noqa: PTH123 - whether it can be read is asked first: then the fault is its own
            pass
    except OSError as error:
        raise NotBroughtError(f"{error.filename}: {error.strerror}") from error
    shutil.copyfile(source, destination)
    with contextlib.suppress(OSError):  # not every file system takes every mode
        shutil.copystat(source, destination)
