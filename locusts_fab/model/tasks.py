"""Tasks: what the config means by them, what is staged of them, and what has become of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from locusts_fab.bounds.entries import Entry, shown
from locusts_fab.bounds.names import Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.bounds.names import TaskId

#: The values of a task, by the names of its handles: what makes it the task that it is.
Values: TypeAlias = "tuple[tuple[str, str], ...]"


class TaskState(str, Enum):
    """The state of a task. What was lost or interrupted is pending again."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class TaskReason(str, Enum):
    """The first words of the reason of an attempt, as `judge` in templates/manager/task.sh writes it.

    More words may follow, such as a number. `records.read_task_reason` reads it.
    """

    BROKEN_PIPE = "exit 141: a program in a pipe wrote to one that had ended"  # before EXIT, which it begins with
    EXIT = "exit"
    SIGNAL = "signal"
    OUT_OF_MEMORY = "out of memory:"
    LIKELY_OUT_OF_MEMORY = "probably out of memory:"
    TIMEOUT = "timeout"
    MISSING_OUTPUT = "missing output"
    EMPTY_OUTPUT = "missing or empty output"
    NO_SANDBOX = "the sandbox could not be made"
    OUT_OF_TIME = "interrupted: out of time"
    INTERRUPTED = "interrupted"
    TOO_LONG = "longer than the job's time limit"
    LOST = "lost with its manager"
    NOT_RUN = "not run:"
    OTHER = ""  # none, or one that only people read


@dataclass(frozen=True)
class Task:
    """One small unit of work, as the config has it now.

    :param id: its name, unique in the swarm.
    :param command: bash source, with all values put in and quoted.
    :param inputs: files that its sandbox starts with, relative to the folder of inputs and to the sandbox alike.
    :param outputs: the files that it shall leave, relative to its sandbox.
    :param values: what the config gives it for its handles.
    :param stamp: of the sizes and times of its inputs; empty if nobody looked, or there are none.
    :param is_strict: whether a line of the command that fails ends it.
    """

    id: str
    command: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: Values = ()
    stamp: bytes = b""
    is_strict: bool = True


#: The id of the task that comes after all others, if a swarm has one.
FINAL = "final"


class Taken(NamedTuple):
    """The tasks that a submit takes.

    :param tasks: how many there are in all.
    :param suspects: how many of them were lost twice with their managers.
    :param has_final: whether the last of them comes after all others.
    """

    tasks: int
    suspects: int = 0
    has_final: bool = False


@dataclass(frozen=True)
class Chunk:
    """A short list of tasks that a slot claims at once: `size` tasks, known as `number` in plan/."""

    number: int
    size: int


class Piece(NamedTuple):
    """A piece of the archive of a chunk, which holds what many tasks left, packed by tar.

    :param offset: where it begins, in bytes from the beginning of the file.
    :param size: how long it is, in bytes.
    :param sum: its checksum, as POSIX cksum makes it.
    """

    offset: int
    size: int
    sum: int


