"""The records that managers append to their cache files, and the escapes of every tab-separated file.

The writing side is `templates/lib/records.sh`. A record is a line of fields between tabs; its last field is a dot,
so that a line torn by a crash or a full disk is recognised and left aside.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

END = ["."]  # the last field of a record that is whole


class Manager(NamedTuple):
    """A manager is here."""

    id: str
    host: str
    pid: int
    slots: int
    time_s: float


class Began(NamedTuple):
    """An attempt at a task starts."""

    claim: str
    task: int
    attempt: int
    start_s: float


class Ended(NamedTuple):
    """An attempt at a task came to an end; `state` is done, failed, retry or interrupted."""

    claim: str
    task: int
    attempt: int
    state: str
    exit_code: int
    start_s: float
    seconds: float
    found: str
    printed: bool
    reason: str


class Left(NamedTuple):
    """A manager takes no more tasks."""

    reason: str
    time_s: float


Record: TypeAlias = Manager | Began | Ended | Left

_MOST_DIGITS = 18
_CLAIM = re.compile(r"[0-9]+\.[0-9]+")
_FOUND = re.compile(r"[01]*")
_STATES = {"done", "failed", "retry", "interrupted"}


def parse_records(data: bytes) -> tuple[list[Record], int]:
    """Read records.

    :param data: what a cache file holds from some offset on.
    :returns: the records, and the number of bytes read: all up to the last newline. Lines that are no whole record
        are passed over.
    """
    length = data.rfind(b"\n") + 1
    records = []
    for line in data[:length].decode("utf-8", "surrogateescape").split("\n"):
        if line:
            record = parse_record(line)
            if record is not None:
                records.append(record)
    return records, length


def parse_record(line: str) -> Record | None:
    """Read one line; None if it is not a whole record."""
    kind, *fields = line.split("	")
    read = _READERS.get(kind)
    if read is None or fields[-1:] != END:
        return None
    try:
        return read(*fields[:-1])
    except (TypeError, ValueError):  # two torn lines may make one with an end, but not with the right fields
        return None


def _whole(text: str) -> int:
    """Read a whole number that any table can hold."""
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text[:_MOST_DIGITS]}… is too long for a number")
    return int(text)


def _manager(id_: str, host: str, pid: str, slots: str, time_s: str, _bash: str) -> Manager:
    return Manager(id_, host, _whole(pid), _whole(slots), float(time_s))


def _began(claim: str, task: str, attempt: str, start_s: str) -> Began | None:
    return Began(claim, _whole(task), _whole(attempt), float(start_s)) if _CLAIM.fullmatch(claim) else None


def _ended(
    claim: str,
    task: str,
    attempt: str,
    state: str,
    exit_code: str,
    start_s: str,
    seconds: str,
    found: str,
    printed: str,
    reason: str,
) -> Ended | None:
    if state not in _STATES or not _CLAIM.fullmatch(claim) or not _FOUND.fullmatch(found) or printed not in {"0", "1"}:
        return None
    return Ended(
        claim,
        _whole(task),
        _whole(attempt),
        state,
        _whole(exit_code),
        float(start_s),
        float(seconds),
        found,
        printed == "1",
        reason,
    )


def _left(reason: str, time_s: str) -> Left:
    return Left(reason, float(time_s))


_READERS: dict[str, Callable[..., Record | None]] = {
    "manager": _manager,
    "began": _began,
    "ended": _ended,
    "left": _left,
}


def escape(field: str) -> str:
    r"""Write a field of a tab-separated line: backslash, tab and ends of lines become `\\`, `\t`, `\n`, `\r`."""
    return field.translate(_ESCAPES) if _ODD.search(field) else field


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_ODD = re.compile(r"[\\\t\n\r]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def unescape(field: str) -> str:
    """Read a field that `escape` wrote."""
    if "\\" not in field:
        return field
    return _ESCAPED.sub(lambda match: {"t": "\t", "n": "\n", "r": "\r"}.get(match[1], match[1]), field)


def join_fields(fields: Iterable[str]) -> str:
    """Put fields of any content into one line, without its newline."""
    return "\t".join(map(escape, fields))


def split_fields(line: str) -> list[str]:
    """Take a line apart that `join_fields` made; an empty line has no fields."""
    return [unescape(field) for field in line.split("\t")] if line else []
