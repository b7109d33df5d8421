"""The faults that only SLURM can make."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING

from tests.chaos.inject import Effect

if TYPE_CHECKING:
    from random import Random

    from tests.chaos.phases import Held
    from tests.chaos.world import World
    from tests.cluster.slurm import Slurm


def _of(world: World) -> Slurm:
    assert world.place.slurm, "the mode has no SLURM"
    return world.place.slurm


def _jobs(world: World) -> list[str]:
    return [job.id for job in _of(world).squeue() if job.state == "RUNNING"]


def _slurm(world: World, *words: str) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):  # a job may have ended just now
        _of(world).run(*words)


def scancel(world: World, _held: Held, dice: Random) -> Effect:
    """Cancel one job, or all."""
    jobs = _jobs(world)
    jobs = jobs if dice.random() < 0.5 else jobs[:1]
    world.deaths += len(jobs)
    _slurm(world, "scancel", *jobs)
    return Effect({0, 1}, tries=2)


def requeue(world: World, _held: Held, dice: Random) -> Effect:
    """Requeue one job."""
    jobs = _jobs(world)
    if jobs:
        world.deaths += 1
        _slurm(world, "scontrol", "requeue", dice.choice(jobs))
    return Effect({0, 1}, tries=2)


def suspend(world: World, held: Held, dice: Random) -> Effect:
    """Suspend a job for longer than a manager may be silent, then resume it."""
    jobs = _jobs(world)
    if not jobs:
        return Effect({0, 1})
    job = dice.choice(jobs)
    world.deaths += 1
    _slurm(world, "scontrol", "suspend", job)
    held.let_go()
    time.sleep(world.times["STALE_S"] + 4)  # it is taken for dead by a clock
    _slurm(world, "scontrol", "resume", job)
    return Effect({0, 1}, tries=2)


def slurmd_kill(world: World, _held: Held, dice: Random) -> Effect:
    """Kill the slurmd of a node that runs something; its job runs on, or goes with it."""
    slurm = _of(world)
    nodes = sorted(job.node for job in slurm.squeue() if job.state == "RUNNING")
    if not nodes:
        return Effect({0, 1})
    node = dice.choice(nodes)
    world.deaths += nodes.count(node)
    slurm.kill_node(node, jobs_too=dice.random() < 0.5)

    def start() -> None:
        slurm.start_node(node)

    return Effect({0, 1}, start, tries=3)


def controller_down(world: World, held: Held, dice: Random) -> Effect:
    """Have no slurmctld for fifteen seconds."""
    slurm = _of(world)
    (slurm.freeze_controller if dice.random() < 0.5 else slurm.stop_controller)()
    held.let_go()
    time.sleep(15)
    if "slurmctld" in slurm._processes:
        slurm.thaw_controller()
    else:
        slurm.start_controller()
    return Effect({0, 1, 4}, tries=2)
