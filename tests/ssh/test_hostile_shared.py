"""In a folder that both machines share the other side plants links, pipes, devices: none is followed or waited for."""

from __future__ import annotations

import os
import shutil
from types import MappingProxyType
from typing import TYPE_CHECKING

from tests.support.hostile import Savings, World, savings
from tests.support.hostile_cases import Arms, Case, bring, cache, parametrized, play, sandbox
from tests.support.sshd import needs_sshd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = needs_sshd
__all__ = ["savings"]


def planted(path: str, put: Callable[[World, Path], object]) -> Arms:
    """Let something else stand at a path of the environment; SANDBOX is that of task a."""

    def arm(world: World) -> tuple[()]:
        place = sandbox(world, "a") / path[8:] if path.startswith("SANDBOX") else world.environment / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.exists():
            shutil.rmtree(place)
        put(world, place)
        return ()

    return arm


def link(target: str) -> Callable[[World, Path], object]:
    """Return what makes a link; HOME is the laptop's home."""
    return lambda world, place: place.symlink_to(target.replace("HOME", str(world.home)))


def device(number: int) -> Callable[[World, Path], object]:
    """Return what makes a device of memory: 5 is a file of endless NULs."""
    return lambda _, place: os.mknod(place, 0o20666, os.makedev(1, number))


def hole(_world: World, place: Path) -> None:
    """Make a file that is nearly all hole."""
    with place.open("wb") as file:
        file.truncate(1 << 40)


def pipe(_world: World, place: Path) -> None:
    """Make a pipe that nobody writes to."""
    os.mkfifo(place)


def shared(
    name: str,
    words: str,
    arms: Arms,
    code: int = 0,
    text: str = "",
    *,
    knobs: Mapping[str, object] = MappingProxyType({}),
) -> Case:
    return Case(name, words, arms, code, text, "shared", knobs=knobs)


#: The disk here is full as soon as something more is on it.
FULL: dict[str, object] = {"locusts_fab.bounds.budget:_KEPT_BYTES": 1 << 60, "locusts_fab.bounds.budget:_KEPT_SHARE": 1}
REDO = "submit --redo"
DOWN = "../../../../../../home"


# ---------------------------------------------------------------------------------------------------------------------
# What is read


@parametrized(
    *(
        shared(f"{where} is a link to {target}", "collect", planted(where, link(target)), 1)
        for where, target in (
            ("SANDBOX/out.txt", "HOME/.ssh/id_ed25519"),
            ("SANDBOX/out.txt", f"{DOWN}/.ssh/id_ed25519"),
            ("SANDBOX/out.txt", "out.txt"),
            ("SANDBOX/folder", "HOME/.ssh"),
            ("SANDBOX/folder/deep", "HOME/.ssh"),
            ("SANDBOX/folder/deep/x", "HOME/.ssh/id_ed25519"),
            ("SANDBOX/folder/link", f"../{DOWN}/.ssh/id_ed25519"),
            ("SANDBOX", "HOME/thesis"),
            ("work", "HOME"),
        )
    ),
    shared("an output is a pipe", "collect", planted("SANDBOX/out.txt", pipe), 1),
    shared("an output is a device", "collect", planted("SANDBOX/out.txt", device(5)), 1),
    shared("there is a pipe in a folder", "collect", planted("SANDBOX/folder/pipe", pipe), 1),
    shared("there is a device in a folder", "collect", planted("SANDBOX/folder/device", device(5)), 1),
    shared("an output is a hole", "collect", planted("SANDBOX/out.txt", hole), 3, knobs=FULL),
    shared("a log is a hole", "logs a", lambda w: planted(log(w), hole)(w)),
    shared("a log is a pipe", "logs a", lambda w: planted(log(w), pipe)(w)),
    shared("a log is a device", "logs a", lambda w: planted(log(w), device(5))(w)),
    shared("a log is a link", "logs a", lambda w: planted(log(w), link("HOME/.ssh/id_ed25519"))(w)),
    shared("a log is a pipe, and is brought", "collect", lambda w: planted(log(w), pipe)(w)),
    shared("a log is a link, and is brought", "collect", lambda w: planted(log(w), link("HOME/.bashrc"))(w)),
    shared("records are a pipe", "status", lambda w: planted(records(w), pipe)(w), 1),
    shared("records are a link", "status", lambda w: planted(records(w), link("HOME/.bashrc"))(w), 1),
    shared("the plan is a link", "attach", planted("exec/plan", link("HOME/thesis")), 1),
    shared("a chunk is a pipe", "attach", planted("exec/plan/000001", pipe)),
    shared("who made it is a pipe", "attach", lambda w: planted(f"exec/id.{w.id}", pipe)(w), 2, "has no id"),
)
def test_what_is_read(case: Case, savings: Savings) -> None:
    play(case, savings)


