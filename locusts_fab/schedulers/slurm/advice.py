"""What to ask SLURM for next time, by what tasks used."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locusts_fab.schedulers.slurm.jobs import parse_time_s
from locusts_fab.schedulers.slurm.partitions import parse_memory_mb
from locusts_fab.text import counted, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.usage import Usage

#: What is asked for beyond what was seen: nobody sees all.
_SPARE_MEMORY, _SPARE_TIME = 1.2, 1.5
#: Less than this part of what was asked for is worth a word, and so is more than this.
_MUCH_LESS, _NEARLY_ALL = 0.6, 0.95
_MUCH_SOONER = 0.25
#: No less time than that is advised, in minutes.
_LEAST_MIN = 5
_MB_PER_GB = 1024
#: From so many tasks on the largest says something of the next.
_FEW = 3


def advise_slurm(swarm: Swarm, usage: Usage) -> Iterator[str]:
    """Yield what to ask for next time of memory and time, a line each.

    :param usage: of a swarm all of whose tasks have ended.
    """
    yield from _about_memory(swarm, usage)
    yield from _about_time(swarm, usage)


def _about_memory(swarm: Swarm, usage: Usage) -> Iterator[str]:
    slurm, slots = swarm.target.slurm, usage.slots_each
    key, text = ("mem", slurm.mem) if slurm.mem is not None else ("mem_per_cpu", slurm.mem_per_cpu)
    asked_mb = parse_memory_mb(text) if text is not None else None
    if not asked_mb or usage.peak_mb is None or usage.peak_mb.count < _FEW or not slots:
        return
    parts = slots * swarm.settings.cpus_per_task if key == "mem_per_cpu" else 1
    largest_mb = usage.peak_mb.largest
    enough_mb = largest_mb * slots * _SPARE_MEMORY / parts
    seen = f'asked {key} = "{text}"; the largest of {counted(usage.peak_mb.count, "task")} took {_amount(largest_mb)}'
    holds = f'{key} = "{_asked(enough_mb)}" holds {counted(slots, "slot")}'
    if enough_mb < _MUCH_LESS * asked_mb or largest_mb * slots / parts > _NEARLY_ALL * asked_mb:
        yield f"{seen}: {holds}"


def _about_time(swarm: Swarm, usage: Usage) -> Iterator[str]:
    text = swarm.target.slurm.time
    asked_s = parse_time_s(text) if text is not None else None
    if not asked_s or not usage.slots or usage.seconds is None:
        return
    took_s = usage.slot_s / usage.slots
    enough_min = max(_LEAST_MIN, math.ceil(max(took_s * _SPARE_TIME, 2 * usage.seconds.largest) / 60))
    if enough_min * 60 < _MUCH_SOONER * asked_s:
        hours, minutes = divmod(enough_min, 60)
        enough = f'time = "{hours:02d}:{minutes:02d}:00"'
        yield f'asked time = "{text}"; all was over after {duration(took_s)}: {enough} is enough, and starts sooner'


def _amount(mb: float) -> str:
    return f"{mb / _MB_PER_GB:.1f} GB" if mb >= _MB_PER_GB else f"{mb:.0f} MB"


def _asked(mb: float) -> str:
    """Return an amount of memory as SLURM reads it, rounded up to what people write."""
    if mb > 2 * _MB_PER_GB:
        return f"{math.ceil(mb / _MB_PER_GB)}G"
    return f"{math.ceil(mb / 100) * 100}M"
