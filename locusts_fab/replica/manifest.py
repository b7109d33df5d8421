"""What the two sides of a replica hold: an entry's mark, lists of a tree, what both last agreed on, what tasks changed.

What changed is found from exact lists of the tree (type, size, time in nanoseconds, mode), the first one made right
after staging. Pure, but for looking at entries of the local tree.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from locusts_fab.bounds.names import Name
from locusts_fab.layout import folders_above
from locusts_fab.tsv import join_fields, split_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: Each entry of a list that `scan_tree.sh` prints has so many fields.
ENTRY_FIELDS = 3
_FIELDS = 5
_SHOWN = 80
#: Type, size, time and mode of an entry, as find prints them; and all of a mark, as the manifest has it. No number is
#: one that a file cannot have.
_HEAD = re.compile(rb"([A-Za-z?]) ([0-9]{1,18}) (-?[0-9]{1,18})(?:\.([0-9]{0,20}))? ([0-7]{1,4})")
_MARK = re.compile(r"([A-Za-z?]) ([0-9]{1,18}) (-?[0-9]{1,27}) ([0-7]{1,4}) ([^\0]*)", re.DOTALL)
#: The letters of find for what an entry is.
_KINDS = {
    stat.S_IFREG: "f",
    stat.S_IFDIR: "d",
    stat.S_IFLNK: "l",
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "s",
    stat.S_IFCHR: "c",
    stat.S_IFBLK: "b",
}


# ---- marks ----


class Mark(NamedTuple):
    """What a list of a tree holds of one entry: two entries are the same if their marks are.

    :param kind: `f` a file, `d` a folder, `l` a symlink, `u` a file or folder that cannot be read; other kinds as find
        calls them.
    :param size: in bytes; 0 for all but files.
    :param mtime_ns: when it was last modified, in nanoseconds since 1970; 0 for all but files.
    :param mode: its permissions; 0 for all but files.
    :param link: what a symlink holds.
    """

    kind: str
    size: int
    mtime_ns: int
    mode: int
    link: str = ""


def folder_mark() -> Mark:
    """Return the mark of any folder: a folder's size and time change with what is in it, and mean nothing."""
    return Mark("d", 0, 0, 0)


def parse_scan(data: bytes) -> dict[str, Mark]:
    """Return the marks in a list that `scan_tree.sh` printed.

    :param data: what it printed, whole.
    :returns: the marks by path, relative to the folder that was listed.
    :raises ValueError: it is no such list, or a path in it leads out of the folder.
    """
    fields = data.split(b"\0")
    if len(fields) % ENTRY_FIELDS != 1 or fields[-1]:
        raise ValueError("the list ends in the middle of an entry")
    marks: dict[str, Mark] = {}
    for at in range(0, len(fields) - ENTRY_FIELDS, ENTRY_FIELDS):
        head, link, path = fields[at : at + ENTRY_FIELDS]
        found = _HEAD.fullmatch(head)
        if found is None:
            raise ValueError(f"this is no entry of a tree: {head[:_SHOWN]!r}")
        kind, size, seconds, fraction, mode = (part.decode("ascii") for part in found.groups(b""))
        mark = Mark(kind, int(size), _nanoseconds(int(seconds), fraction), int(mode, 8), os.fsdecode(link))
        marks[Name(os.fsdecode(path))] = _plain(mark)
    return marks


def _nanoseconds(seconds: int, fraction: str) -> int:
    """Return a time of find in nanoseconds; before 1970 find prints whole seconds downward, and a fraction upward."""
    return seconds * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))


def _plain(mark: Mark) -> Mark:
    """Return a mark without what means nothing for its kind: a pipe, say, gets another time whenever it is used."""
    return mark if mark.kind in {"f", "u"} else Mark(mark.kind, 0, 0, 0, mark.link)


def mark_of(path: Path) -> Mark | None:
    """Return the mark of an entry of this machine, without following a symlink; None if there is none.

    :raises OSError: it cannot be looked at.
    """
    try:
        found = path.lstat()
        link = os.fsdecode(path.readlink()) if stat.S_ISLNK(found.st_mode) else ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a folder on the way became a symlink that leads round in circles
            return None
        raise
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "?")
    return _plain(Mark(kind, found.st_size, found.st_mtime_ns, stat.S_IMODE(found.st_mode), link))


# ---- what both sides last agreed on ----


@dataclass(frozen=True)
class Agreed:
    """What the manifest holds of one path.

    :param staged: its mark on the target right after it came there; None if tasks made it.
    :param theirs: its mark on the target when both sides last agreed.
    :param ours: its mark here at that time.
    :param is_contested: both sides changed it; what is there lies beside it here.
    """

    staged: Mark | None
    theirs: Mark | None
    ours: Mark | None
    is_contested: bool = False


