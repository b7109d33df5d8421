"""The data types that packages pass to each other, without logic beyond questions about themselves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from locusts_fab.bounds.entries import Entry, shown
from locusts_fab.bounds.names import Name
from locusts_fab.errors import ExitStatus
from locusts_fab.text import counted, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from locusts_fab.bounds.names import TaskId
    from locusts_fab.layout import Environment


#: The values of a task, by the names of its handles: what makes it the task that it is.
Values: TypeAlias = "tuple[tuple[str, str], ...]"


class TaskState(str, Enum):
    """The state of a task. What was lost or interrupted is pending again."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SwarmState(str, Enum):
    """The state of a swarm as a whole."""

    PLANNED = "planned"  # known, but nothing was started
    SUBMITTED = "submitted"  # started, but no manager has said anything yet
    RUNNING = "running"
    FINISHED = "finished"  # every task is done or failed
    STALLED = "stalled"  # tasks are left, but no manager is there to run them
    CANCELLED = "cancelled"


class ManagerState(str, Enum):
    """The state of a manager, as far as it is known."""

    ALIVE = "alive"
    LEFT = "left"  # it ended in order
    GONE = "gone"  # its process is known to have ended, or its heartbeat has stood still for long
    UNKNOWN = "unknown"  # it could not be found out


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


class LeaveReason(str, Enum):
    """The first words of the reason of a manager that left, as templates/manager/slot.sh and main.sh write it.

    More words may follow, such as the name of a signal. `records.read_leave_reason` reads it.
    """

    FINISHED = "finished"
    STOPPED = "stopped"
    SIGNAL = "signal"
    BREAKER = "breaker"
    BAD_NODE = "bad node"
    TOO_MANY_FAILURES = "too many failures"
    NO_TIME = "no time is left"
    NO_SPACE = "no space is left"
    SETUP = "setup failed:"
    OTHER = ""  # one that only people read


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
class ManagerStatus:
    """One manager, as `status` shows it."""

    id: str
    host: str
    state: ManagerState
    slots: int
    done: int
    failed: int


@dataclass(frozen=True)
class JobStatus:
    """One job of a scheduler, as `status` shows it; an element of an array counts as one."""

    id: str
    state: str
    reason: str


@dataclass(frozen=True)
class Counts:
    """The number of tasks in each state."""

    total: int
    pending: int
    running: int
    done: int
    failed: int

    @property
    def ended(self) -> int:
        """The number of tasks that will not run any more."""
        return self.done + self.failed

    def of(self, states: Iterable[TaskState]) -> int:
        """Return the number of tasks in any of some states."""
        return sum(getattr(self, state.value) for state in set(states))


@dataclass(frozen=True)
class Cause:
    """Why some tasks failed, all of them for the same reason.

    :param reason: the reason of the first of them, in words.
    :param kind: how they ended, as the first words of the reason: `exit`, `signal`, `timeout`, `missing output`, …
    :param exit_code: of the last attempt; None if there was none.
    :param count: the number of tasks.
    :param examples: the ids of the first of them.
    :param node: the node where all of them failed, while others ran elsewhere; empty if they did not.
    :param advice: what to do next.
    """

    reason: str
    kind: str
    exit_code: int | None
    count: int
    examples: list[str]
    node: str
    advice: str


@dataclass(frozen=True)
class Failures:
    """The tasks of a swarm that failed, by cause; `to_dict` is what `failures --json` prints.

    :param failed: the number of tasks that failed, of `total`.
    :param notes: what a person should know besides, a line each.
    :param busy: the command that works on the swarm just now, in words: what is told is what was known before.
    """

    swarm: str
    target: str
    total: int
    failed: int
    causes: list[Cause]
    notes: list[str] = field(default_factory=list)
    busy: str = ""

    @property
    def summary(self) -> str:
        """The failures in one line."""
        return summary_of(self.failed, self.causes)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


def summary_of(failed: int, causes: list[Cause]) -> str:
    """Return in a line how many tasks failed: `8,312 failed, 3 causes`."""
    return f"{failed:,} failed, {counted(len(causes), 'cause')}" if failed else "nothing failed"


