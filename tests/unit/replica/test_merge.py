"""Bringing back a replica whose entries changed their kind, on one side or both, or that cannot be written here."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.bounds import budget
from locusts_fab.errors import HostError, LoginRefusedError, TransferError
from locusts_fab.fs import write_whole
from locusts_fab.replica import merge, sync
from locusts_fab.replica.sync import has_news, read_manifest
from locusts_fab.transfer import mounted
from locusts_fab.transfer.mounted import MountedTransfer
from tests.support.trees import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.progress import Silent
    from locusts_fab.replica.manifest import Mark
    from locusts_fab.target import Site
    from tests.support.trees import Sides


def to_file(folder: Path, text: str = "theirs\n") -> None:
    shutil.rmtree(folder)
    folder.write_text(text)


def to_folder(file: Path) -> None:
    file.unlink()
    (file / "deep").mkdir(parents=True)
    (file / "deep" / "new").write_text("theirs\n")


# ---- another kind there, nothing changed here ----


def test_a_folder_that_tasks_replaced_by_a_file(sides: Sides) -> None:
    to_file(sides.there / "d")
    brought = sides.collect()
    assert (brought.notes, brought.moved) == ([], 1)
    assert files(sides.here) == {"a": "start\n", "x": "start\n", "z": "start\n", "d": "theirs\n"}
    assert sides.rows() == {"d": "created", "d/one": "removed", "d/deep/two": "removed"}
    again = sides.collect(apply_removals=True)
    assert (again.notes, again.moved) == ([], 0)
    assert not has_news(sides.swarm, sides.site)


def test_a_file_that_tasks_replaced_by_a_folder(sides: Sides) -> None:
    to_folder(sides.there / "x")
    brought = sides.collect()
    assert (brought.notes, brought.moved) == ([], 1)
    assert (sides.here / "x/deep/new").read_text() == "theirs\n"
    assert sides.rows() == {"x": "removed", "x/deep/new": "created"}
    assert sides.collect().moved == 0
    assert not has_news(sides.swarm, sides.site)


def test_links_for_files_and_folders_and_the_other_way_round(sides: Sides) -> None:
    (sides.here / "link").symlink_to("a")
    sides.submit()
    shutil.rmtree(sides.there / "d")
    (sides.there / "d").symlink_to("a")
    to_folder(sides.there / "link")
    (sides.there / "x").unlink()
    (sides.there / "x").symlink_to("a")
    assert sides.collect().notes == []
    assert [(sides.here / name).readlink() for name in ("d", "x")] == [Path("a"), Path("a")]
    assert (sides.here / "link/deep/new").read_text() == "theirs\n"
    assert (sides.here / "a").read_text() == "start\n"


def test_what_is_no_file_stays_there_and_holds_up_nothing(sides: Sides) -> None:
    (sides.there / "a").unlink()
    os.mkfifo(sides.there / "a")
    (sides.there / "z").write_text("changed\n")
    assert sides.collect().notes == ["a is neither file, folder nor link there; it was left there"]
    assert files(sides.here)["a"] == "start\n"
    assert files(sides.here)["z"] == "changed\n"
    assert sides.collect().notes == []


# ---- odd entries: a pipe, a socket, what cannot be read ----


def to_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def to_socket(path: Path) -> None:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # the whole name may be too long for a socket


def to_link_out(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/etc/hostname")


ODD = pytest.mark.parametrize("make", [to_pipe, to_socket, to_link_out])


@ODD
def test_an_odd_entry_that_becomes_a_file_again_is_no_conflict(sides: Sides, make: Callable[[Path], None]) -> None:
    make(sides.there / "a")
    make(sides.there / "new")
    assert len(sides.collect().notes) == 2
    assert sides.collect().notes == []
    for name in ("a", "new"):
        (sides.there / name).unlink()
        (sides.there / name).write_text("theirs\n")
    brought = sides.collect()
    assert (brought.notes, brought.moved) == ([], 2)
    assert (files(sides.here)["a"], files(sides.here)["new"]) == ("theirs\n", "theirs\n")
    assert not list(sides.here.glob("*.from-t"))
    assert sides.rows() == {"a": "changed", "new": "created"}


@ODD
def test_an_odd_entry_that_goes_is_no_conflict(sides: Sides, make: Callable[[Path], None]) -> None:
    make(sides.there / "a")
    make(sides.there / "d/one")
    sides.collect()
    for name in ("a", "d/one"):
        (sides.there / name).unlink()
    assert sides.collect(apply_removals=True).notes == []
    assert sorted(files(sides.here)) == ["d/deep/two", "x", "z"]
    assert sides.rows() == {"a": "removed", "d/one": "removed"}


@ODD
def test_an_odd_entry_does_not_hide_what_was_changed_here(sides: Sides, make: Callable[[Path], None]) -> None:
    make(sides.there / "a")
    sides.collect()
    (sides.here / "a").write_text("mine\n")
    (sides.there / "a").unlink()
    (sides.there / "a").write_text("theirs\n")
    assert sides.collect().notes == ["a was changed here and there; what is there is now in a.from-t"]
    assert (sides.here / "a").read_text() == "mine\n"


@ODD
def test_a_file_is_sent_in_place_of_an_odd_entry_and_never_through_it(
    sides: Sides, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(sides.there / "a")
    (sides.there / "x").unlink()
    (tmp_path / "victim").write_text("precious\n")
    (sides.there / "x").symlink_to(tmp_path / "victim")
    sides.collect()
    for name in ("a", "x"):
        (sides.here / name).write_text("mine\n")
    sides.submit()
    assert (tmp_path / "victim").read_text() == "precious\n"
    assert [(sides.there / name).is_symlink() for name in ("a", "x")] == [False, False]
    assert [(sides.there / name).read_text() for name in ("a", "x")] == ["mine\n", "mine\n"]


@ODD
def test_an_odd_entry_here_holds_up_neither_way(sides: Sides, make: Callable[[Path], None]) -> None:
    make(sides.here / "a")
    make(sides.here / "new")
    (sides.here / "z").write_text("mine\n")
    sides.submit()
    (sides.there / "x").write_text("theirs\n")
    assert sides.collect().notes == []
    assert (sides.here / "x").read_text() == "theirs\n"
    assert (sides.there / "z").read_text() == "mine\n"


def test_a_pipe_that_is_used_is_no_news(sides: Sides) -> None:
    to_pipe(sides.there / "pipe")
    sides.collect()
    os.utime(sides.there / "pipe", ns=(1, 1))
    (sides.there / "pipe").chmod(0o600)
    assert sides.collect().notes == []
    assert not has_news(sides.swarm, sides.site)


@pytest.mark.parametrize(
    ("links", "refused"),
    [
        ({"d/me": ".", "d/l": "me/../../x"}, {"d/l"}),
        ({"me": ".", "l": "me/../x"}, {"l"}),
        ({"l": "d/deep/../../../x"}, {"l"}),
        ({"l": "m", "m": "../x"}, {"l", "m"}),
        ({"l": "l", "m": "nowhere"}, set()),
    ],
)
def test_no_link_comes_that_leads_out_over_others(sides: Sides, links: dict[str, str], refused: set[str]) -> None:
    for name, text in links.items():
        (sides.there / name).symlink_to(text)
    notes = sides.collect().notes
    assert notes == [
        f"{name} would lead out of the tree through a symlink; it was left there" for name in sorted(refused)
    ]
    assert {name for name in links if not os.path.lexists(sides.here / name)} == refused


class Closed:
    """A scan by one who may not read some entries; root, who may run this, may."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths

    def __call__(self, swarm: Swarm, site: Site, _known: int) -> dict[str, Mark]:
        """List the tree."""
        found = sync.scan(swarm, site, 0)
        for path in self.paths:
            mark = found[path]
            found = {name: each for name, each in found.items() if not name.startswith(f"{path}/")}
            found[path] = mark._replace(kind="u")
        return found


