"""The records that managers append to their cache files.

`templates/manager/records.sh` writes them and lists the same fields; each class here has those of one kind. A record is
a line of fields between tabs; its last field is a dot, so that a line torn by a crash or a full disk is recognised and
left aside.
"""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from locusts_fab.bounds.names import Name
from locusts_fab.bounds.numbers import MOST_STATUS, seconds, whole
from locusts_fab.manager.last_words import read_reason
from locusts_fab.model.swarms import LeaveReason
from locusts_fab.model.tasks import Piece, TaskReason
from locusts_fab.text import printable
from locusts_fab.tsv import unescape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from locusts_fab.model.tasks import Outcome

END = ["."]  # the last field of a record that is whole


class Manager(NamedTuple):
    """The record of a manager that has started.

    :param slots: how many tasks it runs at a time.
    """

    id: str
    host: str
    pid: int
    slots: int
    time_s: float


class Began(NamedTuple):
    """The record of an attempt that starts.

    :param claim: chunk, generation and the id of the environment, such as `000012.1.c0ffee12`.
    :param log: the number of the file with what it prints.
    """

    claim: str
    task: int
    attempt: int
    start_s: float
    log: int


class Ended(NamedTuple):
    """The record of an attempt that has ended.

    :param state: done, failed, retry (another attempt follows) or interrupted.
    :param found: whether each designated output was there.
    :param log: the number of the file with what it printed; 0 if it printed nothing.
    :param reason: why it failed, with the line that tells most of what it printed last.
    :param cpu_s: the CPU time that it used, in user and system mode together; None if that is not known.
    :param peak_mb: the most memory that was seen of it, in MiB; None if nobody saw any.
    :param parts: how many records of its matches there are; only with all of them it is a record.
    :param piece: what holds its outputs and its log, if they are packed.
    """

    claim: str
    task: int
    attempt: int
    state: str
    exit_code: int
    start_s: float
    end_s: float
    found: tuple[bool, ...]
    log: int
    reason: str
    cpu_s: float | None = None
    peak_mb: float | None = None
    parts: int = 0
    piece: Piece | None = None


class Matched(NamedTuple):
    """A record of files and folders that one of the outputs of an attempt matched, which is a pattern.

    :param part: its number among those of the attempt.
    :param output: the place of the pattern among the designated outputs, from 0 on.
    :param names: relative to the sandbox.
    """

    claim: str
    task: int
    attempt: int
    part: int
    output: int
    names: tuple[Name, ...]


class Suspect(NamedTuple):
    """The record that an attempt failed on a node where nearly all do: it counts for nothing."""

    claim: str
    task: int
    attempt: int


class Left(NamedTuple):
    """The record of a manager that takes no more tasks."""

    reason: str
    time_s: float


Record: TypeAlias = Manager | Began | Ended | Matched | Suspect | Left

#: The ids of environments; `new_environment_id` makes them.
ENVIRONMENT_ID = "[0-9a-f]{8}"
#: The ids of managers: submission and element, as `layout.manager_id` and the job script of a scheduler make them;
#: then, of the later starts of an element, `-rN`; then the id of the environment.
MANAGER_ID = f"[0-9]{{1,9}}-[0-9]{{1,9}}(-r[0-9]{{1,9}})?-{ENVIRONMENT_ID}"
_MANAGER_ID = re.compile(MANAGER_ID)
_CLAIM = re.compile(rf"[0-9]{{1,9}}\.[0-9]{{1,9}}\.{ENVIRONMENT_ID}")
_FOUND = re.compile(r"(?P<found>[01]*)(?::(?P<parts>[1-9][0-9]{0,6}))?")
#: Between names in a record of matches; no name holds it. templates/manager/outputs.sh has the same.
_BETWEEN_NAMES = "//"
_USED = re.compile(r"([0-9]{0,12}):([0-9]{0,12})")
#: Managers that were started by an older version do not tell what tasks use; so many fields their ends have.
_FIELDS_BEFORE = 11
_MOST_SUM = 2**32 - 1
_STATES = {"done", "failed", "retry", "interrupted"}


def new_environment_id() -> str:
    """Return an id that no environment has."""
    return secrets.token_hex(4)


def managers_of(environment_id: str) -> str:
    """Return the ids of the managers of one environment, as a regular expression for bash and Python."""
    return MANAGER_ID.replace(ENVIRONMENT_ID, environment_id)


def submission_of(manager: str) -> int:
    """Return the number of the submission that a manager belongs to."""
    return int(manager.partition("-")[0])


def element_of(manager: str) -> int:
    """Return the element of its submission that a manager is."""
    return int(manager.split("-")[1])


def parse_records(data: bytes) -> tuple[list[Record], int]:
    """Return the records in a piece of a cache file.

    :param data: what a cache file holds from some offset on.
    :returns: the records, and the number of bytes read: all up to the last newline. Lines that are no whole record
        are passed over.
    """
    length = data.rfind(b"\n") + 1
    records = []
    for line in data[:length].decode("utf-8", "backslashreplace").split("\n"):  # SQLite holds no other text
        if line:
            record = parse_record(line)
            if record is not None:
                records.append(record)
    return records, length


