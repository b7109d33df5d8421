"""All schedulers, by their names in the config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.schedulers.detached import NoScheduler
from locusts_fab.schedulers.slurm.scheduler import SlurmScheduler

if TYPE_CHECKING:
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.schedulers.base import Scheduler

#: A new scheduler is a line here.
_ALL: tuple[Scheduler, ...] = (NoScheduler(), SlurmScheduler())

SCHEDULERS = {scheduler.name: scheduler for scheduler in _ALL}


def scheduler_of(swarm: Swarm) -> Scheduler:
    """Return the scheduler of a swarm's target."""
    return SCHEDULERS[swarm.target.scheduler]
