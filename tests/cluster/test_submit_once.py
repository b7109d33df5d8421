"""One job array for each submit, whatever happens to sbatch and to the command that called it."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import wait_until

from .counted import HURRY, arrays, assert_all_done, assert_nothing_runs, held, swarm

if TYPE_CHECKING:
    from .conftest import Cluster
    from .runs import ClusterWorkspace
    from .slurm import Slurm

pytestmark = pytest.mark.slurm

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
