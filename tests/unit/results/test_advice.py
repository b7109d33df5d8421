"""What is advised for next time, by what tasks used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.model.usage import Spread, Usage
from locusts_fab.results.advice import advise


def told(usage: dict[str, Any], cpus_per_task: int = 1, nodes: int = 1) -> str:
    """Return the advice for a swarm of 4 slots a node that ran for 1,000 s and used its slots well, but for this."""
    settings = SwarmSettings.model_validate({"command": "x", "args": [["1"]], "cpus_per_task": cpus_per_task})
    target = Target.model_validate({"mode": "local", "slots": 4, "nodes": nodes, "scheduler": "slurm"})
    slots = 4 * nodes
    seconds = Spread(1000, 10, 20, 30)
    usual = {"cpus": float(cpus_per_task), "slots": slots, "slots_each": 4, "slot_s": 1000.0 * slots}
    values = {**usual, "busy_s": 990.0 * slots, **usage}
    found = advise(Swarm("s", settings, "t", target, Path("/x")), Usage(seconds, None, None, **values))
    return "\n".join(found)


def test_all_is_well() -> None:
    assert told({}) == ""
    assert told({"cpus": 0.8}) == ""
    assert told({"cpus": None}) == ""
    assert told({"cpus": 4.2}, cpus_per_task=4) == ""


def test_what_took_no_time_needs_no_advice() -> None:
    assert told({"busy_s": 30.0, "cpus": 9.0}) == ""


@pytest.mark.parametrize(
    ("cpus", "given", "advice"),
    [
        (3.9, 1, "tasks kept 3.9 CPUs busy each, and were given 1: cpus_per_task = 4 "),
        (1.1, 4, "tasks kept 1.1 of their 4 CPUs busy: cpus_per_task = 1"),
        (1.4, 4, "cpus_per_task = 2"),
        (0.0, 4, "cpus_per_task = 1"),
        (0.3, 1, "tasks used 30% of a CPU each"),
    ],
)
def test_cpus(cpus: float, given: int, advice: str) -> None:
    assert advice in told({"cpus": cpus}, cpus_per_task=given)


def test_too_many_nodes() -> None:
    """10 nodes of 4 slots had work for 1,200 s of a slot, and took 1,000 s: the longest tasks decide."""
    text = told({"busy_s": 1200.0, "tail_idle_s": 38_000.0}, nodes=10)
    assert text == "40 slots had nothing to do for 95% of 16 min: nodes = 1 would have taken about as long"


def test_one_long_task_at_the_end() -> None:
    usage = Usage(Spread(100, 10, 20, 900), None, None, 1.0, 4, 4, 4000.0, 2000.0, 0.0, 2000.0)
    settings = SwarmSettings.model_validate({"command": "x", "args": [["1"]]})
    swarm = Swarm("s", settings, "t", Target.model_validate({"mode": "local", "slots": 4}), Path("/x"))
    (text,) = advise(swarm, usage)
    assert text.startswith("4 slots had nothing to do for 50% of 16 min, for the longest task took 15 min")