def parse_record(line: str) -> Record | None:
    """Return the record in a line; None if it is not a whole one."""
    kind, *fields = line.split("	")
    read = _READERS.get(kind)
    if read is None or fields[-1:] != END:
        return None
    if kind == "ended" and len(fields) == _FIELDS_BEFORE:
        fields.insert(-2, ":")
    try:
        return read(*fields[:-1])
    except (TypeError, ValueError):  # two torn lines may make one with an end, but not with the right fields
        return None


def ended_record(outcome: Outcome) -> str:
    """Return the record of the latest attempt of a task that has ended, as a manager writes it.

    It has what `gather` in templates/manager/final.sh reads of it: nothing of what the attempt used, or of what its
    patterns matched.
    """
    piece = "" if outcome.piece is None else f"@{write_piece(outcome.piece)}"
    start_s = outcome.start_s or 0.0
    fields = (
        outcome.claim,
        outcome.number,
        outcome.attempt,
        outcome.state.value,
        outcome.exit_code or 0,
        f"{start_s:.6f}",
        f"{start_s + (outcome.seconds or 0.0):.6f}",
        write_found(outcome.found),
        f"{outcome.log}{piece}",
        ":",
        printable(outcome.reason, ""),
    )
    return "\t".join(["ended", *map(str, fields), *END]) + "\n"


def _manager(id_: str, host: str, pid: str, slots: str, time_s: str, _bash: str) -> Manager | None:
    if not _MANAGER_ID.fullmatch(id_):
        return None
    return Manager(id_, host, whole(pid), whole(slots), seconds(time_s))


def _began(claim: str, task: str, attempt: str, start_s: str, log: str) -> Began | None:
    if not _CLAIM.fullmatch(claim):
        return None
    return Began(claim, whole(task, 1), whole(attempt, 1), seconds(start_s), whole(log))


def _ended(
    claim: str,
    task: str,
    attempt: str,
    state: str,
    exit_code: str,
    start_s: str,
    end_s: str,
    found: str,
    log: str,
    used: str,
    reason: str,
) -> Ended | None:
    there = _FOUND.fullmatch(found)
    measured = _USED.fullmatch(used)
    if state not in _STATES or not _CLAIM.fullmatch(claim) or there is None or measured is None:
        return None
    cpu_cs, peak_kb = measured.groups()
    log, _, packed = log.partition("@")
    return Ended(
        claim,
        whole(task, 1),
        whole(attempt, 1),
        state,
        whole(exit_code, most=MOST_STATUS),
        seconds(start_s),
        seconds(end_s),
        read_found(there["found"]),
        whole(log),
        read_reason(reason),
        int(cpu_cs) / 100 if cpu_cs else None,
        int(peak_kb) / 1024 if peak_kb else None,
        int(there["parts"] or 0),
        read_piece(packed) if packed else None,
    )


def _matched(claim: str, task: str, attempt: str, part: str, output: str, names: str) -> Matched | None:
    if not _CLAIM.fullmatch(claim):
        return None
    found = tuple([Name(unescape(name)) for name in names.split(_BETWEEN_NAMES)])
    return Matched(claim, whole(task, 1), whole(attempt, 1), whole(part, 1), whole(output), found)


def _suspect(claim: str, task: str, attempt: str) -> Suspect | None:
    if not _CLAIM.fullmatch(claim):
        return None
    return Suspect(claim, whole(task, 1), whole(attempt, 1))


def _left(reason: str, time_s: str) -> Left:
    return Left(reason, seconds(time_s))


_READERS: dict[str, Callable[..., Record | None]] = {
    "manager": _manager,
    "began": _began,
    "ended": _ended,
    "matched": _matched,
    "suspect": _suspect,
    "left": _left,
}


@lru_cache(maxsize=256)  # most tasks of a swarm find the same, and may share it
def read_found(text: str) -> tuple[bool, ...]:
    """Return which outputs were there; records and the ledger hold a 1 or a 0 for each."""
    return tuple(letter == "1" for letter in text)


@lru_cache(maxsize=256)  # a piece is that of many tasks
def read_piece(text: str) -> Piece:
    """Return a piece as records and the ledger write it, `OFFSET:SIZE:SUM`.

    :raises ValueError: it is none.
    """
    offset, size, checksum = text.split(":")
    return Piece(whole(offset), whole(size, 1), whole(checksum, most=_MOST_SUM))


def write_piece(piece: Piece) -> str:
    """Return a piece as the text that `read_piece` reads."""
    return ":".join(map(str, piece))


def write_found(found: Iterable[bool]) -> str:
    """Return which outputs were there as the text that `read_found` reads."""
    return "".join("1" if there else "0" for there in found)


@lru_cache(maxsize=256)
def read_task_reason(text: str) -> TaskReason:
    """Return the kind of an attempt's reason; the words are those of `judge` in templates/manager/task.sh."""
    return _read_reason(text, TaskReason)


@lru_cache(maxsize=256)
def read_leave_reason(text: str) -> LeaveReason:
    """Return the kind of a manager's reason; the words are in templates/manager/slot.sh and main.sh."""
    return _read_reason(text, LeaveReason)


_Reason = TypeVar("_Reason", TaskReason, LeaveReason)


def _read_reason(text: str, kinds: type[_Reason]) -> _Reason:
    return next((kind for kind in kinds if kind.value and f"{text} ".startswith(f"{kind.value} ")), kinds(""))
