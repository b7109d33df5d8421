"""Whatever both sides do to a tree, merging loses nothing of ours, settles, and follows no symlink."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from locusts_fab.replica.sync import has_news
from tests.support.trees import Sides

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAMES = ("a", "x", "z", "d", "d/one", "d/deep", "d/deep/two", "new", "new/below")
KINDS = ("file", "other file", "folder", "link", "link out", "pipe", "nothing")
DEEDS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(KINDS)), max_size=5)


def do(root: Path, deeds: list[tuple[str, str]], whose: str) -> None:
    """Put other things in some places, as far as the folders above are still folders."""
    for name, kind in deeds:
        place = root / name
        if not place.parent.is_dir() or place.parent.is_symlink():
            continue
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        if kind.endswith("file"):
            place.write_text(f"{whose} {kind}")
        elif kind == "folder":
            place.mkdir()
            (place / whose).write_text(whose)
        elif kind == "link":
            place.symlink_to("z")
        elif kind == "link out":
            place.symlink_to(root.parent / "outside")
        elif kind == "pipe":
            os.mkfifo(place)


def contents(root: Path) -> set[str]:
    """Return what regular files hold, wherever they lie."""
    return {path.read_text() for path in root.rglob("*") if path.is_file() and not path.is_symlink()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(DEEDS, DEEDS), min_size=1, max_size=2))
@example([([], [("a", "folder")]), ([], [("a", "link"), ("z", "link")])])  # in circles, where a folder was
@example([([], [("d", "pipe")]), ([("d", "link")], [("z", "link")])])
@example([([], [("d", "link"), ("z", "link")]), ([], [("d", "folder"), ("d/deep", "folder")])])
def test_nothing_of_ours_is_lost_and_it_settles(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[tuple[list[tuple[str, str]], list[tuple[str, str]]]]
) -> None:
    folder = tmp_path_factory.mktemp("sides")
    sides = Sides(folder)
    for outside in (folder / "outside", sides.there.parent / "outside"):
        outside.mkdir()
        (outside / "one").write_text("precious")
    for number, (here, there) in enumerate(rounds):
        do(sides.here, here, f"ours{number}")
        do(sides.there, there, f"theirs{number}")
        mine = {text for text in contents(sides.here) if text.startswith(f"ours{number}")}
        sides.collect()
        assert contents(sides.here) >= mine, "what we wrote is here, wherever it lies"
        lists = {path: path.lstat().st_mtime_ns for path in sides.here.rglob("*")}
        sides.collect()
        assert {path: path.lstat().st_mtime_ns for path in sides.here.rglob("*")} == lists, "a second one moves nothing"
        if not any(path.is_symlink() or path.name.endswith(".from-t") for path in sides.here.rglob("*")):
            blocked = [note for note in sides.collect().notes if "moved away here" in note]
            assert bool(blocked) or not has_news(sides.swarm, sides.site), "what can come has come"
        for outside in (folder / "outside", sides.there.parent / "outside"):
            assert {path.name: path.read_text() for path in outside.iterdir()} == {"one": "precious"}
