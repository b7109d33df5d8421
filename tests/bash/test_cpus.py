"""The GPUs and CPUs that a slot has for itself, and how many slots a node has."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.shell.scripts import templates_folder
from tests.support.managers import BASH, BOTH_WAYS, ManualEnvironment

if TYPE_CHECKING:
    from pathlib import Path

# ---- GPUs ----

#: A task that fails if another has one of its GPUs, and holds them for a moment.
LOCKING = (
    'IFS=,; for gpu in $CUDA_VISIBLE_DEVICES; do mkdir "{0}/$gpu"; done; sleep 0.02; for gpu in $CUDA_VISIBLE_DEVICES; '
    'do rmdir "{0}/$gpu"; done; printf %s "$CUDA_VISIBLE_DEVICES $ROCR_VISIBLE_DEVICES"'
)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({}, ["0,1 0,1", "2,3 2,3"]),
        ({"CUDA_VISIBLE_DEVICES": "7,5,GPU-a b,5,1"}, ["7,5 7,5", "GPU-ab,1 GPU-ab,1"]),
        ({"CUDA_VISIBLE_DEVICES": "4,5,6,7,8", "ROCR_VISIBLE_DEVICES": "0,1,2,3"}, ["4,5 0,1", "6,7 2,3"]),
        ({"ROCR_VISIBLE_DEVICES": "3,2,1,0"}, ["3,2 3,2", "1,0 1,0"]),
    ],
)
def test_each_gpu_is_used_by_one_task_at_a_time(tmp_path: Path, given: dict[str, str], parts: list[str]) -> None:
    (tmp_path / "locks").mkdir()
    with ManualEnvironment(tmp_path, slots=2, gpus=4, gpus_per_task=2) as env:
        env.plan(*[[LOCKING.format(tmp_path / "locks")] * 3] * 8).run(env=given)
        assert set(map(tuple, env.states().values())) == {("done",)}
        seen = {env.log(task, f"{(task + 2) // 3:06d}.1") for task in range(1, 25)}
        assert seen == set(parts)
        assert env.complaints() == ""


@pytest.mark.parametrize("given", ["0,1,2", "", "NoDevFiles", "0,1,-1,2,3", "0,0,0,0"])
def test_nothing_runs_where_gpus_are_missing(tmp_path: Path, given: str) -> None:
    with ManualEnvironment(tmp_path, slots=2, gpus=4, gpus_per_task=2) as env:
        env.plan(["true"]).run(env={"CUDA_VISIBLE_DEVICES": given})
        assert env.states() == {}
        assert (env.left() or "").startswith("2 slots x 2 gpus_per_task are 4 GPUs, but only ")


def test_gpus_that_no_task_has_for_itself_stay_as_they_are(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2, gpus=4) as env:
        env.plan(["echo $CUDA_VISIBLE_DEVICES ${ROCR_VISIBLE_DEVICES-none}"]).run(env={"CUDA_VISIBLE_DEVICES": "2,3"})
        assert env.log() == "2,3 none\n"


def test_lists_for_hip_count_what_rocr_has_left(tmp_path: Path) -> None:
    part = "\n".join((templates_folder() / f"manager/{name}.sh").read_text() for name in ("records", "gpus"))
    script = f"""
        declare -A GIVEN=([HIP_VISIBLE_DEVICES]=4,5,6,7)
        {part}
        has_amd() {{ true; }}
        GPUS=4 GPUS_PER_TASK=2 SLOTS=2 SLOT=1 HIP_VISIBLE_DEVICES=4,5,6,7
        find_gpus && give_gpus
        echo "$ROCR_VISIBLE_DEVICES $CUDA_VISIBLE_DEVICES ${{HIP_VISIBLE_DEVICES-none}}"
    """
    printed = subprocess.run([BASH, "-uc", script], cwd=tmp_path, capture_output=True, check=True).stdout
    assert printed == b"6,7 0,1 none\n"


# ---- CPUs ----

ALLOWED = sorted(os.sched_getaffinity(0))


@pytest.mark.skipif(len(ALLOWED) < 2, reason="needs two CPUs")
@BOTH_WAYS
def test_each_slot_has_cpus_of_its_own(tmp_path: Path, *, is_direct: bool) -> None:
    program = "grep" if is_direct else ""
    command = "grep ^Cpus_allowed_list: /proc/self/status"
    with ManualEnvironment(tmp_path, slots=2, pin=1, program=program) as env:
        env.plan(*[[command] * 5] * 6).run()
        seen = {env.log(task, f"{(task + 4) // 5:06d}.1").split()[1] for task in range(1, 31)}
        assert seen <= {str(cpu) for cpu in ALLOWED[:2]}
        assert (env.complaints(), env.left()) == ("", "finished")
    with ManualEnvironment(tmp_path, "wide", slots=1, cpus_per_task=2, pin=1) as env:
        first = str(ALLOWED[0])
        env.plan([command]).run()
        assert env.log().split()[1] in {",".join(map(str, ALLOWED[:2])), f"{first}-{ALLOWED[1]}"}
    with ManualEnvironment(tmp_path, "one", slots=1, pin=1) as env:
        env.plan([command]).start(wrapper=["taskset", "-c", str(ALLOWED[1]), BASH]).wait()
        assert env.log().split()[1] == str(ALLOWED[1])


def test_nothing_runs_where_slots_cannot_have_cpus(tmp_path: Path) -> None:
    need = len(ALLOWED) + 1
    with ManualEnvironment(tmp_path, slots=1, cpus_per_task=need, pin=1) as env:
        env.plan(["true"]).run()
        made_of = f"1 slots x {need} cpus_per_task are {need} CPUs"
        expected = f"pin = true: {made_of}, but only {len(ALLOWED)} may be used on this node"
        assert (env.states(), env.left()) == ({}, expected)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "cat", "cp", "env", "ln", "mkdir", "mkfifo", "mktemp", "mv", "rm"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    with ManualEnvironment(tmp_path, "bare", pin=1) as env:
        env.plan(["true"]).run(env={"PATH": str(tools)})
        assert (env.states(), env.left()) == (
            {},
            "pin = true needs taskset, of util-linux, which is not on this node",
        )


@pytest.mark.parametrize(
    ("allowed", "given", "threads", "expected"),
    [
        ("0-15", "", "0", 0),
        ("0-15", "16", "0", 0),
        ("0-15", "4", "0", 1),
        ("0-15", "8", "0,8", 0),
        ("0-15", "4", "0-1", 1),
    ],
)
def test_a_job_that_is_not_kept_to_its_cpus(allowed: str, given: str, threads: str, expected: int) -> None:
    parts = [(templates_folder() / f"manager/{name}.sh").read_text() for name in ("records", "cpus", "pin", "slurm")]
    script = "\n".join(parts).replace("</sys/devices/system/cpu/cpu0/topology/thread_siblings_list", f"<<<'{threads}'")
    script += f"\nSLURM_CPUS_ON_NODE={given}; read_numbers {allowed}; CPUS=(${{NUMBERS[@]}}); is_confined"
    assert subprocess.run([BASH, "-uc", script], check=False).returncode == expected


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        ({}, "", len(ALLOWED)),
        ({"cpus_per_task": len(ALLOWED) + 1}, "", 1),
        ({}, "1", 1),
        ({}, str(len(ALLOWED) + 7), len(ALLOWED)),
        ({}, "many", len(ALLOWED)),
        ({"slots": 3}, "1", 3),
        ({"gpus": 1, "gpus_per_task": 1}, "", 1),
        ({"scheduler": "detached"}, "1", len(ALLOWED)),
    ],
)
def test_a_node_has_as_many_slots_as_cpus_for_them(
    tmp_path: Path, values: dict[str, Any], given: str, expected: int
) -> None:
    with ManualEnvironment(tmp_path, **{"slots": 0, **values}) as env:
        env.plan(["true"]).run(env={"SLURM_CPUS_ON_NODE": given})
        assert (env.announced().slots, env.states(), env.left()) == (expected, {1: ["done"]}, "finished")
