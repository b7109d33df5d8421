"""What tasks left packed, as the judge reads it: pieces of archives, each with the checksum that its record says."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.files import End, Piece

#: Files by their names in a piece.
Members = dict[str, bytes]


class Archives:
    """The archives of an environment; each piece is read once, for many tasks share one."""

    def __init__(self, environment: Path) -> None:
        self._environment = environment
        self._read: dict[tuple[str, Piece], Members | None] = {}

    def members(self, end: End) -> Members | None:
        """Return the files that are packed with those of an attempt; None: the piece is not as its record says."""
        assert end.piece is not None
        key = end.archive, end.piece
        if key not in self._read:
            data = bytes_of(self._environment / end.archive, end.piece)
            self._read[key] = _unpack(data) if _checksum(data) == (end.piece.sum, end.piece.size) else None
        return self._read[key]


def bytes_of(archive: Path, piece: Piece) -> bytes:
    """Read a piece, as far as it is there."""
    if not archive.is_file():
        return b""
    with archive.open("rb") as file:
        file.seek(piece.offset)
        return file.read(piece.size)


def _checksum(data: bytes) -> tuple[int, int]:
    """Return checksum and size, as the program that managers call says them: not by code of the package."""
    said = subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout.split()
    return int(said[0]), int(said[1])


def _unpack(data: bytes) -> Members:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errors="surrogateescape") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                found[os.path.normpath(member.name)] = file.read()
    return found
