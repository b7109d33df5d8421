"""One cell from start to end: a swarm is brought into a phase, something breaks, the user repeats the command."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tests.chaos.inject import Effect, NotPossibleError, disk
from tests.chaos.phases import enter
from tests.chaos.world import TIMES, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.cells import Cell
    from tests.chaos.checker import Fault
    from tests.chaos.place import Place, Places


#: So many of the swarms have a task that comes after all others.
_WITH_FINAL = 0.3


@dataclass
class Result:
    """What came of a cell with a seed.

    :param broken: what was not as promised.
    :param skipped: why it could not be played on this machine.
    """

    cell: Cell
    seed: int
    faults: int = 0
    tasks: int = 0
    executions: int = 0
    seconds: float = 0.0
    broken: list[Fault] = field(default_factory=list)
    skipped: str = ""


def play(cell: Cell, seed: int, places: Places) -> Result:
    """Play a cell; the seed decides how many tasks and slots, where in the phase, and which of several.

    :returns: what was not as promised, if anything.
    """
    result = Result(cell, seed)
    start = time.monotonic()
    dice = Random(f"{cell.name} {seed}")
    with places.open(cell.mode) as place:
        try:
            with _world(cell, place, dice) as world:
                _play(world, cell, dice, result)
        except NotPossibleError as error:
            result.skipped = str(error)
    result.seconds = time.monotonic() - start
    return result


def _play(world: World, cell: Cell, dice: Random, result: Result) -> None:
    tries, may_fail = 1, False
    try:
        for _ in range(dice.randint(1, cell.rule.most)):
            effect = _round(world, cell, dice)
            tries, may_fail = max(tries, effect.tries), may_fail or effect.may_fail
        if effect.winner:
            world.run("run", codes=(2,))
            effect.winner.broken.clear()
            effect.winner.judge()
            world.broken += effect.winner.broken
        elif cell.phase == "clean":
            world.run("clean")
            world.judge()
        else:
            world.finish(tries, may_fail=may_fail)
    except AssertionError as error:  # something never came
        world.blame("hang", str(error)[:500])
    finally:
        result.faults, result.tasks = world.faults, world.tasks
        result.executions = world.ran_by_now()
        result.broken = world.broken


def _round(world: World, cell: Cell, dice: Random) -> Effect:
    """Let one fault come."""
    held = enter(world, cell.phase, dice)
    if held is None:
        return Effect()
    held.phase = cell.phase
    world.faults += 1
    effect = cell.rule.inject(world, held, dice)
    if effect.repair_first:
        effect.repair()
    held.let_go()
    if held.client:
        world.end(held.client, effect.codes, effect.bound_s)
    if not effect.repair_first:
        effect.repair()
    world.judge_results()
    return effect


@contextlib.contextmanager
def _world(cell: Cell, place: Place, dice: Random) -> Iterator[World]:
    """Make the world of a cell, and end what is left of it."""
    times = {**TIMES, "STALE_S": cell.rule.stale_s} if cell.rule.stale_s else dict(TIMES)
    world = World(
        place,
        dice,
        tasks=dice.randint(24, 60),
        slots=dice.randint(1, 3),
        gate_at={"written": "after", "final": "final"}.get(cell.phase, "before"),
        has_final=dice.random() < _WITH_FINAL or cell.phase == "final",
        times=times,
        sets_clock=cell.rule.clock,
        is_packed=cell.is_packed,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(world.close)
        if cell.rule.disk:
            where = _disk_folder(world, cell)
            world.disk = stack.enter_context(
                disk(where, world.environment.parent.parent if where == world.root else world.folder)
            )
        yield world


def _disk_folder(world: World, cell: Cell) -> Path:
    if cell.rule.disk == "temp":
        return Path(world.env["TMPDIR"])
    if cell.phase == "collect":
        world.outdir.mkdir()
        return world.outdir
    if cell.phase == "plan":
        world.state.parent.mkdir()
        return world.state.parent
    assert world.root is not None
    return world.root
