"""What is carried to a host and back: files under hostile names, and what a folder holds afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE_NAMES = [
    b"plain",
    b"with space",
    b" lead and trail ",
    b"-rf",
    b"--delete",
    b"#comment",
    b";comment",
    b"it's",
    b'double"quote',
    b"$(touch pwned)",
    b"`touch pwned`",
    b"a;b&c|d",
    b"star*[a-z]?",
    b"back\\slash",
    b"new\nline",
    b"carriage\rreturn",
    b"tab\there",
    b"\xff\xfe not utf-8",
    "überå漢字".encode(),
    b"host:path",
    b"~",
    b"!history",
    b"%d{a,b}",
    b"\x01\x1b[31m",
]


def fill(folder: Path, names: list[bytes]) -> Path:
    """Make a folder with a file of each name, its content is its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(name)
    return folder


def content(folder: Path) -> dict[bytes, bytes]:
    """Return every file below a folder."""
    return {os.fsencode(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fresh(folder: Path) -> Path:
    """Make a folder as those who pull make it."""
    folder.mkdir(mode=0o700)
    return folder
