"""See that what was fetched from a host came whole, and bring what only a second look can bring.

The host sends plain files and folders, and nothing else is taken from it. So what is a symlink, what could not be read,
and what is neither file nor folder is missing afterwards without a word. Here the host is asked for a list of what may
have been left behind: of folders, and of names that did not come. Symlinks that stay inside their folder are made from
that list, when all files are there, so that nothing is ever written through one; a name that is itself a symlink is
fetched as what it leads to. For the rest there is a reason why it did not come.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import entries_of
from locusts_fab.bounds.names import why_not_plain
from locusts_fab.bounds.numbers import whole_or_none
from locusts_fab.errors import TransferError
from locusts_fab.fs import fresh_folder
from locusts_fab.hosts.patience import LONG_S
from locusts_fab.layout import folders_above
from locusts_fab.outputs import (
    GONE,
    NOT_WHOLE,
    NOWHERE,
    ODD,
    UNREADABLE,
    LeadsOutError,
    in_folder,
    links_to_make,
)
from locusts_fab.shell.scripts import lacks_gnu_find, remote_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from locusts_fab.hosts.base import Carrier
    from locusts_fab.progress import Silent
    from locusts_fab.ui.screen import Screen

    Progress = Screen | Silent

_FIELDS = 4
#: No file has this time by itself: it marks those that nobody vouches for yet. In nanoseconds.
_DOUBTED_NS = 77_777_777_777_777
_WORK = "work/"


def fetch_files(host: Carrier, root: str, names: Sequence[str], folder: Path, screen: Progress) -> None:
    """Fetch plain files and folders. One tar brings them; rsync has the last word if that does not bring all.

    :param root: a folder on the host.
    :param names: what to fetch, relative to it.
    :param folder: an empty folder of this machine.
    :raises TransferError: the transfer as a whole failed.
    :raises HostError: the host cannot be reached.
    """
    paths = list(map(os.fsencode, names))
    with screen.step("fetching") as progress:
        if not host.fetch(root, paths, folder, progress=progress.update_bytes):
            # tar fills up with zeros what it cannot read, so what came may be anything: rsync compares it
            _doubt(str(folder))
            host.pull(root, paths, folder, progress=progress.update_bytes)
            _drop_doubted(str(folder))


def _files_below(folder: str) -> Iterable[str]:
    return (f"{above}/{name}" for above, _, names in os.walk(folder) for name in names)


def _doubt(folder: str) -> None:
    for path in _files_below(folder):
        os.utime(path, ns=(_DOUBTED_NS, _DOUBTED_NS), follow_symlinks=False)


def _drop_doubted(folder: str) -> None:
    """Remove the files that rsync has not seen to be as they are on the host."""
    for path in list(_files_below(folder)):
        if os.lstat(path).st_mtime_ns // 1_000_000_000 == _DOUBTED_NS // 1_000_000_000:
            os.unlink(path)


@dataclass
class _Listed:
    """What the host says of a name: its entries by path, itself under the empty one, as type, size and link."""

    real: str | None = None
    fault: str = ""
    entries: dict[str, tuple[str, int, str]] = field(default_factory=dict)


def complete(
    host: Carrier, root: str, names: Sequence[str], folder: Path, state_dir: Path, screen: Progress
) -> dict[str, str]:
    """Look for what did not come or not whole, and bring what can still be brought.

    :param root: the environment on the host.
    :param names: what was fetched, relative to it.
    :param folder: where it came to, of this machine and for us alone.
    :param state_dir: a folder for what is on its way.
    :returns: why something did not come whole, by its name; what came of it may be there.
    :raises TransferError: something cannot be written here.
    :raises HostError: the host cannot be reached.
    """
    try:
        return _complete(host, root, names, folder, state_dir, screen)
    except OSError as error:
        raise TransferError(
            f"what came from {host.name} cannot be written to {folder}: {error.strerror or error}",
            hint="free some space here, or see permissions; then collect again",
        ) from error


def _complete(
    host: Carrier, root: str, names: Sequence[str], folder: Path, state_dir: Path, screen: Progress
) -> dict[str, str]:
    base = str(folder)
    absent = [name for name in names if not os.path.lexists(f"{base}/{name}")]
    folders = [name for name in names if os.path.isdir(f"{base}/{name}")]
    if not (absent or folders):
        return {}
    came = sum(1 for name in folders for _ in _files_below(f"{base}/{name}"))
    listed = _ask(host, root, absent, folders, came)
    real = {name: listed[name].real for name in absent if listed[name].real}
    if real:
        _follow(host, {name: path for name, path in real.items() if path}, folder, state_dir, screen)
    troubles = {}
    inner: dict[str, set[str]] = {name: set() for name in listed}
    for name in names:
        for above in folders_above(name):
            if above in inner:
                inner[above].add(name.removeprefix(f"{above}/"))
    for name in (*absent, *folders):
        homes = {f"{root}/{name}", name.removeprefix(_WORK), *filter(None, [listed[name].real])}
        reason = _settle(f"{base}/{name}", listed[name], homes, inner[name])
        if reason:
            troubles[name] = reason
    return troubles


def _ask(host: Carrier, root: str, absent: Sequence[str], folders: Sequence[str], came: int) -> dict[str, _Listed]:
    names = (*absent, *folders)
    most = entries_of("the list of what tasks left", len(names), came, ends=_FIELDS)
    result = host.run(remote_script("list_outputs"), root, str(len(absent)), *names, quiet_s=LONG_S, most=most)
    fault = ""
    if result.exit_status != 0:
        complaint = result.stderr.strip()
        if not complaint or lacks_gnu_find(complaint):
            complaint = f"{complaint or 'listing it failed'}; GNU find has to be first on the PATH there"
        fault = f"nobody can see whether it came whole: {complaint}"
    listed = {name: _Listed(fault=fault) for name in names}
    fields = result.stdout.split(b"\0")
    for at in range(0, len(fields) - _FIELDS, _FIELDS):
        head, text, name, path = map(os.fsdecode, fields[at : at + _FIELDS])
        known = listed.get(name.removeprefix("./"))
        if known is None:
            continue
        if head == "real":
            known.real = text
        elif head == "fault":
            known.fault = text
        else:
            kind, _, size = head.partition(" ")
            known.entries[path] = (kind, -1 if (count := whole_or_none(size)) is None else count, text)
    return listed


def _follow(host: Carrier, real: dict[str, str], folder: Path, state_dir: Path, screen: Progress) -> None:
    """Fetch what links lead to, each under the name of the link."""
    paths = {path.strip("/") for path in real.values()} - {""}
    wanted = sorted(path for path in paths if why_not_plain(path) is None)
    with fresh_folder(state_dir, "links-") as other:
        fetch_files(host, "/", wanted, other, screen)
        for name, path in real.items():
            source, place = f"{other}/{path.strip('/')}", f"{folder}/{name}"
            if path.strip("/") in paths and os.path.lexists(source):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                if os.path.isdir(source):
                    shutil.copytree(source, place, copy_function=_link_or_copy)
                else:
                    _link_or_copy(source, place)


def _link_or_copy(source: str, place: str) -> None:
    """Make a file under another name; others may be links to the same one."""
    try:
        os.link(source, place)
    except OSError:  # the file system knows no links
        shutil.copy2(source, place)


def _settle(place: str, listed: _Listed, homes: set[str], inner: set[str]) -> str | None:
    """Make the symlinks of an output that came, and return why it did not come whole; None if it did.

    :param place: where it came to.
    :param homes: see `links_to_make`.
    :param inner: what in it was fetched by its own name too, and so came as what it leads to.
    """
    kind = listed.entries.get("", ("", 0, ""))[0]
    if listed.fault or not kind:
        return listed.fault or GONE
    came = _look(place)
    links = {}
    for path, (type_, size, text) in listed.entries.items():
        if type_ == "l" and path:
            if path not in inner or path not in came:
                links[path] = text
        elif reason := _why_lacking(type_, size, came.get(path)):
            return in_folder(path, reason) if path else reason
    try:
        made = links_to_make(links, homes)
    except LeadsOutError as error:
        return str(error)
    return _make_links(place, made, came)


def _make_links(place: str, links: dict[str, str], came: dict[str, tuple[str, int]]) -> str | None:
    """Make the symlinks of a folder that came, and return why one cannot be made; None if all were.

    :param links: what each shall hold, by path; that they are there is only the word of the host.
    :param came: type and size of what came: a symlink goes only into a folder that we made.
    """
    for path, text in links.items():
        above, _, _ = path.rpartition("/")
        if why_not_plain(path) is not None or path in came or came.get(above, ("", 0))[0] != "d":
            return in_folder(path, NOT_WHOLE)
        try:
            os.symlink(text, f"{place}/{path}")
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise
            return in_folder(path, f"the file system here does not take it: {error.strerror}")
    return None


def _why_lacking(kind: str, size: int, came: tuple[str, int] | None) -> str | None:
    """Return why an entry that is no symlink did not come whole; None if it did.

    :param kind: its type on the host.
    :param came: type and size of what came.
    """
    words = {"u": UNREADABLE, "l": NOWHERE}
    if kind not in {"f", "d"}:
        return words.get(kind, ODD)
    return None if came == (kind, size if kind == "f" else 0) else NOT_WHOLE


def _look(place: str) -> dict[str, tuple[str, int]]:
    """Return type and size of all that came of an output, by path; itself under the empty one."""
    found = {}
    waiting = [""]
    while waiting:
        path = waiting.pop()
        try:
            status = os.lstat(f"{place}/{path}" if path else place)
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            found[path] = ("d", 0)
            waiting.extend(f"{path}/{name}" if path else name for name in os.listdir(f"{place}/{path}"))
        else:
            found[path] = ("f", status.st_size)
    return found
