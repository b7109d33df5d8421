"""Swarms as a whole: their managers, jobs and submissions, how they stand, and why tasks failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from locusts_fab.text import counted, duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.model.tasks import TaskState
    from locusts_fab.model.usage import Usage


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


class LeaveReason(str, Enum):
    """The first words of the reason of a manager that left, as it is written in templates/manager.

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
    NOT_GATHERED = "the results of the other tasks cannot be gathered:"
    OTHER = ""  # one that only people read


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
    :param usage: what the tasks that have ended used, and what to ask for next time; None if none has.
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
    usage: Usage | None = None

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
