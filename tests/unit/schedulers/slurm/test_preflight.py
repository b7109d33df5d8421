"""The rules that judge SLURM, on what other clusters would have said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.errors import ExitStatus
from locusts_fab.schedulers.slurm.partitions import parse_memory_mb, parse_sinfo
from locusts_fab.schedulers.slurm.preflight import judge_slurm
from tests.support.findings import SLURM, load, states
from tests.support.workspace import COPY

if TYPE_CHECKING:
    from tests.support.workspace import Workspace


@pytest.fixture(autouse=True)
def _inputs(workspace: Workspace) -> None:
    workspace.pairs(5)


SINFO = """\
short*|up|1:00:00|2|16|64000|mix
short*|up|1:00:00|1|32|64000|idle
short*|up|1:00:00|1|64|256000|down*
long|up|7-00:00:00|8|16|64000|idle
endless|up|infinite|8|16|64000|alloc
closed|drain|1:00:00|1|16|64000|idle
asleep|down|1:00:00|1|16|64000|idle
vague|up|1:00:00|4|8+|1+|idle
no line of sinfo
"""
FINE = {
    "slurm_missing": "",
    "partitions": SINFO,
    "array_limit": "1001",
    "sbatch_status": "0",
    "sbatch": "sbatch: Job 1",
}
ALL_OK = {"scheduler": "ok", "partition": "ok", "time limit": "ok", "CPUs": "ok", "nodes": "ok", "test job": "ok"}
#: What stays unsaid where nothing is known of the partition.
UNKNOWN = {"scheduler": "ok", "partition": "ok", "test job": "ok"}


def judged(workspace: Workspace, slurm: str = "", target: str = "", cpus: int = 1, **facts: str) -> dict[str, str]:
    config = SLURM.replace("nodes = 2", f"nodes = 2\n{target}") + slurm + COPY + f"cpus_per_task = {cpus}\n"
    return states(judge_slurm(load(workspace, config), {**FINE, **facts}))


@pytest.mark.parametrize(
    ("slurm", "given", "expected"),
    [
        ("", {}, ALL_OK),
        ("partition = 'long'\ntime = '6-00:00:00'\n", {}, ALL_OK),
        ("partition = 'short, long'\n", {}, ALL_OK),
        ("partition = 'endless'\ntime = 'infinite'\n", {}, ALL_OK),
        ("extra = ['--partition=else']\n", {}, UNKNOWN),
        ("", {"partitions": SINFO.replace("short*", "short")}, UNKNOWN),
        ("partition = 'shart'\n", {}, {**UNKNOWN, "partition": "error"}),
        ("partition = 'closed'\n", {}, {**ALL_OK, "partition": "error"}),
        ("partition = 'asleep'\n", {}, {**ALL_OK, "partition": "warning"}),
        ("time = '1:00:01'\n", {}, {**ALL_OK, "time limit": "error"}),
        ("time = '60'\n", {}, ALL_OK),
        ("time = 'UNLIMITED'\n", {}, {**ALL_OK, "time limit": "error"}),
        ("partition = 'short,long'\ntime = '2:00:00'\n", {}, {**ALL_OK, "time limit": "warning"}),
        ("", {"cpus": 16}, {**ALL_OK, "nodes": "warning"}),  # only the node that is down
        ("", {"cpus": 17}, {**{key: "ok" for key in ALL_OK if key != "nodes"}, "CPUs": "error"}),
        ("", {"cpus": 8}, {**ALL_OK, "nodes": "warning"}),  # one node has 32
        ("mem = '60G'\n", {}, {**ALL_OK, "memory": "ok"}),
        ("mem = '300G'\n", {}, {**{key: "ok" for key in ALL_OK if key != "nodes"}, "memory": "error"}),
        ("mem_per_cpu = '100G'\n", {}, {**{key: "ok" for key in ALL_OK if key != "nodes"}, "memory": "error"}),
        ("partition = 'vague'\nmem = '300G'\n", {}, {**ALL_OK, "memory": "ok"}),
        ("exclusive = true\npartition = 'long'\n", {}, ALL_OK),
        ("", {"array_limit": "1"}, {**ALL_OK, "array": "warning"}),
        ("", {"sbatch_status": "1", "sbatch": "allocation failure"}, {**ALL_OK, "test job": "error"}),
        ("", {"sbatch_status": "124", "sbatch": "no answer within 60 s"}, {**ALL_OK, "test job": "error"}),
        ("", {"slurm_silent": "cannot contact"}, {"scheduler": "error"}),
        ("", {"slurm_missing": "sbatch"}, {"scheduler": "error"}),
    ],
)
def test_what_slurm_says(workspace: Workspace, slurm: str, given: dict[str, Any], expected: dict[str, str]) -> None:
    assert judged(workspace, slurm, **given) == expected


@pytest.mark.parametrize(
    ("said", "refuses"),
    [("Invalid account", True), ("Requested node configuration is not available", False), ("Socket timed out", False)],
)
def test_a_submit_is_refused_only_for_what_stays_as_it_is(workspace: Workspace, said: str, *, refuses: bool) -> None:
    """A controller that has just begun again says of nodes that have not answered yet what it says of none at all."""
    facts = {**FINE, "sbatch_status": "1", "sbatch": f"sbatch: error: {said}"}
    (job,) = (each for each in judge_slurm(load(workspace, SLURM + COPY), facts) if each.what == "test job")
    assert (job.state, job.may_pass) == ("error", not refuses)


def test_errors_of_slurm_come_with_advice(workspace: Workspace) -> None:
    config = SLURM + "partition = 'shart'\n" + COPY
    unknown = [each for each in judge_slurm(load(workspace, config), FINE) if each.state == "error"]
    assert [(each.what, each.exit_status) for each in unknown] == [("partition", ExitStatus.SCHEDULER)]
    assert unknown[0].advice.startswith("did you mean short?")


def test_sinfo_is_read() -> None:
    partitions = {partition.name: partition for partition in parse_sinfo(SINFO)}
    assert list(partitions) == ["short", "long", "endless", "closed", "asleep", "vague"]
    assert [name for name, partition in partitions.items() if partition.is_default] == ["short"]
    assert partitions["long"].limit_s == 7 * 86400
    assert partitions["endless"].limit_s == float("inf")
    assert [(nodes.count, nodes.cpus, nodes.is_usable) for nodes in partitions["short"].nodes] == [
        (2, 16, True),
        (1, 32, True),
        (1, 64, False),
    ]
    assert partitions["vague"].nodes[0].memory_mb is None


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [("8G", 8192), ("8000", 8000), ("1T", 1048576), ("512m", 512), ("2048K", 2), ("1.5G", 1536), ("much", None)],
)
def test_memory_is_read(text: str, megabytes: float | None) -> None:
    assert parse_memory_mb(text) == megabytes