@dataclass(frozen=True)
class Outcome:
    """A row of tasks.tsv: what became of a task.

    :param number: its number on the target.
    :param exit_code: of the last attempt; None if there was none. 128 + n stands for signal n.
    :param start_s: when the last attempt began, seconds since the epoch.
    :param seconds: how long it took.
    :param found: whether each designated output was there when the task ended; empty until then.
    :param log: the number of the file with what it prints; once it has ended, 0 if it printed nothing.
    :param cause: the kind of `reason`, for programs.
    :param claim: chunk and generation under which it ran, the name of a folder under work/.
    :param bad_node: a node where it failed, as nearly all tasks did there, so that it was run again elsewhere.
    :param values: what the config gave it for its handles; empty if that is not known.
    :param cpu_s: the CPU time that the last attempt used, in user and system mode together; None if that is not known.
    :param peak_mb: the most memory that was seen of it, in MiB; None if nobody saw any, as of those that last a moment.
    :param matches: what patterns among its outputs matched: the place of the pattern among them, and the name.
    :param piece: what holds what it left, if that is packed.
    :param is_here: whether what came back to `place` is of this outcome; else it is of an earlier one, if anything did.
    """

    number: int
    id: TaskId
    command: str
    outputs: tuple[Name | Entry, ...]
    state: TaskState
    exit_code: int | None
    attempts: int
    node: str
    start_s: float | None
    seconds: float | None
    reason: str
    found: tuple[bool, ...]
    log: int
    claim: str
    attempt: int
    place: str
    cause: TaskReason = TaskReason.OTHER
    bad_node: str = ""
    values: Values = ()
    matches: tuple[tuple[int, Name], ...] = ()
    cpu_s: float | None = None
    peak_mb: float | None = None
    piece: Piece | None = None
    is_here: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, good or bad."""
        return self.state in {TaskState.DONE, TaskState.FAILED}

    @property
    def fits(self) -> bool:
        """Whether what was found is about the outputs that it has now.

        It is known by place only. So if there are more outputs than were looked for, or fewer, as after a change of the
        config, it says nothing of any of them.
        """
        return len(self.found) == len(self.outputs)

    @property
    def designated(self) -> list[tuple[Name | Entry, bool]]:
        """Its designated outputs, each with whether it was there when the task ended.

        In place of a pattern stand the files and folders that it matched. What was not there and need not be is left
        out.
        """
        fits = self.fits
        there = [(name, fits and self.found[at]) for at, name in enumerate(self.outputs)]
        return there if all(type(name) is Name for name in self.outputs) else list(self._each(there))

    def _each(self, there: list[tuple[Name | Entry, bool]]) -> Iterator[tuple[Name | Entry, bool]]:
        """Yield what `designated` returns where outputs are more than names; nothing twice."""
        names: dict[int, list[Name | Entry]] = {}
        for at, name in self.matches if self.fits else ():
            names.setdefault(at, []).append(name)
        seen: set[str] = set()
        for at, (output, found) in enumerate(there):
            itself: Name | Entry = output.name or output if isinstance(output, Entry) else output
            is_passed_over = not found and isinstance(output, Entry) and output.is_optional
            for each in [] if is_passed_over else names.get(at) or [itself]:
                if each not in seen:
                    seen.add(each)
                    yield each, found

    @property
    def absent(self) -> list[tuple[int, str]]:
        """The outputs that had to be there when the task ended and were not: place among all, and name or pattern."""
        fits = self.fits
        return [
            (at, shown(output))
            for at, output in enumerate(self.outputs)
            if not (fits and self.found[at]) and not (isinstance(output, Entry) and output.is_optional)
        ]


@dataclass(frozen=True)
class PlannedTask:
    """A task as staging needs it.

    :param number: its number on the target.
    :param values: its values, as fields of a line: name, value, name, value, …; empty if they are not known.
    :param taken: more inputs, which are on the target already, so that they need not be staged.
    """

    number: int
    id: str
    command: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: str = ""
    taken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    """The result of comparing the config with the ledger.

    :param total: tasks that the config means now.
    :param new: those that were not known before.
    :param changed: ids of done tasks whose command, inputs or outputs differ now from what was run.
    :param gone: ids of tasks that are known still, as they have ended or are running, and that the config does not mean
        any more.
    """

    total: int
    new: int
    changed: list[str]
    gone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Choice:
    """Which tasks a submit takes, besides those that wait.

    :param failed: failed ones, too.
    :param changed: done ones, too, if the config would run them differently now, or their inputs have changed.
    :param ended: all that have ended, too.
    :param only: only those with these ids, or ids that match these patterns; none: all.
    :param limit: no more than so many; None: all.
    """

    failed: bool = False
    changed: bool = False
    ended: bool = False
    only: tuple[str, ...] = ()
    limit: int | None = None

    @property
    def is_partial(self) -> bool:
        """Whether it may leave tasks out."""
        return bool(self.only) or self.limit is not None


@dataclass(frozen=True)
class Memory:
    """The tasks that the ledger knows, for the next plan to find its own among them.

    :param valued: id and values of those whose values are known.
    :param unvalued: the others: those of an older ledger, or of a target that does not tell.
    :param last_number: the highest number that a task was named by; 0 if that is not known.
    """

    valued: Iterable[tuple[str, Values]] = ()
    unvalued: Iterable[PlannedTask] = ()
    last_number: int = 0
