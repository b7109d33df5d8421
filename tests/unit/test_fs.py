"""Files and folders of this machine: whole or not at all, and removed whatever is in them."""

from __future__ import annotations

import io
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.errors import TransferError
from locusts_fab.fs import (
    FRESH_PREFIXES,
    Span,
    fresh_folder,
    new_beside,
    remove,
    remove_left_folders,
    remove_tree,
    write_whole,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a\nfile"
    write_whole(path, b"old, and longer")
    with path.open("rb") as reader:
        write_whole(path, b"new\0")
        assert reader.read() == b"old, and longer"  # who reads the older one reads all of it
    assert path.read_bytes() == b"new\0"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_remove(tmp_path: Path) -> None:
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("kept")
    for name in ("file/below", "folder", "file", "link", "nothing"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_fresh_folder_is_ours_alone_and_goes(tmp_path: Path) -> None:
    with fresh_folder(tmp_path, "stage-") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "x").write_text("x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TransferError, match="no folder can be made"), fresh_folder(tmp_path / "nowhere", "stage-"):
        pass


def test_folders_that_killed_commands_left_go(tmp_path: Path) -> None:
    for prefix in FRESH_PREFIXES:
        (tmp_path / f".{prefix}old" / "x").mkdir(parents=True)
        with fresh_folder(tmp_path, prefix) as folder:
            assert folder.name.startswith(f".{prefix}")
    (tmp_path / "other-old").mkdir()
    remove_left_folders(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other-old"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Make the folder with the state of a swarm."""
    folder = tmp_path / ".locusts" / "test"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["stage-a0_b1c2d", "incoming-tree-abcdefgh", "links-________"])
def test_what_an_older_version_left_goes(state: Path, name: str) -> None:
    (state / name / "exec/plan").mkdir(parents=True)  # as it lies there while it is sent
    (state / name / "exec/manager.sh").touch()
    remove_left_folders(state)
    assert not (state / name).exists()


@pytest.mark.parametrize("name", ["stage-2", "note-", "stage-a0_b1c2d", "incoming-tree-abcdefgh", "pieces-12345678"])
@pytest.mark.parametrize("mark", ["", "exec/id.c0ffee12", ".removed.c0ffee12", ".exec.c0ffee12.7"])
def test_an_environment_with_such_a_name_stays(state: Path, name: str, mark: str) -> None:
    """A target of the same name as the swarm has its environments there; one that is just made is empty still."""
    (state / name / mark).mkdir(parents=True)
    if not mark:
        (state.parent / name).mkdir()
    remove_left_folders(state)
    assert (state / name / mark).exists()


def test_no_other_prefix_is_used() -> None:
    package = Path(__file__).parents[2] / "locusts_fab"
    for source in package.rglob("*.py"):
        for prefix in re.findall(r'fresh_folder\([^()]*"([^"]*)"\)', source.read_text()):
            assert prefix.startswith(FRESH_PREFIXES)


def test_a_tree_goes_but_not_what_its_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "tree" / "dangling").symlink_to("nowhere")
    (tmp_path / "tree" / "locked").mkdir(mode=0o500)
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "tree")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["mine", "mine/x"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_the_mode_that_is_asked_for(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "f"
    path.touch(mode=0o666)
    write_whole(path, b"x", mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_was_half_made_beside_goes(tmp_path: Path) -> None:
    def fail() -> NoReturn:
        with new_beside(tmp_path / "f") as part:
            os.mkdir(part)  # noqa: PTH102 - a string, as those who use it have it
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_folders_that_nobody_may_write_are_removed_too(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    for folder in (inner, inner.parent, inner.parent.parent):
        folder.chmod(0o500)
    remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@given(
    st.binary(max_size=60),
    st.integers(0, 70),
    st.integers(0, 70),
    st.lists(st.tuples(st.integers(0, 2), st.integers(-9, 70))),
)
def test_a_span_is_as_a_file_of_its_own(data: bytes, offset: int, size: int, steps: list[tuple[int, int]]) -> None:
    alone = io.BytesIO(data[offset:][:size])
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        span = Span(file.fileno(), min(offset, len(data)), len(alone.getvalue()))
        for kind, number in steps:
            if kind == 0 and number >= 0:
                assert span.seek(number) == alone.seek(number)
            elif kind == 1:
                assert span.read(number) == alone.read(number)
            assert span.tell() == alone.tell()
        span.seek(0, os.SEEK_END)
        assert span.tell() == len(alone.getvalue())
        inner = span.part(1, 2)
        assert inner.read(9) == data[min(offset, len(data)) + 1 :][:2]