@dataclass(frozen=True)
class Status:
    """The status of a swarm; `to_dict` is what `status --json` prints.

    :param collected: tasks whose outputs are here.
    :param started: when the latest submit started, seconds since the epoch.
    :param elapsed_s: for how long the latest submit had run then, whatever was done to the time of day; once nothing is
        left, from the start of its first task to the end of its last.
    :param rate: tasks that the latest submit brought to an end in a second, on average; None if that is unknown.
    :param updated: when the target was last heard, seconds since the epoch.
    :param eta_s: seconds until all is done at the present rate; None if that is unknown.
    :param notes: what a person should know besides, a line each.
    :param bad_nodes: the nodes where tasks fail that succeed elsewhere.
    :param busy: the command that works on the swarm just now, in words: what is told is what was known before.
    :param causes: why tasks failed, the most frequent cause first.
    :param waiting: how many jobs wait, and for what, in words.
    """

    swarm: str
    target: str
    state: SwarmState
    tasks: Counts
    collected: int
    managers: list[ManagerStatus] = field(default_factory=list)
    jobs: list[JobStatus] = field(default_factory=list)
    started: float | None = None
    updated: float | None = None
    elapsed_s: float | None = None
    eta_s: float | None = None
    notes: list[str] = field(default_factory=list)
    bad_nodes: list[str] = field(default_factory=list)
    busy: str = ""
    causes: list[Cause] = field(default_factory=list)
    rate: float | None = None
    waiting: str = ""

    @property
    def summary(self) -> str:
        """The status in one line."""
        tasks = self.tasks
        parts = [f"{self.swarm} on {self.target}: {self.state.value}", f"{tasks.done:,} of {tasks.total:,} done"]
        if tasks.failed:
            parts.append(f"{tasks.failed:,} failed")
        if tasks.running:
            parts.append(f"{tasks.running:,} running")
        if tasks.pending and self.started is not None:
            parts.append(f"{tasks.pending:,} waiting")
        if self.waiting:
            parts.append(self.waiting)
        if self.eta_s is not None:
            parts.append(f"about {duration(self.eta_s)} left")
        return ", ".join(parts)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state not in {SwarmState.SUBMITTED, SwarmState.RUNNING}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


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
class Submission:
    """One submit and its part of the plan.

    :param last_chunk: the number of its last chunk.
    :param state: how far it got: `staging`, `starting`, `started`, `told` (to take no more tasks, by a command that may
        have been killed then), `stopped`.
    :param created_s: when its managers were started, seconds since the epoch.
    :param token: the name of its job, which no other job has.
    :param job: its id in the scheduler; empty if it has none.
    """

    number: int
    last_chunk: int
    state: str
    created_s: float
    token: str
    job: str


@dataclass(frozen=True)
class Fetched:
    """The place where files of an environment can be read on this machine.

    :param environment: the environment, or a folder with the files that were asked for under the same names.
    :param is_ours: whether it is a copy for us alone, so that files may be moved out of it.
    :param troubles: why one of them is not there whole, by its name; a part of it may be.
    :param homes: where another machine writes to it: what the environment is called there and here, so that symlinks
        which lead to something in it can be followed, and no others are. None: symlinks in it are ours.
    """

    environment: Environment
    is_ours: bool
    troubles: Mapping[str, str] = field(default_factory=dict)
    homes: tuple[str, ...] | None = None


#: How serious a finding is.
FindingState = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that `check` looked at.

    :param what: what was looked at.
    :param found: what it is like.
    :param advice: what to do about it, if anything.
    :param exit_status: the exit code of `check` if it is an error.
    :param may_pass: a submit may come through all the same, so that none is refused for it.
    """

    what: str
    state: FindingState
    found: str
    advice: str = ""
    exit_status: ExitStatus = ExitStatus.USAGE
    may_pass: bool = False


def exit_status_of(findings: Iterable[Finding]) -> ExitStatus:
    """Return the exit code of findings: the first kind of error, in the order in which a submit would meet them."""
    kinds = {finding.exit_status for finding in findings if finding.state == "error"}
    order = (ExitStatus.CONNECTION, ExitStatus.SCHEDULER, ExitStatus.USAGE)
    return next((kind for kind in order if kind in kinds), ExitStatus.DONE)
