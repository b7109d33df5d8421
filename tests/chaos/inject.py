"""The faults: what breaks, what the command under way may say to that, and how it is put right again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chaos.client import BOUND_S
from tests.chaos.files import LEDGER, PLAN
from tests.cluster.failures import Disk, small_disk
from tests.support.managers import in_session, session_of
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from tests.chaos.phases import Held
    from tests.chaos.world import World

#: A link that says nothing for two minutes is given up, and opened again; so a command may take so many seconds.
DEAD_S = 400.0
KILLED, INTERRUPTED = -signal.SIGKILL, 130


class NotPossibleError(Exception):
    """The fault cannot be made on this machine."""


@dataclass
class Effect:
    """What came of a fault.

    :param codes: how the command under way may end then.
    :param repair: puts things right again.
    :param repair_first: whether it must be called before the command under way can end.
    :param tries: how often `run` may have to be repeated afterwards.
    :param may_fail: whether tasks may have failed by it.
    :param winner: who has the environment now instead.
    :param bound_s: within so many seconds the command under way must end.
    """

    codes: set[int] = field(default_factory=lambda: {0})
    repair: Callable[[], None] = lambda: None
    repair_first: bool = False
    tries: int = 1
    may_fail: bool = False
    winner: World | None = None
    bound_s: float = BOUND_S


# ---- the client and the link ----


def client_kill(_world: World, held: Held, _dice: Random) -> Effect:
    """Kill the command."""
    assert held.client
    held.client.process.kill()
    return Effect({KILLED})


def client_int(_world: World, held: Held, dice: Random) -> Effect:
    """Interrupt the command, as Ctrl-C does: alone, or with all that it started."""
    assert held.client
    held.client.is_awake()
    if dice.random() < 0.5:
        held.client.process.send_signal(signal.SIGINT)
    else:
        os.killpg(held.client.process.pid, signal.SIGINT)
    return Effect({INTERRUPTED})


def link_cut(world: World, held: Held, _dice: Random) -> Effect:
    """Break the connection."""
    if held.client and not held.is_inside:
        held.client.says("submit")  # from now on it only looks
    world.place.cut()
    return Effect({0, 3} if held.is_inside else {0})


def link_stall(world: World, held: Held, dice: Random) -> Effect:
    """Let nothing through the connection for some seconds."""
    world.place.stall(signal.SIGSTOP)
    held.let_go()
    time.sleep(dice.uniform(1, 6))  # a stall lasts; there is nothing to wait for
    world.place.stall(signal.SIGCONT)
    return Effect({0, 1} if held.phase == "poll" else {0})


def link_dead(world: World, held: Held, _dice: Random) -> Effect:
    """Let nothing through the connection until the command gives up."""
    world.place.stall(signal.SIGSTOP)
    held.let_go()
    return Effect({0, 1, 3}, lambda: world.place.stall(signal.SIGCONT), bound_s=DEAD_S)


# ---- managers ----


def one_manager(world: World, dice: Random) -> int:
    """Choose a manager that something happens to."""
    managers = sorted(world.managers())
    if not managers:
        raise NotPossibleError("no manager is left")
    world.deaths += 1
    return dice.choice(managers)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def family_of(manager: int) -> list[int]:
    """List a manager's processes, its slots and their tasks."""
    session = session_of(manager)
    return in_session(session) if session else []


def kill_family(family: list[int]) -> None:
    """Kill processes as if at once."""
    _signal(family, signal.SIGSTOP)  # whoever were killed last could record the end of who was killed first
    while any(session_of(pid) for pid in family):
        _signal(family, signal.SIGKILL)


def _slots(manager: int) -> list[int]:
    """List the slots of a manager."""
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/{manager}/task/{manager}/children").read_text("ascii").split()]
    return []


def manager_kill(world: World, _held: Held, dice: Random) -> Effect:
    """Kill the main process of a manager, and nothing else."""
    _signal([one_manager(world, dice)], signal.SIGKILL)
    return Effect({0, 1}, tries=2)


def orphans(world: World, _held: Held, dice: Random) -> Effect:
    """Kill the main process of the only manager while its tasks take long: once that is seen, none of them runs on."""
    _signal([one_manager(world, dice)], signal.SIGKILL)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not world.held_tasks(), "the end of its tasks", world.times["STALE_S"] + 20)
    if left := world.held_tasks():
        world.blame("processes", f"{left} tasks run on though their manager is known to be dead")
    return Effect({0, 1}, tries=2)


