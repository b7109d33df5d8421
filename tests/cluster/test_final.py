"""A task after all others on a real SLURM: whatever becomes of jobs and nodes, it is done once and right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.managers import holding
from tests.support.processes import wait_until

from .runs import ClusterWorkspace, target
from .test_turns import rows

if TYPE_CHECKING:
    from .conftest import Cluster

pytestmark = pytest.mark.slurm

#: Heartbeats that come quickly, so that who is dead is soon known to be.
HURRY = {"BEAT_S": 1, "STALE_S": 6, "FRESH_S": 4}
COUNT = 12


def summed(workspace: ClusterWorkspace, *, of_final: str = "", of_others: str = "") -> None:
    """Write a swarm with a sum of all that its tasks make."""
    final = f"{of_final}\ncat <results>/*/out.txt | sort > all.txt"
    table = f"[swarms.s.final]\ncommand = '''\n{final}\n'''\noutputs = ['all.txt']\n"
    workspace.write(target(workspace.root, nodes=2, slots=2) + rows(of_others or "true", COUNT) + table)


def assert_summed(workspace: ClusterWorkspace) -> None:
    """See that the sum is here, made once and of all."""
    assert workspace.result("final/all.txt").read_text().split() == [f"{number:06}" for number in range(1, COUNT + 1)]
    assert {row["state"] for row in workspace.tasks().values()} == {"done"}
    cache = (workspace.environment() / "exec/cache").iterdir()
    ended = [line.split("\t") for path in cache for line in path.read_text().splitlines() if line[:5] == "ended"]
    assert sum(fields[2] == str(COUNT + 1) and fields[4] == "done" for fields in ended) == 1


def test_on_two_nodes(workspace: ClusterWorkspace) -> None:
    summed(workspace)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_summed(workspace)


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("words", [("scancel", "--full", "--signal=KILL"), ("scancel",)])
def test_its_job_is_killed(
    workspace: ClusterWorkspace, cluster: Cluster, words: tuple[str, ...], *, is_before: bool
) -> None:
    """Either while it runs, or while the last of the others do."""
    workspace.patches = HURRY
    held = holding(workspace.root, COUNT - 4 if is_before else 0)
    summed(workspace, **{"of_others" if is_before else "of_final": held})
    assert workspace.locusts("submit")[0] == 0
    waiting = 4 if is_before else 1
    wait_until(lambda: len(list(workspace.root.glob("at-work.*"))) >= waiting, "what is held")
    cluster.slurm.run(*words, *(job["id"].partition("_")[0] for job in workspace.status()["jobs"][:1]))
    workspace.wait_for("stalled")
    (workspace.root / "go").touch()
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_summed(workspace)


def test_its_node_dies(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    """SLURM starts its job anew, and that takes it over."""
    workspace.patches = HURRY
    summed(workspace, of_final=f"echo $SLURMD_NODENAME > '{workspace.root}/node'; {holding(workspace.root)}")
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: list(workspace.root.glob("at-work.*")), "the last task")
    cluster.slurm.kill_node((workspace.root / "node").read_text().strip())
    (workspace.root / "go").touch()
    code, text = workspace.locusts("collect", "--wait")
    assert code == 0, text
    assert_summed(workspace)
