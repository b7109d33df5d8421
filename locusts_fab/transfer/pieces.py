"""Pieces of archives, as they come: each is held against what its record says, its size and its checksum.

So whatever became of the file, by a full disk, a crash or the way here, no piece is taken that is not whole.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING

from locusts_fab.bounds.checksum import Checksum
from locusts_fab.errors import TransferError
from locusts_fab.fs import Span, fresh_folder
from locusts_fab.outputs import ITS_ARCHIVE
from locusts_fab.shell.scripts import remote_script

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from locusts_fab.bounds.inside import Inside
    from locusts_fab.hosts.base import Carrier
    from locusts_fab.layout import Environment
    from locusts_fab.model.findings import Packed
    from locusts_fab.progress import Silent
    from locusts_fab.ui.screen import Screen

_BLOCK = 1 << 20
_NOT_THERE = ITS_ARCHIVE + "{}, is not there any more"
_DAMAGED = ITS_ARCHIVE + "{}, is damaged: the piece that holds it is not as it was written"


@contextmanager
def read_pieces(
    inside: Inside, environment: Environment, wanted: Collection[Packed]
) -> Iterator[Mapping[Packed, Span | str]]:
    """Yield pieces of the archives in a folder of this machine; see `Transfer.pieces`."""
    found: dict[Packed, Span | str] = {}
    with ExitStack() as opened:
        descriptors: dict[str, int | None] = {}
        for packed in wanted:
            name = environment.packed(packed.claim)
            if packed.claim not in descriptors:
                try:
                    descriptors[packed.claim] = descriptor = inside.open(name)
                    opened.callback(os.close, descriptor)
                except OSError:
                    descriptors[packed.claim] = None
            found[packed] = _checked(packed, descriptors[packed.claim], packed.piece.offset, environment)
        yield found


def _checked(packed: Packed, descriptor: int | None, offset: int, environment: Environment) -> Span | str:
    """Return a piece, at its beginning, if it is whole; or why not.

    :param descriptor: of the file that holds it; None: there is none.
    :param offset: where it begins in there.
    """
    path = environment.absolute(environment.packed(packed.claim))
    if descriptor is None:
        return _NOT_THERE.format(path)
    span, made = Span(descriptor, offset, packed.piece.size), Checksum()
    try:
        while data := span.read(_BLOCK):
            made.update(data)
    except OSError as error:
        return f"{ITS_ARCHIVE}{path}, cannot be read: {error.strerror}"
    if (made.size, made.value) != (packed.piece.size, packed.piece.sum):
        return _DAMAGED.format(path)
    span.seek(0)
    return span


@contextmanager
def fetch_pieces(
    host: Carrier, environment: Environment, wanted: Collection[Packed], state_dir: Path, screen: Screen | Silent
) -> Iterator[Mapping[Packed, Span | str]]:
    """Yield pieces of the archives on a host, which travel one behind the other into one file; see `Transfer.pieces`.

    What is not as it should be is fetched once more, for the file may have been growing, and the link is not to blame.

    :param state_dir: a folder of this machine for what is on its way.
    """
    found: dict[Packed, Span | str] = {}
    with fresh_folder(state_dir, "pieces-") as folder, ExitStack() as opened:
        for turn in range(2):
            missing = [packed for packed in wanted if isinstance(found.get(packed, ""), str)]
            if missing:
                file = opened.enter_context((folder / str(turn)).open("w+b", buffering=0))
                places = _fetch(host, environment, missing, file, folder, screen)
                for packed in missing:
                    place = places.get(packed)
                    descriptor = None if place is None else file.fileno()
                    found[packed] = _checked(packed, descriptor, place or 0, environment)
        yield found


def _fetch(
    host: Carrier,
    environment: Environment,
    wanted: Collection[Packed],
    file: IO[bytes],
    folder: Path,
    screen: Screen | Silent,
) -> dict[Packed, int]:
    """Fetch pieces into a file, and return where each begins in there; those that are not on the host are left out.

    :raises TransferError: the link broke, or the disk here is full.
    """
    places: dict[Packed, int] = {}

    def take(stream: IO[bytes]) -> None:
        at = 0
        for count, packed in enumerate(wanted, 1):
            if stream.read(1) != b"y":
                continue
            places[packed] = at
            at += _copy(stream, file, packed.piece.size)
            progress.update_bytes(count, at)

    listing = "".join(f"{claim} {piece.offset} {piece.size}\n" for claim, piece in wanted)
    with screen.step("fetching", len(wanted)) as progress:
        try:
            is_all = host.stream(
                remote_script("read_pieces"), environment.root, source=listing.encode(), take=take, folder=folder
            )
        except OSError as error:
            raise TransferError(
                f"what comes from {host.name} cannot be written to {folder}: {error.strerror or error}",
                hint="free some space here, or see permissions; then collect again",
            ) from error
    if not is_all:
        raise TransferError(
            f"{host.name}: the link broke while results came", hint="collect again; what is here does not move again"
        )
    return places


def _copy(stream: IO[bytes], file: IO[bytes], size: int) -> int:
    """Copy so many bytes, or as many as come, and return how many that were."""
    left = size
    while left and (data := stream.read(min(left, _BLOCK))):
        file.write(data)
        left -= len(data)
    return size - left
