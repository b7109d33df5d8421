"""Folders with links that lead nowhere, or in a circle, come to the same whichever way they take."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.bounds.follow import NOWHERE, ODD, ROUND, Follow
from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.layout import Environment
from locusts_fab.model.tasks import Chunk, PlannedTask
from locusts_fab.progress import Silent
from locusts_fab.transfer.mounted import MountedTransfer
from locusts_fab.transfer.stage import make_environment, put_copy, put_laid_out, put_link
from locusts_fab.transfer.tarball import pack
from tests.support.environments import ID
from tests.support.workspace import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workspace import Workspace

WHOLE = {"deep/z": "z", "link": "z", "y": "y"}


def troubled(folder: Path) -> dict[str, str]:
    """Make a folder with all kinds of links, and return what is left out of it."""
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "z").write_text("z")
    (folder / "y").write_text("y")
    (folder / "link").symlink_to("deep/z")
    (folder / "gone").symlink_to("/no/such/file")
    (folder / "self").symlink_to(".")
    (folder / "deep" / "up").symlink_to("..")
    os.mkfifo(folder / "pipe")
    return {"gone": NOWHERE, "self": ROUND, "deep/up": ROUND, "pipe": ODD}


def contents(folder: Path) -> dict[str, str]:
    """Read all files below a folder, as `cp -RL` does."""
    copy = folder.parent / f"{folder.name}.copy"
    subprocess.run(["cp", "-RL", "--", folder, copy], check=True, timeout=30, stderr=subprocess.PIPE)
    return {str(path.relative_to(copy)): path.read_text() for path in copy.rglob("*") if path.is_file()}


def swarm_in(folder: Path) -> Swarm:
    made = SwarmSettings.model_validate({"command": "true", "indir": "in", "shared": {"all": "data"}})
    return Swarm("s", made, "here", Target(mode="local"), folder)


TASKS = [PlannedTask(1, "a", "true", ("data",), ()), PlannedTask(2, "b", "true", ("data",), ())]


def unpacked(folder: Path, swarm: Swarm) -> tuple[Path, dict[str, str]]:
    pieces: list[bytes] = []
    follow = Follow()
    pack(pieces.append, swarm, ID, TASKS, [Chunk(1, 2)], {}, lambda _files, _sent: None, follow)
    (folder / "root").mkdir()
    for data, where in ((b"".join(pieces), ""), (None, "inputs")):
        source = data or (folder / "root" / "inputs" / "000001.tar").read_bytes()
        subprocess.run(["tar", "-xpof", "-", "-C", folder / "root" / where], input=source, check=True, timeout=30)
    return folder / "root", follow.left_out


@pytest.mark.parametrize("way", ["copied", "laid out", "packed"])
def test_a_folder_with_links_to_nothing_and_in_a_circle_is_sent(tmp_path: Path, way: str) -> None:
    expected = {f"{tmp_path}/in/data/{name}": why for name, why in troubled(tmp_path / "in" / "data").items()}
    swarm = swarm_in(tmp_path)
    if way == "packed":
        root, left_out = unpacked(tmp_path, swarm)
    else:
        environment = Environment(str(tmp_path / "root"), ID)
        make_environment(environment)
        put = put_copy if way == "copied" else put_laid_out
        for chunk in (1, 2):  # again is the same
            left_out = MountedTransfer(environment, put).stage(swarm, lambda: TASKS, [Chunk(chunk, 2)], {}, Silent())
        root = tmp_path / "root"
    assert left_out == expected
    for folder in ("shared/all/data", "inputs/0/1/data", "inputs/0/2/data"):
        assert contents(root / folder) == WHOLE, folder


def test_on_this_machine_a_shared_folder_is_the_users_own(tmp_path: Path) -> None:
    troubled(tmp_path / "in" / "data")
    environment = Environment(str(tmp_path / "root"), ID)
    make_environment(environment)
    left_out = MountedTransfer(environment, put_link).stage(
        swarm_in(tmp_path), lambda: TASKS, [Chunk(1, 2)], {}, Silent()
    )
    assert (tmp_path / "root/shared/all/data").readlink() == tmp_path / "in" / "data"
    assert contents(tmp_path / "root/inputs/0/1/data") == WHOLE
    assert len(left_out) == 4


def test_what_was_troubled_once_and_is_whole_now(tmp_path: Path) -> None:
    data = tmp_path / "in" / "data"
    troubled(data)
    environment = Environment(str(tmp_path / "root"), ID)
    make_environment(environment)
    files, swarm = MountedTransfer(environment, put_link), swarm_in(tmp_path)
    files.stage(swarm, lambda: TASKS, [Chunk(1, 2)], {}, Silent())
    for name in ("gone", "self", "deep/up", "pipe"):
        (data / name).unlink()
    assert files.stage(swarm, lambda: TASKS, [Chunk(2, 2)], {}, Silent()) == {}
    assert (tmp_path / "root/inputs/0/1/data").is_symlink()
    assert (data / "y").read_text() == "y"


def test_tasks_run_with_what_can_come(workspace: Workspace) -> None:
    troubled(workspace.folder / "in" / "data")
    workspace.write(
        HERE
        + """[swarms.s]
command = "cat data/y data/link > <arg0>.txt; ls data | wc -l >> <arg0>.txt"
indir = "in"
args = [["a"], ["b"]]
inputs = ["data"]
outputs = ["<arg0>.txt"]
"""
    )
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert "left out of inputs and shared files:" in text
    assert "data/gone, a link that leads nowhere" in text
    assert workspace.result("000002/b.txt").read_text() == "yz3\n"
