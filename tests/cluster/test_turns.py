"""Swarms with a bad node, a task that never fits its job, and a task that kills whoever runs it, on a real SLURM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .runs import ClusterWorkspace, target, together

if TYPE_CHECKING:
    from .conftest import Cluster

ROWS = """
[swarms.s]
command = '''
{command}
echo <id> > out.txt
'''
args = [{args}]
outputs = ["out.txt"]
"""


def rows(command: str, count: int) -> str:
    """Return a swarm of so many tasks."""
    return ROWS.format(command=command, args=", ".join(f'["{number}"]' for number in range(count)))


@pytest.mark.slurm
def test_what_fails_on_one_node_is_done_by_the_others(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    """The node is named in status, at the end of `run` and in the table, and left out of the next job."""
    command = f"until {together(workspace.environment(), 3)}; do sleep 0.1; done\n[ $SLURMD_NODENAME != n1 ] || exit 7"
    workspace.write(target(workspace.root, nodes=3, slots=4) + rows(command, 200))
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert "everything fails on node n1" in text
    status = workspace.status()
    assert (status["tasks"]["done"], status["bad_nodes"]) == (200, ["n1"])
    tasks = workspace.tasks()
    assert {row["node"] for row in tasks.values()} == {"n2", "n3"}
    named = [
        row for row in tasks.values() if row["reason"] == "failed on node n1, where nearly all did, and was run again"
    ]
    assert 8 <= len(named) < 60
    workspace.write(target(workspace.root, nodes=3, slots=4) + rows("true", 201))
    assert workspace.locusts("run")[0] == 0
    assert "#SBATCH --exclude=n1\n" in (workspace.environment() / "exec/job.sbatch").read_text()
    assert list(workspace.tasks().values())[-1]["node"] != "n1"
    assert cluster.slurm.is_up("n1"), "a bad node is left out, and never drained for others"


@pytest.mark.slurm
def test_a_task_that_never_fits_its_job_is_named(workspace: ClusterWorkspace) -> None:
    """Its job comes back by itself, three times at most for nothing; `collect --wait` ends."""
    workspace.write(
        target(workspace.root, nodes=1, slots=2, slurm='time = "1"') + rows("[ <arg0> != 0 ] || sleep 90", 20)
    )
    assert workspace.locusts("submit")[0] == 0
    workspace.wait_for("finished", timeout_s=600)  # its job has to begin four times
    code, text = workspace.locusts("collect", "--wait")
    assert code == 1, text
    first, *others = workspace.tasks().values()
    assert first["reason"] == "longer than the job's time limit (3 tries)"
    assert [row["state"] for row in others] == ["done"] * 19


@pytest.mark.slurm
def test_a_task_that_kills_who_runs_it_is_named(workspace: ClusterWorkspace) -> None:
    """It takes the whole job along; repeating the command carries on, and after three times it is not run any more."""
    # its own command line names the manager too; and all are stopped first, so that none records that another went
    is_ours = "[ \"$(cut -d' ' -f6 $p/stat)\" = \"$(cut -d' ' -f6 /proc/$$/stat)\" ]"
    is_manager = "[ $p != /proc/$$ ] && grep -q manager.sh $p/cmdline"
    each = f"for p in /proc/[0-9]*; do {is_manager} && {is_ours} && kill -$signal ${{p#/proc/}}; done"
    command = f"[ <arg0> != 0 ] || {{ for signal in STOP KILL; do {each}; done; kill -9 $$; }}"
    workspace.write(target(workspace.root, nodes=1, slots=2) + rows(command, 20))
    workspace.patches = {"BEAT_S": 1, "FRESH_S": 4}  # whose job is over is gone once it has been silent for so long
    codes = [workspace.locusts("run")[0] for _ in range(4)]
    first, *others = workspace.tasks().values()
    assert first["reason"] == "lost with its manager 3 times"
    assert [row["state"] for row in others] == ["done"] * 19
    assert codes == [1, 1, 1, 1]
