"""What tasks are given besides their files, from the config to the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import locusts_fab

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TELL = 'printf "%s|" "$LOCUSTS_SWARM" "$LOCUSTS_TASK" "$LOCUSTS_ATTEMPT" "$LOCUSTS_CPUS" "$OMP_NUM_THREADS" > told-<id>'


def test_tasks_are_told_what_they_are(tmp_path: Path) -> None:
    names = ["a b", "$(touch x)", "it's", "-rf", "*"]
    swarm = locusts_fab.Swarm.from_command(
        TELL.replace("<id>", "x"),
        name="told",
        folder=tmp_path,
        args=[[name] for name in names],
        id="<arg0>",
        outputs=["told-x"],
        env={"OMP_NUM_THREADS": 5},
    )
    locusts_fab.submit(swarm)
    locusts_fab.collect(swarm, wait=True)
    told = {path.parent.name: path.read_text() for path in (tmp_path / "results/told").glob("*/told-x")}
    assert told == {name: f"told|{name}|1|1|5|" for name in names}


def test_tasks_of_a_custom_environment_too(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    swarm = locusts_fab.Swarm.from_command(
        TELL, name="w", folder=tmp_path, environment="custom", root="world", args=[[1], [2]], include=["*"]
    )
    locusts_fab.submit(swarm)
    locusts_fab.collect(swarm, wait=True)
    told = {path.name: path.read_text() for path in (tmp_path / "world").iterdir()}
    assert told == {f"told-{task}": f"w|{task}|1|1|1|" for task in ("000001", "000002")}


def test_gpus_are_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are three slots, but GPUs for two; each is locked by the task that uses it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5,GPU-7")
    lock = f'mkdir "{tmp_path}/$CUDA_VISIBLE_DEVICES"; sleep 0.02; rmdir "{tmp_path}/$CUDA_VISIBLE_DEVICES"'
    swarm = locusts_fab.Swarm.from_command(
        f"{lock}; echo $CUDA_VISIBLE_DEVICES > gpu",
        name="gpus",
        folder=tmp_path,
        args=[[number] for number in range(40)],
        outputs=["gpu"],
        gpus_per_task=1,
        target={"mode": "local", "slots": 3, "gpus": 2},
    )
    said = "2 of 3 slots are used, for gpus = 2, gpus_per_task = 1"
    assert any(said in note for note in locusts_fab.submit(swarm).notes)
    assert any(said in finding.found for finding in locusts_fab.check(swarm))
    status = locusts_fab.collect(swarm, wait=True).status
    assert (status.tasks.done, [manager.slots for manager in status.managers]) == (40, [2])
    used = {path.read_text() for path in (tmp_path / "results/gpus").glob("*/gpu")}
    assert used <= {"GPU-5\n", "GPU-7\n"}


def test_a_machine_with_too_few_gpus_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    swarm = locusts_fab.Swarm.from_command(
        "true",
        name="few",
        folder=tmp_path,
        args=[[1]],
        gpus_per_task=1,
        target={"mode": "local", "slots": 2, "gpus": 2},
    )
    locusts_fab.submit(swarm)
    status = locusts_fab.watch(swarm)
    assert status.state == locusts_fab.SwarmState.STALLED
    assert any("are 2 GPUs, but only 1 can be seen on this node" in note for note in status.notes)