def test_what_cannot_be_read_there_is_named_and_holds_up_nothing(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "x", "d/one"):
        (sides.there / name).write_text("theirs\n")
    with monkeypatch.context() as patch:
        patch.setattr(merge, "scan", Closed("a", "d"))
        for _ in range(2):
            with pytest.raises(
                TransferError, match=r"^a cannot be read there; it was left there\nd cannot be read there"
            ):
                sides.collect(apply_removals=True)
            assert files(sides.here) == {**files(sides.here), "a": "start\n", "d/one": "start\n", "x": "theirs\n"}
            assert (sides.here / "d/deep/two").exists(), "what cannot be seen is not gone"
            assert sides.rows()["x"] == "changed"
            assert "d/one" not in sides.rows()
    brought = sides.collect(apply_removals=True)
    assert (brought.notes, brought.moved) == ([], 2)
    assert (files(sides.here)["a"], files(sides.here)["d/one"]) == ("theirs\n", "theirs\n")


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


# ---- both sides ----


@pytest.mark.parametrize("touch", ["changed", "new", "deeper", "in a new folder"])
def test_a_folder_with_something_of_ours_stays_and_the_file_goes_beside_it(sides: Sides, touch: str) -> None:
    places = {"changed": "d/one", "new": "d/mine", "deeper": "d/deep/two", "in a new folder": "d/more/mine"}
    mine = sides.here / places[touch]
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine\n")
    to_file(sides.there / "d")
    assert sides.collect().notes == ["d was changed here and there; what is there is now in d.from-t"]
    assert mine.read_text() == "mine\n"
    assert len(files(sides.here / "d")) >= 2
    assert (sides.here / "d.from-t").read_text() == "theirs\n"
    assert sides.rows()["d"] == "conflict"
    before = files(sides.here)
    assert sides.collect().notes == []
    assert files(sides.here) == before


