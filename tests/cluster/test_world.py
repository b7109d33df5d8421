"""Custom environments on the test cluster: tasks on two nodes change one tree, and what they changed comes home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.worlds import check_tree, expected_changes, make_world, modified

from .runs import FarDesk, far_desk, target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Cluster


@pytest.fixture
def desk(tmp_path: Path, cluster: Cluster) -> Iterator[FarDesk]:
    """Give a desk for swarms that SLURM runs."""
    with far_desk(tmp_path, *cluster) as made:
        yield made


@pytest.mark.parametrize(
    "keys",
    [
        {"scheduler": "slurm", "nodes": 2},
        {"scheduler": "none"},
        {"mode": "remote-shared", "scheduler": "slurm", "nodes": 2},
        {"mode": "local", "scheduler": "slurm", "nodes": 2},
    ],
    ids=["remote", "remote-none", "remote-shared", "local-slurm"],
)
def test_what_twenty_tasks_change_comes_home(desk: FarDesk, keys: dict[str, Any]) -> None:
    mode = keys.pop("mode", "remote")
    more = f"shared_root = '{desk.root}'" if mode == "remote-shared" else ""
    world = make_world(desk, target(desk.root, mode, more, slots=3, **keys), "far")
    if mode == "local":
        config = desk.folder / "locusts.toml"
        config.write_text(config.read_text() + "in_place = false\n")
    assert desk.locusts("submit")[0] == 0
    (world / "data" / "contested.txt").write_text("mine\n")
    code, text = desk.locusts("collect", "--wait")
    assert code == 0, text
    check_tree(world, in_place=False)
    assert modified(desk) == {**expected_changes(), "data/contested.txt": "conflict"}
    assert (world / "data" / "contested.txt").read_text() == "mine\n"
    assert (world / "data" / "contested.txt.from-far").read_text() == "start\ntheirs\n"
    if "nodes" in keys:
        assert len({row["node"] for row in desk.tasks().values()}) == 2
    before = {path: path.lstat().st_ino for path in world.rglob("*")}
    assert desk.locusts("collect")[0] == 0
    assert {path: path.lstat().st_ino for path in world.rglob("*")} == before, "a second collect moves nothing"
