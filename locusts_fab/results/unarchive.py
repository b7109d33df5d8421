"""Outputs that stay packed under outdir, made files again for who needs files: the tasks of another swarm.

Each lies in a folder of its attempt, so whatever is there is right and need not be made again.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
from typing import TYPE_CHECKING

from locusts_fab.errors import TransferError
from locusts_fab.fs import Span, fresh_folder, may_be_environment, remove_tree
from locusts_fab.hosts.untar import write_member
from locusts_fab.results.packed import take_out

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.model.findings import Kept

#: The folder for them in the state of the swarm whose inputs they are. No swarm can have that name, for environments of
#: others may be beside it.
UNARCHIVED = ".unarchived"
#: What it was called by older versions.
_OF_OLDER = "unarchived"
_PIECE = 1 << 18
_CHANGED = "it is not as it was written"


def open_kept(archive: Path, kept: Kept, name: str) -> Span:
    """Open an output in an archive, or the log.

    :param kept: where it is in the archive.
    :param name: its name there; the archive must have it there, so another one in its place is not read.
    :raises OSError: it is not there, or not whole.
    """
    span = Span(os.open(archive, os.O_RDONLY | os.O_CLOEXEC), kept.offset, kept.size, owns=True)
    try:
        _refuse_changed(span, kept, name)
    except BaseException:
        span.close()
        raise
    return span


def unarchive(archive: Path, kept: Kept, name: str, place: Path, state_dir: Path) -> None:
    """Make an output in an archive a file, or a folder, unless it is there.

    :param kept: where it is in the archive.
    :param name: its name there.
    :param place: where to make it, whole or not at all.
    :param state_dir: a folder on the same file system, for what is on its way.
    :raises TransferError: it cannot be read, or written.
    """
    if os.path.lexists(place):
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with fresh_folder(state_dir, "incoming-") as incoming:
            made = incoming / name
            made.parent.mkdir(parents=True, exist_ok=True)
            with open_kept(archive, kept, name) as span:
                if kept.is_folder:
                    _copy_folder(span, name, incoming)
                else:
                    write_member(os.fsencode(made), io.BufferedReader(span, _PIECE), _read_head(span, name))
            made.rename(place)
    except OSError as error:
        raise TransferError(
            f"{name} cannot be taken out of {archive}: {error.strerror or error}",
            hint="free some space here, or see permissions; if the archive is damaged, remove it and `locusts collect`",
        ) from error


def remove_unarchived(state_dir: Path) -> None:
    """Remove all of them.

    :raises TransferError: something of it cannot be removed.
    """
    remove_tree(state_dir / UNARCHIVED)
    if not may_be_environment(state_dir / _OF_OLDER):
        remove_tree(state_dir / _OF_OLDER)


def _copy_folder(span: Span, name: str, folder: Path) -> None:
    for why in take_out(span, {name: []}, folder).values():
        raise OSError(why)


def _refuse_changed(span: Span, kept: Kept, name: str) -> None:
    """See that a member is there, and whole. What is in a folder is looked for by its name later."""
    if not kept.is_folder:
        _read_head(span, name)
    if not span.is_whole():
        raise OSError(_CHANGED)


def _read_head(span: Span, name: str) -> tarfile.TarInfo:
    """Return the head of a member, which stands before its data.

    :raises OSError: it is that of another one.
    """
    block = span.before(tarfile.BLOCKSIZE)
    try:
        member = tarfile.TarInfo.frombuf(block, sys.getfilesystemencoding(), "surrogateescape")
    except tarfile.TarError as error:
        raise OSError(_CHANGED) from error
    if (os.fsencode(member.name), member.size) != (os.fsencode(name)[: tarfile.LENGTH_NAME], span.size):
        raise OSError(_CHANGED)  # of a long name, the head has the beginning
    return member
