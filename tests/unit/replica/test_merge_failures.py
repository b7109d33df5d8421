"""Bringing back a replica where it is cut off in the middle, and where something cannot be written here."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.bounds import budget
from locusts_fab.errors import HostError, LoginRefusedError, TransferError
from locusts_fab.fs import write_whole
from locusts_fab.replica import merge, sync
from locusts_fab.transfer import mounted
from locusts_fab.transfer.mounted import MountedTransfer
from tests.support.trees import files, to_file, to_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.progress import Silent
    from tests.support.trees import Sides


# ---- a collect that is cut off ----


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "PART_ENTRIES", 2)
    monkeypatch.setattr(merge, "MOST_PARTS", 100)


class Fetching:
    """A way of fetching that fails at the `at`-th part, after a file of it came if `comes`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException, *, at: int, comes: int) -> None:
        real = MountedTransfer.fetch_tree
        self.asked: list[list[str]] = []

        def fetch(transfer: MountedTransfer, names: list[str], folder: Path, screen: Silent) -> None:
            self.asked.append(names)
            if len(self.asked) == at:
                real(transfer, names[:comes], folder, screen)
                raise error
            real(transfer, names, folder, screen)

        monkeypatch.setattr(MountedTransfer, "fetch_tree", fetch)


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize(
    ("error", "comes", "expected"),
    [
        (HostError("the link broke"), 0, "abcd"),
        (HostError("the link broke"), 1, "abcde"),
        (LoginRefusedError("it might ask you"), 0, "abcd"),
        (TransferError("rsync failed"), 0, "abcd"),
        (TransferError("one file failed"), 1, "abcdegh"),
        (KeyboardInterrupt(), 1, "abcd"),
    ],
)
def test_what_came_before_a_collect_was_cut_off_is_not_fetched_again(
    sides: Sides, monkeypatch: pytest.MonkeyPatch, error: BaseException, comes: int, expected: str
) -> None:
    for name in "abcdefgh":
        (sides.there / f"n{name}").write_text("theirs\n")
    with monkeypatch.context() as patch:
        Fetching(patch, error, at=3, comes=comes)
        with pytest.raises((TransferError, KeyboardInterrupt)):
            sides.collect()
    assert "".join(path.name[1] for path in sorted(sides.here.glob("n*"))) == expected
    with monkeypatch.context() as patch:
        again = Fetching(patch, error, at=99, comes=0)
        assert sides.collect().moved == 8 - len(expected)
    assert sorted(name[1] for part in again.asked for name in part) == sorted(set("abcdefgh") - set(expected))


@pytest.mark.usefixtures("in_parts")
def test_a_kill_in_the_middle_makes_no_conflict_even_where_times_are_coarse(sides: Sides) -> None:
    """As on file systems that hold whole seconds, or no modes."""
    before = sync._manifest_path(sides.swarm).read_bytes()
    for name in ("a", "new"):
        (sides.there / name).write_text("theirs\n")
        (sides.there / name).chmod(0o755)
    sides.collect()
    for name in ("a", "new"):
        os.utime(sides.here / name, (5, 5))
        (sides.here / name).chmod(0o644)
    sync._manifest_path(sides.swarm).write_bytes(before)
    assert sides.collect().notes == []
    assert not list(sides.here.glob("*.from-t"))
    assert sides.rows() == {"a": "changed", "new": "created"}
    (sides.there / "a").write_text("theirs again\n")
    assert sides.collect().notes == []
    assert (sides.here / "a").read_text() == "theirs again\n"


# ---- what cannot be written ----


def refusing(monkeypatch: pytest.MonkeyPatch, name: str, path: Path, error: OSError) -> None:
    """Let a method of paths fail for one path, as it does where the disk is full or access is denied."""
    real = getattr(Path, name)

    def method(self: Path, *args: object, **more: object) -> object:
        if self == path:
            raise error
        return real(self, *args, **more)

    monkeypatch.setattr(Path, name, method)


def refusing_below(monkeypatch: pytest.MonkeyPatch, name: str, path: Path, error: OSError) -> None:
    """Let a function of the system fail for one entry of a folder that is open."""
    real = getattr(os, name)

    def function(*args: Any, **more: Any) -> object:
        folder = more.get("dir_fd", more.get("src_dir_fd"))
        if folder is not None and Path(f"/proc/self/fd/{folder}").readlink() / args[name == "symlink"] == path:
            raise error
        return real(*args, **more)

    monkeypatch.setattr(os, name, function)


FULL = OSError(28, "No space left on device")
DENIED = PermissionError(13, "Permission denied")


