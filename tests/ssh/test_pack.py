"""Packed results, in every mode: what comes back is what comes back unpacked, as files or from archives."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from tests.support.laptops import laptop_in
from tests.support.managers import at_work, holding
from tests.support.processes import wait_until
from tests.support.sshd import module_sshd, needs_sshd, no_waiting

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from tests.support.laptops import Laptop


pytestmark = needs_sshd
__all__ = ["module_sshd", "no_waiting"]

SWARM = """
[swarms.s]
command = '''
mkdir -p plots/in; echo <id> > plots/in/1.png; ln -s in/1.png plots/link; ln -s "$PWD/plots/in" plots/abs
chmod 755 plots/in/1.png; echo <id> > 'a $(b)'$'\\n\\xff.csv'; head -c 100000 /dev/zero > 'large one'
cat in_<id>.txt > copy; ln -s copy link; ln copy hard
echo printed <id>; [[ <id> != 3 ]] || exit 3'''
indir = "in"
inputs = ["in_<id>.txt"]
outputs = ["*.csv", "plots/", "large one", "copy", "link", "hard"]
optional_outputs = ["core.*"]
"""
MODES = pytest.mark.parametrize("mode", ["local", "remote", "remote-shared"])


def at_home(mode: str, folder: Path, request: pytest.FixtureRequest) -> Laptop:
    laptop = laptop_in(mode, folder, lambda: request.getfixturevalue("module_sshd"))
    (laptop.folder / "in").mkdir()
    for number in (1, 2, 3):
        (laptop.folder / f"in/in_{number}.txt").write_text(f"{number}\n")
        os.utime(laptop.folder / f"in/in_{number}.txt", (1_000_000_000, 1_000_000_000))
    return laptop


def configured(laptop: Laptop, more: str, name: str) -> Swarm:
    text = SWARM.replace("swarms.s]", f"swarms.{name}]") + more
    (laptop.folder / "locusts.toml").write_text(laptop.target + text)
    return locusts_fab.load(laptop.folder / "locusts.toml")


def tree_of(folder: Path) -> dict[str, tuple[str, object]]:
    """Return all that is in a folder but the tables: kind, and content or link; and who may execute it."""
    found: dict[str, tuple[str, object]] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("l", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("d", None)
        elif not name.endswith(".tsv"):
            found[name] = ("f", (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR)))
    return found


def unpacked_archives(swarm: Swarm, folder: Path) -> dict[str, tuple[str, object]]:
    """Return what is in the results of a swarm, with what is in its archives in its place."""
    shutil.copytree(swarm.outdir, folder, symlinks=True)
    archives = sorted((folder / "archives").iterdir())
    for path in archives:
        with tarfile.open(path, errors="surrogateescape") as archive:
            archive.extractall(folder, filter="tar")
    shutil.rmtree(folder / "archives")
    return tree_of(folder)


@MODES
def test_it_is_the_same_as_unpacked(mode: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    laptop = at_home(mode, tmp_path, request)
    plain = configured(laptop, "", "plain")
    laptop.run(plain)
    packed = configured(laptop, "pack = true\n", "packed")
    laptop.run(packed)
    kept = configured(laptop, 'pack = true\nresults = "archive"\n', "kept")
    laptop.run(kept)
    wanted = tree_of(plain.outdir)
    assert len([name for name in wanted if name.startswith("1/")]) == 10
    assert tree_of(packed.outdir) == wanted
    found = unpacked_archives(kept, tmp_path / "found")
    assert {name: each for name, each in found.items() if each[0] != "d"} == {
        name: each for name, each in wanted.items() if each[0] != "d"
    }
    assert (packed.outdir / "outputs.tsv").read_bytes() == (plain.outdir / "outputs.tsv").read_bytes()
    for output in ("large one", "plots/in/1.png", "a $(b)\n\udcff.csv", "link"):
        for swarm in (plain, packed, kept):
            with locusts_fab.open_output(swarm, "2", output) as file:
                assert file.read() == (plain.outdir / "2" / output).read_bytes()
    logs = [locusts_fab.logs(swarm, "2", laptop.connection()).printed for swarm in (plain, packed, kept)]
    assert logs == [b"printed 2\n"] * 3


def test_outputs_tsv_says_where_in_which_archive(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    laptop = at_home("local", tmp_path, request)
    swarm = configured(laptop, 'pack = true\nresults = "archive"\n', "kept")
    laptop.run(swarm)
    header, *lines = (swarm.outdir / "outputs.tsv").read_bytes().split(b"\n")[:-1]
    assert header == b"task\toutput\tstatus\tpath\toffset\tsize"
    rows = {(each[0], each[1]): each[2:] for each in (line.split(b"\t") for line in lines)}
    status, path, offset, size = rows[b"2", b"copy"]
    assert (status, path) == (b"present", b"archives/000001.tar")
    with (swarm.outdir / os.fsdecode(path)).open("rb") as file:
        file.seek(int(offset))
        assert file.read(int(size)) == b"2\n"
    assert rows[b"3", b"copy"] == [b"present", b"failed/3/copy", b"", b""]


@MODES
def test_all_is_known_again_after_attach(mode: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    laptop = at_home(mode, tmp_path, request)
    swarm = configured(laptop, "pack = true\n", "s")
    laptop.run(swarm)
    before, table = tree_of(swarm.outdir), (swarm.outdir / "outputs.tsv").read_bytes()
    shutil.rmtree(laptop.folder / ".locusts/s")
    shutil.rmtree(swarm.outdir)
    locusts_fab.attach(swarm, laptop.connection())
    locusts_fab.collect(swarm, laptop.connection())
    assert tree_of(swarm.outdir) == before
    assert (swarm.outdir / "outputs.tsv").read_bytes() == table


@MODES
@pytest.mark.parametrize("harm", ["torn", "zeros", "gone"])
def test_what_is_damaged_does_not_come(mode: str, harm: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Nothing wrong is brought; which outputs these are is listed, and to run them again brings them."""
    laptop = at_home(mode, tmp_path, request)
    swarm = configured(laptop, 'pack = true\nresults = "archive"\n', "s")
    locusts_fab.submit(swarm, laptop.connection())
    locusts_fab.watch(swarm, laptop.connection())
    archives = [path for path in tmp_path.rglob("work/*.tar") if b"2\n" in path.read_bytes()]
    assert archives
    for path in archives:
        data = path.read_bytes()
        at = data.index(b"printed 2\n")
        path.write_bytes(data[: at + 3] if harm == "torn" else data[:at] + b"\0" * 10 + data[at + 10 :])
        if harm == "gone":
            path.unlink()
    collected = locusts_fab.collect(swarm, laptop.connection())
    assert collected.troubles > 0
    rows = [line.split(b"\t") for line in (swarm.outdir / "outputs.tsv").read_bytes().split(b"\n")[1:-1]]
    bad = {row[0] for row in rows if row[2] == b"error"}
    assert b"2" in bad
    assert b"its archive" in (swarm.outdir / "tasks.tsv").read_bytes()
    for row in rows:
        if row[2] == b"present" and row[0] != b"3" and row[1] == b"copy":
            with locusts_fab.open_output(swarm, os.fsdecode(row[0]), "copy") as file:
                assert file.read() == row[0] + b"\n"
    with pytest.raises(locusts_fab.StateError, match="did not come back: its archive"):
        locusts_fab.open_output(swarm, "2", "copy")
    locusts_fab.submit(swarm, laptop.connection(), redo=True, only=list(map(os.fsdecode, bad)))
    assert locusts_fab.collect(swarm, laptop.connection(), wait=True).troubles == 0
    with locusts_fab.open_output(swarm, "2", "copy") as file:
        assert file.read() == b"2\n"


