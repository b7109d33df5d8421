"""Walk a local tree, and hold what was selected in it.

Symlinks are never followed, so no walk leaves its root or goes round in a loop.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from locusts_fab.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

State = TypeVar("State")


@dataclass
class Selection:
    """What a replica of a tree holds; names are relative to the root and sorted.

    :param folders: the folders, those on the way to anything selected among them; never the root itself.
    :param files: the regular files.
    :param links: the symlinks, to be replicated as symlinks.
    :param skipped: sockets, fifos and devices, which rules selected but nobody can replicate.
    :param bytes: the size of all files together, in bytes.
    :param unmatched: a line for the user about each rule that matches nothing.
    """

    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    bytes: int = 0
    unmatched: list[str] = field(default_factory=list)


def walk(
    root: Path, start: State, judge: Callable[[State, str, os.DirEntry[str]], tuple[bool, State | None]]
) -> Selection:
    """Walk a tree, and return the entries that `judge` selects.

    :param root: a folder of this machine, or a symlink to one.
    :param start: the state in the root.
    :param judge: called with the state in a folder, the relative name of an entry of it, and the entry; it returns
        whether to select the entry, and the state in it, or None not to enter it.
    :returns: what was selected; which rules match nothing is left to the caller.
    :raises PlanError: a folder or a file cannot be read.
    """
    found = Selection()
    todo = [("", start)]
    while todo:  # no recursion: a tree may be deeper than Python's stack
        prefix, state = todo.pop()
        try:
            with os.scandir(root / prefix) as entries:
                for entry in entries:
                    take, inside = judge(state, prefix + entry.name, entry)
                    if take:
                        _take(found, prefix + entry.name, entry)
                    if inside is not None:
                        todo.append((f"{prefix}{entry.name}/", inside))
        except OSError as error:
            if prefix and isinstance(error, (FileNotFoundError, NotADirectoryError)):
                continue  # a program that changes the tree has removed or replaced the folder since we saw it
            raise PlanError(
                f"{root / prefix}: cannot be read: {error.strerror}",
                hint="the root must be a folder, and what is selected in it readable; leave out what is not",
            ) from error
    found.folders = _with_parents(found)
    for names in (found.files, found.links, found.skipped):
        names.sort()
    return found


def _take(found: Selection, name: str, entry: os.DirEntry[str]) -> None:
    """Add an entry to the list that it belongs to."""
    if entry.is_symlink():
        found.links.append(name)
    elif entry.is_dir(follow_symlinks=False):
        found.folders.append(name)
    elif entry.is_file(follow_symlinks=False):
        with contextlib.suppress(FileNotFoundError):  # removed since we saw it: then it is no part of the tree
            found.bytes += entry.stat(follow_symlinks=False).st_size
            found.files.append(name)
    else:
        found.skipped.append(name)


def _with_parents(found: Selection) -> list[str]:
    """Return the folders selected and those on the way to anything selected, sorted."""
    folders = set(found.folders)
    for name in (*found.folders, *found.files, *found.links):
        parent = name.rpartition("/")[0]
        while parent and parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
    return sorted(folders)
