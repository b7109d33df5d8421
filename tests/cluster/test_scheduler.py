"""Swarms on a SLURM that fails in the ways that real ones do: no task is lost, and none is done twice."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.schedulers.slurm.jobs import OVER
from tests.support.processes import wait_until
from tests.support.workspace import COPY

from .counted import HURRY, arrays, assert_all_done, assert_nothing_runs, held, ran, swarm
from .runs import ClusterWorkspace, cluster_workspace, target
from .slurm import Slurm

if TYPE_CHECKING:
    from .conftest import Cluster
    from .sshd import Sshd

FAILED = 1
SCHEDULER = 4

pytestmark = pytest.mark.slurm


def test_what_the_config_asks_for_is_what_slurm_hears(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str]
) -> None:
    odd = 'it\'s "me" \\ # $home'
    asked = f"""
partition = "long"
time = "1-02:03:04"
mem = "100M"
constraint = "test"
exclusive = true
exclude = "n3"
account = {json.dumps(odd)}
extra = ["--hold", "--comment='a b'"]
"""
    swarm(workspace, 4, slurm=asked, slots=3)
    code, text = workspace.locusts("submit")
    assert code == 0, text
    (job,) = arrays(cluster.slurm, known)
    found = cluster.slurm.run("scontrol", "show", "job", job)
    for words in (
        "Partition=long",
        "TimeLimit=1-02:04:00",
        "MinMemoryNode=100M",
        "Features=test",
        "OverSubscribe=NO",
        "ExcNodeList=n3",
        "CPUs/Task=3",
        "Requeue=1",
        "Comment=a b \n",
        f"Account={odd} QOS",
    ):
        assert words in found, found
    assert workspace.locusts("cancel")[0] == 0


#: squeue that fails as long as there is a file called silent.
SILENT = """#!/bin/bash
if [ -e {home}/silent ]; then
  echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2
  exit 1
