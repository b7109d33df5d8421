"""The script that takes results of other swarms as staged inputs, on the target itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.shell.scripts import RemoteExit

if TYPE_CHECKING:
    from tests.support.remote_scripts import Run

ODD = ["plain", "a b", "it's $(touch x)", "-rf", "*", "n\nl", "\udcff"]
ID = "c0ffee12"
CLAIM = f"one/work/000001.1.{ID}"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Make an environment of the second swarm; the first one's is beside it."""
    (tmp_path / "two/exec").mkdir(parents=True)
    (tmp_path / f"two/exec/id.{ID}").touch()
    return tmp_path / "two"


@pytest.fixture(params=["as it is", "missing", "broken"])
def perl(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have perl, which takes all at once, or not."""
    programs = tmp_path / "bin"
    programs.mkdir()
    if request.param == "missing":
        for name in ("bash", "cat", "cp", "find", "mkdir", "rm"):
            (programs / name).symlink_to(shutil.which(name) or name)
        monkeypatch.setenv("PATH", str(programs))
    elif request.param == "broken":
        (programs / "perl").write_text("#!/bin/sh\nprintf half\nexit 1\n")
        (programs / "perl").chmod(0o700)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def listed(environment: Path, pairs: list[tuple[str, str]]) -> None:
    """Write the list of results and their places."""
    text = "".join(f"{environment.parent}/{source}\0{place}\0" for source, place in pairs)
    (environment / "exec/links").write_bytes(os.fsencode(text))


def made(environment: Path, name: str) -> Path:
    """Make a result, which holds its own name."""
    path = environment.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.fsencode(name))
    return path


@pytest.mark.usefixtures("perl")
@pytest.mark.parametrize("shift", [0, 1], ids=["same numbers", "other numbers"])
def test_results_become_inputs(run: Run, environment: Path, shift: int) -> None:
    pairs = [(f"{CLAIM}/{number}/{name}", f"inputs/0/{number + shift}/{name}") for number in (7, 8, 9) for name in ODD]
    pairs += [(f"{CLAIM}/7.2/plots/p", "inputs/0/20/p"), (f"{CLAIM}/1000/x", "inputs/1/1000/x")]
    pairs.append((f"{CLAIM}/1001/x", "inputs/1/1001/x"))
    sources = [made(environment, source) for source, _ in pairs]
    listed(environment, pairs)
    result = run("link_inputs", str(environment), ID, "exec/links", "look")
    assert (result.exit_status, result.stdout) == (0, b"")
    for _ in range(2):  # again carries on
        result = run("link_inputs", str(environment), ID, "exec/links", "link")
        assert (result.exit_status, result.stderr) == (0, "")
        for source, (_, place) in zip(sources, pairs, strict=True):
            assert (environment / place).samefile(source)
    assert sum(path.is_file() for path in (environment / "inputs").rglob("*")) == len(pairs)


def test_thousands_go_in_one_turn(run: Run, environment: Path) -> None:
    pairs = [(f"{CLAIM}/{number}/x", f"inputs/0/{number}/x") for number in range(1, 1000)]
    for source, _ in pairs:
        made(environment, source)
    listed(environment, pairs)
    assert run("link_inputs", str(environment), ID, "exec/links", "link").exit_status == 0
    assert len(list((environment / "inputs/0").glob("*/x"))) == len(pairs)


@pytest.mark.usefixtures("perl")
def test_folders_become_inputs(run: Run, environment: Path) -> None:
    pairs = [
        (f"{CLAIM}/7/plots", "inputs/0/7/plots"),
        (f"{CLAIM}/8/a b", "inputs/0/9/a b"),
        (f"{CLAIM}/8/x", "inputs/0/9/x"),
    ]
    sources = [made(environment, f"{CLAIM}/{name}") for name in ("7/plots/1", "7/plots/deep/-rf", "8/a b/*", "8/x")]
    (environment.parent / CLAIM / "7/plots/empty").mkdir()
    listed(environment, pairs)
    assert run("link_inputs", str(environment), ID, "exec/links", "look").text == ""
    for _ in range(2):
        result = run("link_inputs", str(environment), ID, "exec/links", "link")
        assert (result.exit_status, result.stderr) == (0, "")
        places = [environment / "inputs/0" / name for name in ("7/plots/1", "7/plots/deep/-rf", "9/a b/*", "9/x")]
        assert all(place.samefile(source) for place, source in zip(places, sources, strict=True))
        assert (environment / "inputs/0/7/plots/empty").is_dir()


def test_only_plain_files_and_folders_of_such_are_there(run: Run, environment: Path) -> None:
    names = ["file", "link", "bad", "gone", "also", "way", "worse"]
    made(environment, f"{CLAIM}/1/file")
    made(environment, f"{CLAIM}/1/also")
    made(environment, f"{CLAIM}/1/bad/in/x")
    (environment.parent / CLAIM / "1/bad/in/link").symlink_to("x")
    (environment.parent / CLAIM / "1/link").symlink_to("file")
    made(environment, f"{CLAIM}/1/fine/x")
    (environment.parent / CLAIM / "1/way").symlink_to("fine")
    (environment.parent / CLAIM / "1/worse").mkdir()
    os.mkfifo(environment.parent / CLAIM / "1/worse/pipe")
    listed(environment, [(f"{CLAIM}/1/{name}", f"inputs/0/1/{name}") for name in names])
    assert run("link_inputs", str(environment), ID, "exec/links", "look").text.split() == ["1", "2", "3", "5", "6"]


def test_a_link_that_an_earlier_submit_left_is_replaced_and_not_written_through(run: Run, environment: Path) -> None:
    mine = environment.parent / "mine"
    mine.write_text("mine")
    (environment / "inputs/0/1").mkdir(parents=True)
    (environment / "inputs/0/1/x").symlink_to(mine)
    source = made(environment, f"{CLAIM}/2/x")
    listed(environment, [(f"{CLAIM}/2/x", "inputs/0/1/x")])
    assert run("link_inputs", str(environment), ID, "exec/links", "link").exit_status == 0
    assert (environment / "inputs/0/1/x").samefile(source)
    assert mine.read_text() == "mine"


def test_what_cannot_be_taken_is_told(run: Run, environment: Path) -> None:
    listed(environment, [(f"{CLAIM}/2/x", "inputs/0/1/x")])
    result = run("link_inputs", str(environment), ID, "exec/links", "link")
    assert (result.exit_status != 0, "x" in result.stderr) == (True, True)


def test_other_environments_are_left_alone(run: Run, environment: Path) -> None:
    made(environment, f"{CLAIM}/2/x")
    listed(environment, [(f"{CLAIM}/2/x", "inputs/0/1/x")])
    for id_, root, code in (
        ("0badf00d", environment, RemoteExit.FOREIGN),
        (ID, environment / "none", RemoteExit.NO_ENVIRONMENT),
    ):
        assert run("link_inputs", str(root), id_, "exec/links", "link").exit_status == code
    assert not (environment / "inputs").exists()


def test_where_not_all_can_be_linked_they_are_copied(
    run: Run, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where 100,000 tasks take one file: on ext4 it may have 65,000 links."""
    source = made(environment, f"{CLAIM}/1/x")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "perl").write_text("#!/bin/sh\nexit 1\n")
    cp = shutil.which("cp")
    (programs / "cp").write_text(f'#!/bin/sh\n{cp} "$@" || exit\ncase " $* " in *" -l "*) echo full; exit 1 ;; esac\n')
    for program in programs.iterdir():
        program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    listed(environment, [(f"{CLAIM}/1/x", f"inputs/0/{number}/x") for number in (2, 3)])
    result = run("link_inputs", str(environment), ID, "exec/links", "link")
    assert (result.exit_status, result.stderr) == (0, "")
    for number in (2, 3):
        assert (environment / f"inputs/0/{number}/x").read_text() == f"{CLAIM}/1/x"
        assert not (environment / f"inputs/0/{number}/x").samefile(source)


def test_without_hard_links_they_are_copied(run: Run, environment: Path) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == environment.stat().st_dev:
        pytest.skip("there is no other file system here")
    folder = shm / f"locusts-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "x").write_text("made")
        (environment / "exec/links").write_bytes(f"{folder}/x\0inputs/0/1/x\0".encode())
        assert run("link_inputs", str(environment), ID, "exec/links", "link").exit_status == 0
        assert (environment / "inputs/0/1/x").read_text() == "made"
        (folder / "x").write_text("again")
        assert run("link_inputs", str(environment), ID, "exec/links", "link").exit_status == 0
        assert (environment / "inputs/0/1/x").read_text() == "again"
    finally:
        (folder / "x").unlink()
        folder.rmdir()
