"""What to ask for next time of CPUs and nodes, by what tasks used; `Scheduler.advise` is about what jobs asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locusts_fab.text import counted, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.usage import Usage

#: Nobody needs advice on what took less time in all, in seconds.
WORTH_S = 60.0
#: Tasks that use less than this part of their CPUs, or more than this, have too many, or too few.
_IDLE, _CROWDED = 0.5, 1.3
#: So much of the slots' time that nobody used is worth a word.
_WASTE = 0.25
#: A run with fewer slots may take so many times as long, if it needs half of them or less.
_SLOWER = 1.2


def advise(swarm: Swarm, usage: Usage) -> Iterator[str]:
    """Yield what to ask for next time of CPUs and nodes, a line each.

    :param usage: of a swarm all of whose tasks have ended.
    """
    if usage.busy_s < WORTH_S:
        return
    if usage.cpus is not None:
        yield from _about_cpus(swarm, usage.cpus)
    yield from _about_slots(swarm, usage)


def _about_cpus(swarm: Swarm, cpus: float) -> Iterator[str]:
    given = swarm.settings.cpus_per_task
    if cpus > _CROWDED * given:
        more = f"cpus_per_task = {math.ceil(cpus - 0.2)}"
        yield f"tasks kept {cpus:.1f} CPUs busy each, and were given {given}: {more} keeps them out of each other's way"
    elif cpus < _IDLE * given and given > 1:
        yield f"tasks kept {cpus:.1f} of their {given} CPUs busy: cpus_per_task = {max(1, math.ceil(cpus - 0.2))}"
    elif cpus < _IDLE:
        yield f"tasks used {cpus:.0%} of a CPU each and waited else, for files, say: more `slots` may be quicker"


def _about_slots(swarm: Swarm, usage: Usage) -> Iterator[str]:
    """Yield a line if slots had nothing to do for long: the tasks were too few for them, or too unlike."""
    idle_s = usage.start_idle_s + usage.tail_idle_s
    if usage.seconds is None or idle_s < _WASTE * usage.slot_s or usage.slots < 2:  # noqa: PLR2004 - one cannot be less
        return
    took_s = usage.slot_s / usage.slots
    fewer = next(
        (
            nodes
            for nodes in range(1, swarm.target.nodes // 2 + 1)
            if usage.busy_s / (nodes * usage.slots_each) + usage.seconds.largest / 2 <= _SLOWER * took_s
        ),
        None,
    )
    was = f"{counted(usage.slots, 'slot')} had nothing to do for {idle_s / usage.slot_s:.0%} of {duration(took_s)}"
    if fewer is not None:
        yield f"{was}: nodes = {fewer} would have taken about as long"
    elif usage.seconds.largest > took_s / 2:
        yield f"{was}, for the longest task took {duration(usage.seconds.largest)}: if it can be split, all ends sooner"