def test_an_archive_that_is_lost_comes_again(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """And one whose tasks were all run again is removed."""
    laptop = at_home("local", tmp_path, request)
    swarm = configured(laptop, 'pack = true\nresults = "archive"\n', "s")
    laptop.run(swarm)
    (swarm.outdir / "archives/000001.tar").unlink()
    with pytest.raises(locusts_fab.StateError, match="is not where it was put"):
        locusts_fab.open_output(swarm, "2", "copy")
    assert locusts_fab.collect(swarm).tasks == 2
    with locusts_fab.open_output(swarm, "2", "copy") as file:
        assert file.read() == b"2\n"
    before = {path.name for path in (swarm.outdir / "archives").iterdir()}
    locusts_fab.submit(swarm, redo=True, only=["1", "2"])
    locusts_fab.collect(swarm, wait=True)
    after = {path.name for path in (swarm.outdir / "archives").iterdir()}
    assert len(before) == len(after) == 1
    assert before != after


def test_results_may_change_between_archives_and_files(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    laptop = at_home("local", tmp_path, request)
    plain = configured(laptop, "pack = true\n", "s")
    laptop.run(plain)
    wanted = tree_of(plain.outdir)
    kept = configured(laptop, 'pack = true\nresults = "archive"\n', "s")
    locusts_fab.submit(kept, redo=True, only=["1", "2"])
    locusts_fab.collect(kept, wait=True)
    assert sorted(path.name for path in kept.outdir.iterdir()) == [
        "archives",
        "failed",
        "logs",
        "outputs.tsv",
        "tasks.tsv",
    ]
    plain = configured(laptop, "pack = false\n", "s")
    locusts_fab.submit(plain, redo=True, only=["1", "2"])
    locusts_fab.collect(plain, wait=True)
    assert tree_of(plain.outdir) == wanted


def test_few_files_are_left_there(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    laptop = at_home("remote", tmp_path, request)
    swarm = configured(laptop, "pack = true\n", "s")
    laptop.run(swarm)
    work = list(tmp_path.rglob("work/*"))
    assert work
    assert all(path.suffix == ".tar" and stat.S_IMODE(path.stat().st_mode) == 0o600 for path in work)


STAGES = """
[swarms.one]
command = "mkdir d; echo <id> > d/x; echo <id> > y; head -c 100000 /dev/zero > big"
args_file = "rows.csv"
id = "<n>"
outputs = ["d/", "y", "big"]
pack = true

[swarms.two]
command = "cat y d/x; wc -c < big > size"
inputs = ["@one/<id>/y", "@one/<id>/d", "@one/<id>/big"]
outputs = ["size"]
pack = true
"""


@MODES
@pytest.mark.parametrize("results", ["files", "archive"])
def test_what_is_packed_is_taken_by_the_next_stage(
    mode: str, results: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """On the same target, without travelling."""
    laptop = laptop_in(mode, tmp_path, lambda: request.getfixturevalue("module_sshd"))
    (laptop.folder / "rows.csv").write_text("n\n1\nit's $(x)\n3\n")
    config = laptop.folder / "locusts.toml"
    config.write_text(laptop.target + STAGES.replace("pack = true", f'pack = true\nresults = "{results}"'))
    one, two = (locusts_fab.load(config, name) for name in ("one", "two"))
    locusts_fab.submit(one, laptop.connection())
    locusts_fab.watch(one, laptop.connection())
    assert not one.outdir.exists()  # so there is nothing here that could travel
    submitted = locusts_fab.submit(two, laptop.connection())
    assert (submitted.tasks, submitted.notes) == (3, [])
    assert locusts_fab.collect(two, laptop.connection(), wait=True).status.tasks.done == 3
    for name in ("1", "it's $(x)", "3"):
        assert locusts_fab.logs(two, name, laptop.connection()).printed == f"{name}\n{name}\n".encode()
        with locusts_fab.open_output(two, name, "size") as file:
            assert file.read().strip() == b"100000"
    assert not list(tmp_path.rglob("exec/unpacked"))


def test_a_damaged_stage_is_told(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    laptop = laptop_in("remote", tmp_path, lambda: request.getfixturevalue("module_sshd"))
    (laptop.folder / "rows.csv").write_text("n\n1\n2\n")
    config = laptop.folder / "locusts.toml"
    config.write_text(laptop.target + STAGES)
    one, two = (locusts_fab.load(config, name) for name in ("one", "two"))
    locusts_fab.submit(one, laptop.connection())
    locusts_fab.watch(one, laptop.connection())
    for path in tmp_path.rglob("work/*.tar"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(locusts_fab.StateError, match="cannot be sent from here"):
        locusts_fab.submit(two, laptop.connection())


def test_logs_of_what_runs_and_of_what_is_packed(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    laptop = laptop_in("remote", tmp_path, lambda: request.getfixturevalue("module_sshd"))
    command = json.dumps(f"echo printed <arg0>; [[ <arg0> != b ]] || {{ {holding(tmp_path)}; }}; exit 3")
    keys = f'command = {command}\nargs = [["a"], ["b"]]\nid = "<arg0>"\npack = true\n'
    (laptop.folder / "locusts.toml").write_text(f"{laptop.target}\n[swarms.s]\n{keys}")
    swarm = locusts_fab.load(laptop.folder / "locusts.toml")
    locusts_fab.submit(swarm, laptop.connection())
    wait_until(lambda: at_work(tmp_path) == 1, "the second task")
    wait_until(lambda: locusts_fab.logs(swarm, "a", laptop.connection()).printed == b"printed a\n", "the first log")
    log = locusts_fab.logs(swarm, "b", laptop.connection())
    assert (log.printed, log.sandbox) == (None, "in scratch on its node")
    assert "packed once it has ended" in log.notes[0]
    (tmp_path / "go").touch()
    locusts_fab.watch(swarm, laptop.connection())
    log = locusts_fab.logs(swarm, "b", laptop.connection())
    assert log.printed == b"printed b\n"
    assert log.sandbox.endswith(".tar, in which it is 2")
