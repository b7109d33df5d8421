"""Packed results on a real SLURM, through a login whose start-up files print: nothing is lost, few files are there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.managers import holding
from tests.support.processes import wait_until

from .runs import ClusterWorkspace, target

if TYPE_CHECKING:
    from .conftest import Cluster

pytestmark = pytest.mark.slurm

#: Heartbeats that come quickly, so that who is dead is soon known to be.
HURRY = {"BEAT_S": 1, "STALE_S": 6, "FRESH_S": 4}
COUNT = 60
FINAL = """
[swarms.s.final]
command = "cat <results>/*/out.txt | sort -n > all.txt"
outputs = ["all.txt"]
"""


def packed(workspace: ClusterWorkspace, command: str = "true", more: str = "") -> None:
    rows = json.dumps([[f"{number}"] for number in range(1, COUNT + 1)])
    swarm = (
        f"command = '''\n{command}\necho <arg0> > out.txt; echo printed <arg0>\n'''\nargs = {rows}\nid = \"t<arg0>\"\n"
    )
    config = f'[swarms.s]\n{swarm}outputs = ["out.txt"]\npack = true\n{more}'
    workspace.write(target(workspace.root, nodes=2, slots=2) + config)


def assert_all_came(workspace: ClusterWorkspace) -> None:
    for number in range(1, COUNT + 1):
        assert workspace.result(f"t{number}/out.txt").read_text() == f"{number}\n"
        assert workspace.result(f"logs/t{number}.log").read_text() == f"printed {number}\n"
    left = list((workspace.environment() / "work").iterdir())
    assert {path.suffix for path in left} == {".tar"}


@pytest.mark.parametrize("results", ["files", "archive"])
def test_on_two_nodes(workspace: ClusterWorkspace, results: str) -> None:
    packed(workspace, more=f'results = "{results}"\n{FINAL}')
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert workspace.result("final/all.txt").read_text().split() == [str(number) for number in range(1, COUNT + 1)]
    if results == "files":
        assert_all_came(workspace)
    else:
        for number in (1, COUNT):
            assert workspace.locusts("cat", f"t{number}", "out.txt") == (0, f"{number}\n")
            assert f"printed {number}\n" in workspace.locusts("logs", f"t{number}")[1]


@pytest.mark.parametrize("words", [("scancel", "--full", "--signal=KILL"), ("scancel",)])
def test_its_job_is_killed(workspace: ClusterWorkspace, cluster: Cluster, words: tuple[str, ...]) -> None:
    """What was packed by then stays, and the rest is run again."""
    workspace.patches = HURRY
    packed(workspace, holding(workspace.root, COUNT - 8))
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(list(workspace.root.glob("at-work.*"))) >= 4, "what is held")
    cluster.slurm.run(*words, *(job["id"].partition("_")[0] for job in workspace.status()["jobs"][:1]))
    workspace.wait_for("stalled")
    (workspace.root / "go").touch()
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_all_came(workspace)