def test_a_file_of_ours_where_a_folder_is_there_stays_until_it_is_moved(sides: Sides) -> None:
    (sides.here / "x").write_text("mine\n")
    to_folder(sides.there / "x")
    (sides.there / "z").write_text("changed\n")
    note = "x is a folder there and none here; what is in it was left there until x is moved away here"
    for _ in range(2):
        assert sides.collect().notes == [note]
    assert (sides.here / "x").read_text() == "mine\n"
    assert (sides.here / "z").read_text() == "changed\n"
    assert sides.rows() == {"x": "conflict", "x/deep/new": "conflict", "z": "changed"}
    assert has_news(sides.swarm, sides.site), "it is not cleaned away"
    (sides.here / "x").rename(sides.here / "my x")
    assert sides.collect().notes == []
    assert (sides.here / "x/deep/new").read_text() == "theirs\n"
    assert sides.rows() == {"x": "removed", "x/deep/new": "created", "z": "changed"}
    assert not has_news(sides.swarm, sides.site)


@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_replaced_here_where_tasks_add_to_it(sides: Sides, tmp_path: Path, *, is_link: bool) -> None:
    shutil.rmtree(sides.here / "d")
    (tmp_path / "elsewhere").mkdir()
    if is_link:
        (sides.here / "d").symlink_to(tmp_path / "elsewhere")
    else:
        (sides.here / "d").write_text("mine\n")
    (sides.there / "d/new").write_text("theirs\n")
    (sides.there / "d/deep/two").write_text("theirs\n")
    (sides.there / "z").write_text("changed\n")
    note = "d is a folder there and none here; what is in it was left there until d is moved away here"
    assert sides.collect().notes == [note]
    assert (sides.here / "z").read_text() == "changed\n"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (sides.here / "d").unlink()
    assert sides.collect(apply_removals=True).notes == []
    assert files(sides.here / "d") == {"new": "theirs\n", "deep/two": "theirs\n"}


