"""Bringing one file or folder: whole or not at all, whatever it is and whatever lies there already."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from locusts_fab.results.place import NotBroughtError, bring

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_of_ours_is_linked(tmp_path: Path) -> None:
    """Also where it goes by a symlink, as long as that leads to one of ours."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/x").write_text("x", encoding="utf-8")
    (tmp_path / "home/link").symlink_to("x")
    (tmp_path / "way").symlink_to("home")
    for name in ("home/x", "way/x", "home/link", "way/link"):
        bring(f"{tmp_path}/{name}", f"{tmp_path}/results/{name}", str(tmp_path / name.split("/")[0]))
        assert (tmp_path / "results" / name).samefile(tmp_path / "home/x")
        assert not (tmp_path / "results" / name).is_symlink()


def test_a_file_of_others_is_copied(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home2").mkdir()
    (tmp_path / "home2/x").write_text("x", encoding="utf-8")
    (tmp_path / "home2/x").chmod(0o755)
    (tmp_path / "home/link").symlink_to("../home2/x")
    for _ in range(2):
        bring(f"{tmp_path}/home/link", f"{tmp_path}/results/x", f"{tmp_path}/home")
        assert (tmp_path / "results/x").read_text(encoding="utf-8") == "x"
        assert (tmp_path / "results/x").stat().st_mode & 0o777 == 0o755
        assert not (tmp_path / "results/x").samefile(tmp_path / "home2/x")
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["x"]


def test_a_folder_comes_with_all_that_is_in_it(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep/x").write_text("x", encoding="utf-8")
    (tree / "link").symlink_to("deep/x")
    (tree / "broken").symlink_to("nowhere")
    (tree / "empty").mkdir()
    (tree / "empty").chmod(0o500)
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(tree / "socket"))  # the whole name may be too long for a socket
    os.utime(tree, ns=(5 * 10**9, 7 * 10**9))
    bring(str(tree), str(tmp_path / "results/tree"))
    come = tmp_path / "results/tree"
    assert sorted(path.name for path in come.iterdir()) == ["broken", "deep", "empty", "link"]
    assert (come / "deep/x").samefile(tree / "deep/x")
    assert (come / "link").is_symlink()
    assert (come / "link").read_text(encoding="utf-8") == "x"
    assert (come / "empty").stat().st_mode & 0o777 == 0o700  # else nobody but root could replace it
    assert come.stat().st_mtime_ns == 7 * 10**9


@pytest.mark.parametrize("kind", ["nothing", "dangling", "circle", "pipe", "below a file"])
def test_what_cannot_be_brought(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    if kind == "dangling":
        source.symlink_to("nowhere")
    elif kind == "circle":
        source.symlink_to("source")
    elif kind == "pipe":
        os.mkfifo(source)
    elif kind == "below a file":
        source.touch()
        source /= "x"
    with pytest.raises(NotBroughtError):
        bring(str(source), str(tmp_path / "results/out"))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("older", ["file", "folder", "link"])
@pytest.mark.parametrize("newer", ["file", "folder"])
def test_anything_older_is_replaced(tmp_path: Path, older: str, newer: str) -> None:
    target, source = tmp_path / "results" / "out", tmp_path / "source"
    target.parent.mkdir()
    (tmp_path / "elsewhere").mkdir()
    if older == "folder":
        target.mkdir()
        (target / "stale").touch()
    elif older == "link":
        target.symlink_to(tmp_path / "elsewhere")
    else:
        target.write_text("old", encoding="utf-8")
    if newer == "folder":
        source.mkdir()
        (source / "x").touch()
    else:
        source.write_text("new", encoding="utf-8")
    bring(str(source), str(target))
    assert not target.is_symlink()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    if newer == "folder":
        assert [path.name for path in target.iterdir()] == ["x"]
    else:
        assert target.read_text(encoding="utf-8") == "new"
    assert list(target.parent.iterdir()) == [target]
