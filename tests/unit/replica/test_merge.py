"""Bringing back a replica whose entries changed their kind, on one side or both."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.replica import sync
from locusts_fab.replica.sync import has_news
from tests.support.trees import files, to_file, to_folder

if TYPE_CHECKING:
    from tests.support.trees import Sides


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
    assert sides.manifest()["a"].ours is None


def test_a_removed_folder_that_is_a_file_here_stays(sides: Sides) -> None:
    shutil.rmtree(sides.there / "d")
    to_file(sides.here / "d", "mine\n")
    assert sides.collect(apply_removals=True).notes == ["d was removed there and changed here; it stays"]
    assert (sides.here / "d").read_text() == "mine\n"


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
