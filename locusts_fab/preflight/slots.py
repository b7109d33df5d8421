"""The rules for how many tasks run at a time on a node, as far as the config alone decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.model import Finding

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
