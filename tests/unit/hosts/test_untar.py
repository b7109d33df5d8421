"""What a host sends: what was asked for arrives, and nothing it may think of does anything else."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.bounds import budget
from locusts_fab.bounds.budget import TooManyEntriesError, TooMuchError
from locusts_fab.hosts import untar
from locusts_fab.hosts.untar import take_files

if TYPE_CHECKING:
    from pathlib import Path


def archive_of(*members: tuple[str, bytes, dict[str, Any]]) -> bytes:
    """Write an archive as a host that lies would: each member is a name, its data, and what else its header says."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for name, data, header in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in header.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def take(folder: Path, data: bytes, *wanted: bytes) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    take_files(io.BytesIO(data), set(wanted), folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LINK: dict[str, Any] = {"type": tarfile.SYMTYPE}


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("other", {}),
        ("/etc/x", {}),
        ("../victim/x", {}),
        ("folder/../../victim/x", {}),
        ("folder/./x", {}),
        ("folder//x", {}),
        ("folder/..", {}),
        ("folder", {**LINK, "linkname": "../victim"}),
        ("folder/link", {**LINK, "linkname": "../../victim"}),
        ("file", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}),
        ("file", {"type": tarfile.FIFOTYPE}),
        ("file", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}),
        ("file", {"type": tarfile.BLKTYPE, "devmajor": 8}),
        ("file", {"type": b"Z"}),
    ],
)
def test_what_is_passed_over(tmp_path: Path, name: str, header: dict[str, Any]) -> None:
    (tmp_path / "victim").mkdir()
    data = archive_of((name, b"", header), ("folder/x", b"through", {}), ("good", b"good", {}))
    found = take(tmp_path / "in", data, b"good", b"file", b"folder")
    found.pop("file", None)  # what tar does not know it takes for a file, which is no harm
    assert found == {"folder/x": b"through", "good": b"good"}
    assert list((tmp_path / "victim").iterdir()) == []
    assert not [path for path in (tmp_path / "in").rglob("*") if path.is_symlink()]


@pytest.mark.parametrize(
    "members",
    [
        (("file", b"1", {}), ("file", b"2", {})),
        (("folder/x", b"1", {}), ("folder", b"2", {})),
        (("folder", b"1", {}), ("folder/x", b"2", {})),
    ],
    ids=["twice", "over a folder", "below a file"],
)
def test_what_makes_no_sense(tmp_path: Path, members: tuple[tuple[str, bytes, dict[str, Any]], ...]) -> None:
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        take(tmp_path / "in", archive_of(*members), b"file", b"folder")


