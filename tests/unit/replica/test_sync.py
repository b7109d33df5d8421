"""Sending a tree to its replica, listing it there, and the manifest here and in the environment."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import ExitStatus, HostError, StateError, TransferError
from locusts_fab.hosts.base import Result
from locusts_fab.hosts.local import LocalHost
from locusts_fab.replica import sync
from locusts_fab.replica.manifest import Agreed, folder_mark, mark_of
from locusts_fab.replica.sync import (
    agreed_manifest,
    forget_manifest,
    has_news,
    read_manifest,
    recall_manifest,
    scan,
    tree_dir,
)
from tests.support.trees import Sides, files

if TYPE_CHECKING:
    from collections.abc import Callable

    from locusts_fab.config.swarm import Swarm

START = {"a": "start\n", "x": "start\n", "z": "start\n", "d/one": "start\n", "d/deep/two": "start\n"}


# ---- sending ----


def test_a_replica_is_the_tree_and_both_sides_agree_on_it(sides: Sides) -> None:
    assert files(sides.there) == START
    manifest = sides.manifest()
    assert set(manifest) == {*START, "d", "d/deep"}
    for path, known in manifest.items():
        assert known == Agreed(mark_of(sides.there / path), mark_of(sides.there / path), mark_of(sides.here / path))
    assert not has_news(sides.swarm, sides.site)


def test_what_is_new_or_changed_here_is_sent_and_nothing_else(sides: Sides) -> None:
    (sides.here / "a").write_text("mine\n")
    (sides.here / "new").write_text("mine\n")
    (sides.here / "empty").mkdir()
    (sides.here / "link").symlink_to("a")
    unchanged = set(START) - {"a"}
    before = {name: (sides.there / name).stat().st_ino for name in unchanged}
    for name in ("x", "z"):
        (sides.there / name).write_text("theirs\n")
    assert sides.submit() == []
    assert files(sides.there) == {
        **START, "a": "mine\n", "new": "mine\n", "link": "mine\n", "x": "theirs\n", "z": "theirs\n",
    }  # fmt: skip
    assert (sides.there / "empty").is_dir()
    assert (sides.there / "link").readlink() == Path("a")
    assert {name: (sides.there / name).stat().st_ino for name in unchanged} == before
    assert sides.manifest()["a"].ours == mark_of(sides.here / "a")
    assert has_news(sides.swarm, sides.site), "what tasks changed is still to be brought back"


def test_what_was_changed_on_both_sides_is_not_sent(sides: Sides) -> None:
    (sides.here / "a").write_text("mine\n")
    (sides.there / "a").write_text("theirs\n")
    (sides.here / "x").write_text("mine\n")
    (sides.there / "x").unlink()
    notes = [f"{name} was changed both here and there; it stays as it is on both sides" for name in ("a", "x")]
    assert sides.submit() == notes
    assert files(sides.there) == {**{name: text for name, text in START.items() if name != "x"}, "a": "theirs\n"}
    assert (sides.here / "a").read_text() == "mine\n"
    assert sides.submit() == notes, "it is still not settled"


def test_what_cannot_be_replicated_is_noted(sides: Sides) -> None:
    os.mkfifo(sides.here / "fifo")
    assert sides.submit() == ["fifo: neither file, folder nor link; left out"]
    assert not (sides.there / "fifo").exists()


def test_in_place_nothing_is_copied_and_the_first_manifest_stays(tmp_path: Path) -> None:
    sides = Sides(tmp_path, in_place=True)
    assert tree_dir(sides.swarm, sides.site.environment.root) == str(sides.here)
    assert not sides.there.exists()
    manifest = sides.manifest()
    assert set(manifest) == {*START, "d", "d/deep"}
    (sides.here / "a").write_text("changed\n")
    assert sides.submit() == []
    assert read_manifest(sides.swarm) == manifest
    assert not has_news(sides.swarm, sides.site), "it is here already"
    sides.collect()
    assert sides.rows() == {"a": "changed"}


# ---- listing ----


def test_a_scan_lists_the_tree_on_the_target(sides: Sides) -> None:
    (sides.there / "link").symlink_to("/nowhere")
    listed = scan(sides.swarm, sides.site, 0)
    assert listed == {str(path.relative_to(sides.there)): mark_of(path) for path in sides.there.rglob("*")}
    assert listed["d"] == folder_mark()


def test_a_scan_of_a_tree_in_place_leaves_out_what_is_ours(tmp_path: Path) -> None:
    sides = Sides(tmp_path, in_place=True)
    settings = sides.swarm.settings.model_copy(update={"root": ".", "outdir": "world/results"})
    swarm = replace(sides.swarm, settings=settings)
    (sides.here / "results").mkdir()
    (sides.here / "results" / "modified.tsv").touch()
    assert (tmp_path / ".locusts").is_dir()
    assert set(scan(swarm, sides.site, 0)) == {"world", "world/d", "world/d/deep", *(f"world/{n}" for n in START)}


def test_a_tree_that_cannot_be_listed_is_an_error(sides: Sides) -> None:
    shutil.rmtree(sides.there)
    with pytest.raises(HostError, match=f"the tree {sides.there} cannot be listed") as caught:
        scan(sides.swarm, sides.site, 0)
    assert caught.value.hint is not None
    with pytest.raises(HostError):
        has_news(sides.swarm, sides.site)


# ---- the manifest ----


def copy_of(sides: Sides) -> Path:
    """Return where the environment has its copy of the manifest."""
    return Path(sides.site.environment.root) / "exec" / "replica.tsv"


@pytest.mark.parametrize("lose", [lambda _: None, forget_manifest], ids=["kept", "lost"])
def test_a_manifest_that_was_lost_is_in_the_environment(sides: Sides, lose: Callable[[Swarm], object]) -> None:
    """What is done is the same with it and without."""
    manifest = sides.manifest()
    sides.start()
    (sides.there / "a").write_text("theirs\n")
    (sides.here / "x").write_text("mine\n")
    lose(sides.swarm)
    assert has_news(sides.swarm, sides.site)
    assert sides.manifest() == manifest
    lose(sides.swarm)
    assert sides.submit() == []
    assert files(sides.there) == {**START, "a": "theirs\n", "x": "mine\n"}
    lose(sides.swarm)
    assert agreed_manifest(sides.swarm, sides.site) == sides.manifest()
    sides.collect()
    assert files(sides.here) == {**START, "a": "theirs\n", "x": "mine\n"}
    assert sides.rows() == {"a": "changed"}


def test_nothing_is_recalled_where_there_is_no_copy(sides: Sides) -> None:
    manifest = sides.manifest()
    copy_of(sides).unlink()
    assert not recall_manifest(sides.swarm, sides.site)
    assert read_manifest(sides.swarm) == manifest
    forget_manifest(sides.swarm)
    forget_manifest(sides.swarm)
    assert not recall_manifest(sides.swarm, sides.site)
    assert read_manifest(sides.swarm) is None


def test_where_nobody_knows_what_tasks_did_nothing_is_sent_or_given_up(sides: Sides) -> None:
    sides.start()
    (sides.there / "a").write_text("theirs\n")
    forget_manifest(sides.swarm)
    copy_of(sides).unlink()
    for ask in (sides.submit, lambda: has_news(sides.swarm, sides.site)):
        with pytest.raises(StateError, match=f"may have changed the tree {sides.there}") as caught:
            ask()
        assert "locusts clean --force" in str(caught.value.hint)
    assert files(sides.there) == {**START, "a": "theirs\n"}
    sides.there.rename(sides.there.with_name("moved away"))
    assert not has_news(sides.swarm, sides.site)
    assert sides.submit() == []
    assert files(sides.there) == START


@pytest.mark.parametrize("call", ["submit", "has_news"])
def test_a_manifest_that_cannot_be_recalled_is_not_taken_for_none(
    sides: Sides, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise TransferError("the link broke")

    sides.start()
    (sides.there / "a").write_text("theirs\n")
    forget_manifest(sides.swarm)
    monkeypatch.setattr(type(sides.site.transfer), "read", fail)
    with pytest.raises(TransferError, match="the link broke"):
        sides.submit() if call == "submit" else has_news(sides.swarm, sides.site)
    assert files(sides.there) == {**START, "a": "theirs\n"}


def test_a_first_submit_that_was_cut_off_carries_on(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was started, so all that is there was sent."""
    forget_manifest(sides.swarm)
    copy_of(sides).unlink()
    (sides.there / "a").write_text("half")
    (sides.there / "x").unlink()
    with monkeypatch.context() as patch, pytest.raises(TransferError):
        patch.setattr(sync, "save_manifest", no_space)
        sides.submit()
    (sides.there / "a").write_text("half")
    assert not has_news(sides.swarm, sides.site)
    assert sides.submit() == []
    assert files(sides.there) == START


