"""Outputs in archives, made files again: whole or not at all."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.errors import TransferError
from locusts_fab.model.findings import Kept
from locusts_fab.results.unarchive import UNARCHIVED, open_kept, remove_unarchived, unarchive


def archive_of(folder: Path, members: dict[str, bytes], mode: int = 0o644) -> tuple[Path, dict[str, Kept]]:
    """Make an archive of files, and return where each is in it."""
    path, kept = folder / "1.tar", {}
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), mode, 1_000_000_000
            file.addfile(info, io.BytesIO(data))
            kept[name] = Kept(file.offset - -(-len(data) // 512) * 512, len(data))
    return path, kept


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


NAMES = st.lists(
    st.text(st.characters(blacklist_characters="/\0", codec="utf-8"), min_size=1, max_size=120)
    .filter(lambda name: name not in {".", ".."} and len(os.fsencode(name)) < 200)
    .map(lambda name: f"task/{name}"),
    min_size=1,
    max_size=4,
    unique=True,
)


@given(NAMES, st.binary(max_size=2000), st.sampled_from([0o644, 0o755, 0o600]))
def test_a_file_is_as_it_was(names: list[str], data: bytes, mode: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        path, kept = archive_of(folder, {name: bytes([at]) + data for at, name in enumerate(names)}, mode)
        for at, name in enumerate(names):
            place = folder / UNARCHIVED / "made" / name
            unarchive(path, kept[name], name, place, folder)
            status = place.stat()
            assert place.read_bytes() == bytes([at]) + data
            assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (mode, 1_000_000_000)
        assert left_in(folder) == [UNARCHIVED, "1.tar"]
        remove_unarchived(folder)
        remove_unarchived(folder)
        assert left_in(folder) == ["1.tar"]


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    path, kept = archive_of(tmp_path, {"a/x": b"new"})
    place = tmp_path / "made"
    place.write_text("old")
    unarchive(path, kept["a/x"], "a/x", place, tmp_path)
    assert place.read_text() == "old"


@pytest.mark.parametrize("size", [0, 100, 512, 600, 1023])
def test_of_an_archive_that_was_cut_nothing_is_made(tmp_path: Path, size: int) -> None:
    path, kept = archive_of(tmp_path, {"a/x": b"x" * 600})
    os.truncate(path, size)
    with pytest.raises(TransferError, match=r"a/x cannot be taken out of .*1\.tar"):
        unarchive(path, kept["a/x"], "a/x", tmp_path / "made", tmp_path)
    assert left_in(tmp_path) == ["1.tar"]


@pytest.mark.parametrize("other", [{"b/y": b"y" * 600}, {"a/x": b"x" * 601}, {"b/y": b"y" * 5000}])
def test_of_another_archive_in_its_place_nothing_is_read(tmp_path: Path, other: dict[str, bytes]) -> None:
    path, _ = archive_of(tmp_path, other)
    with pytest.raises(TransferError, match="it is not as it was written"):
        unarchive(path, Kept(512, 600), "a/x", tmp_path / "made", tmp_path)
    with pytest.raises(OSError, match="it is not as it was written"):
        open_kept(path, Kept(512, 600), "a/x")
    assert left_in(tmp_path) == ["1.tar"]
