"""The faults that only packed outputs know: damaged archives, torn pieces, a scratch folder that is gone."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.archives import bytes_of
from tests.chaos.files import CLAIM, SCRATCH, WORK, read_plan, read_records, read_table
from tests.chaos.inject import Effect, family_of, kill_family, one_manager

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.chaos.phases import Held
    from tests.chaos.world import World

_SANDBOXES = re.compile(rf"(?P<scratch>/.*/{re.escape(SCRATCH)}\w{{6}})/{CLAIM.pattern}(/.*)?")
#: So many bytes in a row are lost at most, as by a block of a disk that was never written.
_LOST_BYTES = 4096


def archive_damage(world: World, _held: Held, dice: Random) -> Effect:
    """Damage archives before their pieces were brought; the user collects, reads what did not come, and redoes that."""
    before = _packed(world)
    archives = sorted(world.environment.glob(f"{WORK}/*.tar"))
    for path in dice.sample(archives, dice.randint(1, len(archives))):
        world.damaged.add(path.stem)
        dice.choice([_cut, _zero, _turn, _remove])(path, dice)
    lost = sorted(name for name, data in _packed(world).items() if data != before[name])
    world.run("collect", codes={1 if lost else 0})
    _blame_unlike(world, "error", lost)
    if lost:
        world.judge_results()
        world.more += len(lost)
        world.run("submit", "--redo", *(word for name in lost for word in ("--only", name)))
        world.run("watch")
        world.run("collect")
        _blame_unlike(world, "error", [])
    return Effect()


def _packed(world: World) -> dict[str, bytes]:
    """Read the piece in which each task's outputs are."""
    plan = read_plan(world.environment)
    ends = [end for end in read_records(world.environment).ends if end.state == "done" and end.piece]
    return {plan[end.task].id: bytes_of(world.environment / end.archive, end.piece) for end in ends if end.piece}


def _blame_unlike(world: World, status: str, tasks: list[str]) -> None:
    """See that outputs of these tasks, and of no others, have a status."""
    rows = read_table(world.outdir / "outputs.tsv")
    found = sorted({row["task"] for row in rows if row["status"] == status})
    if found != tasks:
        world.blame("wrong", f"outputs.tsv says {status} of {found}, but the pieces of {tasks} are damaged")


def _cut(path: Path, dice: Random) -> None:
    with path.open("r+b") as file:
        file.truncate(dice.randrange(path.stat().st_size))


def _zero(path: Path, dice: Random) -> None:
    _overwrite(path, dice, lambda old: bytes(len(old)))


def _turn(path: Path, dice: Random) -> None:
    """Turn one bit."""
    _overwrite(path, dice, lambda old: bytes([old[0] ^ 1 << dice.randrange(8)]) + old[1:])


def _remove(path: Path, _dice: Random) -> None:
    path.unlink()


def _overwrite(path: Path, dice: Random, how: Callable[[bytes], bytes]) -> None:
    with path.open("r+b") as file:
        file.seek(at := dice.randrange(path.stat().st_size))
        old = file.read(_LOST_BYTES)
        file.seek(at)
        file.write(how(old))


def torn_piece(world: World, _held: Held, dice: Random) -> Effect:
    """Kill a manager amid a piece, of which then any part may be on the disk, and all kinds of other bytes."""
    manager = one_manager(world, dice)
    claims = _claims_of(world, manager)  # others may be about to record what they have just appended
    kill_family(family_of(manager))
    recorded: dict[str, int] = {}
    for end in read_records(world.environment).ends:
        if end.piece:
            recorded[end.claim] = max(recorded.get(end.claim, 0), end.piece.offset + end.piece.size)
    for path in sorted(world.environment.glob(f"{WORK}/*.tar")):
        if path.stem not in claims:
            continue
        first, size = recorded.get(path.stem, 0), path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(dice.randint(first, size) if size > first else size)
            file.seek(0, 2)
            file.write(dice.choice([b"", bytes(512), dice.randbytes(512)]))
    return Effect({0, 1}, tries=2)


def _claims_of(world: World, pid: int) -> set[str]:
    """Find the leases of the manager whose main process it is."""
    caches = (path.read_text(errors="replace").split("\t") for path in world.environment.glob("exec/cache/*.tsv"))
    ids = {fields[1] for fields in caches if fields[3:4] == [str(pid)]}
    leases = world.environment.glob("exec/claims/[0-9]*")
    return {path.name for path in leases if path.read_text().split(" ")[0] in ids}


def append_fails(_world: World, held: Held, dice: Random) -> Effect:
    """Let one manager append a part only, or learn no checksum, as on a disk that is full for a while: no task pays."""
    assert held.gate
    words = f'[[ $# == 0 ]] || head -c {dice.randrange(_LOST_BYTES)} >>"${{*: -1}}"\necho "failed" >&2\nexit 1\n'
    new = held.gate / "new"
    new.write_text(words)
    new.rename(held.gate / "instead")
    return Effect()


def scratch_gone(world: World, _held: Held, dice: Random) -> Effect:
    """Remove the scratch folder of a manager, as those do that keep /tmp clean."""
    manager = one_manager(world, dice)
    for folder in sorted({found for pid in family_of(manager) if (found := _scratch_of(pid))}):
        shutil.rmtree(folder, ignore_errors=True)  # something may be written there just now
    return Effect({0, 1}, tries=2, may_fail=True)


def _scratch_of(pid: int) -> str | None:
    """Find the scratch folder that a process is in."""
    with contextlib.suppress(OSError):
        if found := _SANDBOXES.fullmatch(str(Path(f"/proc/{pid}/cwd").readlink())):
            return found["scratch"]
    return None