def format_manifest(manifest: Mapping[str, Agreed]) -> bytes:
    """Return the manifest as the content of a file, a line a path."""
    lines = [
        join_fields((path, *map(_write_mark, (known.staged, known.theirs, known.ours)), str(int(known.is_contested))))
        + "\n"
        for path, known in sorted(manifest.items())
    ]
    return os.fsencode("".join(lines))


def parse_manifest(data: bytes) -> dict[str, Agreed]:
    """Return the manifest in the content of a file, as `format_manifest` makes it.

    :raises ValueError: it is no manifest, or a path in it leads out of the tree.
    """
    manifest: dict[str, Agreed] = {}
    for line in os.fsdecode(data).split("\n"):
        if line:
            fields = split_fields(line)
            if len(fields) != _FIELDS:
                raise ValueError(f"this is no line of a manifest: {line[:_SHOWN]!r}")
            path, staged, theirs, ours, contested = fields
            manifest[Name(path)] = Agreed(_read_mark(staged), _read_mark(theirs), _read_mark(ours), contested == "1")
    return manifest


def _write_mark(mark: Mark | None) -> str:
    return "-" if mark is None else f"{mark.kind} {mark.size} {mark.mtime_ns} {mark.mode:o} {mark.link}"


def _read_mark(text: str) -> Mark | None:
    if text == "-":
        return None
    found = _MARK.fullmatch(text)
    if found is None:
        raise ValueError(f"this is no mark of an entry: {text[:_SHOWN]!r}")
    kind, size, mtime_ns, mode, link = found.groups()
    return Mark(kind, int(size), int(mtime_ns), int(mode, 8), link)


# ---- what changed ----


@dataclass(frozen=True)
class Change:
    """A row of modified.tsv.

    :param what: created, changed, removed or conflict.
    :param path: the entry, relative to the root of the tree.
    :param size: in bytes; None of what was removed.
    """

    what: str
    path: str
    size: int | None


def changes_since_staging(manifest: Mapping[str, Agreed], theirs: Mapping[str, Mark]) -> list[Change]:
    """Return what tasks have done to the files and symlinks of a tree; folders follow from them.

    :param manifest: what both sides last agreed on.
    :param theirs: what is on the target now.
    :returns: the changes, sorted by path.
    """
    found = []
    for path in sorted({*manifest, *theirs}):
        known = manifest.get(path, Agreed(None, None, None))
        before, after = (None if mark == folder_mark() else mark for mark in (known.staged, theirs.get(path)))
        if before == after or (path in manifest and is_hidden(path, theirs)):
            continue
        what = "created" if before is None else "removed" if after is None else "changed"
        found.append(Change("conflict" if known.is_contested else what, path, after.size if after else None))
    return found


def format_changes(changes: Iterable[Change]) -> bytes:
    """Return the content of modified.tsv: a header, and a row for each change."""
    rows = [
        join_fields((change.what, change.path, "" if change.size is None else str(change.size))) for change in changes
    ]
    return os.fsencode("".join(f"{row}\n" for row in ("change\tpath\tsize", *rows)))


def news_of_tree(manifest: Mapping[str, Agreed], theirs: Mapping[str, Mark]) -> tuple[list[str], list[str]]:
    """Return what changed on the target since both sides last agreed.

    :param manifest: what both sides last agreed on.
    :param theirs: what is on the target now.
    :returns: the paths that are new or other there, folders before what is in them; and those that are gone.
    """
    fresh = [path for path, mark in theirs.items() if path not in manifest or manifest[path].theirs != mark]
    gone = [path for path, known in manifest.items() if known.theirs is not None and path not in theirs]
    return sorted(fresh), sorted((path for path in gone if not is_hidden(path, theirs)), reverse=True)


def is_hidden(path: str, theirs: Mapping[str, Mark]) -> bool:
    """Return whether nobody can see what is at a path on the target: it, or a folder above it, cannot be read."""
    if path in theirs:
        return theirs[path].kind == "u"
    return any(theirs[folder].kind == "u" for folder in folders_above(path) if folder in theirs)


def is_ours_untouched(known: Agreed | None, now: Mark | None) -> bool:
    """Return whether nobody has changed a path here since both sides last agreed.

    :param known: what the manifest holds of it, if anything.
    :param now: its mark here; None if it is not here.
    """
    return now == (known.ours if known is not None else None)


def agree(known: Agreed | None, theirs: Mark | None, ours: Mark | None, *, is_contested: bool = False) -> Agreed:
    """Return what the manifest is to hold of a path, now that both sides have been looked at.

    :param known: what it held before, if anything.
    :param theirs: the mark on the target; None if it is not there.
    :param ours: the mark here; None if it is not here.
    :param is_contested: both sides changed it, and it is not settled.
    """
    known = known or Agreed(None, None, None)
    return replace(known, theirs=theirs, ours=ours, is_contested=is_contested)
