"""Packed results: what tasks left is taken out of the pieces of archives that hold it.

Only what was asked for, into a folder that is ours alone: plain files and folders first, and when these are there, the
symlinks that stay inside the folder that they are in.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import tarfile
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import FreeSpace, TooMuchError
from locusts_fab.bounds.names import why_not_plain
from locusts_fab.errors import TransferError
from locusts_fab.fs import Span, fresh_folder
from locusts_fab.hosts.untar import take_files
from locusts_fab.layout import Environment, folders_above
from locusts_fab.model.findings import Fetched, Packed
from locusts_fab.outputs import GONE, NOT_WHOLE, LeadsOutError, in_folder, links_to_make
from locusts_fab.results.collect import wanted_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from locusts_fab.layout import Results
    from locusts_fab.model.tasks import Outcome

#: What tarfile reads at once, it asks for in small pieces.
_BUFFER = 1 << 18


def pieces_of(outcomes: Iterable[Outcome]) -> dict[Packed, list[Outcome]]:
    """Return the pieces that hold what tasks left, each with these tasks."""
    found: dict[Packed, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.piece is not None:
            found.setdefault(Packed(outcome.claim, outcome.piece), []).append(outcome)
    return found


@contextlib.contextmanager
def unpacked(
    pieces: Mapping[Packed, Span | str],
    outcomes: Sequence[Outcome],
    environment: Environment,
    results: Results,
    state_dir: Path,
) -> Iterator[Fetched]:
    """Make what tasks left reachable as files on this machine, within.

    :param pieces: those that `pieces_of` names; or why one is not there.
    :param environment: where they come from.
    :param state_dir: a folder for what is on its way.
    :raises TransferError: something cannot be written here.
    """
    with fresh_folder(state_dir, "incoming-") as folder:
        troubles: dict[str, str] = {}
        space = FreeSpace(folder)
        try:
            for packed, members in pieces_of(outcomes).items():
                names = [name for each in members for name in wanted_files(each, environment, results)]
                held = pieces[packed]
                if isinstance(held, str):
                    troubles.update(dict.fromkeys(names, held))
                    continue
                troubles.update(_take(held, packed.claim, names, folder, environment))
                _refuse_full(space)
        except (OSError, TooMuchError) as error:
            words = error.strerror if isinstance(error, OSError) else None
            raise TransferError(
                f"results cannot be unpacked in {folder}: {words or error}",
                hint="free some space here, or see permissions; then collect again",
            ) from error
        yield Fetched(Environment(str(folder)), is_ours=True, troubles=troubles, homes=(environment.root,))


def _refuse_full(space: FreeSpace) -> None:
    """Raise an OSError if the disk is full, but for what is kept free."""
    if (why := space.why_full()) is not None:
        raise OSError(errno.ENOSPC, why)


def _take(piece: Span, claim: str, names: Sequence[str], folder: Path, environment: Environment) -> dict[str, str]:
    """Take files out of a piece, and return why some did not come whole, by name."""
    above = f"work/{claim}/"
    base = folder / above
    base.mkdir(parents=True, exist_ok=True)
    homes = {
        name.removeprefix(above): [environment.absolute(name), name.removeprefix("work/")] for name in names
    }  # what a link in it may have held
    return {f"{above}{name}": why for name, why in take_out(piece, homes, base).items()}


def take_out(piece: Span, wanted: Mapping[str, Sequence[str]], folder: Path) -> dict[str, str]:
    """Take members out of an archive, and return why some did not come whole, by name.

    :param wanted: their names, each with what it was called where it was made; see `links_to_make`.
    :param folder: where to write them, under the same names; nobody else can write to it.
    :raises OSError: they cannot be written, or it is no archive.
    """
    links: dict[bytes, bytes] = {}
    take_files(io.BufferedReader(piece, _BUFFER), set(map(os.fsencode, wanted)), folder, links=links)
    inner: dict[str, dict[str, str]] = {}  # of each member, its links
    for link, text in links.items():
        path = os.fsdecode(link)
        for above in folders_above(path):
            if above in wanted:
                inner.setdefault(above, {})[path[len(above) + 1 :]] = os.fsdecode(text)
    troubles = {}
    for name, homes in wanted.items():
        place = os.path.join(os.fsencode(folder), os.fsencode(name))
        if not os.path.lexists(place):
            troubles[name] = GONE
        elif name in inner and (why := _make_links(place, inner[name], homes)):
            troubles[name] = why
    return troubles


def _make_links(place: bytes, links: Mapping[str, str], homes: Sequence[str]) -> str | None:
    """Make the symlinks of a folder, and return why one cannot be made; None if all were.

    :param homes: see `links_to_make`.
    """
    try:
        made = links_to_make(links, homes)
    except LeadsOutError as error:
        return str(error)
    for path, text in made.items():
        if why_not_plain(path) is not None or not made.keys().isdisjoint(folders_above(path)):
            return in_folder(path, NOT_WHOLE)  # nothing is written through a symlink
        try:
            os.symlink(os.fsencode(text), place + b"/" + os.fsencode(path))
        except OSError as error:
            return in_folder(path, f"the file system here does not take it: {error.strerror}")
    return None


def find_member(piece: Span, name: str) -> Span | None:
    """Return a plain file of a piece; None if it is not in it. It is closed with the piece.

    :raises OSError: it is no archive.
    """
    piece.seek(0)
    encoding = sys.getfilesystemencoding()
    try:
        with tarfile.open(fileobj=piece, mode="r:", encoding=encoding, errors="surrogateescape") as archive:
            for member in archive:
                if member.name == name and member.isreg():
                    return piece.part(member.offset_data, member.size)
    except tarfile.TarError as error:
        raise OSError(f"it is no archive: {error}") from error
    return None