@pytest.mark.parametrize("error", [FULL, DENIED])
@pytest.mark.parametrize(
    ("method", "path"),
    [("mkdir", "m/.locusts-7"), ("unlink", "x"), ("rmdir", "d/deep"), ("iterdir", "d"), ("lstat", "a"),
     ("rename", ".locusts-7"), ("open", ".locusts-7"), ("symlink", "m/.locusts-7"),
     ("unlink", "gone"), ("rmdir", "empty"), ("iterdir", "empty")],
)  # fmt: skip
def test_one_that_cannot_be_written_holds_up_no_other(
    sides: Sides, monkeypatch: pytest.MonkeyPatch, method: str, path: str, error: OSError
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _: "7")
    (sides.here / "gone").write_text("start\n")
    (sides.here / "empty").mkdir()
    sides.submit()
    (sides.there / "gone").unlink()
    (sides.there / "empty").rmdir()
    (sides.there / "a").write_text("changed\n")
    to_file(sides.there / "d")
    to_folder(sides.there / "x")
    (sides.there / "m" / "n").mkdir(parents=True)
    (sides.there / "m" / "link").symlink_to("n")
    (sides.there / "y" / "o").mkdir(parents=True)
    (sides.there / "y" / "new").write_text("theirs\n")
    with monkeypatch.context() as patch:
        refuse = refusing if method in {"iterdir", "lstat"} else refusing_below
        refuse(patch, method, sides.here / path, error)
        with pytest.raises(TransferError, match=str(error.strerror)) as caught:
            sides.collect(apply_removals=True)
        assert caught.value.hint == "fix the cause and collect again"
    assert (sides.here / "y/new").read_text() == "theirs\n", "what comes later came"
    assert sides.manifest()["y/new"].ours is not None, "and that is known"
    assert not list(sides.here.rglob(".locusts-*"))
    assert sides.rows()["y/new"] == "created"
    assert sides.collect(apply_removals=True).notes == []
    assert sorted(files(sides.here)) == ["a", "d", "x/deep/new", "y/new", "z"]
    assert (sides.here / "m/link").is_symlink()
    assert not (sides.here / "empty").exists()


def test_utime_and_a_full_disk(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    for count in range(9):
        (sides.there / f"n{count}").write_text("theirs\n")
    real = os.utime

    def utime(path: int | str | Path, *, ns: tuple[int, int]) -> None:
        if isinstance(path, int) and Path(f"/proc/self/fd/{path}").readlink().parent == sides.here:
            raise FULL
        real(path, ns=ns)

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", utime)
        with pytest.raises(TransferError, match=r"n0 cannot be written: .*No space(.*\n)*and 4 more like these"):
            sides.collect()
    assert sides.collect().moved == 9


@pytest.mark.parametrize("name", ["replica.tsv", "modified.tsv"])
def test_our_own_lists_that_cannot_be_written(sides: Sides, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def write(path: Path, data: bytes, **_more: int) -> None:
        if path.name == name:
            raise FULL
        write_whole(path, data)

    for module in (sync, merge):
        monkeypatch.setattr(module, "write_whole", write)
    with pytest.raises(TransferError, match=f"{name} cannot be written: No space left on device"):
        sides.collect()


def test_a_file_where_the_results_should_be(sides: Sides) -> None:
    sides.swarm.outdir.write_text("in the way\n")
    (sides.there / "a").write_text("changed\n")
    with pytest.raises(TransferError, match=r"modified\.tsv cannot be written: "):
        sides.collect()
    assert (sides.here / "a").read_text() == "changed\n"


def test_one_that_cannot_be_fetched_holds_up_no_other(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "x", "z"):
        (sides.there / name).write_text("changed\n")
    real = budget.pieces
    broken = (sides.there / "x").stat().st_ino

    def pieces(read: Any, size: int, folder: str) -> Iterator[bytes]:
        yield from real(read, size, folder)
        if os.fstat(read.func.__self__.fileno()).st_ino == broken:
            raise OSError(5, "Input/output error")  # when half of it had come

    with monkeypatch.context() as patch:
        patch.setattr(mounted, "pieces", pieces)
        with pytest.raises(TransferError, match=r"tree/x cannot be brought: .*Input/output error") as caught:
            sides.collect()
        assert caught.value.hint is not None
    assert files(sides.here) == {**files(sides.here), "a": "changed\n", "x": "start\n", "z": "changed\n"}
    assert sides.rows() == {"a": "changed", "x": "changed", "z": "changed"}
    brought = sides.collect()
    assert (brought.moved, (sides.here / "x").read_text()) == (1, "changed\n")


@pytest.mark.parametrize("kind", ["folder", "link", "fifo", "gone", "parent", "shorter"])
def test_one_that_becomes_something_else_while_it_is_fetched(
    sides: Sides, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name in ("a", "d/one", "z"):
        (sides.there / name).write_text("changed\n")
    place = sides.there / "d/one"
    theirs = sync.scan(sides.swarm, sides.site, 0)
    monkeypatch.setattr(merge, "scan", lambda _swarm, _site, _known: theirs)
    place.unlink()
    if kind == "folder":
        place.mkdir()
    elif kind == "link":
        place.symlink_to("/etc/hostname")
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "parent":
        to_file(sides.there / "d")
    elif kind == "shorter":
        place.write_text("ch")
    with pytest.raises(
        TransferError, match=r"^\S[^\n]*: d/one did not come whole; it changed meanwhile, or cannot be read there"
    ):
        sides.collect()
    assert files(sides.here) == {**files(sides.here), "a": "changed\n", "d/one": "start\n", "z": "changed\n"}
