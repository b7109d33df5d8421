"""Packing: what a real tar unpacks is what staging by links would have laid out, names and all."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.bounds.follow import Follow
from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.layout import Environment
from locusts_fab.model.tasks import Chunk, PlannedTask
from locusts_fab.shell.scripts import remote_script
from locusts_fab.transfer import tarball as archive
from locusts_fab.transfer.tarball import pack
from tests.support.environments import ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from locusts_fab.bounds.follow import Place

#: Names of files: any bytes but NUL and slash.
names = (
    st.binary(min_size=1, max_size=120)
    .map(lambda data: os.fsdecode(data.translate(None, b"\0/")))
    .filter(lambda name: name not in {"", ".", ".."})
)


def swarm_in(folder: Path, **shared: str) -> Swarm:
    made = SwarmSettings.model_validate({"command": "true", "indir": "in", "shared": shared})
    return Swarm("s", made, "here", Target(mode="local"), folder)


def unpacked(folder: Path, data: bytes, *, wholly: bool = True) -> Path:
    """Unpack an archive as the host does, and then the inputs as it does before a second submit."""
    root = folder / "unpacked"
    root.mkdir()
    unpack = 'umask 077; tar -xpof - -C "$1"'
    subprocess.run(["bash", "-c", unpack, "bash", root], input=data, check=True, timeout=30)
    if wholly:
        (root / f"exec/id.{ID}").touch()
        subprocess.run(["bash", "-c", remote_script("unpack_inputs"), "bash", root, ID], check=True, timeout=30)
        (root / f"exec/id.{ID}").unlink()
    return root


def packed(swarm: Swarm, tasks: list[PlannedTask], sizes: list[int], scripts: dict[str, str] | None = None) -> bytes:
    pieces: list[bytes] = []
    chunks = [Chunk(number, size) for number, size in enumerate(sizes, 1)]
    pack(pieces.append, swarm, ID, tasks, chunks, scripts or {}, lambda _files, _sent: None)
    return b"".join(pieces)


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(st.tuples(names, st.binary(max_size=2000)), max_size=6, unique_by=lambda pair: pair[0]),
    is_small=st.booleans(),
)
def test_names_and_contents_of_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, bytes]], *, is_small: bool
) -> None:
    folder = tmp_path_factory.mktemp("names")
    (folder / "in" / "sub").mkdir(parents=True)
    for name, content in files:
        (folder / "in" / "sub" / name).write_bytes(content)
    tasks = [PlannedTask(number, "t", "true", (f"sub/{name}",), ()) for number, (name, _) in enumerate(files, 999)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(archive, "_SMALL", 10**9 if is_small else -1)
        root = unpacked(folder, packed(swarm_in(folder), tasks, [2] * ((len(tasks) + 1) // 2)))
    found = {name: data for name, data in files_of(root).items() if name.startswith("inputs/")}
    assert found == {
        f"inputs/{number // 1000}/{number}/sub/{name}": content for number, (name, content) in enumerate(files, 999)
    }


def test_everything_comes_to_its_place(tmp_path: Path) -> None:
    (tmp_path / "in" / "data").mkdir(parents=True)
    (tmp_path / "in" / "data" / "x").write_text("x")
    (tmp_path / "in" / "data" / "empty").mkdir()
    tool = tmp_path / "in" / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    os.utime(tool, (1_600_000_000, 1_600_000_000))
    (tmp_path / "in" / "link").symlink_to("tool")
    tasks = [PlannedTask(1, "a", "one", ("data", "tool"), ("out",)), PlannedTask(2, "b", "two", ("link",), ())]
    data = packed(swarm_in(tmp_path, key="data"), tasks, [1, 1], {"exec/manager.sh": "echo \udcff\n"})
    root = unpacked(tmp_path, data, wholly=False)
    assert set(files_of(root)) == {
        *("exec/manager.sh", "exec/plan/000001", "exec/plan/000002"),
        *("inputs/000001.tar", "inputs/000002.tar", "shared/key/data/x"),
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_dir()} == {0o700}
    assert (root / "exec/manager.sh").read_bytes() == b"echo \xff\n"
    assert (root / "exec/plan/000001").read_text() == f"1\ta\tone\tout\t.\nend\t1\t{ID}\t.\n"
    (root / f"exec/id.{ID}").touch()
    subprocess.run(["bash", "-c", remote_script("unpack_inputs"), "bash", root, ID], check=True, timeout=30)
    inputs = root / "inputs/0"
    assert set(files_of(inputs)) == {"1/data/x", "1/tool", "2/link"}
    assert (inputs / "1/data/empty").is_dir()
    for path in (inputs / "1/tool", inputs / "2/link"):
        assert not path.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o700  # what its owner may do with it, and nobody else
        assert path.stat().st_mtime == 1_600_000_000  # or rsync would move it again
    assert not list((root / "inputs").glob("*.tar"))


def test_large_inputs_are_not_packed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_SMALL", 10)
    (tmp_path / "in" / "folder").mkdir(parents=True)
    (tmp_path / "in" / "folder" / "large").write_text("x" * 11)
    (tmp_path / "in" / "small").write_text("x" * 10)
    tasks = [PlannedTask(1, "a", "true", ("folder",), ()), PlannedTask(2, "b", "true", ("small",), ())]
    root = unpacked(tmp_path, packed(swarm_in(tmp_path), tasks, [1, 1]), wholly=False)
    assert set(files_of(root / "inputs")) == {"0/1/folder/large", "000002.tar"}


@pytest.mark.parametrize("spoil", [lambda _path: None, os.mkfifo], ids=["gone", "pipe"])
def test_what_cannot_be_read(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """The archive is cut off there, so that nobody takes it for whole."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("a")
    spoil(tmp_path / "in" / "b")
    pieces: list[bytes] = []
    tasks = [PlannedTask(1, "a", "true", ("a",), ()), PlannedTask(2, "b", "true", ("b",), ())]
    with pytest.raises(OSError, match="in/b"):
        pack(pieces.append, swarm_in(tmp_path), ID, tasks, [Chunk(1, 1), Chunk(2, 1)], {}, lambda _files, _sent: None)
    assert pieces == []  # not even what waited to be sent


