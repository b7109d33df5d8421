"""Custom environments in a copy, where what both sides agreed on is lost: what tasks have done is not lost with it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, NoReturn

import pytest

import locusts_fab
from locusts_fab.errors import StateError, TransferError
from locusts_fab.operations import attach as attaching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm

CONFIG = """
[targets.here]
mode = "local"
slots = 1

[swarms.s]
command = "echo result-of-<arg0> >> log.txt"
environment = "custom"
in_place = false
root = "world"
include = ["**"]
outdir = "results/s"
"""


class World:
    """A user's folder with a tree that tasks append to.

    :param folder: where its locusts.toml lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "world/log.txt"
        self.log.parent.mkdir()
        self.log.write_text("start\n")
        self.environment = folder / ".locusts/here/s"
        self.state = folder / ".locusts/s"

    def swarm(self, *numbers: int) -> Swarm:
        """Write a config with these tasks, and load it."""
        args = json.dumps([[str(number)] for number in numbers])
        (self.folder / "locusts.toml").write_text(f"{CONFIG}args = {args}\n")
        loaded: Swarm = locusts_fab.load(self.folder / "locusts.toml")
        return loaded

    def lose(self) -> None:
        """Lose all that is known here."""
        shutil.rmtree(self.state)

    def lose_manifest(self) -> None:
        """Lose only what both sides agreed on."""
        (self.state / "replica.tsv").unlink()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world whose first task has changed the tree there."""
    made = World(tmp_path)
    locusts_fab.submit(made.swarm(1))
    locusts_fab.watch(made.swarm(1))
    return made


def attached_over_a_link_that_breaks(world: World) -> None:
    """Lose all; the first attach breaks where the manifest is brought, the second does not."""

    def fail(*_: object) -> NoReturn:
        raise TransferError("the link broke")

    world.lose()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(TransferError, match="the link broke"):
        patch.setattr(attaching, "recall_manifest", fail)
        locusts_fab.attach(world.swarm(1))
    with pytest.raises(StateError, match="is not known here"):
        locusts_fab.submit(world.swarm(1, 2))
    assert locusts_fab.attach(world.swarm(1)).notes == []


@pytest.mark.parametrize("lose", [World.lose_manifest, attached_over_a_link_that_breaks])
@pytest.mark.parametrize("is_collected", [True, False])
def test_what_the_first_task_did_stays(world: World, lose: Callable[[World], None], *, is_collected: bool) -> None:
    if is_collected:
        locusts_fab.collect(world.swarm(1))
    lose(world)
    locusts_fab.submit(world.swarm(1, 2))
    collected = locusts_fab.collect(world.swarm(1, 2), wait=True)
    assert collected.status.tasks.done == 2
    assert world.log.read_text() == "start\nresult-of-1\nresult-of-2\n"
    locusts_fab.clean(world.swarm(1, 2))
    assert not world.environment.exists()


def test_what_is_there_comes_home_and_is_not_cleaned_away(world: World) -> None:
    world.lose_manifest()
    locusts_fab.collect(world.swarm(1))
    assert world.log.read_text() == "start\nresult-of-1\n"
    world.log.write_text("start\n")
    (world.environment / "tree/log.txt").write_text("more of it\n")
    world.lose_manifest()
    with pytest.raises(StateError, match="that has not come home"):
        locusts_fab.clean(world.swarm(1))


@pytest.mark.parametrize("is_attached", [True, False])
def test_where_it_is_lost_on_both_sides(world: World, *, is_attached: bool) -> None:
    """Nothing is overwritten or removed, and the way out that is told is one."""
    (world.environment / "exec/replica.tsv").unlink()
    if is_attached:
        world.lose()
        (note,) = locusts_fab.attach(world.swarm(1)).notes
        assert "nobody knows what in it" in note
    else:
        world.lose_manifest()
    verbs: list[Callable[[], object]] = [
        lambda: locusts_fab.submit(world.swarm(1, 2)),
        lambda: locusts_fab.collect(world.swarm(1)),
        lambda: locusts_fab.clean(world.swarm(1)),
    ]
    for verb in verbs:
        assert not list(world.environment.glob("exec/stop.*")), "nobody was stopped for nothing"
        with pytest.raises(StateError, match="nobody knows what in it") as caught:
            verb()
        assert "move it away there" in str(caught.value.hint)
    tree = world.environment / "tree"
    assert (tree / "log.txt").read_text() == "start\nresult-of-1\n"
    assert world.log.read_text() == "start\n"
    assert (world.folder / "results/s/tasks.tsv").exists(), "all else came"
    tree.rename(world.folder / "moved away")
    locusts_fab.submit(world.swarm(1, 2))
    locusts_fab.collect(world.swarm(1, 2), wait=True)
    assert world.log.read_text() == "start\nresult-of-2\n"


def test_what_tasks_make_in_an_empty_tree_comes_home(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.log.unlink()
    locusts_fab.submit(world.swarm(1))
    locusts_fab.watch(world.swarm(1))
    with pytest.raises(StateError, match="not collected"):
        locusts_fab.clean(world.swarm(1))
    locusts_fab.collect(world.swarm(1))
    assert world.log.read_text() == "result-of-1\n"
