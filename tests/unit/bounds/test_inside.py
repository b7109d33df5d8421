"""Writing and removing below a folder: nothing is touched outside, whatever stands on the way, and whenever it came."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.bounds import removal
from locusts_fab.bounds.inside import Inside, umask
from locusts_fab.bounds.names import Name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Make a folder that must stay as it is."""
    made = tmp_path / "outside"
    (made / "deep").mkdir(parents=True)
    for name in ("x", "deep/x"):
        (made / name).write_text("precious", encoding="utf-8")
    return made


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    (tmp_path / "root").mkdir()
    with Inside(tmp_path / "root") as made:
        yield made


def at(inside: Inside, path: str) -> Path:
    return Path(inside.root) / path


def content(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that can be seen of a folder."""
    found = {".": (folder.stat().st_mode, folder.stat().st_mtime_ns, b"")}
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, path.lstat().st_mtime_ns, data)
    return found


def write(inside: Inside, name: Name) -> None:
    inside.write(name, b"evil")


def link(inside: Inside, name: Name) -> None:
    inside.write(Name("from"), b"evil")
    inside.link(inside, Name("from"), name)


def make_folder(inside: Inside, name: Name) -> None:
    inside.make_folder(name / "new")


def symlink(inside: Inside, name: Name) -> None:
    inside.symlink("/etc", name)


def take(inside: Inside, name: Name) -> None:
    at(inside, "taken").touch()
    inside.take(f"{inside.root}/taken", name)


def set_mode(inside: Inside, name: Name) -> None:
    inside.set_mode(name, 0o777)


ACTIONS: list[Callable[[Inside, Name], None]] = [write, link, make_folder, symlink, take, set_mode, Inside.need_folder]
LOOKS: list[Callable[[Inside, Name], object]] = [Inside.stat, Inside.readlink, Inside.open, Inside.list]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("way", ["way", "way/deep", "up", "a/way"])
def test_nothing_is_made_through_a_symlink(
    inside: Inside, outside: Path, way: str, action: Callable[[Inside, Name], None]
) -> None:
    at(inside, "way").symlink_to(outside)
    at(inside, "up").symlink_to("..")
    at(inside, "a").mkdir()
    at(inside, "a/way").symlink_to("../../outside/deep")
    before = content(outside)
    with pytest.raises(NotADirectoryError):
        action(inside, Name(way) / "x")
    assert content(outside) == before


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_seen_through_a_symlink(
    inside: Inside, outside: Path, look: Callable[[Inside, Name], object]
) -> None:
    at(inside, "way").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        look(inside, Name("way/x"))
    assert inside.look(Name("way/x")) is None
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        os.close(inside.open(Name("way")))
    with pytest.raises(NotADirectoryError):
        inside.list(Name("way"))


def test_only_files_are_given_a_mode(inside: Inside, outside: Path) -> None:
    (outside / "x").touch()
    at(inside, "link").symlink_to(outside / "x")
    at(inside, "folder").mkdir()
    os.mkfifo(at(inside, "pipe"))
    before = content(outside)
    for name in ("link", "folder", "pipe", "none"):
        with pytest.raises(OSError, match=r"symbolic links|no file|No such file"):
            inside.set_mode(Name(name), 0o777)
    assert content(outside) == before
    at(inside, "file").touch()
    inside.set_mode(Name("file"), 0o6751)
    assert stat.S_IMODE(at(inside, "file").stat().st_mode) == 0o751


@pytest.mark.parametrize("what", ["way", "way/deep", "way/x", "folder", "folder/way", "folder/way/x"])
def test_nothing_is_removed_through_a_symlink(inside: Inside, outside: Path, what: str) -> None:
    at(inside, "way").symlink_to(outside)
    at(inside, "folder").mkdir()
    at(inside, "folder/way").symlink_to(outside)
    at(inside, "folder/x").symlink_to("../../outside/x")
    before = content(outside)
    inside.remove(Name(what))
    assert content(outside) == before
    assert os.path.lexists(f"{inside.root}/{what}") is (what in {"way/deep", "way/x", "folder/way/x"})


def test_a_folder_that_becomes_a_symlink_while_it_is_used(
    inside: Inside, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever swaps a folder for a symlink just before it is opened wins nothing."""
    open_ = os.open

    def opens(path: str, flags: int, *args: int, **more: int) -> int:
        if path == "folder" and not at(inside, "folder").is_symlink():
            at(inside, "folder").rename(at(inside, "moved"))
            at(inside, "folder").symlink_to(outside)
        return open_(path, flags, *args, **more)

    at(inside, "folder").mkdir()
    before = content(outside)
    monkeypatch.setattr(os, "open", opens)
    with pytest.raises(NotADirectoryError):
        inside.write(Name("folder/x"), b"evil")
    at(inside, "folder").unlink()
    at(inside, "moved").rename(at(inside, "folder"))
    inside.remove(Name("folder"))
    assert content(outside) == before


def test_what_was_opened_is_not_taken_for_what_came_in_its_place(inside: Inside) -> None:
    inside.write(Name("a/b/x"), b"1")
    inside.remove(Name("a"))
    inside.write(Name("a/b/x"), b"2")
    assert at(inside, "a/b/x").read_bytes() == b"2"


def test_many_folders_need_few_descriptors(inside: Inside) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(200):
        inside.write(Name(f"{number}/{number}/x"), b"x")
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 40


@pytest.mark.parametrize("older", ["file", "folder", "link", "nothing"])
@pytest.mark.parametrize("newer", ["file", "folder", "link"])
def test_anything_takes_the_place_of_anything(inside: Inside, outside: Path, older: str, newer: str) -> None:
    place = Name("sub/x")
    if older == "file":
        inside.write(place, b"old")
    elif older == "folder":
        inside.write(place / "y", b"old")
    elif older == "link":
        inside.need_folder(Name("sub"))
        inside.symlink(str(outside), place)
    before = content(outside)
    with inside.beside(place) as part:
        if newer == "file":
            os.close(inside.new(part))
        elif newer == "folder":
            inside.make_folder(part)
        else:
            inside.symlink("x", part)
        inside.replace(part, place)
    kinds = {"file": "f", "folder": "d", "link": "l"}
    assert inside.list(Name("sub")) == [("x", kinds[newer])]
    assert content(outside) == before


def test_what_was_begun_is_removed_if_it_fails(inside: Inside) -> None:
    with pytest.raises(ValueError, match="no"), inside.beside(Name("a/x")) as part:
        inside.write(part / "y", b"x")
        raise ValueError("no")
    assert inside.list(Name("a")) == []


def test_a_folder_deeper_than_any_stack_is_removed(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_MOST_DEPTH", 3)
    for branch in ("a", "b"):
        inside.write(Name("/".join(["top", branch, *["d"] * 500, "x"])), b"x")
    at(inside, "top/a/d").chmod(0)
    inside.remove(Name("top"))
    assert inside.list(None) == []


# ---- modes ----


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o022, 0o002])
def test_modes_follow_the_umask(inside: Inside, mask: int) -> None:
    before = os.umask(mask)
    try:
        assert umask() == mask
        inside.write(Name("a/x"), b"x", mode=0o7777)
        inside.write(Name("a/y"), b"x")
    finally:
        os.umask(before)
    assert inside.stat(Name("a/x")).st_mode & 0o7777 == 0o777 & ~mask
    assert inside.stat(Name("a/y")).st_mode & 0o7777 == 0o666 & ~mask
    assert inside.stat(Name("a")).st_mode & 0o7777 == 0o777 & ~mask


def test_the_group_of_a_folder_with_the_bit_for_it(inside: Inside) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives folders to any group")
    os.chown(inside.root, 0, 4242)
    Path(inside.root).chmod(0o2770)
    inside.write(Name("a/b/x"), b"x")
    for name in ("a", "a/b", "a/b/x"):
        assert inside.stat(Name(name)).st_gid == 4242
    assert inside.stat(Name("a/b")).st_mode & stat.S_ISGID
    assert not inside.is_plain(Name("a/b/x"))
    status = Path(__file__).stat()
    assert not inside.is_as_made(Name("a/x"), status)


def test_what_is_in_the_way_is_named_in_full(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link").symlink_to("/")
    with Inside(tmp_path) as inside, pytest.raises(NotADirectoryError) as caught:
        inside.write(Name("a/link/b/c"), b"", 0o600)
    assert caught.value.filename == f"{tmp_path}/a/link"
