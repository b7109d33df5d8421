"""The phases of a swarm, and how each is made to last: whoever is in it waits at a gate until it is let go."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.chaos.files import SCRATCH
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from tests.chaos.client import Client
    from tests.chaos.world import World

#: A moment of the client: a file of the package or a folder, a function in it, `call` or `return`, which of its calls.
Point = list[Any]

#: For each phase of the client, what is called and where it is held: one of these, as the seed has it. A number that
#: is a pair is drawn between both. They hold in every mode.
POINTS: dict[str, tuple[tuple[str, ...], list[Point]]] = {
    "plan": (
        ("submit",),
        [
            ["state/", "take_plan", "call", 1],
            ["state/", "take_plan", "return", 1],
            ["state/", "begin_submission", "call", 1],
        ],
    ),
    "stage": (
        ("submit",),
        [
            ["state/", "begin_submission", "return", 1],
            ["operations/environment.py", "reserve", "call", 1],
            ["operations/environment.py", "set_known", "call", 1],
            ["operations/environment.py", "reserve", "return", 1],
            ["manager/planfile.py", "plan_text", "call", (1, 5)],
            ["manager/planfile.py", "plan_text", "return", (1, 5)],
        ],
    ),
    "start": (
        ("submit",),
        [
            ["state/", "set_submission", "call", (1, 2)],
            ["state/", "set_submission", "return", (1, 2)],
        ],
    ),
    "poll": (
        ("status",),
        [
            ["state/poll.py", "_poll_once", "call", 1],
            ["state/", "apply", "call", 1],
            ["state/", "apply", "return", 1],
            ["state/poll.py", "_poll_once", "return", 1],
        ],
    ),
    "collect": (
        ("collect",),
        [
            ["operations/collect.py", "collect_ended", "call", 1],
            ["results/collect.py", "place_task", "call", (1, 9)],
            ["results/collect.py", "put_in_place", "return", 1],
            ["state/", "set_collected", "return", 1],
            ["results/lists.py", "write_lists", "call", 1],
            ["fs.py", "write_whole", "return", 1],
        ],
    ),
    "redo": (
        ("submit", "--redo"),
        [
            ["operations/submit.py", "_forget", "call", 1],
            ["operations/cancel.py", "stop_managers", "return", 1],
            ["state/", "forget_results", "call", 1],
            ["operations/submit.py", "_forget", "return", 1],
            ["state/", "begin_submission", "return", 1],
        ],
    ),
    "clean": (
        ("clean",),
        [
            ["operations/cancel.py", "stop_managers", "call", 1],
            ["operations/cancel.py", "stop_managers", "return", 1],
            ["replica/sync.py", "forget_manifest", "call", 1],
        ],
    ),
}


@dataclass
class Held:
    """A phase that lasts.

    :param client: the command that is under way, if any.
    :param let_go: ends it.
    :param is_inside: whether it is the client that waits, not a task or manager.
    :param gate: where managers wait that called a command.
    """

    phase: str
    client: Client | None
    let_go: Callable[[], None]
    is_inside: bool = False
    gate: Path | None = None


def enter(world: World, phase: str, dice: Random) -> Held | None:
    """Bring a world into a phase, and hold it there.

    :returns: None if that could not be: the swarm was done before.
    """
    if phase in POINTS:
        return _enter_client(world, phase, dice)
    enter_phase: dict[str, Callable[[World], Held | None]] = {
        "pending": _pending,
        "claimed": _claimed,
        "packing": partial(_packing, dice=dice),
        "ended": _ended,
        "running": _at_gate,
        "written": _at_gate,
        "final": _at_gate,
        "draining": partial(_draining, dice=dice),
        "anywhere": partial(_anywhere, dice=dice),
    }
    return enter_phase[phase](world)


def _draw(points: list[Point], dice: Random) -> Point:
    file, function, event, number = dice.choice(points)
    return [file, function, event, dice.randint(*number) if isinstance(number, tuple) else number]


def _enter_client(world: World, phase: str, dice: Random) -> Held | None:
    """Hold a command at one of its points."""
    words, points = POINTS[phase]
    if phase == "poll":
        world.hold_tasks()
        world.run("submit")
        if not world.await_tasks():
            return None
    elif phase in {"collect", "redo", "clean"}:
        world.let_tasks_go()
        world.run("submit")
        world.run("watch")
        if phase == "clean" or (phase == "redo" and dice.random() < 0.5):
            world.run("collect")
    world.runs += phase == "redo"
    client = world.start(*words, at=_draw(points, dice))
    if not client.is_held():
        if not world.faults:  # after one, there may be less to do
            world.blame("phase", f"`{' '.join(words)}` was never there: {client.text[-300:]}")
        return None
    return Held(phase, client, client.let_go, is_inside=True)


def _anywhere(world: World, dice: Random) -> Held | None:
    """Hold `run` at any call that the package makes, early or late."""
    world.let_tasks_go()
    client = world.start("run", at=int(10 ** dice.uniform(1.5, 4.6)))
    if not client.is_held():
        world.end(client, (0,))
        return None
    return Held("anywhere", client, client.let_go, is_inside=True)


def _running_client(world: World) -> Client:
    """Have a `run` under way: the one that is there, or a new one."""
    if world.clients and world.clients[-1].words == ("run",) and world.clients[-1].process.poll() is None:
        return world.clients[-1]
    return world.start("run")


def _on_command(world: World, names: tuple[str, ...], words: str) -> Held | None:
    """Hold managers where they call a command."""
    gate = world.shared / f"gate-{world.faults}"
    gate.mkdir()
    gate.chmod(0o777)
    for name in names:
        world.place.hold(name, words, gate)
    world.let_tasks_go()
    client = _running_client(world)
    wait_until(lambda: any(gate.iterdir()) or client.process.poll() is not None, "a manager at its gate")

    def let_go() -> None:
        (gate / "go").touch()

    if not any(gate.iterdir()):
        let_go()
        world.end(client, (0,))
        return None
    world.add_managers()
    return Held("", client, let_go, gate=gate)


def _pending(world: World) -> Held | None:
    """Hold managers before they take their first chunk."""
    return _on_command(world, ("ln",), "/exec/claims/")


def _claimed(world: World) -> Held | None:
    """Hold managers after they took a chunk, before its first task begins."""
    return _on_command(world, ("cp", "tar"), f"/{SCRATCH}" if world.is_packed else "/work/")


def _packing(world: World, dice: Random) -> Held | None:
    """Hold managers before they append to an archive, or after that: then no record tells of it yet."""
    return _on_command(world, (dice.choice(["tee", "cksum"]),), "")


def _ended(world: World) -> Held:
    """Have all tasks done, and nothing here yet."""
    world.let_tasks_go()
    world.run("submit")
    world.run("watch")
    return Held("", None, lambda: None)


def _at_gate(world: World) -> Held | None:
    """Hold tasks, before or after they write what they make."""
    world.hold_tasks()
    client = _running_client(world)
    world.await_managers()
    world.add_managers()
    if not world.await_tasks():
        world.let_tasks_go()
        world.end(client, (0,))
        return None
    return Held("", client, world.let_tasks_go)


def _draining(world: World, dice: Random) -> Held | None:
    """Hold tasks of a manager that was told to leave."""
    world.times["GRACE_S"] = 30
    held = _at_gate(world)
    if held is None:
        return None
    told = dice.choice([signal.SIGTERM, signal.SIGUSR1, None])
    if told is None:
        submission = len(list(world.environment.glob("exec/started.*")))
        mark = world.environment / f"exec/stop.{submission}"
        mark.touch()
        owner = mark.parent.stat()
        os.chown(mark, owner.st_uid, owner.st_gid)  # the account that the environment belongs to, not ours
        return held
    world.tell_managers(told)
    world.deaths += world.struck()
    return held