def test_a_folder_here_where_tasks_changed_the_file(sides: Sides) -> None:
    (sides.here / "x").unlink()
    (sides.here / "x").mkdir()
    (sides.here / "x" / "mine").write_text("mine\n")
    (sides.there / "x").write_text("theirs\n")
    assert sides.collect().notes == ["x was changed here and there; what is there is now in x.from-t"]
    assert (sides.here / "x/mine").read_text() == "mine\n"
    assert (sides.here / "x.from-t").read_text() == "theirs\n"


def test_what_was_contested_once_is_not_overwritten_later(sides: Sides) -> None:
    (sides.here / "a").write_text("mine\n")
    for text in ("theirs\n", "theirs again\n"):
        (sides.there / "a").write_text(text)
        assert sides.collect().notes == ["a was changed here and there; what is there is now in a.from-t"]
        assert files(sides.here)["a"] == "mine\n"
        assert files(sides.here)["a.from-t"] == text
    (sides.there / "a").unlink()
    assert sides.collect(apply_removals=True).notes == ["a was removed there and changed here; it stays"]
    assert files(sides.here)["a"] == "mine\n"


def test_what_is_ours_beside_it_is_not_overwritten_either(sides: Sides) -> None:
    for name in ("a", "x"):
        (sides.here / name).write_text("mine\n")
        (sides.there / name).write_text("theirs\n")
    (sides.here / "a.from-t").write_text("mine too\n")
    (sides.here / "x.from-t").mkdir()
    (sides.here / "x.from-t/y").write_text("mine too\n")
    sides.collect()
    found = files(sides.here)
    assert (found["a"], found["a.from-t"], found["a.from-t.2"]) == ("mine\n", "mine too\n", "theirs\n")
    assert (found["x"], found["x.from-t/y"], found["x.from-t.2"]) == ("mine\n", "mine too\n", "theirs\n")


def test_what_came_with_a_collect_that_was_killed_is_no_conflict(sides: Sides) -> None:
    manifest = sync._manifest_path(sides.swarm)
    before = manifest.read_bytes()
    (sides.there / "a").write_text("theirs\n")
    (sides.there / "new").write_text("theirs\n")
    to_file(sides.there / "d")
    sides.collect()
    manifest.write_bytes(before)
    assert sides.collect(apply_removals=True).notes == []
    assert files(sides.here) == {"a": "theirs\n", "new": "theirs\n", "d": "theirs\n", "x": "start\n", "z": "start\n"}


def test_what_is_gone_on_both_sides_is_settled(sides: Sides) -> None:
    for side in (sides.here, sides.there):
        (side / "a").unlink()
    assert sides.collect(apply_removals=True).notes == []
    assert read_manifest(sides.swarm)["a"].ours is None


def test_a_removed_folder_that_is_a_file_here_stays(sides: Sides) -> None:
    shutil.rmtree(sides.there / "d")
    to_file(sides.here / "d", "mine\n")
    assert sides.collect(apply_removals=True).notes == ["d was removed there and changed here; it stays"]
    assert (sides.here / "d").read_text() == "mine\n"


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
    assert read_manifest(sides.swarm)["y/new"].ours is not None, "and that is known"
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


# ---- the other way ----


def test_a_file_here_for_a_folder_goes_there(sides: Sides) -> None:
    to_file(sides.here / "d", "mine\n")
    assert sides.submit() == []
    assert (sides.there / "d").read_text() == "mine\n"
    brought = sides.collect(apply_removals=True)
    assert (brought.notes, brought.changes) == ([], [])
    assert (sides.here / "d").read_text() == "mine\n"


def test_a_folder_here_for_a_file_goes_there(sides: Sides) -> None:
    to_folder(sides.here / "x")
    assert sides.submit() == []
    assert files(sides.there / "x") == {"deep/new": "theirs\n"}
    brought = sides.collect(apply_removals=True)
    assert (brought.notes, brought.changes) == ([], [])


