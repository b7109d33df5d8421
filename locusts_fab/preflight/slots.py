"""The rules for how many tasks run at a time on a node, by its GPUs and CPUs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.model.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.config.swarm import Swarm


def judge_slots(swarm: Swarm) -> Iterator[Finding]:
    """Yield the finding on slots that stay empty, because a node has too few GPUs for them."""
    slots, most, each = swarm.target.slots, swarm.most_slots, swarm.settings.gpus_per_task
    if most is None:
        return
    made_of = f"gpus = {swarm.target.gpus}, gpus_per_task = {each}"
    if slots is not None and slots > most:
        advice = "the others stay empty; give the node more gpus, or tasks fewer, if that is not meant"
        yield Finding("GPUs", "warning", f"{most} of {slots} slots are used, for {made_of}", advice)
    else:
        yield Finding("GPUs", "ok", f"enough for each slot: {made_of}")


def judge_cpus(swarm: Swarm, cpus: int | None, *, has_taskset: bool) -> Iterator[Finding]:
    """Yield findings on the CPUs of a machine without a scheduler: how many slots they make, and for `pin`.

    :param cpus: how many may be used there; None if that is not known.
    :param has_taskset: whether the program is there.
    """
    each, needed = swarm.settings.cpus_per_task, swarm.job_cpus
    if swarm.target.slots is None and cpus:
        slots = swarm.slots or max(1, min(cpus // each, swarm.most_slots or cpus))
        yield Finding("slots", "ok", f"{slots}: as many as {cpus} CPUs, and GPUs if tasks have any, allow")
    if not swarm.settings.pin:
        return
    if not has_taskset:
        yield Finding("pin", "error", "taskset is missing", "install util-linux there, or take pin out of the config")
    elif cpus is not None and needed > cpus:
        advice = "ask for fewer slots or cpus_per_task, or take pin out of the config"
        found = f"{max(1, swarm.slots)} slots x {each} cpus_per_task are {needed} CPUs, but only {cpus} may be used"
        yield Finding("pin", "error", found, advice)
    else:
        yield Finding("pin", "ok", f"each slot has {each} CPUs of its own")