fi
exec {{real}} "$@"
"""


def test_squeue_fails_for_a_while(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    silent = cluster.sshd.home / "silent"
    cluster.sshd.wrap("squeue", SILENT.format(home=cluster.sshd.home))
    swarm(workspace, 4, command=held(workspace), slurm='extra = ["--hold"]')
    assert workspace.locusts("submit")[0] == 0
    found = workspace.status()
    assert (found["state"], found["notes"]) == ("submitted", [])
    assert {job["reason"] for job in found["jobs"]} == {"JobHeldUser"}
    jobs = found["jobs"]
    try:
        silent.touch()
        found = workspace.status()
        assert (found["state"], found["jobs"]) == ("submitted", jobs), "what is known stays"
        assert "the scheduler did not answer (slurm_load_jobs error: Unable" in found["notes"][0]
        cluster.slurm.run("scontrol", "release", jobs[0]["id"].partition("_")[0])
        wait_until(lambda: len(workspace.begun()) == 4)
        found = workspace.status()
        assert (found["state"], len(found["notes"])) == ("running", 1)
    finally:
        silent.unlink()
    assert workspace.status()["notes"] == []
    (workspace.root / "go").touch()
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_all_done(workspace, 4)


@pytest.mark.parametrize("name", ["TERM", "KILL"])
def test_jobs_are_gone_and_tasks_are_left(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str], name: str
) -> None:
    workspace.patches = HURRY
    swarm(workspace, 6, command=held(workspace))
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(workspace.begun()) == 4)
    (job,) = arrays(cluster.slurm, known)
    if name == "TERM":
        cluster.slurm.run("scancel", job)
    else:
        cluster.slurm.run("scancel", "--full", "--signal=KILL", job)
    found = workspace.wait_for("stalled")
    assert "tasks are left, but no manager is running" in found["notes"][0]
    assert "`locusts submit` carries on" in found["notes"][0]
    assert workspace.locusts("watch")[0] == FAILED
    (workspace.root / "go").touch()
    assert workspace.locusts("submit")[0] == 0
    code, text = workspace.locusts("collect", "--wait")
    assert code == 0, text
    assert_all_done(workspace, 6)


#: sbatch that is told by the job script to start jobs elsewhere, as a site's own defaults may do.
ELSEWHERE = """#!/bin/bash
sed -i '2i #SBATCH --chdir=/' exec/job.sbatch
exec {real} "$@"
"""


def test_jobs_begin_in_the_environment_whatever_a_directive_says(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    swarm(workspace, 4)
    cluster.sshd.wrap("sbatch", ELSEWHERE)
    code, text = workspace.locusts("run", "--force")
    assert code == 0, text
    assert_all_done(workspace, 4)
    assert "#SBATCH --chdir=/\n" in (workspace.environment() / "exec/job.sbatch").read_text()
    assert [log.name for log in (workspace.environment() / "exec/logs").iterdir()], "where managers print to"


@pytest.mark.parametrize("option", ["--hold", "--begin=now+1day"])
def test_a_job_that_does_not_start_is_explained_and_replaced(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str], option: str
) -> None:
    swarm(workspace, 4, slurm=f'extra = ["{option}"]')
    with workspace.listen("run") as said:
        said.read_until("jobs wait (")
    code, text = workspace.locusts("status")
    assert (code, "jobs wait (" in text, "None" in text) == (0, True, False), text
    assert "4 tasks of an earlier submit are running or wait their turn" in workspace.locusts("submit")[1]
    (first,) = arrays(cluster.slurm, known)
    swarm(workspace, 4, slots=2)
    code, text = workspace.locusts("run")
    assert f"job {first} of the earlier submit waits, and the config has changed: it is replaced" in text
    assert code == 0, text
    assert_all_done(workspace, 4)
    assert len(arrays(cluster.slurm, {*known, first})) == 1
    assert {job.state for job in cluster.slurm.squeue() if job.id.startswith(f"{first}_")} <= {"CANCELLED"}


def test_more_slots_than_any_node_has_are_refused_before_anything_is_sent(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str]
) -> None:
    swarm(workspace, 4, slots=64)
    code, text = workspace.locusts("run")
    assert (code, "64 slots" in text, "nothing was sent" in text) == (SCHEDULER, True, True), text
    assert not workspace.root.exists()
    assert arrays(cluster.slurm, known) == set()


def test_a_config_that_changed_while_jobs_run(workspace: ClusterWorkspace, cluster: Cluster, known: set[str]) -> None:
    swarm(workspace, 6, command=held(workspace), slots=1)
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(workspace.begun()) == 2)
    swarm(workspace, 6, command=held(workspace), slots=2)
    code, text = workspace.locusts("submit")
    assert (code, "`locusts cancel`, then `locusts submit`" in text) == (0, True), text
    assert len(arrays(cluster.slurm, known)) == 1
    (workspace.root / "go").touch()
    assert workspace.locusts("collect", "--wait")[0] == 0


def test_a_setup_that_fails_on_every_node_is_told_once(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    swarm(workspace, 8, nodes=3)
    config = (workspace.folder / "locusts.toml").read_text()
    broken = config.replace("slots = 2\n", "slots = 2\nsetup = [': fine', 'echo no luck in $SLURM_JOB_ID; exit 7']\n")
    assert broken != config
    workspace.write(broken)
    code, text = workspace.locusts("run")
    told = "setup failed: entry 2, ended the shell with exit code 7"
    assert (code, text.count(told)) == (FAILED, 1), text
    assert "no luck in" in text
    assert workspace.locusts("status")[1].count(told) == 1
    workspace.write(config)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_all_done(workspace, 8)
    assert not [job for job in cluster.slurm.squeue() if job.state not in OVER]


def test_cancel_leaves_nothing_on_any_node(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    workspace.patches = HURRY
    swarm(workspace, 12, command=held(workspace), nodes=3, slots=3)
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(workspace.begun()) == 9)
    code, text = workspace.locusts("cancel")
    assert code == 0, text
    assert_nothing_runs(workspace, cluster.slurm)
    found = workspace.status()
    assert (found["state"], found["tasks"]["pending"]) == ("cancelled", 12)
    (workspace.root / "go").touch()
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_all_done(workspace, 12)


def test_cancel_ends_what_earlier_submits_started(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str]
) -> None:
    """A task of the first still runs when there is more to do, which is another job."""
    workspace.patches = HURRY
    swarm(workspace, 1, command=held(workspace))
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(workspace.begun()) == 1)
    (workspace.folder / "in/f_1.txt").write_text("1\n")
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(workspace.begun()) == 2)
    assert len(arrays(cluster.slurm, known)) == 2
    code, text = workspace.locusts("cancel")
    assert code == 0, text
    assert_nothing_runs(workspace, cluster.slurm)
    assert workspace.status()["tasks"]["pending"] == 2


def test_a_node_dies_and_the_others_take_over(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    workspace.patches = HURRY
    swarm(workspace, 10, command=held(workspace), slurm="exclusive = true")
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(workspace.begun()) == 4)
    cluster.slurm.kill_node(node_of(workspace, "1-0"))
    (workspace.root / "go").touch()
    wait_until(lambda: len(ran(workspace)) == 10)
    code, text = workspace.locusts("collect")
    assert code == 0, text
    assert_all_done(workspace, 10)


def test_a_node_is_taken_for_dead_and_is_not(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    """Its manager runs on beside the one that SLURM starts in its place."""
    workspace.patches = HURRY
    swarm(workspace, 10, command=held(workspace), slurm="exclusive = true")
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(workspace.begun()) == 4)
    cluster.slurm.kill_node(node_of(workspace, "1-0"), jobs_too=False)
    wait_until(lambda: node_of(workspace, "1-0-r1") != "")
    (workspace.root / "go").touch()
    wait_until(lambda: len(ran(workspace)) == 10)
    code, text = workspace.locusts("collect")
    assert code == 0, text
    assert_all_done(workspace, 10)
    assert set(workspace.begun().values()) == {1}


def node_of(workspace: ClusterWorkspace, manager: str) -> str:
    """Tell the node of a manager; nothing if it has not announced itself."""
    managers = (fields for fields in workspace.records() if fields[0] == "manager")
    return next((fields[2] for fields in managers if re.fullmatch(f"{manager}-[0-9a-f]{{8}}", fields[1])), "")


#: SLURM gives no shorter limit than a minute; so it shall give word as early as it can.
EARLY_WORD = """#!/bin/bash
SBATCH_SIGNAL=B:USR1@55 exec {real} "$@"
"""


def ended(workspace: ClusterWorkspace) -> Counter[str]:
    return Counter(fields[4] for fields in workspace.records() if fields[0] == "ended")


def test_a_time_limit_and_nobody_at_the_other_end(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    """Managers leave in order, and ask SLURM for another turn."""
    cluster.sshd.wrap("sbatch", EARLY_WORD)
    swarm(workspace, 6, command=held(workspace), slurm='time = "1"', nodes=1)
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: node_of(workspace, "1-0-r1") != "", timeout_s=300)  # SLURM looks at the clock now and then
    (workspace.root / "go").touch()
    wait_until(lambda: len(ran(workspace)) == 6)
    wait_until(lambda: ended(workspace) == {"interrupted": 2, "done": 6})
    assert ["left", "signal USR1"] in [fields[:2] for fields in workspace.records()]
    code, text = workspace.locusts("collect")
    assert code == 0, text
    assert_all_done(workspace, 6)


def element_with_the_id_of(slurm: Slurm, array: str) -> str:
    """Tell which element of a job array has the array's own id: the one that was started last."""
    lines = slurm.run("squeue", "-h", "-r", "-j", array, "-o", "%A %K").splitlines()
    return dict(line.split() for line in lines)[array]


