"""What tasks are given besides files: GPUs that a target has, and that SLURM is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.given import full_gres, gpus_in
from locusts_fab.config.load import load
from locusts_fab.errors import ConfigError
from locusts_fab.preflight.slots import judge_cpus, judge_slots
from tests.support.configs import CLUSTER, LOCAL, SWARM, problems_of, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("gres", "expected"),
    [
        ("gpu", 1),
        ("gpu:2", 2),
        ("gpu:a100", 1),
        ("gpu:a100:3", 3),
        ("nvme:1G,gpu:a100:2,gpu:v100:1", 3),
        ("gres/gpu:4", 4),
        ("gpu:2(S:0-1)", 2),
        ("nvme:100G", None),
        ("gpuless:2", None),
        ("shard:4", None),
    ],
)
def test_gpus_among_generic_resources(gres: str, expected: int | None) -> None:
    assert gpus_in(gres) == expected


@pytest.mark.parametrize(
    ("gpus", "gres", "extra", "expected"),
    [
        (None, None, [], None),
        (None, "gpu:2", [], "gpu:2"),
        (4, None, [], "gpu:4"),
        (4, "gpu:a100:4", [], "gpu:a100:4"),
        (4, "nvme:1G", [], "nvme:1G,gpu:4"),
        (4, None, ["--gpus-per-node=4"], None),
        (4, None, ["--hint=nomultithread"], "gpu:4"),
    ],
)
def test_a_job_asks_for_the_gpus_of_its_target(
    gpus: int | None, gres: str | None, extra: list[str], expected: str | None
) -> None:
    assert full_gres(gpus, gres, extra) == expected


def test_gpus_that_a_target_does_not_have(tmp_path: Path) -> None:
    swarm = SWARM + "gpus_per_task = 2\n"
    for target, problem in (
        (LOCAL, "nobody knows how many there are; write gpus = 4, say, in [targets.t]: those of a node"),
        (LOCAL + "gpus = 1\n", "2 are more than gpus = 1 of [targets.t], which is what a node has"),
    ):
        with pytest.raises(ConfigError) as raised:
            load(write(tmp_path, target + swarm))
        assert raised.value.problems == (f"swarms.s.gpus_per_task: {problem}",)


def test_gpus_that_are_said_twice(tmp_path: Path) -> None:
    config = CLUSTER + "gpus = 4\n[targets.t.slurm]\ngres = 'gpu:a100:2'\n" + SWARM
    assert problems_of(write(tmp_path, config + "gpus_per_task = 1\nenv = { CUDA_VISIBLE_DEVICES = 1 }\n")) == [
        "targets.t.slurm: gres: gpu:a100:2: that is gpu:2, but gpus = 4; say the same in both, or take gres out",
        "swarms.s.env: CUDA_VISIBLE_DEVICES: with gpus_per_task each task is told its own; take one of the two out",
    ]


@pytest.mark.parametrize(
    ("slots", "each", "used", "state"), [(16, 1, 4, "warning"), (16, 3, 1, "warning"), (2, 1, 2, "ok"), (4, 1, 4, "ok")]
)
def test_there_are_no_more_slots_than_gpus_allow(tmp_path: Path, slots: int, each: int, used: int, state: str) -> None:
    swarm = load(write(tmp_path, CLUSTER + f"gpus = 4\nslots = {slots}\n" + SWARM + f"gpus_per_task = {each}\n"))
    (finding,) = judge_slots(swarm)
    assert (swarm.slots, finding.state) == (used, state)
    if state == "warning":
        assert finding.found == f"{used} of {slots} slots are used, for gpus = 4, gpus_per_task = {each}"


def test_a_swarm_without_gpus_has_all_slots(tmp_path: Path) -> None:
    swarm = load(write(tmp_path, CLUSTER + "gpus = 1\nslots = 16\n" + SWARM))
    assert (swarm.slots, list(judge_slots(swarm))) == (16, [])


@pytest.mark.parametrize(
    ("keys", "cpus", "has_taskset", "expected"),
    [
        ("", 1, False, None),
        ("pin = true\n", 8, True, ("ok", "each slot has 2 CPUs of its own")),
        ("pin = true\n", None, True, ("ok", "each slot has 2 CPUs of its own")),
        ("pin = true\n", 8, False, ("error", "taskset is missing")),
        ("pin = true\n", 7, True, ("error", "4 slots x 2 cpus_per_task are 8 CPUs, but only 7 may be used")),
    ],
)
def test_cpus_that_slots_have_for_themselves(
    tmp_path: Path, keys: str, cpus: int | None, expected: tuple[str, str] | None, *, has_taskset: bool
) -> None:
    swarm = load(write(tmp_path, LOCAL + "slots = 4\n" + SWARM + "cpus_per_task = 2\n" + keys))
    found = [(each.state, each.found) for each in judge_cpus(swarm, cpus, has_taskset=has_taskset)]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("target", "keys", "slots", "all_slots", "job_cpus"),
    [
        ("", "cpus_per_task = 3\n", 0, 64 * 2, 3),
        ("slots = 4\n", "cpus_per_task = 3\n", 4, 4 * 2, 12),
        ("gpus = 4\n", "gpus_per_task = 2\ncpus_per_task = 3\n", 2, 2 * 2, 6),
        ("gpus = 4\n", "", 0, 64 * 2, 1),
    ],
)
def test_slots_that_only_the_node_knows(
    tmp_path: Path, target: str, keys: str, slots: int, all_slots: int, job_cpus: int
) -> None:
    swarm = load(write(tmp_path, CLUSTER + "nodes = 2\n" + target + SWARM + keys))
    assert (swarm.slots, swarm.all_slots, swarm.job_cpus) == (slots, all_slots, job_cpus)


def test_slots_of_a_workstation_are_told(tmp_path: Path) -> None:
    config = CLUSTER + "scheduler = 'none'\n" + SWARM + "cpus_per_task = 3\n"
    swarm = load(write(tmp_path, config))
    assert [each.found for each in judge_cpus(swarm, 8, has_taskset=True)] == [
        "2: as many as 8 CPUs, and GPUs if tasks have any, allow"
    ]
