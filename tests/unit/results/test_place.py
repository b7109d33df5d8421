"""Bringing one file or folder: whole or not at all, whatever it is and whatever lies there already."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.bounds.budget import FreeSpace
from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name
from locusts_fab.layout import Environment
from locusts_fab.model.findings import Fetched
from locusts_fab.results import place
from locusts_fab.results.source import NotBroughtError, Sources

if TYPE_CHECKING:
    from pathlib import Path


def bring(folder: Path, name: str, place_of_it: str, home: str = "nowhere") -> None:
    """Bring something of a folder to its place in `results` beside it."""
    (folder / "results").mkdir(exist_ok=True)
    with Inside(folder / "results") as results, Sources(Fetched(Environment(str(folder)), is_ours=False)) as sources:
        place.bring(sources.find(Name(name), Name(home)), results, Name(place_of_it))


def test_a_file_of_ours_is_linked(tmp_path: Path) -> None:
    """Also where it goes by a symlink, as long as that leads to one of ours."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/x").write_text("x", encoding="utf-8")
    (tmp_path / "home/link").symlink_to("x")
    (tmp_path / "way").symlink_to("home")
    for name in ("home/x", "way/x", "home/link", "way/link"):
        bring(tmp_path, name, name, name.split("/")[0])
        assert (tmp_path / "results" / name).samefile(tmp_path / "home/x")
        assert not (tmp_path / "results" / name).is_symlink()


def test_a_file_of_others_is_copied(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home2").mkdir()
    (tmp_path / "home2/x").write_text("x", encoding="utf-8")
    (tmp_path / "home2/x").chmod(0o755)
    (tmp_path / "home/link").symlink_to("../home2/x")
    for _ in range(2):
        bring(tmp_path, "home/link", "x", "home")
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
    os.utime(tree, ns=(5 * 10**9, 7 * 10**9))
    bring(tmp_path, "tree", "tree")
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
        bring(tmp_path, str(source.relative_to(tmp_path)), "out")
    assert list((tmp_path / "results").iterdir()) == []


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
    bring(tmp_path, "source", "out")
    assert not target.is_symlink()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    if newer == "folder":
        assert [path.name for path in target.iterdir()] == ["x"]
    else:
        assert target.read_text(encoding="utf-8") == "new"
    assert list(target.parent.iterdir()) == [target]


# ---- whole or not at all ----


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link out", "absolute", "over another link"])
def test_what_cannot_come_keeps_its_folder_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    odd = tmp_path / "tree/deep/odd"
    odd.parent.mkdir(parents=True)
    (tmp_path / "tree/x").touch()
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "socket":
        monkeypatch.chdir(odd.parent)  # the path of a socket may not be long
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("odd")
    elif kind == "device":
        try:
            os.mknod(odd, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    else:
        (tmp_path / "tree/me").symlink_to(".")
        odd.symlink_to({"link out": "../../x", "absolute": "/etc", "over another link": "../me/.."}[kind])
    with pytest.raises(NotBroughtError, match=r"^deep/odd in it: it is "):
        bring(tmp_path, "tree", "tree")
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is touched", "cannot be read", "becomes a pipe", "goes"])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_that_changes_while_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, what: str
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    source = tree / "x"
    source.write_bytes(b"x" * 3_000_000)
    read, open_ = os.read, os.open

    def reads(descriptor: int, size: int) -> bytes:
        data = read(descriptor, size)
        if change == "cannot be read":
            raise OSError(5, "Input/output error")
        if len(data) == size and change not in {"becomes a pipe", "goes"}:
            with source.open("r+b") as file:
                file.truncate({"grows": 4_000_000, "shrinks": 2_000_000, "is touched": 3_000_000}[change])
        return data

    def opens(path: str, *args: int, **more: int) -> int:
        if path == "x" and not args[0] & os.O_CREAT and change in {"becomes a pipe", "goes"}:
            source.unlink()
            if change == "becomes a pipe":
                os.mkfifo(source)
        return open_(path, *args, **more)

    def refuse(*_paths: object, **_options: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    with monkeypatch.context() as patch:
        for name, function in {"read": reads, "open": opens, "link": refuse}.items():
            patch.setattr(os, name, function)
        with pytest.raises(NotBroughtError, match=r"changed while|Input/output|neither a file|any more"):
            bring(tmp_path, "tree/x" if what == "file" else "tree", "out")
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize("error", [errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ])
def test_a_name_that_this_file_system_does_not_take_is_the_fault_of_that_output_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/odd").touch()

    def refuse(*_all: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(place, "_link_or_copy", refuse)
    with pytest.raises(NotBroughtError, match=f"the file system here does not take it: {os.strerror(error)}"):
        bring(tmp_path, "tree", "out")
    assert list((tmp_path / "results").iterdir()) == []


def test_the_longest_name(tmp_path: Path) -> None:
    place_of_it = Name("n" * 255)
    (tmp_path / "tree" / place_of_it).mkdir(parents=True)
    (tmp_path / "tree" / place_of_it / "x").touch()
    bring(tmp_path, "tree", "out")
    assert (tmp_path / "results/out" / place_of_it / "x").exists()


def test_a_folder_deeper_than_the_stack_of_python(tmp_path: Path) -> None:
    deepest = tmp_path / "tree"
    deepest.mkdir()
    for _ in range(1100):
        deepest /= "d"
        os.mkdir(deepest)  # noqa: PTH102 - pathlib recurses, which is just what fails here
    bring(tmp_path, "tree", "out")
    assert (tmp_path / f"results/out{'/d' * 1100}").is_dir()
    subprocess.run(["rm", "-rf", tmp_path / "tree", tmp_path / "results"], check=True)


def test_a_file_that_would_fill_up_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that is nearly all hole: where it lies it takes no space."""
    looks = iter([(10_000_000_000, 1_000_000)])
    monkeypatch.setattr(FreeSpace, "_look", lambda _space: next(looks, (1_000_000, 1_000_000)))
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "results").mkdir()
    fetched = Fetched(Environment(str(tmp_path)), is_ours=False, homes=())
    with (
        Inside(tmp_path / "results") as results,
        Sources(fetched) as sources,
        pytest.raises(OSError, match="kept free"),
    ):
        place.bring(sources.find(Name("hole"), Name("nowhere")), results, Name("x"))
    assert list((tmp_path / "results").iterdir()) == []