def log(world: World) -> str:
    """Return where the log of task a is, in the environment."""
    (found,) = sandbox(world, "a").parent.glob("log.*")
    return str(found.relative_to(world.environment))


def records(world: World) -> str:
    return str(cache(world).relative_to(world.environment))


def test_nothing_secret_is_shown(savings: Savings) -> None:
    """What links lead to is neither printed nor copied."""
    world = savings.take("shared", bring("shared"))
    planted(log(world), link("HOME/.ssh/id_ed25519"))(world)
    planted("SANDBOX/out.txt", link("HOME/.ssh/id_ed25519"))(world)
    planted("SANDBOX/folder/deep", link("HOME/.ssh"))(world)
    assert "private" not in world.run("logs a").printed
    assert world.run("collect").code == 1
    found = [path.read_text() for path in world.outdir.rglob("*") if path.is_file()]
    assert found
    assert not [content for content in found if "private" in content]


# ---------------------------------------------------------------------------------------------------------------------
# What is written


@parametrized(
    *(
        shared(f"{where} is a link to {target}", REDO, planted(where, link(target)), code)
        for where, target, code in (
            ("inputs", "HOME/thesis", 3),
            ("inputs/0", "HOME/thesis", 3),
            ("inputs/0/1", "HOME/thesis", 0),
            ("inputs/0/1/f_a.txt", "HOME/.ssh/id_ed25519", 0),
            ("inputs/0/1/f_a.txt", "HOME/new", 0),
            ("inputs/0/1/more", "HOME/.ssh", 0),
            ("shared", "HOME/thesis", 3),
            ("work", "HOME/thesis", 0),
            ("exec/manager.sh", "HOME/.bashrc", 0),
            ("exec/start.sh", "HOME/new", 0),
            ("exec/plan", "HOME/thesis", 0),
            ("exec/plan/000001", "HOME/.bashrc", 0),
        )
    ),
    shared("an input is a pipe", REDO, planted("inputs/0/1/f_a.txt", pipe)),
    shared("an input is a device", REDO, planted("inputs/0/1/f_a.txt", device(3))),
    shared("a script is a pipe", REDO, planted("exec/manager.sh", pipe)),
)
def test_what_is_written(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# A tree


def tree(name: str, path: str, put: Callable[[World, Path], object], code: int = 0, *, words: str = "") -> Case:
    return Case(name, words or "collect --apply-removals", planted(path, put), code, "", "shared tree", lies=True)


@parametrized(
    tree("a file of the tree is a link", "tree/data/list.txt", link("HOME/.ssh/id_ed25519")),
    tree("a file of the tree is a pipe", "tree/data/list.txt", pipe),
    tree("a file of the tree is a device", "tree/data/list.txt", device(5)),
    tree("a new file is a link that leads out", "tree/data/made_1", link(f"../{DOWN}/.ssh/id_ed25519")),
    tree("a folder of the tree is a link", "tree/data/sub", link("HOME/.ssh")),
    tree("all of the tree is a link", "tree/data", link("HOME/.ssh")),
    tree("the tree is a link", "tree", link("HOME/project/world")),
    tree("what was agreed on is a link", "exec/replica.tsv", link("HOME/.ssh/id_ed25519"), words="attach"),
    tree("what was agreed on is a pipe", "exec/replica.tsv", pipe, words="attach"),
    tree("what was agreed on is a device", "exec/replica.tsv", device(5), words="attach"),
)
def test_trees(case: Case, savings: Savings) -> None:
    play(case, savings)
