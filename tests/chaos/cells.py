"""The matrix as data: which fault in which phase and mode makes sense, and what the swarm is like then."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tests.chaos import inject, inject_pack, inject_slurm

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.chaos.inject import Effect
    from tests.chaos.phases import Held
    from tests.chaos.world import World

    Inject = Callable[[World, Held, Random], Effect]

#: Phases in which a command does something, and in which managers do while a `run` looks on.
CLIENT = ("plan", "stage", "start", "poll", "collect", "redo", "clean")
MANAGER = ("pending", "claimed", "running", "written", "packing", "draining", "final")
#: In some it makes no difference whether what tasks leave is packed; others are there only then.
NEVER_PACKED = ("plan", "stage", "start", "poll", "pending")
ONLY_PACKED = ("packing", "ended")
#: What a mode is called where that is packed.
PACKED = "+pack"
HERE = ("local", "crowd")
FAR = ("remote", "shared", "slurm")
#: Where we start managers, and can do to their processes what we like.
OURS = (*HERE, "remote", "shared")


@dataclass(frozen=True)
class Rule:
    """A fault, and where it makes sense.

    :param most: how often it is repeated at most, before all is put right.
    :param disk: what is a small disk, if anything: the `root` of the target (the results, in phase collect), or `temp`.
    :param stale_s: after so many seconds of silence a manager is taken for dead; 0: as usual.
    :param clock: whether the clock of its nodes can be set.
    :param packs: whether it is about packing, so that it is there in no other swarm.
    """

    inject: Inject
    phases: tuple[str, ...]
    modes: tuple[str, ...]
    most: int = 1
    disk: str = ""
    stale_s: int = 0
    clock: bool = False
    packs: bool = False


ALL = (*OURS, "slurm")
_TOLD = ("claimed", "running", "written", "packing", "draining", "final")
_IN_SCRATCH = ("running", "written", "packing", "draining", "final")

FAULTS: dict[str, Rule] = {
    "client-kill": Rule(inject.client_kill, ("anywhere", *CLIENT, *MANAGER), ALL, 4),
    "client-int": Rule(inject.client_int, ("anywhere", *CLIENT, *MANAGER), ALL, 3),
    "link-cut": Rule(inject.link_cut, ("anywhere", *CLIENT[1:], "running", "written", "final"), FAR),
    "link-stall": Rule(inject.link_stall, (*CLIENT[1:], "running"), FAR),
    "link-dead": Rule(inject.link_dead, ("stage", "start", "poll", "collect"), ("remote", "shared")),
    "manager-kill": Rule(inject.manager_kill, MANAGER, ALL, stale_s=20),
    "orphans": Rule(inject.orphans, ("running", "written"), ("local", "remote"), stale_s=20),
    "slot-kill": Rule(inject.slot_kill, MANAGER, ALL, stale_s=20),
    "group-kill": Rule(inject.group_kill, MANAGER, ALL, stale_s=20),
    "stop": Rule(inject.stop_long, ("claimed", "running", "written", "packing", "final"), OURS, stale_s=10),
    "term": Rule(inject.term, MANAGER, ALL),
    "usr1": Rule(inject.usr1, MANAGER, ALL),
    "scancel": Rule(inject_slurm.scancel, MANAGER, ("slurm",)),
    "requeue": Rule(inject_slurm.requeue, ("running", "written", "packing", "draining", "final"), ("slurm",)),
    "suspend": Rule(inject_slurm.suspend, ("running", "written", "packing"), ("slurm",), stale_s=10),
    "slurmd-kill": Rule(inject_slurm.slurmd_kill, ("running", "written", "final"), ("slurm",), stale_s=20),
    "slurmctld-down": Rule(inject_slurm.controller_down, ("stage", "poll", "running"), ("slurm",)),
    "disk-full": Rule(
        inject.disk_full, ("plan", "stage", "start", "collect", *_TOLD), ("local", "remote"), disk="root"
    ),
    "no-inodes": Rule(
        inject.no_inodes, ("plan", "stage", "start", "collect", *_TOLD), ("local", "remote"), disk="root"
    ),
    "no-access": Rule(inject.no_access, ("start", "redo", "clean", *_TOLD), ("remote", "slurm")),
    "read-only": Rule(inject.read_only, ("start", "collect", "redo", "clean", *_TOLD), (*HERE, "remote", "shared")),
    "ledger": Rule(inject.ledger_damage, ("poll", "collect", "running", "written", "packing", "final"), ALL),
    "cache": Rule(inject.cache_damage, ("running", "written", "packing", "draining", "final"), OURS),
    "plan-file": Rule(inject.plan_damage, ("pending", "claimed", "running"), OURS),
    "client-clock": Rule(inject.client_clock, ("pending", "running"), ALL),
    "node-clock": Rule(inject.node_clock, ("running", "written", "packing"), ("local", "remote", "slurm"), clock=True),
    "two-clients": Rule(inject.other_client, ("start", "poll", "collect", "redo", "running"), ("local", *FAR)),
    "two-commands": Rule(inject.same_client, ("stage", "start", "poll", "collect", "redo", "running"), ALL),
    "archive": Rule(inject_pack.archive_damage, ("ended",), ALL, packs=True),
    "torn-piece": Rule(inject_pack.torn_piece, ("packing",), OURS, packs=True),
    "append-fails": Rule(inject_pack.append_fails, ("packing",), ALL, packs=True),
    "scratch-gone": Rule(inject_pack.scratch_gone, _IN_SCRATCH, ALL, packs=True),
    "scratch-full": Rule(inject.disk_full, _IN_SCRATCH, HERE, disk="temp", packs=True),
    "scratch-inodes": Rule(inject.no_inodes, _IN_SCRATCH, HERE, disk="temp", packs=True),
}


@dataclass(frozen=True)
class Cell:
    """A fault in a phase of a swarm in a mode.

    :param is_packed: whether what tasks leave is packed there.
    """

    phase: str
    fault: str
    mode: str
    is_packed: bool = False

    @property
    def kind(self) -> str:
        """Its mode, and whether what tasks leave is packed."""
        return self.mode + (PACKED if self.is_packed else "")

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.phase}/{self.fault}/{self.kind}"

    @property
    def rule(self) -> Rule:
        """The rule of its fault."""
        return FAULTS[self.fault]


def named(name: str) -> Cell:
    """Return the cell of a name."""
    phase, fault, kind = name.split("/")
    mode = kind.removesuffix(PACKED)
    return Cell(phase, fault, mode, mode != kind)


def _makes_sense(cell: Cell) -> bool:
    if cell.phase in (NEVER_PACKED if cell.is_packed else ONLY_PACKED) or (cell.rule.packs and not cell.is_packed):
        return False
    if cell.mode == "crowd" and cell.phase in (*CLIENT, "anywhere", "pending"):
        return False  # the client does the same as in mode local
    # a manager that drains on USR1 or TERM goes when its job is over in any case
    return not (cell.phase == "draining" and cell.fault in {"term", "usr1"} and cell.mode == "slurm")


CELLS = tuple(
    cell
    for fault, rule in FAULTS.items()
    for phase in rule.phases
    for mode in rule.modes
    for is_packed in (False, True)
    if _makes_sense(cell := Cell(phase, fault, mode, is_packed))
)


def matching(pattern: str) -> list[Cell]:
    """List the cells whose names match one of some patterns with commas between; a part of a name will do."""
    patterns = [word if set(word) & set("*?[") else f"*{word}*" for word in pattern.split(",")]
    return [cell for cell in CELLS if any(fnmatchcase(cell.name, each) for each in patterns)]


#: The short form, for the tests: every fault, in phases and modes that differ, with a seed.
SHORT = tuple(
    (named(name), seed)
    for name, seed in {
        "anywhere/client-kill/local": 1,
        "packing/group-kill/local+pack": 1,
        "packing/torn-piece/crowd+pack": 1,
        "running/orphans/local+pack": 1,
        "anywhere/client-kill/remote": 2,
        "stage/client-kill/remote": 1,
        "redo/client-kill/local": 3,
        "clean/client-kill/local": 1,
        "collect/client-int/shared": 1,
        "running/client-int/local": 1,
        "stage/link-cut/remote": 1,
        "running/link-cut/remote": 1,
        "collect/link-stall/remote": 1,
        "poll/link-dead/remote": 1,
        "claimed/manager-kill/crowd": 1,
        "running/orphans/local": 1,
        "written/slot-kill/crowd": 1,
        "written/group-kill/local": 1,
        "draining/group-kill/crowd": 1,
        "final/group-kill/crowd": 1,
        "final/client-kill/remote": 1,
        "running/stop/crowd": 1,
        "running/term/shared": 1,
        "written/usr1/crowd": 1,
        "running/disk-full/local": 1,
        "written/no-inodes/local": 1,
        "written/no-access/remote": 1,
        "claimed/read-only/local": 1,
        "running/ledger/local": 1,
        "written/cache/crowd": 1,
        "claimed/plan-file/local": 1,
        "running/client-clock/local": 1,
        "running/node-clock/local": 1,
        "running/two-clients/local": 1,
        "poll/two-clients/remote": 1,
        "poll/two-commands/local": 1,
        "start/client-kill/slurm": 1,
        "running/scancel/slurm": 1,
        "written/requeue/slurm": 1,
        "running/suspend/slurm": 1,
        "running/slurmd-kill/slurm": 1,
        "running/slurmctld-down/slurm": 1,
        "ended/archive/local+pack": 1,
        "ended/archive/remote+pack": 1,
        "packing/group-kill/remote+pack": 1,
        "packing/torn-piece/remote+pack": 1,
        "packing/slot-kill/crowd+pack": 1,
        "packing/append-fails/local+pack": 1,
        "written/scratch-gone/local+pack": 1,
        "running/scratch-full/local+pack": 1,
        "packing/scratch-inodes/local+pack": 1,
        "packing/disk-full/local+pack": 1,
        "collect/client-kill/shared+pack": 1,
        "packing/requeue/slurm+pack": 1,
    }.items()
)
