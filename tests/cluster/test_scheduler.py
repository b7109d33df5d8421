"""Swarms on a SLURM that fails in the ways that real ones do: no task is lost, and none is done twice."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from locusts_fab.schedulers.slurm.jobs import ACTIVE
from tests.support.processes import wait_until
from tests.support.workspace import COPY

from .runs import ClusterWorkspace, cluster_workspace, processes_of, target
from .slurm import Slurm

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Cluster
    from .sshd import Sshd

FAILED = 1
SCHEDULER = 4
#: Managers say more often that they live, and are taken for dead sooner; in seconds.
HURRY = {"BEAT_S": 1, "STALE_S": 6, "FRESH_S": 4}


pytestmark = pytest.mark.slurm


def swarm(
    workspace: ClusterWorkspace, count: int, *, slurm: str = "", command: str = "", nodes: int = 2, slots: int = 2
) -> None:
    """Write a swarm of so many tasks; each leaves a line in a file of the host when it comes to its end.

    :param command: what each task does before.
    """
    if not (workspace.folder / "in").exists():
        workspace.pairs(count)
    told = f'{command} cat f_<id>.txt > out_<id>.txt && echo <id> >> "{workspace.root}/ran"'
    config = COPY.replace('"cat f_<id>.txt > out_<id>.txt"', f"'''{told}'''")
    workspace.write(target(workspace.root, slots=slots, nodes=nodes, slurm=slurm) + config)


def ran(workspace: ClusterWorkspace) -> Counter[str]:
    """Count how often each task came to its end."""
    path = workspace.root / "ran"
    return Counter(path.read_text().split()) if path.exists() else Counter()


#: What `swarm` gives each node at the most.
SLOTS_OF_A_NODE = 4


def assert_all_done(workspace: ClusterWorkspace, count: int) -> None:
    """See that every task came to its end, and that what it made is here.

    Where a client was killed, its array and the next one may meet: a slot that had looked for the fence just before
    it came runs one task more. Each node's four slots can do that once.
    """
    times = ran(workspace)
    assert set(times) == set(map(str, range(count)))
    assert sum(times.values()) - count <= SLOTS_OF_A_NODE
    assert {row["state"] for row in workspace.tasks().values()} == {"done"}
    assert [workspace.result(f"{n}/out_{n}.txt").read_text() for n in range(count)] == [f"{n}\n" for n in range(count)]


def arrays(slurm: Slurm, known: set[str]) -> set[str]:
    """List the job arrays that are or were there, but for those that were known before."""
    return {job.id.partition("_")[0] for job in slurm.squeue()} - known


@pytest.fixture
def known(slurm: Slurm) -> set[str]:
    """List the job arrays of earlier tests."""
    return arrays(slurm, set())


def held(workspace: ClusterWorkspace) -> str:
    """Write the part of a command that waits until there is a file called go."""
    return f'until [ -e "{workspace.root}/go" ]; do sleep 0.1; done;'


# ---------------------------------------------------------------------------------------------------------------------
# One array for each submit, whatever happens

#: sbatch makes the job and then says that it did not, as it does when the controller is slow.
TIMES_OUT = """#!/bin/bash
[[ " $* " == *" --test-only "* ]] && exec {real} "$@"
{real} "$@" >/dev/null
echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
exit 1
"""


def test_sbatch_makes_the_job_and_says_that_it_did_not(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str]
) -> None:
    cluster.sshd.wrap("sbatch", TIMES_OUT)
    swarm(workspace, 6)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert len(arrays(cluster.slurm, known)) == 1
    assert_all_done(workspace, 6)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # nothing happens if it has ended
    process.communicate()


def assert_one_array_at_work(workspace: ClusterWorkspace, slurm: Slurm, known: set[str]) -> None:
    """See that no submission has had two arrays, and that no element of one ran as somebody else."""
    ids: dict[str, set[str]] = {}
    for job in slurm.squeue():
        if job.id.partition("_")[0] not in known:
            ids.setdefault(job.name, set()).add(job.id.partition("_")[0])
    assert {len(each) for each in ids.values()} == {1}, ids
    managers = [fields[1] for fields in workspace.records() if fields[0] == "manager"]
    assert len(managers) == len(set(managers))
    assert len({manager.partition("-")[0] for manager in managers}) <= len(ids)


#: sbatch tells where it is, and goes on a little later.
IN_STEPS = """#!/bin/bash
[[ " $* " == *" --test-only "* ]] && exec {{real}} "$@"
touch {home}/called
sleep {before}
{{real}} "$@"
status=$?
touch {home}/made
sleep {after}
exit $status
"""


@pytest.mark.parametrize(("mark", "before_s", "after_s"), [("called", 3, 0), ("called", 0.5, 0), ("made", 0, 1.5)])
def test_killed_while_sbatch_is_at_work(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str], mark: str, before_s: float, after_s: float
) -> None:
    """The killed command's sbatch goes on, and may come to its end before, while or after the next submit looks."""
    home = cluster.sshd.home
    for old in ("called", "made"):
        (home / old).unlink(missing_ok=True)
    cluster.sshd.wrap("sbatch", IN_STEPS.format(home=home, before=before_s, after=after_s))
    swarm(workspace, 12, command="sleep 0.2;")
    process = workspace.start("submit")
    wait_until((home / mark).exists)
    kill(process)
    cluster.sshd.unwrap("sbatch")
    code, text = workspace.locusts("run")
    assert code == 0, text
    wait_until((home / "made").exists)
    assert_one_array_at_work(workspace, cluster.slurm, known)
    assert_all_done(workspace, 12)


@pytest.mark.parametrize("first_s", [0.3, 0.5, 0.7])
def test_killed_at_any_moment_of_submit(
    workspace: ClusterWorkspace, cluster: Cluster, known: set[str], first_s: float
) -> None:
    swarm(workspace, 12, command="sleep 0.2;")
    for delay_s in (first_s, first_s + 0.05, first_s + 0.1):
        process = workspace.start("submit")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay_s)
        kill(process)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_one_array_at_work(workspace, cluster.slurm, known)
    assert_all_done(workspace, 12)


def test_killed_and_cancelled(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    """The command that knew the job was killed; cancel finds it all the same."""
    home = cluster.sshd.home
    (home / "made").unlink(missing_ok=True)
    workspace.patches = HURRY
    cluster.sshd.wrap("sbatch", IN_STEPS.format(home=home, before=0, after=1))
    swarm(workspace, 4, command=held(workspace))
    process = workspace.start("submit")
    wait_until((home / "made").exists)
    kill(process)
    code, text = workspace.locusts("cancel")
    assert code == 0, text
    assert_nothing_runs(workspace, cluster.slurm)


def assert_nothing_runs(workspace: ClusterWorkspace, slurm: Slurm) -> None:
    wait_until(lambda: not processes_of(workspace.root))
    wait_until(lambda: not [job for job in slurm.squeue() if job.state in ACTIVE])


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


# ---------------------------------------------------------------------------------------------------------------------
# While it runs

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
    assert not [job for job in cluster.slurm.squeue() if job.state in ACTIVE]


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