@pytest.mark.parametrize("name", ["d/one", "d/new", "d/deep/new"])
def test_a_file_here_does_not_go_over_a_folder_that_tasks_changed(sides: Sides, name: str) -> None:
    to_file(sides.here / "d", "mine\n")
    (sides.there / name).write_text("theirs\n")
    assert sides.submit() == ["d was changed both here and there; it stays as it is on both sides"]
    assert (sides.there / name).read_text() == "theirs\n"


def test_a_folder_here_does_not_go_over_a_file_that_tasks_changed(sides: Sides) -> None:
    to_folder(sides.here / "x")
    (sides.there / "x").write_text("theirs\n")
    (sides.here / "z").write_text("mine\n")
    assert sides.submit() == [
        f"{name} was changed both here and there; it stays as it is on both sides"
        for name in ("x", "x/deep", "x/deep/new")
    ]
    assert (sides.there / "x").read_text() == "theirs\n"
    assert (sides.there / "z").read_text() == "mine\n"


def test_what_is_new_in_a_folder_that_tasks_replaced_does_not_go(sides: Sides) -> None:
    to_file(sides.there / "d")
    (sides.here / "d/mine").write_text("mine\n")
    assert sides.submit() == ["d/mine was changed both here and there; it stays as it is on both sides"]
    assert (sides.there / "d").read_text() == "theirs\n"


def test_what_is_new_on_both_sides_does_not_go(sides: Sides) -> None:
    for side, text in ((sides.here, "mine\n"), (sides.there, "theirs\n")):
        (side / "both").mkdir()
        (side / "both" / "new").write_text(text)
    (sides.here / "both" / "mine").write_text("mine\n")
    assert sides.submit() == ["both/new was changed both here and there; it stays as it is on both sides"]
    assert files(sides.there / "both") == {"new": "theirs\n", "mine": "mine\n"}


def test_a_folder_that_tasks_removed_and_we_filled_is_made_again(sides: Sides) -> None:
    shutil.rmtree(sides.there / "d")
    (sides.here / "d/mine").write_text("mine\n")
    assert sides.submit() == []
    assert files(sides.there / "d") == {"mine": "mine\n"}


# ---- what programs here would run ----


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (".git/hooks/post-checkout", ".git/hooks/post-checkout"),
        (".GIT/config", ".GIT"),
        ("d/.git/hooks/pre-commit", "d/.git"),
        ("new/.hg/hgrc", "new/.hg"),
        (".git/hooks/deep/x", ".git/hooks/deep"),
    ],
)
def test_nothing_new_comes_into_a_folder_of_version_control(sides: Sides, path: str, named: str) -> None:
    (sides.here / ".git/hooks").mkdir(parents=True)
    (sides.here / ".git/hooks/known").write_text("mine\n")
    sides.submit()
    (sides.there / path).parent.mkdir(parents=True, exist_ok=True)
    (sides.there / path).write_text("evil\n")
    (sides.there / path).chmod(0o755)
    (sides.there / ".git/hooks/known").write_text("theirs\n")
    (sides.there / "fine.git").write_text("theirs\n")
    (note,) = sides.collect().notes
    assert note.startswith(f"{named} is new in what a version control keeps")
    assert not (sides.here / path).exists()
    assert (sides.here / ".git/hooks/known").read_text() == "theirs\n", "this was sent"
    assert (sides.here / "fine.git").exists()
    (sides.there / path).write_text("evil again\n")
    sides.collect()
    assert not (sides.here / path).exists()


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1777, 0o6666, 0o666])
def test_modes_that_come_back_are_less_than_what_the_umask_leaves(sides: Sides, mode: int) -> None:
    (sides.there / "new").write_text("theirs\n")
    (sides.there / "new").chmod(mode)
    (sides.there / "a").write_text("theirs\n")
    (sides.there / "a").chmod(mode)
    before = os.umask(0o027)
    try:
        assert sides.collect().notes == []
        assert sides.collect().moved == 0
    finally:
        os.umask(before)
    for name in ("new", "a"):
        assert (sides.here / name).stat().st_mode & 0o7777 == mode & 0o750