class Meddled(Follow):
    """A walk in which a file becomes another one right after it was looked at.

    :param change: what becomes of each.
    """

    def __init__(self, change: Callable[[Path], object]) -> None:
        super().__init__()
        self._change = change

    def start(self, path: str) -> Place | None:
        """See `Follow.start`."""
        place = super().start(path)
        self._change(Path(path))
        return place


def replace(path: Path, content: bytes) -> None:
    """Put another file in its place, as most programs do."""
    path.with_name("new").write_bytes(content)
    path.with_name("new").rename(path)


@pytest.mark.parametrize("is_small", [True, False])
@pytest.mark.parametrize("content", [b"", b"short", b"long" * 100_000])
@pytest.mark.parametrize("change", [Path.write_bytes, replace])
def test_a_file_that_became_another_one_since_it_was_looked_at_comes_as_it_is(
    tmp_path: Path, change: Callable[[Path, bytes], object], content: bytes, *, is_small: bool
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_bytes(b"what it was")
    pieces: list[bytes] = []
    task = PlannedTask(1, "a", "true", ("a",), ())
    follow = Meddled(lambda path: change(path, content))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(archive, "_SMALL", 10**9 if is_small else -1)
        pack(pieces.append, swarm_in(tmp_path), ID, [task], [Chunk(1, 1)], {}, lambda _files, _sent: None, follow)
    assert files_of(unpacked(tmp_path, b"".join(pieces)))["inputs/0/1/a"] == content


def test_a_pipe_that_came_in_place_of_a_file_holds_nobody(tmp_path: Path) -> None:
    def to_pipe(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").touch()
    task, nobody = PlannedTask(1, "a", "true", ("a",), ()), Meddled(to_pipe)
    with pytest.raises(OSError, match="is no file any more"):
        pack(lambda _: None, swarm_in(tmp_path), ID, [task], [Chunk(1, 1)], {}, lambda _files, _sent: None, nobody)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 1)


def overwrite(path: Path) -> None:
    size = path.stat().st_size
    path.write_bytes(b"y" * size)
    os.utime(path, (1_600_000_000, 1_600_000_000))


@pytest.mark.parametrize("change", [grow, shrink, overwrite])
def test_a_file_that_changes_while_it_is_read_makes_no_archive(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    """It is sent in another way; else a part of it, or a mixture of both, would be taken for the file."""
    path = tmp_path / "in/a"
    path.parent.mkdir()
    path.write_bytes(b"x" * 1_000_000)  # a piece of it is sent before all of it is read
    task = PlannedTask(1, "a", "true", ("a",), ())
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(OSError, match=r"changed while|cut short"):
        monkeypatch.setattr(archive, "_SMALL", -1)
        pack(lambda _: change(path), swarm_in(tmp_path), ID, [task], [Chunk(1, 1)], {}, lambda _files, _sent: None)


def test_an_archive_that_was_cut_off(tmp_path: Path) -> None:
    """What is whole in it is kept; the rest is for rsync."""
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / name).write_text(name * 600)
    tasks = [PlannedTask(number, "a", "true", (name,), ()) for number, name in enumerate("ab", 1)]
    root = unpacked(tmp_path, packed(swarm_in(tmp_path), tasks, [2]), wholly=False)
    inner = root / "inputs/000001.tar"
    os.truncate(inner, 2048 + 700)
    for _ in range(2):  # again is no error
        (root / f"exec/id.{ID}").touch()
        subprocess.run(["bash", "-c", remote_script("unpack_inputs"), "bash", root, ID], check=True, timeout=30)
        (root / f"exec/id.{ID}").unlink()
        left = files_of(root / "inputs")
        assert left["0/1/a"] == b"a" * 600
        assert len(left.get("0/2/b", b"")) < 600
        assert not inner.exists()


def test_no_environment_at_all(tmp_path: Path) -> None:
    subprocess.run(["bash", "-c", remote_script("unpack_inputs"), "bash", tmp_path / "none"], check=True, timeout=30)


def test_progress_counts_files_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(5):
        (tmp_path / "in" / f"{number}").write_bytes(bytes(300_000))
    tasks = [PlannedTask(number, "a", "true", (f"{number}",), ()) for number in range(5)]
    seen: list[tuple[int, int]] = []
    pieces: list[bytes] = []
    chunks = [Chunk(1, 5)]
    pack(pieces.append, swarm_in(tmp_path), ID, tasks, chunks, {}, lambda files, sent: seen.append((files, sent)))
    assert seen == sorted(seen)
    assert seen[-1] == (6, sum(map(len, pieces)))  # the plan is one too
    assert Environment("").chunk(1) == "exec/plan/000001"
