"""What tasks used of their machines, and how well these were kept busy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """How an amount differs from task to task.

    :param count: the number of tasks of which it is known.
    :param p95: 95 in 100 tasks have no more.
    """

    count: int
    median: float
    p95: float
    largest: float


@dataclass(frozen=True)
class Usage:
    """What the tasks used that have ended, and what the slots did in the latest submit.

    :param seconds: how long tasks took; None, as the others, if it is not known of any.
    :param cpu_s: their CPU time in seconds.
    :param peak_mb: the most memory that was seen of each, in MiB.
    :param cpus: how many CPUs a task kept busy on average, over all the time that tasks took.
    :param slots: of all managers of the latest submit together.
    :param slots_each: of the manager that has most of them.
    :param slot_s: the time that these slots had, from the first start of a task to the last end, in seconds.
    :param busy_s: how much of that they ran tasks.
    :param start_idle_s: how much of it went by before each slot had its first task.
    :param tail_idle_s: how much of it was left when each had ended its last.
    :param waited_s: the time from the submit to the first start of a task.
    :param advice: what to ask for next time, a line each.
    """

    seconds: Spread | None
    cpu_s: Spread | None
    peak_mb: Spread | None
    cpus: float | None = None
    slots: int = 0
    slots_each: int = 0
    slot_s: float = 0.0
    busy_s: float = 0.0
    start_idle_s: float = 0.0
    tail_idle_s: float = 0.0
    waited_s: float | None = None
    advice: tuple[str, ...] = ()
