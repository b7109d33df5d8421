"""`launch`, as scripts for the original call it, on the test cluster: the pairs, and a custom environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import REPOSITORY
from tests.support.worlds import TASKS, TREE, check_tree, make_world

from .runs import ClusterWorkspace, cluster_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Cluster

PARAMETERS = """\
# as the original reads it
run_on_hpc True
host_name testcluster
requested_nodes 2
cpus_per_node 3
hpc_exec_dir {root}
partition short
walltime 00:10:00
"""

PAIRS = f"""
import locusts_fab
locusts_fab.launch(
    indir={str(REPOSITORY / "examples" / "pairs" / "inputs")!r},
    outdir="out",
    code="pairs",
    spcins=["inputfile_<id>.txt", "secondinputfile_<id>.txt"],
    shdins=["sf1:sharedfile.txt"],
    outs=["cat_output_<id>.txt"],
    cmd="sleep 0.1; cat inputfile_<id>.txt secondinputfile_<id>.txt <shared>sf1 > cat_output_<id>.txt",
    parf="test.par",
)
"""

WORLD = f"""
import locusts_fab
locusts_fab.launch(
    code="s",
    cmd="bash ../scripts/change.sh <arg0>",
    args=[[str(number)] for number in range({TASKS})],
    envroot="world",
    envfs="tree.fst",
    parf="test.par",
)
"""


def launch(workspace: ClusterWorkspace, script: str) -> None:
    """Run a script as a user would."""
    (workspace.folder / "test.par").write_text(PARAMETERS.format(root=workspace.root))
    with workspace.python("-c", script) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out + err).decode()


def test_the_tutorial_on_slurm(tmp_path: Path, cluster: Cluster) -> None:
    with cluster_workspace(tmp_path, *cluster) as workspace:
        launch(workspace, PAIRS)
        inputs = REPOSITORY / "examples" / "pairs" / "inputs"
        for number in range(101):
            names = (f"inputfile_{number}.txt", f"secondinputfile_{number}.txt", "sharedfile.txt")
            wanted = b"".join((inputs / name).read_bytes() for name in names)
            assert (workspace.folder / "out" / str(number) / f"cat_output_{number}.txt").read_bytes() == wanted


@pytest.mark.usefixtures("cluster")
def test_a_custom_environment_on_slurm(tmp_path: Path, cluster: Cluster) -> None:
    with cluster_workspace(tmp_path, *cluster) as workspace:
        world = make_world(workspace, "", "far")
        (workspace.folder / "locusts.toml").unlink()
        assert (workspace.folder / "tree.fst").read_text() == TREE
        launch(workspace, WORLD)
        check_tree(world, in_place=False)
