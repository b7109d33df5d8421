"""Following links comes to an end, and says what it leaves out."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.bounds.follow import NOWHERE, ODD, ROUND, Follow, tree_size

if TYPE_CHECKING:
    from pathlib import Path


def seen(path: Path) -> tuple[set[str], dict[str, str]]:
    """Return all that is seen below a folder, and what is left out, by their names in it."""
    follow = Follow()
    start = follow.start(str(path))
    waiting = [] if start is None else [start]
    found = set()
    while waiting:
        place = waiting.pop()
        found.add(place.path)
        if place.is_folder:
            waiting.extend(inner for _, inner in follow.within(place))
    return (
        {os.path.relpath(each, path) for each in found},
        {os.path.relpath(each, path): why for each, why in follow.left_out.items()},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shared"
    (made / "deep").mkdir(parents=True)
    (made / "file").write_text("12345")
    (made / "deep" / "file").write_text("123")
    return made


@pytest.mark.parametrize(
    ("name", "target", "why"),
    [
        ("gone", "nothing", NOWHERE),
        ("gone", "/no/such/file", NOWHERE),
        ("deep/me", "me", NOWHERE),  # a circle of links
        ("below", "file/x", NOWHERE),
        ("self", ".", ROUND),
        ("deep/up", "..", ROUND),
        ("deep/here", "../deep", ROUND),
        ("above", "..", ROUND),
        ("all", "/", ROUND),
    ],
)
def test_what_is_left_out(folder: Path, name: str, target: str, why: str) -> None:
    (folder / name).symlink_to(target)
    assert seen(folder) == ({".", "file", "deep", "deep/file"}, {name: why})
    assert tree_size(folder) == (4, 8)
    assert not Follow().is_whole(str(folder))


@pytest.mark.parametrize(("name", "target"), [("link", "file"), ("dir", "deep"), ("far", "/etc/hostname")])
def test_what_is_followed(folder: Path, name: str, target: str) -> None:
    (folder / name).symlink_to(target)
    found, left_out = seen(folder)
    assert name in found
    assert not left_out
    assert Follow().is_whole(str(folder))


def test_pipes_and_sockets_are_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
        assert seen(folder)[1] == {"pipe": ODD, "socket": ODD}


def test_many_circles_do_not_multiply(folder: Path) -> None:
    for number in range(30):
        (folder / f"self{number}").symlink_to(".")
        (folder / "deep" / f"up{number}").symlink_to("..")
    found, left_out = seen(folder)
    assert found == {".", "file", "deep", "deep/file"}
    assert len(left_out) == 60
    assert tree_size(folder) == (4, 8)


def test_a_file_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("123")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "gone").symlink_to("nothing")
    assert tree_size(tmp_path / "link") == (1, 3)
    assert tree_size(tmp_path / "gone") == (0, 0)
    assert Follow().start(str(tmp_path / "gone")) is None
    with pytest.raises(FileNotFoundError):
        Follow().start(str(tmp_path / "nothing"))


_NAMES = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "b/b/a"])
_TARGETS = st.sampled_from([".", "..", "a", "../a", "../b", "b/a", "nothing", "/", "../.."])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(made=st.lists(st.tuples(_NAMES, st.none() | _TARGETS), max_size=8))
def test_whatever_the_links_it_ends(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, str | None]]
) -> None:
    root = tmp_path_factory.mktemp("tree") / "shared"
    root.mkdir()
    for name, target in made:
        path = root / name
        if os.path.lexists(path) or not path.parent.is_dir() or path.parent.is_symlink():
            continue
        path.mkdir() if target is None else path.symlink_to(target)
    found, left_out = seen(root)
    assert len(found) < 500
    for name in left_out:
        assert name not in found
    plain = {os.path.relpath(path, root) for path in root.rglob("*") if not path.is_symlink()}
    assert plain - {"."} <= found
