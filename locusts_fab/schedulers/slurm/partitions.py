"""Partitions and nodes, read from what SLURM prints. Pure; `templates/remote/slurm_probe.sh` asks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from locusts_fab.bounds.numbers import whole_or_none
from locusts_fab.schedulers.slurm.jobs import parse_time_s

#: The fields that `templates/remote/slurm_probe.sh` asks sinfo for: partition, whether it is up, time limit, and of
#: each group of nodes that are alike: how many, CPUs, megabytes, state.
_FIELDS = 7

#: States of nodes, as sinfo abbreviates them, in which no job starts; a `*` after any state says: does not answer.
_OUT = ("down", "drain", "drng", "fail", "futr", "inval", "unk")
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)B?", re.IGNORECASE)
_UNITS_MB = {"K": 1 / 1024, "": 1.0, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024}


@dataclass(frozen=True)
class Nodes:
    """A group of nodes of a partition that are alike.

    :param cpus: of each node.
    :param memory_mb: of each node, as the site states it; None where it states none.
    :param state: as sinfo abbreviates it.
    """

    count: int
    cpus: int
    memory_mb: int | None
    state: str

    @property
    def is_usable(self) -> bool:
        """Whether jobs can start on them, now or once others have ended."""
        return not self.state.startswith(_OUT) and not self.state.endswith("*")


@dataclass
class Partition:
    """A partition of the cluster.

    :param availability: `up` if it takes jobs and starts them.
    :param limit: its time limit, as sinfo writes it.
    """

    name: str
    is_default: bool
    availability: str
    limit: str
    nodes: list[Nodes] = field(default_factory=list)

    @property
    def limit_s(self) -> float:
        """Its time limit in seconds; infinite if it has none."""
        seconds = parse_time_s(self.limit)
        return float("inf") if seconds is None else seconds


def parse_sinfo(stdout: str) -> list[Partition]:
    """Return the partitions in what `sinfo -h -e -a -o FORMAT` printed; lines of another form are left out."""
    found: dict[str, Partition] = {}
    for line in stdout.splitlines():
        fields = [part.strip() for part in line.split("|")]
        if len(fields) != _FIELDS:
            continue
        count, cpus = whole_or_none(fields[3]), whole_or_none(fields[4].rstrip("+"))
        if count is None or cpus is None:
            continue
        name = fields[0].rstrip("*")
        partition = found.setdefault(name, Partition(name, fields[0].endswith("*"), fields[1], fields[2]))
        # a site that does not state the memory of its nodes leaves SLURM's default, which is 1
        memory_mb = whole_or_none(fields[5].rstrip("+"), 2)
        partition.nodes.append(Nodes(count, cpus, memory_mb, fields[6]))
    return list(found.values())


def parse_memory_mb(text: str) -> float | None:
    """Return an amount of memory in megabytes, from `8G` or a number of them as sbatch reads it; None if it is none."""
    found = _MEMORY.fullmatch(text.strip())
    return float(found[1]) * _UNITS_MB[found[2].upper()] if found else None
