"""What to ask SLURM for next time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.model.usage import Spread, Usage
from locusts_fab.schedulers.slurm.advice import advise_slurm


def told(slurm: dict[str, Any], peak_mb: float | None, took_s: float = 600, longest_s: float = 60) -> list[str]:
    """Return the advice for a job of 16 slots."""
    settings = SwarmSettings.model_validate({"command": "x", "args": [["1"]], "cpus_per_task": 2})
    target = Target.model_validate({"mode": "local", "scheduler": "slurm", "slots": 16, "slurm": slurm})
    peaks = None if peak_mb is None else Spread(500, peak_mb / 2, peak_mb, peak_mb)
    usage = Usage(Spread(500, 1, 2, longest_s), None, peaks, 1.0, 32, 16, 32 * took_s, 32 * took_s)
    return list(advise_slurm(Swarm("s", settings, "t", target, Path("/x")), usage))


@pytest.mark.parametrize(
    ("slurm", "peak_mb", "advice"),
    [
        (
            {"mem": "64G"},
            1229,
            'asked mem = "64G"; the largest of 500 tasks took 1.2 GB: mem = "24G" holds 16 slots',
        ),
        ({"mem": "8G"}, 505, 'asked mem = "8G"; the largest of 500 tasks took 505 MB: mem = "10G" holds 16 slots'),
        ({"mem": "64000"}, 10, 'asked mem = "64000"; the largest of 500 tasks took 10 MB: mem = "200M" holds 16 slots'),
        (
            {"mem_per_cpu": "4G"},
            1024,
            'asked mem_per_cpu = "4G"; the largest of 500 tasks took 1.0 GB: mem_per_cpu = "700M" holds 16 slots',
        ),
    ],
)
def test_memory(slurm: dict[str, Any], peak_mb: float, advice: str) -> None:
    assert told(slurm, peak_mb) == [advice]


@pytest.mark.parametrize(
    ("slurm", "peak_mb"),
    [({}, 1000), ({"mem": "16G"}, 700), ({"mem": "16G"}, None), ({"mem": "0"}, 700)],
)
def test_memory_that_is_right_or_not_known(slurm: dict[str, Any], peak_mb: float | None) -> None:
    assert told(slurm, peak_mb) == []


@pytest.mark.parametrize(
    ("asked", "took_s", "longest_s", "advice"),
    [
        ("24:00:00", 720, 60, 'asked time = "24:00:00"; all was over after 12 min: time = "00:18:00" is enough, '),
        ("1-0", 7200, 60, 'all was over after 2 h 0 min: time = "03:00:00"'),
        ("24:00:00", 600, 1800, 'time = "01:00:00"'),
        ("600", 10, 1, 'time = "00:05:00"'),
    ],
)
def test_time(asked: str, took_s: float, longest_s: float, advice: str) -> None:
    (line,) = told({"time": asked}, None, took_s, longest_s)
    assert advice in line


@pytest.mark.parametrize("asked", ["00:30:00", "10", "0"])
def test_time_that_is_right(asked: str) -> None:
    assert told({"time": asked}, None) == []