def test_modes_and_times(tmp_path: Path) -> None:
    wide = {"mode": 0o6777, "mtime": 1_600_000_000, "uid": 12345}
    before = os.umask(0o027)
    try:
        take(tmp_path / "in", archive_of(("f", b"x", wide), ("d/g", b"", {"mode": 0})), b"f", b"d")
    finally:
        os.umask(before)
    found = {path.name: path.stat() for path in (tmp_path / "in").rglob("*")}
    assert {name: stat.S_IMODE(status.st_mode) for name, status in found.items()} == {
        "f": 0o750,
        "d": 0o750,
        "g": 0o600,
    }
    assert (found["f"].st_mtime, found["f"].st_uid) == (1_600_000_000, os.getuid())


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3 * 512 + 699))
def test_an_archive_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, at: int) -> None:
    data = archive_of(("one", b"1" * 100, {}), ("two", b"2" * 700, {}))
    folder = tmp_path_factory.mktemp("cut") / "in"
    try:
        take(folder, data[:at], b"one", b"two")
    except OSError as error:
        assert re.search("whole archive|middle of a file", str(error))
    # no file is cut; whether there was more to come, the exit status of tar tells
    whole = {"one": b"1" * 100, "two": b"2" * 700}
    assert {path.name: path.read_bytes() for path in folder.iterdir()}.items() <= whole.items()


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_at_all(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        take(folder / "in", data, b"one")
    except OSError:
        assert data[:512] != bytes(512)
    assert [path.name for path in folder.iterdir()] == ["in"]


def test_damage_at_any_place(tmp_path: Path) -> None:
    """A header that was changed is refused; what is in a file may be anything."""
    data = bytearray(archive_of(("one", b"1", {})))
    for at in range(0, 512, 3):
        damaged = bytes(data[:at]) + bytes([data[at] ^ 0xFF]) + bytes(data[at + 1 :])
        folder = tmp_path / f"{at}"
        try:
            assert set(take(folder, damaged, b"one")) <= {"one"}
        except OSError as error:
            assert "whole archive" in str(error)


def test_what_a_real_tar_sends(tmp_path: Path) -> None:
    names = [b"a b", b"-rf", b"new\nline", b"\xff", b"x" * 150, b"back\\slash", b"tab\t"]
    (tmp_path / "there").mkdir()
    for name in names:
        (tmp_path / "there" / os.fsdecode(name)).write_bytes(name)
    sent = subprocess.run(
        ["tar", "-cf", "-", "-C", tmp_path / "there", "--format=gnu", "--hard-dereference", "--null", "-T", "-"],
        input=b"".join(b"./" + name + b"\0" for name in names),
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    assert take(tmp_path / "in", sent, *names) == {os.fsdecode(name): name for name in names}


def links_below(folder: str, count: int) -> list[tuple[str, bytes, dict[str, Any]]]:
    return [(f"{folder}/{number}", b"", {**LINK, "linkname": "file"}) for number in range(count)]


def test_links_in_a_wanted_folder_are_nothing_that_nobody_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small what nobody asked for has to be; and one that was asked for may be a link itself."""
    monkeypatch.setattr(untar, "_MOST_UNWANTED", 3 * 512)
    links = [*links_below("folder", 1_000), ("other", b"", LINK), ("pipe", b"", {"type": tarfile.FIFOTYPE})]
    data = archive_of(*links, ("folder/file", b"good", {}))
    assert take(tmp_path / "in", data, b"folder", b"other", b"pipe") == {"folder/file": b"good"}
    with pytest.raises(TooMuchError, match="what nobody asked for"):
        take(tmp_path / "none", data, b"folder/file")


@pytest.mark.parametrize("count", [10, 11])
def test_there_may_be_as_many_links_as_the_list_may_have_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(budget, "_UNEXPECTED_ENTRIES", 5)
    monkeypatch.setattr(budget, "_ENTRIES_OF_A_TASK", 1)
    data = archive_of(("folder/file", b"", {}), ("folder/more", b"", {}), *links_below("folder", count + 1))
    wanted = [b"folder", *(b"x%d" % number for number in range(count - 10))]
    with pytest.raises(TooManyEntriesError, match=f"more than {count} links"):
        take(tmp_path / "in", data, *wanted)
    data = archive_of(("folder/file", b"", {}), ("folder/more", b"", {}), *links_below("folder", count))
    assert set(take(tmp_path / "whole", data, *wanted)) == {"folder/file", "folder/more"}


KINDS = [
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
    b"S",
    b"Z",
]
PARTS = st.sampled_from(["a", "b", "..", ".", "", "link", "victim"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join) | st.just("/victim/x")
MEMBERS = st.lists(st.tuples(PATHS, st.sampled_from(KINDS), PATHS, st.binary(max_size=600)), max_size=8)


@settings(max_examples=150, deadline=None)
@given(MEMBERS, st.sets(PATHS, max_size=3))
def test_no_order_of_members_reaches_outside(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, str, bytes]], wanted: set[str]
) -> None:
    """Links and what lies below them, the same name twice, folders over files: only files and folders come of it."""
    above = tmp_path_factory.mktemp("any")
    (above / "victim").mkdir()
    (above / "victim/x").write_bytes(b"precious")
    plain = {os.path.normpath(name) for name in wanted if not name.startswith(("/", ".."))} - {"."}
    asked = {os.fsencode(name) for name in plain if ".." not in name.split("/")}
    made = [(name or "a", data, {"type": kind, "linkname": link}) for name, kind, link, data in members]
    folder = above / "in"
    folder.mkdir()
    with contextlib.suppress(OSError):  # it makes no sense; whoever asked turns to another way
        take_files(io.BytesIO(archive_of(*made)), asked, folder)
    assert sorted(path.name for path in above.iterdir()) == ["in", "victim"]
    assert [(path.name, path.read_bytes()) for path in (above / "victim").iterdir()] == [("x", b"precious")]
    for path in folder.rglob("*"):
        assert stat.S_IFMT(path.lstat().st_mode) in {stat.S_IFREG, stat.S_IFDIR}
        name = os.fsencode(path.relative_to(folder))
        assert any((name + b"/").startswith(one + b"/") or one.startswith(name + b"/") for one in asked)
