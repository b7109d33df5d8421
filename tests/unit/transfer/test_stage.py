"""Staging: what the manager finds is what was planned, and nothing of the user's is ever touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name
from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import TransferError
from locusts_fab.fs import remove
from locusts_fab.layout import Environment
from locusts_fab.model.tasks import Chunk, PlannedTask
from locusts_fab.shell.scripts import templates_folder
from locusts_fab.transfer.stage import copy_in, make_environment, put_copy, put_link, stage_shared, stage_tasks
from tests.support.environments import ID

if TYPE_CHECKING:
    from locusts_fab.transfer.stage import Put

HOSTILE = ["a b", "it's", '"', "$(x)", "-rf", "new\nline", "tab\there", "back\\slash", "\udcff", "é", "*", "\\n"]


def swarm_of(folder: Path, **settings: Any) -> Swarm:
    (folder / "in").mkdir(exist_ok=True)
    made = SwarmSettings.model_validate({"command": "true", "indir": "in", **settings})
    return Swarm("s", made, "here", Target(mode="local"), folder)


def planned(number: int, *inputs: str, task_id: str = "a", command: str = "true") -> PlannedTask:
    return PlannedTask(number, task_id, command, inputs, ("out",))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = Environment(str(tmp_path / "the root" / "s"), ID)
    make_environment(made)
    return made


def write(folder: Path, name: str, text: str = "x") -> Path:
    path = folder / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def staged(environment: Environment, number: int) -> dict[str, str]:
    """Read all files that the sandbox of a task would start with, as `cp -rL` would copy them."""
    folder = Path(environment.absolute(environment.inputs(number)))
    paths = [Path(root) / name for root, _, names in os.walk(folder, followlinks=True) for name in names]
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in paths}


def copy_into(folder: Path, source: Path) -> None:
    with Inside(folder, folder_mode=0o700) as inside:
        put_copy(str(source), inside, Name("copy"))


# ---------------------------------------------------------------------------------------------------------------------
# The environment


def test_folders_are_for_their_owner_alone(environment: Environment) -> None:
    root = Path(environment.root)
    for folder in (root, *(root / name for name in Environment.FOLDERS)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    make_environment(environment)  # again is no error


def test_an_environment_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TransferError, match="cannot be made") as caught:
        make_environment(Environment(str(tmp_path / "file" / "s")))
    assert "root" in str(caught.value.hint)


# ---------------------------------------------------------------------------------------------------------------------
# The plan

READ_PLAN = r"""
readonly ROOT=$1 LIBRARY=$2 ENVIRONMENT_ID=c0ffee12
. "$LIBRARY/records.sh"
. "$LIBRARY/task.sh"
. "$LIBRARY/slot.sh"
read_chunk "$3"
for line in "${LINES[@]}"; do
  read_task "$line"
  printf '%s\0' "$task" "$command" "${outputs[@]}"