def no_space(*_: object) -> None:
    raise TransferError("No space left on device")


def test_what_tasks_make_in_a_tree_that_was_empty_comes_home(tmp_path: Path) -> None:
    """To have agreed on nothing is not the same as never to have agreed."""
    sides = Sides(tmp_path, names=())
    assert sides.manifest() == {}
    sides.start()
    for name in ("new", "both"):
        (sides.there / name).write_text("theirs\n")
    (sides.here / "both").write_text("mine\n")
    assert has_news(sides.swarm, sides.site)
    assert sides.submit() == ["both was changed both here and there; it stays as it is on both sides"]
    assert files(sides.there) == {"new": "theirs\n", "both": "theirs\n"}
    sides.collect()
    assert files(sides.here) == {"new": "theirs\n", "both": "mine\n", "both.from-t": "theirs\n"}


def test_in_place_a_manifest_that_was_lost_is_recalled(tmp_path: Path) -> None:
    sides = Sides(tmp_path, in_place=True)
    manifest = sides.manifest()
    sides.start()
    (sides.here / "a").write_text("changed\n")
    forget_manifest(sides.swarm)
    sides.submit()
    assert sides.manifest() == manifest
    sides.collect()
    assert sides.rows() == {"a": "changed"}
    forget_manifest(sides.swarm)
    copy_of(sides).unlink()
    assert sides.submit() == [], "nothing can be lost there"


