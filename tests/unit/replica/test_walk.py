"""Walking a tree: symlinks, odd files, odd names, folders that cannot be read, and folders that need not be."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import PlanError
from locusts_fab.replica.select import select_patterns
from tests.support.trees import HOSTILE, chosen, made

if TYPE_CHECKING:
    from pathlib import Path


def test_sockets_and_fifos_are_skipped_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "a/file")
    os.mkfifo(tmp_path / "a" / "fifo")
    monkeypatch.chdir(tmp_path / "a")  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for found in (chosen(tmp_path, "**"), select_patterns(tmp_path, [], [])):
            assert found.skipped == ["a/fifo", "a/socket"]
            assert found.files == ["a/file"]
            assert found.folders == ["a"]


def test_a_root_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    made(tmp_path, "file")
    for root in (tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(PlanError, match="cannot be read: No"):
            chosen(root, "**")
        with pytest.raises(PlanError, match="cannot be read: No"):
            select_patterns(root, [], [])


def test_folders_that_no_rule_needs_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "a/1", "b/2", "b/c/3", "b/d/4")
    read: list[str] = []
    scandir = os.scandir

    def noted(path: str) -> object:
        read.append(os.path.relpath(path, tmp_path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noted)
    assert chosen(tmp_path, "b : **\n\t! c").files == ["b/2", "b/d/4"]
    assert sorted(read) == [".", "b", "b/d"]


def test_everything_holds_hostile_names(tmp_path: Path) -> None:
    names = [f"{folder}/{name}" for folder in HOSTILE for name in HOSTILE[::7]]
    made(tmp_path, *names)
    for found in (chosen(tmp_path, "**"), select_patterns(tmp_path, [], [])):
        assert found.files == sorted(names)
        assert found.folders == sorted(HOSTILE)


def test_symlinks_are_replicated_and_never_followed(tmp_path: Path) -> None:
    made(tmp_path, "outside/secret", "root/in/file", "root/data/a.txt")
    root = tmp_path / "root"
    links = {
        "loop": ".",
        "in/up": "..",
        "in/self": "self",
        "out": "../outside",
        "in/abs": str(tmp_path / "outside"),
        "in/secret": "../../outside/secret",
        "in/dangling": "nowhere",
        "data/same.txt": "a.txt",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    for found in (chosen(root, "**"), select_patterns(root, [], [])):
        assert found.links == sorted(links)
        assert found.files == ["data/a.txt", "in/file"]
        assert found.folders == ["data", "in"]
    assert chosen(root, "out : **\nloop :\n\tin : **").links == ["loop", "out"]
    assert chosen(root, "out/secret").links == []
    assert chosen(root, "data : *.txt").links == ["data/same.txt"]
    assert chosen(root, "in : *\n\t! s*").links == ["in/abs", "in/dangling", "in/up"]
    assert chosen(root, "** :").links == sorted(links)


def test_a_root_may_itself_be_a_symlink(tmp_path: Path) -> None:
    made(tmp_path, "real/a")
    (tmp_path / "root").symlink_to("real")
    assert chosen(tmp_path / "root", "*").files == ["a"]


def test_a_tree_deeper_than_the_stack_of_python(tmp_path: Path) -> None:
    deepest = str(tmp_path)
    for _ in range(1500):
        deepest += "/d"
        os.mkdir(deepest)  # noqa: PTH102 - pathlib and makedirs recurse, which is just what fails here
    try:
        assert len(chosen(tmp_path, "**").folders) == 1500
        assert len(select_patterns(tmp_path, [], []).folders) == 1500
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)
