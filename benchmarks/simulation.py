"""A simulation of managers that share a plan: when each slot looks for a chunk, claims it, and runs it.

Every slot is a generator that yields how long what it does next takes; a heap holds who is next. Tests for existence
see what was there when a row of them began, and a link is decided when it ends, so slots hear old news, as on a network
file system. The chunks are those of the package.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.plan.tasks import chunk_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    Slot = Iterator[float]


@dataclass(frozen=True)
class Scenario:
    """Nodes that share a plan.

    :param starts: when each node starts, in seconds; None: never.
    :param task_s: how long a task takes, on average.
    :param sigma: of the log-normal distribution of that; 0: all take the same.
    :param budget: the most that the makespan may be, times the ideal one.
    :param spares_longest: the longest task comes on top of that.
    """

    name: str
    starts: Sequence[float | None]
    slots: int
    tasks: int
    budget: float
    task_s: float = 1.0
    sigma: float = 0.0
    spares_longest: bool = False

    @property
    def present(self) -> list[float]:
        """When the nodes start that do."""
        return sorted(start for start in self.starts if start is not None)

    def durations(self, seed: int) -> list[float]:
        """Return how long each task takes."""
        if self.sigma == 0:
            return [self.task_s] * self.tasks
        chance = random.Random(seed)
        return [self.task_s * chance.lognormvariate(-(self.sigma**2) / 2, self.sigma) for _ in range(self.tasks)]

    def ideal_s(self, work_s: float) -> float:
        """Return when so much work would end if no slot that is there ever idled."""
        busy_from_s, end_s = 0.0, float("inf")
        for nodes, start in enumerate(self.present, 1):
            if end_s <= start:
                break
            busy_from_s += start
            end_s = (work_s / self.slots + busy_from_s) / nodes
        return end_s

    def slot_seconds(self, end_s: float) -> float:
        """Return the time of all slots together, from the start of each until the end."""
        return self.slots * sum(max(0.0, end_s - start) for start in self.present)


@dataclass(frozen=True)
class Costs:
    """What the file system takes: for a link, and for a test for existence."""

    link_s: float = 3e-3
    look_s: float = 20e-6


@dataclass
class Claims:
    """The folder of claims, and what was asked of it. Chunks are numbered from 0 on."""

    run_s: list[float]
    costs: Costs
    now_s: float = 0.0
    end_s: float = 0.0
    links: int = 0
    looks: int = 0
    marks: set[int] = field(default_factory=set)
    links_of_second: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.taken = bytearray(len(self.run_s))
        self._next = list(range(len(self.run_s) + 1))

    @property
    def count(self) -> int:
        """The number of chunks."""
        return len(self.run_s)

    def look(self, times: int) -> float:
        """Count so many tests for existence, and return what they take."""
        self.looks += times
        return times * self.costs.look_s

    def first_free(self, chunk: int) -> int:
        """Return the first chunk from this one on that is free."""
        free = chunk
        while self._next[free] != free:
            free = self._next[free]
        while self._next[chunk] != free:
            self._next[chunk], chunk = free, self._next[chunk]
        return free

    def claim(self, chunk: int) -> Generator[float, None, bool]:
        """Try to take a chunk, and run it; the generator returns whether that went well."""
        self.links += 1
        self.links_of_second[int(self.now_s)] += 1
        yield self.costs.link_s
        if self.taken[chunk]:
            return False
        self.taken[chunk] = 1
        self._next[chunk] = chunk + 1
        yield self.run_s[chunk]
        self.end_s = max(self.end_s, self.now_s)
        return True


def walk_forward(claims: Claims, offset: int) -> Slot:
    """Go forward from the slot's offset, leap where another was quicker, and at the end take what lies before it.

    This is what slots did until version 0.1; it is here for comparison.
    """
    chunk, leap = offset if offset < claims.count else 0, 1
    while chunk < claims.count:
        free = claims.first_free(chunk)
        yield claims.look(free - chunk + 1)
        if free == claims.count or claims.taken[free]:
            chunk = free
        elif (yield from claims.claim(free)):
            chunk, leap = free + 1, 1
        else:
            chunk, leap = free + leap, min(16, 2 * leap)
    chunk = 0
    while (free := claims.first_free(chunk)) < claims.count:
        yield claims.look(2 * (free - chunk) + 1)
        if not claims.taken[free]:
            yield from claims.claim(free)
        chunk = free + 1


def walk_lowest(claims: Claims, offset: int) -> Slot:
    """Take the lowest chunk that is free, again and again, as `walk` in templates/manager/walk.sh does."""
    chance = random.Random(offset)
    block = max(1, min(64, claims.count // 64))
    low, crowd, chunk = 0, 0, offset % claims.count
    while True:
        yield claims.look(1)
        if not claims.taken[chunk] and (yield from claims.claim(chunk)):
            crowd //= 2
        else:
            crowd = min(64, 2 * crowd + 1)
        ahead, found = chance.randrange(crowd + 1), None
        while found is None:
            low, looks = skip_taken(claims, low, block)
            yield claims.look(looks)
            if low >= claims.count:
                return
            ahead %= (claims.count - 1 - low) // block + 1
            base = low + ahead * block
            places = [base + (offset + at) % block for at in range(block)]
            places = [place for place in places if place < claims.count]
            found = next((place for place in places if not claims.taken[place]), None)
            yield claims.look(len(places) if found is None else places.index(found) + 1)
            if found is None and ahead == 0:
                low += block
                claims.marks.add(low)
            ahead //= 2
        chunk = found


def skip_taken(claims: Claims, low: int, block: int) -> tuple[int, int]:
    """Return the lowest chunk not known to be taken, by the marks, and how many looks that took."""
    leap, looks = block, 1
    while low + leap in claims.marks:
        low, leap, looks = low + leap, 2 * leap, looks + 1
    while (leap := leap // 2) >= block:
        low, looks = (low + leap if low + leap in claims.marks else low), looks + 1
    return low, looks


@dataclass(frozen=True)
class Outcome:
    """How a run went.

    :param end_s: when the last task ended.
    :param ideal_s: when it would have, if no slot had idled.
    :param longest_s: the longest task.
    :param links: calls of link, in all.
    :param links_peak: the most within a second.
    :param looks: tests for existence, in all.
    :param busy: the part of the time for which the processors of a real machine were busy.
    """

    scenario: Scenario
    end_s: float
    ideal_s: float
    longest_s: float
    chunks: int
    links: int
    links_peak: int = 0
    looks: int | None = None
    busy: float | None = None

    @property
    def ratio(self) -> float:
        """The makespan against the ideal one."""
        spared_s = self.longest_s if self.scenario.spares_longest else 0.0
        return (self.end_s - spared_s) / self.ideal_s

    @property
    def link_rate(self) -> float:
        """Calls of link, a slot and second."""
        return self.links / self.scenario.slot_seconds(self.end_s)

    @property
    def claim_rate(self) -> float:
        """Claims, a slot and second."""
        return self.chunks / self.scenario.slot_seconds(self.end_s)


def simulate(scenario: Scenario, walk: Callable[[Claims, int], Slot], costs: Costs, seed: int = 1) -> Outcome:
    """Run a scenario with one way to look for chunks."""
    durations = scenario.durations(seed)
    sizes = chunk_sizes(scenario.tasks, len(scenario.starts) * scenario.slots)
    ends = list(itertools.accumulate(sizes))
    claims = Claims([sum(durations[end - size : end]) for end, size in zip(ends, sizes, strict=True)], costs)
    waiting = [
        (start, element * scenario.slots + slot, walk(claims, element * scenario.slots + slot))
        for element, start in enumerate(scenario.starts)
        if start is not None
        for slot in range(scenario.slots)
    ]
    heapq.heapify(waiting)
    while waiting:
        claims.now_s, offset, slot = waiting[0]
        if (step_s := next(slot, None)) is None:
            heapq.heappop(waiting)
        else:
            heapq.heapreplace(waiting, (claims.now_s + step_s, offset, slot))
    if not all(claims.taken):
        raise AssertionError("chunks were left over")
    return Outcome(
        scenario,
        claims.end_s,
        scenario.ideal_s(sum(durations)),
        max(durations),
        claims.count,
        claims.links,
        max(claims.links_of_second.values()),
        claims.looks,
    )