def test_a_manifest_that_cannot_be_read_is_an_error(sides: Sides) -> None:
    forget_manifest(sides.swarm)
    (sides.swarm.state_dir / "replica.tsv").mkdir()
    with pytest.raises(StateError, match=r"replica\.tsv cannot be read: Is a directory"):
        sides.submit()


def test_a_removed_file_is_no_news_but_a_new_one_is(sides: Sides) -> None:
    (sides.there / "a").unlink()
    assert not has_news(sides.swarm, sides.site)
    (sides.there / "new").touch()
    assert has_news(sides.swarm, sides.site)
    sides.collect()
    assert not has_news(sides.swarm, sides.site)


def test_a_manifest_that_cannot_be_written_is_an_error(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    (sides.here / "a").write_text("mine\n")
    monkeypatch.setattr(sync, "write_whole", refuse)
    message = r"replica\.tsv cannot be written: No space left on device"
    with pytest.raises(TransferError, match=message):
        sides.submit()
    with pytest.raises(TransferError, match=message):
        recall_manifest(sides.swarm, sides.site)


@pytest.mark.parametrize("path", ["../victim", "/etc/victim", "a/../../victim", "a\0"])
def test_a_copy_of_the_manifest_that_somebody_else_wrote_is_not_taken_over(sides: Sides, path: str) -> None:
    manifest = read_manifest(sides.swarm)
    forged = Path(sides.site.environment.root) / "exec" / "replica.tsv"
    forged.write_text(f"{path}\tf 1 1 644 \tf 1 1 644 \tf 1 1 644 \t0\n")
    with pytest.raises(HostError, match="is no list of the tree") as caught:
        recall_manifest(sides.swarm, sides.site)
    assert caught.value.exit_status == ExitStatus.CONNECTION
    assert read_manifest(sides.swarm) == manifest
    (sides.swarm.state_dir / "replica.tsv").write_bytes(forged.read_bytes())
    with pytest.raises(StateError, match="is damaged"):
        read_manifest(sides.swarm)


@pytest.mark.parametrize("path", ["../../victim/new", "/victim", "world/../../victim", "world//x"])
def test_a_list_of_a_tree_that_names_what_is_not_in_it_is_an_error(
    sides: Sides, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    listed = Result(0, b"f 1 1.5 777\0\0" + path.encode() + b"\0", "")
    monkeypatch.setattr(LocalHost, "run", lambda *_args, **_more: listed)
    with pytest.raises(HostError, match=r"what came as the list of the tree .* is none") as caught:
        scan(sides.swarm, sides.site, 0)
    assert caught.value.exit_status == ExitStatus.CONNECTION
