"""Bringing back a replica with what is neither a file nor a folder, with what cannot be read, or what programs run."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import TransferError
from locusts_fab.replica import merge, sync
from locusts_fab.replica.sync import has_news
from tests.support.trees import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.replica.manifest import Mark
    from locusts_fab.target import Site
    from tests.support.trees import Sides


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