done
"""


def test_the_manager_reads_the_plan_as_it_was_meant(tmp_path: Path, environment: Environment) -> None:
    tasks = [
        PlannedTask(number, task_id, f"run {task_id}", (), (f"out {task_id}", "second"))
        for number, task_id in enumerate(HOSTILE, 1)
    ]
    stage_tasks(swarm_of(tmp_path), environment, tasks, [Chunk(7, 5), Chunk(8, len(HOSTILE) - 5)])
    library = templates_folder() / "manager"
    shown = b""
    for chunk in ("7", "8"):
        words = ["bash", "-c", READ_PLAN, "bash", environment.root, str(library), chunk]
        shown += subprocess.run(words, check=True, timeout=30, stdout=subprocess.PIPE).stdout
    meant = [text for task in tasks for text in (str(task.number), task.command, *task.outputs)]
    assert shown.split(b"\0")[:-1] == [os.fsencode(text) for text in meant]


def test_chunks_hold_their_share_of_the_tasks(tmp_path: Path, environment: Environment) -> None:
    steps: list[int] = []
    tasks = (planned(number, task_id=f"t{number}") for number in range(1, 7))
    stage_tasks(swarm_of(tmp_path), environment, tasks, [Chunk(3, 3), Chunk(4, 2), Chunk(5, 1)], steps.append)
    root = Path(environment.root)
    assert (root / environment.chunk(3)).read_text() == "".join(
        [*(f"{n}\tt{n}\ttrue\tout\t.\n" for n in (1, 2, 3)), f"end\t3\t{ID}\t.\n"]
    )
    assert (root / environment.chunk(5)).read_text() == f"6\tt6\ttrue\tout\t.\nend\t1\t{ID}\t.\n"
    assert steps == [3, 5, 6]
    assert sorted(path.name for path in (root / "exec/plan").iterdir()) == ["000003", "000004", "000005"]


# ---------------------------------------------------------------------------------------------------------------------
# Inputs


def test_inputs_lie_ready_under_their_names(tmp_path: Path, environment: Environment) -> None:
    names = [*HOSTILE, *(f"sub/{name}" for name in HOSTILE)]
    for name in names:
        write(tmp_path, name, f"of {name!a}")
    tasks = [planned(number, name, "sub/a b") for number, name in enumerate(names, 999)]
    stage_tasks(swarm_of(tmp_path), environment, tasks, [Chunk(1, len(tasks))])
    for number, name in enumerate(names, 999):
        assert staged(environment, number) == {name: f"of {name!a}", "sub/a b": "of 'sub/a b'"}
        link = Path(environment.absolute(environment.inputs(number))) / name
        assert link.is_symlink()  # nothing is copied


def test_absolute_inputs_lie_under_their_last_name(tmp_path: Path, environment: Environment) -> None:
    far = [write(tmp_path, f"../far/{name}", f"of {name!a}") for name in HOSTILE]
    tasks = [planned(number, str(path)) for number, path in enumerate(far, 1)]
    stage_tasks(swarm_of(tmp_path), environment, tasks, [Chunk(1, len(tasks))])
    for number, path in enumerate(far, 1):
        assert staged(environment, number) == {path.name: f"of {path.name!a}"}


def test_a_folder_is_an_input_too(tmp_path: Path, environment: Environment) -> None:
    write(tmp_path, "data/x", "1")
    write(tmp_path, "data/y/z", "2")
    stage_tasks(swarm_of(tmp_path), environment, [planned(1, "data")], [Chunk(1, 1)])
    assert staged(environment, 1) == {"data/x": "1", "data/y/z": "2"}


def test_staging_again_carries_on(tmp_path: Path, environment: Environment) -> None:
    write(tmp_path, "x", "1")
    for chunk in (1, 2):
        stage_tasks(swarm_of(tmp_path), environment, [planned(1, "x")], [Chunk(chunk, 1)])
    assert staged(environment, 1) == {"x": "1"}


def test_inputs_may_come_from_another_folder_later(tmp_path: Path, environment: Environment) -> None:
    write(tmp_path, "x", "old")
    stage_tasks(swarm_of(tmp_path), environment, [planned(1, "x")], [Chunk(1, 1)])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("new", encoding="utf-8")
    stage_tasks(
        swarm_of(tmp_path, indir="../" + tmp_path.name + "/other"), environment, [planned(1, "x")], [Chunk(2, 1)]
    )
    assert staged(environment, 1) == {"x": "new"}
    assert (tmp_path / "in" / "x").read_text(encoding="utf-8") == "old"


def test_inputs_that_are_not_meant_any_more_are_gone(tmp_path: Path, environment: Environment) -> None:
    write(tmp_path, "x", "1")
    write(tmp_path, "y", "2")
    stage_tasks(swarm_of(tmp_path), environment, [planned(1, "x", "y")], [Chunk(1, 1)])
    stage_tasks(swarm_of(tmp_path), environment, [planned(1, "x")], [Chunk(2, 1)])
    assert staged(environment, 1) == {"x": "1"}


@pytest.mark.parametrize("put", [put_link, put_copy])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["data"], ["data/x"]),  # a folder at first, a file of it in a later submit
        (["data/x"], ["data"]),
        (["data", "data/x"], ["data", "data/x"]),  # both at once
        (["data/x", "data"], ["data/x", "data"]),
    ],
)
def test_the_users_own_files_are_never_touched(
    tmp_path: Path, environment: Environment, first: list[str], second: list[str], put: Put
) -> None:
    path = write(tmp_path, "data/x", "precious")
    for chunk, names in enumerate((first, second), 1):
        stage_tasks(swarm_of(tmp_path), environment, [planned(1, *names)], [Chunk(chunk, 1)], put=put)
        assert path.is_file()
        assert not path.is_symlink()
        assert path.read_text(encoding="utf-8") == "precious"
        assert staged(environment, 1) == {"data/x": "precious"}


@pytest.mark.parametrize("puts", [(put_link, put_copy, put_link), (put_copy, put_link, put_copy)])
def test_how_inputs_come_may_change(tmp_path: Path, environment: Environment, puts: tuple[Put, ...]) -> None:
    paths = [write(tmp_path, name, "precious") for name in ("x", "data/y")]
    for chunk, put in enumerate(puts, 1):
        stage_tasks(swarm_of(tmp_path), environment, [planned(1, "x", "data")], [Chunk(chunk, 1)], put=put)
        assert staged(environment, 1) == {"x": "precious", "data/y": "precious"}
        assert (Path(environment.absolute(environment.inputs(1))) / "x").is_symlink() is (put is put_link)
    assert [path.read_text(encoding="utf-8") for path in paths] == ["precious", "precious"]


@pytest.mark.parametrize("put", [put_link, put_copy])
def test_what_is_there_as_it_should_be_stays(tmp_path: Path, environment: Environment, put: Put) -> None:
    for name in ("x", "sub/x", "data/x", "sub/stale"):
        write(tmp_path, name)
    swarm, folder = swarm_of(tmp_path), Path(environment.absolute(environment.inputs(1)))
    stage_tasks(swarm, environment, [planned(1, "x", "sub/x", "data", "sub/stale")], [Chunk(1, 1)], put=put)
    kept = [folder / name for name in ("x", "sub/x", "data")]
    before = [path.lstat().st_ino for path in kept]
    stage_tasks(swarm, environment, [planned(1, "x", "sub/x", "data")], [Chunk(2, 1)], put=put)
    assert [path.lstat().st_ino for path in kept] == before
    assert set(staged(environment, 1)) == {"x", "sub/x", "data/x"}


def test_what_cannot_be_staged(tmp_path: Path, environment: Environment) -> None:
    write(tmp_path, "x")
    folder = Path(environment.absolute(environment.inputs(1))).parent
    folder.write_text("in the way", encoding="utf-8")
    with pytest.raises(TransferError, match="staging failed") as caught:
        stage_tasks(swarm_of(tmp_path), environment, [planned(1, "x")], [Chunk(1, 1)])
    assert "submit again" in str(caught.value.hint)


# ---------------------------------------------------------------------------------------------------------------------
# Shared files, single files


def test_shared_files_lie_ready_under_their_names(tmp_path: Path, environment: Environment) -> None:
    write(tmp_path, "a b", "1")
    write(tmp_path, "folder/x", "2")
    swarm = swarm_of(tmp_path, shared={"one": "a b", "two": f"{tmp_path}/in/folder"})
    for _ in range(2):
        stage_shared(swarm, environment)
        assert Path(environment.absolute("shared/one/a b")).read_text(encoding="utf-8") == "1"
        assert Path(environment.absolute("shared/two/folder/x")).read_text(encoding="utf-8") == "2"


def test_a_link_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    link = str(tmp_path / "link")
    for source in ("one", "two", "two"):
        with Inside(tmp_path) as inside:
            put_link(source, inside, Name("link"))
        assert Path(link).readlink() == Path(source)


def test_a_copy_follows_its_source(tmp_path: Path) -> None:
    """Where this machine's paths mean nothing, inputs are copied."""
    source, copy = tmp_path / "a b", tmp_path / "copy"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "run").write_text("old", encoding="utf-8")
    (source / "deep" / "run").chmod(0o755)
    (source / "link").symlink_to("deep/run")
    copy_into(tmp_path, source)
    assert (copy / "deep" / "run").stat().st_mode & 0o777 == 0o700  # it still can be run, by its owner
    assert not (copy / "link").is_symlink()
    before = (copy / "deep" / "run").stat().st_ino
    copy_into(tmp_path, source)
    assert (copy / "deep" / "run").stat().st_ino == before  # it was there
    (source / "deep" / "run").write_text("new, and longer", encoding="utf-8")
    copy_into(tmp_path, source)
    assert (copy / "link").read_text(encoding="utf-8") == "new, and longer"
    assert sorted(path.name for path in copy.rglob("*")) == ["deep", "link", "run"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_file_that_changes_while_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """It is copied again; one that never stands still is an error, and never a mixture of what it was and is."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(b"first")
    copies = 0

    def copy_and_change(file: IO[bytes], other: IO[bytes]) -> None:
        nonlocal copies
        copies += 1
        other.write(file.read(3))
        if copies <= times:
            source.write_bytes(b"changed" * copies)
        other.write(file.read())

    monkeypatch.setattr(shutil, "copyfileobj", copy_and_change)
    if times < 3:
        copy_into(tmp_path, source)
        assert copy.read_bytes() == source.read_bytes()
        assert copy.stat().st_mtime_ns == source.stat().st_mtime_ns
    else:
        with pytest.raises(OSError, match="changes while it is copied"):
            copy_into(tmp_path, source)
        assert not copy.exists()


def test_a_pipe_that_came_in_place_of_a_file_is_not_copied(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with Inside(tmp_path) as inside, pytest.raises(OSError, match="seek"):
        copy_in(tmp_path / "pipe", inside, Name("copy"), 0o600)


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_copy_follows_the_mode_of_its_source(tmp_path: Path, environment: Environment, *, is_shared: bool) -> None:
    """It is not copied anew for that; and it is left alone if its mode is as it should be."""
    source = write(tmp_path, "tools/run")
    swarm = swarm_of(tmp_path, shared={"k": "tools"} if is_shared else {})
    place = environment.shared("k", "tools/run") if is_shared else f"{environment.inputs(1)}/tools/run"
    seen = []
    for chunk, mode in enumerate((0o644, 0o755, 0o755, 0o444), 1):
        source.chmod(mode)
        if is_shared:
            stage_shared(swarm, environment, put_copy)
        else:
            stage_tasks(swarm, environment, [planned(1, "tools")], [Chunk(chunk, 1)], put=put_copy)
        seen.append(Path(environment.absolute(place)).stat())
    assert [stat.S_IMODE(status.st_mode) for status in seen] == [0o600, 0o700, 0o700, 0o400]
    assert len({status.st_ino for status in seen}) == 1
    assert seen[1].st_ctime_ns == seen[2].st_ctime_ns


def test_the_mode_of_a_copy_is_that_of_no_other_file(tmp_path: Path) -> None:
    """A result of another swarm that was linked there keeps its own."""
    source, result = tmp_path / "source", tmp_path / "result"
    source.write_text("x", encoding="utf-8")
    source.chmod(0o755)
    shutil.copy2(source, result)
    result.chmod(0o644)
    (tmp_path / "copy").hardlink_to(result)
    copy_into(tmp_path, source)
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700
    assert stat.S_IMODE(result.stat().st_mode) == 0o644


def test_a_copy_whose_mode_cannot_be_set_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    source = tmp_path / "source"
    source.write_text("x", encoding="utf-8")
    copy_into(tmp_path, source)
    source.chmod(0o755)
    monkeypatch.setattr(os, "fchmod", refuse)
    copy_into(tmp_path, source)
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700


def test_a_copy_holds_nothing_that_its_source_does_not(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    for name in ("gone", "folder/x", "changes/x"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    copy_into(tmp_path, source)
    (source / "gone").unlink()
    (source / "folder/x").unlink()
    (source / "changes/x").unlink()
    (source / "changes").rmdir()
    (source / "changes").touch()
    copy_into(tmp_path, source)
    assert sorted(str(path.relative_to(copy)) for path in copy.rglob("*")) == ["changes", "folder"]
    assert (copy / "changes").is_file()


# ---------------------------------------------------------------------------------------------------------------------
# What somebody else put into the environment


@pytest.mark.parametrize("put", [put_link, put_copy])
@pytest.mark.parametrize("planted", ["inputs/0/1", "inputs/0/1/sub", "inputs/0/1/x", "inputs/0/1/data"])
def test_links_that_somebody_planted_are_replaced_and_lead_to_no_harm(
    tmp_path: Path, environment: Environment, planted: str, put: Put
) -> None:
    for name in ("x", "sub/x", "data/x"):
        write(tmp_path, name, "new")
    home = tmp_path / "home"
    (home / "deep").mkdir(parents=True)
    for name in ("x", "deep/x", "key"):
        (home / name).write_text("precious", encoding="utf-8")
    swarm = swarm_of(tmp_path)
    stage_tasks(swarm, environment, [planned(1, "x", "sub/x", "data")], [Chunk(1, 1)], put=put)
    remove(environment.absolute(planted))
    Path(environment.absolute(planted)).symlink_to(home)
    stage_tasks(swarm, environment, [planned(1, "x", "sub/x", "data")], [Chunk(2, 1)], put=put)
    assert staged(environment, 1) == {"x": "new", "sub/x": "new", "data/x": "new"}
    assert {str(path.relative_to(home)) for path in home.rglob("*")} == {"x", "deep", "deep/x", "key"}
    assert (home / "x").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("planted", ["inputs", "inputs/0", "exec", "exec/plan"])
def test_nothing_is_staged_through_a_link_that_somebody_planted(
    tmp_path: Path, environment: Environment, planted: str
) -> None:
    write(tmp_path, "x")
    (tmp_path / "home/0/1").mkdir(parents=True)
    (tmp_path / "home/0/1/key").touch()
    remove(environment.absolute(planted))
    Path(environment.absolute(planted)).symlink_to(tmp_path / "home")
    with pytest.raises(TransferError):
        stage_tasks(swarm_of(tmp_path), environment, [planned(1, "x")], [Chunk(1, 1)], put=put_copy)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == [tmp_path / "home/0/1/key"]


@pytest.mark.parametrize("planted", ["shared/one", "shared/one/x"])
def test_shared_files_are_not_written_through_a_link(tmp_path: Path, environment: Environment, planted: str) -> None:
    write(tmp_path, "x", "new")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/x").write_text("precious", encoding="utf-8")
    place = Path(environment.absolute(planted))
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(tmp_path / "home" / ("x" if planted.endswith("x") else ""))
    with contextlib.suppress(TransferError):
        stage_shared(swarm_of(tmp_path, shared={"one": "x"}), environment, put_copy)
    assert (tmp_path / "home/x").read_text(encoding="utf-8") == "precious"
