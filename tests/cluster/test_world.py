"""Custom environments on the test cluster: tasks on two nodes change one tree, and what they changed comes home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.worlds import check_contested, check_nothing_moves_again, check_tree, make_world

from .runs import ClusterWorkspace, cluster_workspace, target, together
from .sshd import Sshd

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Cluster


@pytest.mark.parametrize(
    "keys",
    [
        {"mode": "remote", "scheduler": "slurm", "nodes": 2},
        {"mode": "remote", "scheduler": "none"},
        {"mode": "local", "scheduler": "slurm", "nodes": 2},
    ],
    ids=["remote", "remote-none", "local-slurm"],
)
def test_what_twenty_tasks_change_comes_home(tmp_path: Path, cluster: Cluster, keys: dict[str, Any]) -> None:
    with cluster_workspace(tmp_path, *cluster) as workspace:
        check_homecoming(workspace, target(workspace.root, slots=3, **keys), nodes=keys.get("nodes", 1))


def test_what_twenty_tasks_change_in_a_shared_folder_comes_home(tmp_path: Path, cluster: Cluster) -> None:
    """Files that we make must belong to the account, as on a real mount; so the account is the one that runs this."""
    (tmp_path / "there").mkdir()
    (tmp_path / "here").symlink_to(tmp_path / "there")
    with (
        Sshd(cluster.slurm.env, own_account=False) as sshd,
        cluster_workspace(tmp_path, sshd, cluster.slurm) as workspace,
    ):
        shared = f"shared_root = '{tmp_path / 'here'}'"
        keys: dict[str, Any] = {"scheduler": "slurm", "slots": 3, "nodes": 2}
        workspace.root = tmp_path / "there"
        check_homecoming(workspace, target(workspace.root, "remote-shared", shared, **keys), nodes=2)


def check_homecoming(workspace: ClusterWorkspace, config: str, nodes: int) -> None:
    """Run the world of `tests.support.worlds`, change a file here meanwhile, and see what comes home."""
    world = make_world(workspace, config, "far", hold=together(workspace.environment(), nodes))
    if "host" not in config:  # in mode local, a copy
        path = workspace.folder / "locusts.toml"
        path.write_text(path.read_text() + "in_place = false\n")
    code, text = workspace.locusts("submit")
    assert code == 0, text
    (world / "data" / "contested.txt").write_text("mine\n")
    code, text = workspace.locusts("collect", "--wait")
    assert code == 0, text
    check_tree(world, in_place=False)
    check_contested(workspace, world, "far")
    assert len({row["node"] for row in workspace.tasks().values()}) == nodes
    check_nothing_moves_again(workspace, world)