def test_an_element_that_comes_back_leaves_the_others_alone(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str]
) -> None:
    """The word ahead of the time limit reaches the element whose id means, for SLURM, the whole array."""
    gate = f'until [ -e "{workspace.root}/go" -o -e "{workspace.root}/go.$SLURM_ARRAY_TASK_ID" ]; do sleep 0.1; done;'
    swarm(workspace, 8, command=gate)
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len(workspace.begun()) == 4)
    (array,) = arrays(cluster.slurm, known)
    element = element_with_the_id_of(cluster.slurm, array)
    other = "1" if element == "0" else "0"
    (notes,) = workspace.environment().glob(f"exec/beats/1-{element}-*.run")
    heard = Path(notes.read_text().strip()) / "go"
    cluster.slurm.run("scancel", "--batch", "--signal=USR1", f"{array}_{element}")
    wait_until(lambda: not heard.exists())
    (workspace.root / f"go.{element}").touch()
    wait_until(lambda: len(ran(workspace)) == 6)
    assert node_of(workspace, f"1-{element}-r1") != ""
    assert node_of(workspace, f"1-{other}-r1") == ""
    (workspace.root / "go").touch()
    code, text = workspace.locusts("collect", "--wait")
    assert code == 0, text
    assert_all_done(workspace, 8)
    assert workspace.begun() == dict.fromkeys(map(str, range(1, 9)), 1)


def test_more_nodes_than_an_array_may_have(tmp_path: Path, sshd: Sshd) -> None:
    with Slurm(nodes=2, settings={"MaxArraySize": 3}) as slurm, cluster_workspace(tmp_path, sshd, slurm) as workspace:
        workspace.pairs(30)
        workspace.root = tmp_path / "environments"
        workspace.write(target(workspace.root, "local", scheduler="slurm", slots=1, nodes=5) + COPY)
        code, text = workspace.locusts("run")
        assert code == 0, text
        assert {job.id.partition("_")[2] for job in slurm.squeue()} == {"0", "1", "2"}
        assert {row["state"] for row in workspace.tasks().values()} == {"done"}


def test_attach_finds_the_job(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    swarm(workspace, 4, slurm='extra = ["--hold"]')
    assert workspace.locusts("submit")[0] == 0
    shutil.rmtree(workspace.folder / ".locusts")
    code, text = workspace.locusts("attach")
    assert (code, "submitted, 0 of 4 done" in text) == (0, True), text
    assert {job["state"] for job in workspace.status()["jobs"]} == {"PENDING"}
    assert workspace.locusts("cancel")[0] == 0
    assert_nothing_runs(workspace, cluster.slurm)
