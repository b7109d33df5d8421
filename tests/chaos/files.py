"""What stands where on a target and in the results, and how it is written.

It is written down a second time here, from docs/design.md, and imports nothing of locusts_fab: what the checker
believes must not come from what it checks. Names of files and the shapes of names are in this module only.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: In the environment of a swarm.
PLAN, CLAIMS, CACHE, BEATS, WORK = "exec/plan", "exec/claims", "exec/cache", "exec/beats", "work"
#: Beside locusts.toml, below .locusts/SWARM.
LEDGER = "ledger.sqlite"
#: What a command may leave while it works, there and among the results, and never afterwards.
PASSING = (".stage-*", ".incoming-*", ".pieces-*", ".note-*", ".links-*", ".locusts-*")
#: What a manager keeps in TMPDIR while it runs: its notes, and sandboxes where it has a scratch folder.
SCRATCH = "locusts."
NOTES = f"{SCRATCH}??????"

#: Manager ids: submission, element, which start of it, and the id of the environment.
MANAGER = re.compile(r"(?P<submission>[0-9]{1,9})-[0-9]{1,9}(-r[0-9]{1,9})?(-[0-9a-f]{8})?")
#: Claims: chunk, generation, and the id of the environment.
CLAIM = re.compile(r"(?P<chunk>[0-9]+)\.(?P<generation>[0-9]+)(\.[0-9a-f]{8})?")

_END = "."


def unescape(text: str) -> str:
    """Return a field of a tab-separated file as it was."""
    raw = text.encode("utf-8", "surrogateescape")
    return re.sub(rb"\\(?:x..|[\\tnr])", _as_it_was, raw).decode("utf-8", "surrogateescape")


def _as_it_was(found: re.Match[bytes]) -> bytes:
    letter = found[0][1:2]
    if letter == b"x":
        return bytes.fromhex(found[0][2:].decode())
    return {b"\\": b"\\", b"t": b"\t", b"n": b"\n", b"r": b"\r"}[letter]


@dataclass(frozen=True)
class Planned:
    """A task as its chunk's plan has it."""

    id: str
    outputs: tuple[str, ...]


class Piece(NamedTuple):
    """A part of an archive, and its checksum as cksum(1) makes it."""

    offset: int
    size: int
    sum: int


@dataclass(frozen=True)
class End:
    """The end of an attempt, as a manager recorded it."""

    manager: str
    claim: str
    task: int
    attempt: int
    state: str
    found: str
    piece: Piece | None

    @property
    def name(self) -> str:
        """What its sandbox is called."""
        return f"{self.task}" + (f".{self.attempt}" if self.attempt > 1 else "")

    @property
    def sandbox(self) -> str:
        """Its folder in the environment."""
        return f"{WORK}/{self.claim}/{self.name}"

    @property
    def archive(self) -> str:
        """What holds what it left, if that is packed."""
        return f"{WORK}/{self.claim}.tar"


@dataclass
class Records:
    """What the managers of an environment have recorded.

    :ivar managers: for each cache file, the records of a start in it: host and process.
    :ivar begun: claim and task of each attempt that began.
    :ivar suspects: failures that were taken back, so that others run these tasks: the node was bad, or a disk full.
    :ivar torn: lines that are no whole record.
    """

    managers: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    begun: list[tuple[str, int]] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    suspects: int = 0
    torn: int = 0


def read_plan(environment: Path) -> dict[int, Planned]:
    """Read the plans of all chunks; lines that are no task, as in one that was cut off, are passed over."""
    found = {}
    for path in sorted((environment / PLAN).glob("[0-9]*")):
        for line in _lines(path):
            number, *fields = line.split("\t")
            if fields[-1:] == [_END]:
                fields.pop()
            if number.isdigit() and len(fields) > 1:
                found[int(number)] = Planned(unescape(fields[0]), tuple(map(unescape, fields[2:])))
    return found


def largest_chunk(environment: Path) -> int:
    """Count the tasks of the largest chunk; 0 if there is no plan."""
    sizes = [len(_lines(path)) - 1 for path in (environment / PLAN).glob("[0-9]*")]  # the last line ends it
    return max(sizes, default=0)


def read_records(environment: Path) -> Records:
    """Read the whole records of all managers."""
    records = Records()
    for path in sorted((environment / CACHE).glob("*.tsv")):
        if MANAGER.fullmatch(path.stem):
            starts = records.managers.setdefault(path.stem, [])
            for line in _lines(path):
                records.torn += not _take(records, starts, path.stem, line.split("\t"))
    return records


def _take(records: Records, starts: list[tuple[str, int]], manager: str, fields: list[str]) -> bool:
    """Enter a record; return False if it is not whole."""
    try:
        _enter(records, starts, manager, fields)
    except (ValueError, IndexError):
        return False
    return True


def _enter(records: Records, starts: list[tuple[str, int]], manager: str, fields: list[str]) -> None:
    kind, *values, end = fields
    if end != _END:
        raise ValueError(kind)
    if kind == "manager":
        starts.append((values[1], int(values[2])))
    elif kind == "began":
        records.begun.append((values[0], int(values[1])))
    elif kind == "suspect":
        records.suspects += 1
    elif kind == "left":
        records.left[manager] = values[0]
    elif kind == "ended" and CLAIM.fullmatch(values[0]):
        claim, task, attempt, state, _exit, _start, _stop, found, log, *_ = values
        _, is_packed, place = log.partition("@")
        piece = Piece(*map(int, place.split(":"))) if is_packed else None
        records.ends.append(End(manager, claim, int(task), int(attempt), state, found, piece))
    else:
        raise ValueError(kind)


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a table of the results; one that is not there has no rows."""
    if not path.exists():
        return []
    head, *rows = (line.split("\t") for line in _lines(path))
    return [dict(zip(head, map(unescape, row), strict=False)) for row in rows]


def leases(environment: Path) -> Iterator[tuple[str, int]]:
    """Yield chunk and generation of each lease that was ever taken."""
    for path in (environment / CLAIMS).iterdir():
        if found := CLAIM.fullmatch(path.name):
            yield found["chunk"], int(found["generation"])


def _lines(path: Path) -> list[str]:
    """Read the lines of a file; what comes after its last newline is none."""
    return os.fsdecode(path.read_bytes()).split("\n")[:-1]