def slot_kill(world: World, _held: Held, dice: Random) -> Effect:
    """Kill one slot of a manager."""
    slots = _slots(one_manager(world, dice))
    if slots:
        _signal([dice.choice(slots)], signal.SIGKILL)
    return Effect({0, 1}, tries=2)


def group_kill(world: World, _held: Held, dice: Random) -> Effect:
    """Kill a manager with all that it runs, as a node does that loses its power."""
    kill_family(family_of(one_manager(world, dice)))
    return Effect({0, 1}, tries=2)


def stop_long(world: World, held: Held, dice: Random) -> Effect:
    """Stop a manager with all that it runs until it is taken for dead, then let it go on."""
    manager = one_manager(world, dice)
    family = family_of(manager)
    _signal(family, signal.SIGSTOP)
    held.let_go()

    def go_on() -> None:
        _signal(family, signal.SIGCONT)

    deadline = time.monotonic() + world.times["STALE_S"] + 3  # it is taken for dead by a clock
    while time.monotonic() < deadline and session_of(manager):
        time.sleep(0.1)
    return Effect({0, 1}, go_on, repair_first=True, tries=2)


def term(world: World, _held: Held, dice: Random) -> Effect:
    """Tell a manager to leave, as SLURM does with what it cancels: all of its processes, or only the main one."""
    manager = one_manager(world, dice)
    _signal(family_of(manager) if dice.random() < 0.5 else [manager], signal.SIGTERM)
    return Effect({0, 1}, tries=2)


def usr1(world: World, _held: Held, dice: Random) -> Effect:
    """Tell a manager that its time is up."""
    _signal([one_manager(world, dice)], signal.SIGUSR1)
    return Effect({0, 1}, tries=2)


# ---- disks and permissions ----


@contextlib.contextmanager
def disk(folder: Path, owner: Path) -> Iterator[Disk]:
    """Have a small disk at a folder within.

    :raises NotPossibleError: nobody may mount one here.
    """
    folder.rmdir()
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(small_disk(folder, owner))
            subprocess.run(["mount", "-o", "remount,size=64m,nr_inodes=8000", folder], check=True)
        except pytest.skip.Exception as error:
            raise NotPossibleError(str(error)) from error
        yield made


def _disk_of(world: World) -> Disk:
    assert world.disk is not None, "the cell has no disk"
    return world.disk


def disk_full(world: World, held: Held, _dice: Random) -> Effect:
    """Leave no space."""
    made = _disk_of(world)
    with contextlib.suppress(OSError):  # others write there too
        made.fill()
    world.deaths += world.struck()
    return Effect(_codes_of_disk(held), (made.folder / "filler").unlink, tries=2, may_fail=True)


def no_inodes(world: World, held: Held, _dice: Random) -> Effect:
    """Leave space, but let no file be made."""
    made = _disk_of(world)
    fillers = made.folder / "fillers"
    fillers.mkdir()
    with contextlib.suppress(OSError):
        for number in range(10_000):
            (fillers / str(number)).touch()
    world.deaths += world.struck()
    return Effect(_codes_of_disk(held), lambda: shutil.rmtree(fillers), tries=2, may_fail=True)


def _codes_of_disk(held: Held) -> set[int]:
    return {0, 1, 3} if held.is_inside else {0, 1}


def _victims(world: World, held: Held) -> list[Path]:
    """List folders that are good to be shut, in the phase that lasts."""
    if held.phase in {"plan", "stage", "start"}:
        return [world.environment, world.environment / "exec"]
    if held.phase == "collect":
        return [world.outdir]
    if held.phase in {"redo", "clean"}:
        return [world.environment / "exec", world.environment / "work"]
    return [world.environment / each for each in ("exec/cache", "exec/claims", "work", "exec/beats")]


def no_access(world: World, held: Held, dice: Random) -> Effect:
    """Take away the permission to write."""
    victim = dice.choice([path for path in _victims(world, held) if path.exists()] or [world.environment.parent])
    before = stat.S_IMODE(victim.stat().st_mode)
    victim.chmod(before & ~0o222)  # no more than that: one open to others is refused for it
    world.deaths += world.struck()
    return Effect(
        _codes_of_disk(held), lambda: victim.chmod(before) if victim.exists() else None, tries=2, may_fail=True
    )


