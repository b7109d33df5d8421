"""Swarms on the test cluster whose tasks leave a line each time they come to their end, so that it can be counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from locusts_fab.schedulers.slurm.jobs import OVER
from tests.support.processes import wait_until
from tests.support.workspace import COPY

from .runs import ClusterWorkspace, processes_of, target

if TYPE_CHECKING:
    from .slurm import Slurm

#: Managers say more often that they live, and are taken for dead sooner; in seconds.
HURRY = {"BEAT_S": 1, "STALE_S": 6, "FRESH_S": 4}


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


def held(workspace: ClusterWorkspace) -> str:
    """Write the part of a command that waits until there is a file called go."""
    return f'until [ -e "{workspace.root}/go" ]; do sleep 0.1; done;'


def assert_nothing_runs(workspace: ClusterWorkspace, slurm: Slurm) -> None:
    """Wait until no process and no job is left."""
    wait_until(lambda: not processes_of(workspace.root))
    wait_until(lambda: not [job for job in slurm.squeue() if job.state not in OVER])