def read_only(world: World, held: Held, dice: Random) -> Effect:
    """Let a folder become read-only."""
    victim = dice.choice([path for path in _victims(world, held) if path.exists()] or [world.environment.parent])
    for words in (["--bind", str(victim)], ["-o", "remount,bind,ro"]):
        if subprocess.run(["mount", *words, str(victim)], check=False, capture_output=True).returncode != 0:
            raise NotPossibleError("nobody may mount here")
    world.mounts.append(victim)
    world.deaths += world.struck()
    return Effect(_codes_of_disk(held), world.unmount, tries=2, may_fail=True)


# ---- damage ----


def ledger_damage(world: World, held: Held, dice: Random) -> Effect:
    """Kill the command, and damage the local state; the user does as it is told: moves it away, and attaches."""
    assert held.client
    held.client.process.kill()
    held.client.process.wait()
    path = world.state / LEDGER
    how = dice.choice(["gone", "empty", "garbage", "short"])
    for beside in world.state.glob(f"{LEDGER}-*"):
        beside.unlink()
    if how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "garbage":
        path.write_bytes(dice.randbytes(8192))
    else:
        path.write_bytes(path.read_bytes()[: dice.randrange(100, path.stat().st_size)])

    def attach() -> None:
        world.let_tasks_go()
        code, text = world.run("status", codes=(0, 1, 2))
        if code == 2 and "attach" not in text:
            world.blame("message", f"nothing said how to go on after a damaged ledger: {text[-400:]}")
        path.unlink(missing_ok=True)
        for beside in world.state.glob(f"{LEDGER}-*"):
            beside.unlink()
        world.run("attach", codes=(0, 1, 2))

    return Effect({KILLED}, attach, tries=2)


def cache_damage(world: World, _held: Held, dice: Random) -> Effect:
    """Kill a manager, and cut its records, or add garbage to them."""
    manager = one_manager(world, dice)
    path = world.cache_file(manager)
    kill_family(family_of(manager))
    data = path.read_bytes()
    lines = data.count(b"\n")
    how = dice.choice(["cut", "garbage", "zeros", "twice"])
    if how == "cut":
        cut = dice.randrange(data.find(b"\n") + 1, len(data)) if lines > 1 else len(data)
        path.write_bytes(data[:cut])
        world.more += lines - data[:cut].count(b"\n")
    elif how == "twice":
        path.write_bytes(data + data[data.find(b"\n") + 1 :])
    else:
        with path.open("ab") as file:
            file.write(dice.randbytes(300) if how == "garbage" else bytes(300))
    return Effect({0, 1}, tries=2)


def plan_damage(world: World, _held: Held, dice: Random) -> Effect:
    """Cut the plans of all chunks but the first somewhere."""
    for path in sorted((world.environment / PLAN).glob("[0-9]*"))[1:]:
        data = path.read_bytes()
        path.write_bytes(data[: dice.randrange(len(data))])
    world.deaths += world.struck()
    return Effect({0, 1}, tries=2)


# ---- clocks ----


def client_clock(world: World, held: Held, dice: Random) -> Effect:
    """Look with a clock that is far ahead, then with one that is far behind."""
    for shift_s in dice.sample([600, 86_400, -600, -86_400], 2):
        world.run("status", codes=(0, 1), shift_s=shift_s)
    return Effect({0}) if held.client else Effect()


def node_clock(world: World, _held: Held, dice: Random) -> Effect:
    """Set the clock of the nodes far ahead, or back, and then to something else once more."""
    for ahead_s in dice.sample([3600, -3600, 86_400, -86_400, 0], 2):
        world.clock.write_text(f"{ahead_s}\n")
        world.run("status", codes=(0, 1))
    return Effect()


# ---- two clients ----


def other_client(world: World, held: Held, dice: Random) -> Effect:
    """Let somebody else submit a swarm of the same name to the same root; both cannot have it."""
    del dice
    other = world.beside()
    is_free = held.phase in {"plan", "stage", "redo", "clean"}
    code, _ = other.run("run", codes={0, 2} if is_free else {2})
    other.judge_results()
    world.broken += other.broken
    return Effect({2}, winner=other) if code == 0 else Effect({0, 1})


def same_client(world: World, held: Held, dice: Random) -> Effect:
    """Let the same user give another command on the same swarm meanwhile."""
    words = dice.choice([("status",), ("submit",), ("collect",), ("watch",)])
    another = world.start(*words)
    if held.is_inside and words == ("status",):  # it only reads; the others may wait
        wait_until(lambda: another.process.poll() is not None, "the other command", 60)
    held.let_go()
    world.let_tasks_go()
    world.end(another, {0, 1, 2})
    return Effect({0, 1})
