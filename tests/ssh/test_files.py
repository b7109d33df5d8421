"""The ways files travel to an environment and back; staging and collecting as such are tested in their own rooms."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.bounds import budget
from locusts_fab.bounds.budget import Most
from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import HostError, TransferError
from locusts_fab.layout import Environment, Results
from locusts_fab.manager.records import Began, Ended, Manager
from locusts_fab.model.tasks import Chunk, PlannedTask, Task
from locusts_fab.operations.collect import collect_ended
from locusts_fab.progress import Silent
from locusts_fab.state.ledger import Ledger
from locusts_fab.transfer.mounted import MountedTransfer
from locusts_fab.transfer.ssh import SshTransfer
from locusts_fab.transfer.stage import put_copy, put_link
from tests.support.environments import ID
from tests.support.sshd import host, module_sshd, needs_sshd

if TYPE_CHECKING:
    from locusts_fab.hosts.ssh import SshHost
    from locusts_fab.transfer.base import Transfer

pytestmark = needs_sshd
__all__ = ["host", "module_sshd"]

WAYS = ["linked", "copied", "carried"]
SECOND_NS = 1_700_000_000_000_000_000


def new_environment(root: Path) -> Environment:
    """Make an environment into which nothing was put yet."""
    environment = Environment(str(root), ID)
    for folder in (environment.root, environment.absolute("exec")):
        Path(folder).mkdir(mode=0o700)
    Path(environment.absolute(f"exec/id.{ID}")).touch()
    return environment


@pytest.fixture(params=WAYS)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Transfer:
    """Give each of the ways."""
    environment = new_environment(tmp_path / "it's an environment")
    if request.param == "carried":
        (tmp_path / "state").mkdir()
        return SshTransfer(request.getfixturevalue("host"), environment, tmp_path / "state")
    return MountedTransfer(environment, put_link if request.param == "linked" else put_copy)


@pytest.fixture
def environment(files: Transfer) -> Environment:
    assert isinstance(files, (MountedTransfer, SshTransfer))
    return files.environment


def swarm_in(folder: Path) -> Swarm:
    (folder / "in").mkdir()
    (folder / "in" / "a.txt").write_text("input")
    (folder / "in" / "sub").mkdir()
    (folder / "in" / "sub" / "b").write_text("deep")
    (folder / "in" / "big").write_text("shared")
    settings = SwarmSettings.model_validate(
        {"command": "true", "indir": "in", "inputs": ["<id>.txt", "sub"], "shared": {"big": "big"}}
    )
    return Swarm("s", settings, "there", Target(mode="local"), folder)


TASKS = [PlannedTask(1, "a", "true", ("a.txt", "sub"), ("out",)), PlannedTask(2, "b", "true", ("a.txt",), ("out",))]


def stage(files: Transfer, swarm: Swarm) -> None:
    files.stage(swarm, lambda: TASKS, [Chunk(1, 2)], {"exec/manager.sh": "echo hello\n"}, Silent())


def tree(root: str) -> dict[str, bytes]:
    """Read all files below a folder, as one who follows links sees them, and looks into archives."""
    paths = [Path(folder) / name for folder, _, names in os.walk(root, followlinks=True) for name in names]
    paths = [path for path in paths if path.name != f"id.{ID}"]
    found = {str(path.relative_to(root)): path.read_bytes() for path in paths if path.suffix != ".tar"}
    for path in paths:
        if path.suffix == ".tar":
            folder = path.parent.relative_to(root)
            with tarfile.open(path) as archive:
                found |= {
                    str(folder / member.name): file.read()
                    for member in archive
                    if (file := archive.extractfile(member)) is not None
                }
    return found


def test_staging_comes_to_the_same(tmp_path: Path, files: Transfer, environment: Environment) -> None:
    swarm = swarm_in(tmp_path)
    for _ in range(2):
        stage(files, swarm)
        assert tree(environment.root) == {
            "exec/manager.sh": b"echo hello\n",
            "exec/plan/000001": f"1\ta\ttrue\tout\t.\n2\tb\ttrue\tout\t.\nend\t2\t{ID}\t.\n".encode(),
            "inputs/0/1/a.txt": b"input",
            "inputs/0/1/sub/b": b"deep",
            "inputs/0/2/a.txt": b"input",
            "shared/big/big": b"shared",
        }
    for folder in ("", *Environment.FOLDERS):
        assert stat.S_IMODE(Path(environment.absolute(folder)).stat().st_mode) == 0o700
    assert not list(tmp_path.glob("state/*")), "nothing stays behind on the way"


def test_absolute_inputs_lie_under_their_last_name(tmp_path: Path, files: Transfer, environment: Environment) -> None:
    swarm, far = swarm_in(tmp_path), tmp_path / "far $(x)"
    (far / "set").mkdir(parents=True)
    (far / "it's.fq").write_text("reads")
    (far / "set" / "-x").write_text("deep")
    task = PlannedTask(1, "a", "true", (f"{far}/it's.fq", "a.txt", f"{far}/set"), ("out",))
    for _ in range(2):  # in one stream, then as what is new
        files.stage(swarm, lambda: [task], [Chunk(1, 1)], {}, Silent())
        assert {name: data for name, data in tree(environment.root).items() if name.startswith("inputs/")} == {
            "inputs/0/1/a.txt": b"input",
            "inputs/0/1/it's.fq": b"reads",
            "inputs/0/1/set/-x": b"deep",
        }


def test_scripts_of_submits_within_a_second(
    tmp_path: Path, files: Transfer, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have the same length, and times may be as coarse as rsync's look: the latest is there all the same."""
    swarm = swarm_in(tmp_path)
    replace = os.replace

    def replace_at_once(source: Any, destination: Any) -> None:
        os.utime(source, (1_700_000_000, 1_700_000_000))
        replace(source, destination)

    monkeypatch.setattr(os, "replace", replace_at_once)
    for submission in range(1, 5):
        scripts = {"exec/manager.sh": f"echo {submission}\n"}
        files.stage(swarm, lambda: TASKS, [Chunk(submission, 2)], scripts, Silent())
        assert Path(environment.absolute("exec/manager.sh")).read_text() == f"echo {submission}\n"


def test_what_is_there_does_not_move_again(tmp_path: Path, files: Transfer, environment: Environment) -> None:
    swarm = swarm_in(tmp_path)
    stage(files, swarm)
    stage(files, swarm)  # now nothing of it is packed any more
    paths = [Path(environment.absolute(name)) for name in ("inputs/0/1/sub/b", "inputs/0/2/a.txt", "shared/big/big")]
    before = [(path.stat().st_ino, path.stat().st_ctime_ns) for path in paths]
    stage(files, swarm)
    assert [(path.stat().st_ino, path.stat().st_ctime_ns) for path in paths] == before


def test_only_what_changed_moves_after_the_first_stream(
    tmp_path: Path, host: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = swarm_in(tmp_path)
    (tmp_path / "in" / "sub" / "b").write_bytes(bytes(1_000_000))
    (tmp_path / "state").mkdir()
    files = SshTransfer(host, new_environment(tmp_path / "root"), tmp_path / "state")
    moved: list[int] = []
    push = host.push

    def counted(*args: Any, **options: Any) -> int:
        moved.append(push(*args, **options))
        return moved[-1]

    monkeypatch.setattr(host, "push", counted)
    stage(files, swarm)
    assert moved == []
    (tmp_path / "in" / "a.txt").write_text("changed")
    stage(files, swarm)
    plan, manager = f"1\ta\ttrue\tout\t.\n2\tb\ttrue\tout\t.\nend\t2\t{ID}\t.\n".encode(), b"echo hello\n"
    assert moved == [2 * len("changed") + len(plan) + len(manager)]
    assert tree(files.environment.root)["inputs/0/2/a.txt"] == b"changed"


def test_what_became_something_else_takes_its_place_in_the_tree(
    tmp_path: Path, files: Transfer, environment: Environment
) -> None:
    root = tmp_path / "world"
    (root / "d" / "deep").mkdir(parents=True)
    (root / "d" / "deep" / "one").write_text("one")
    (root / "x").write_text("x")
    (root / "l").symlink_to("x")
    files.send_tree(root, ["d", "d/deep", "d/deep/one", "x", "l"], Silent())
    assert tree(environment.absolute("tree")) == {"d/deep/one": b"one", "x": b"x", "l": b"x"}
    shutil.rmtree(root / "d")
    (root / "d").write_text("now a file")
    for name in ("x", "l"):
        (root / name).unlink()
        (root / name).mkdir()
        (root / name / "in").write_text(name)
    files.send_tree(root, ["d", "x", "x/in", "l", "l/in"], Silent())
    assert tree(environment.absolute("tree")) == {"d": b"now a file", "x/in": b"x", "l/in": b"l"}


def test_what_changed_within_a_second_is_sent(tmp_path: Path, files: Transfer, environment: Environment) -> None:
    """Files of the same size and second are told apart by those who know that they differ."""
    root = tmp_path / "world"
    (root / "d").mkdir(parents=True)
    (root / "d/same").write_text("stays")
    for name, text in (("x", "one"), ("d/y", "two")):
        (root / name).write_text(text)
    names = ["d", "d/same", "d/y", "x"]
    for name in names[1:]:
        os.utime(root / name, ns=(SECOND_NS, SECOND_NS))
    files.send_tree(root, names, Silent())
    for name, text in (("x", "ONE"), ("d/y", "TWO")):
        (root / name).write_text(text)
        os.utime(root / name, ns=(SECOND_NS + 1, SECOND_NS + 1))
    files.send_tree(root, ["d", "d/y", "x"], Silent(), {"x", "d/y"})
    assert tree(environment.absolute("tree")) == {"d/same": b"stays", "d/y": b"TWO", "x": b"ONE"}


def test_an_input_that_is_gone(tmp_path: Path, files: Transfer) -> None:
    swarm = swarm_in(tmp_path)
    (tmp_path / "in" / "a.txt").unlink()
    if isinstance(files, MountedTransfer) and files.put is put_link:
        stage(files, swarm)  # the sandbox cannot be made then, which the task says
        return
    with pytest.raises(TransferError):
        stage(files, swarm)


def test_links_to_nothing_and_in_a_circle_keep_nothing_from_being_sent(
    tmp_path: Path, files: Transfer, environment: Environment
) -> None:
    swarm = swarm_in(tmp_path)
    for folder in ("sub", "big"):
        if folder == "big":
            (tmp_path / "in" / "big").unlink()
            (tmp_path / "in" / "big").mkdir()
            (tmp_path / "in" / "big" / "b").write_text("shared")
        (tmp_path / "in" / folder / "gone").symlink_to("/no/such/file")
        (tmp_path / "in" / folder / "self").symlink_to(".")
        (tmp_path / "in" / folder / "link").symlink_to("b")
    names = ("gone", "self")
    for submission in (1, 2):  # by tar, then by rsync
        left_out = files.stage(swarm, lambda: TASKS, [Chunk(submission, 2)], {"exec/x.sh": "x\n"}, Silent())
        shared_is_sent = not (isinstance(files, MountedTransfer) and files.put is put_link)
        folders = ("sub", "big") if shared_is_sent else ("sub",)
        assert set(left_out) == {f"{tmp_path}/in/{folder}/{name}" for folder in folders for name in names}
        there = {} if not shared_is_sent else tree(environment.root)
        if shared_is_sent:
            found = {name: data for name, data in there.items() if name.startswith(("inputs/0/1/sub", "shared"))}
            assert found == {
                "inputs/0/1/sub/b": b"deep",
                "inputs/0/1/sub/link": b"deep",
                "shared/big/big/b": b"shared",
                "shared/big/big/link": b"shared",
            }


@pytest.mark.parametrize("way", ["tar", "rsync"])
def test_outputs_with_more_links_than_may_come_at_once_come_in_parts(
    tmp_path: Path, host: SshHost, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    environment = new_environment(tmp_path / "root")
    (tmp_path / "state").mkdir()
    files = SshTransfer(host, environment, tmp_path / "state")
    if way == "rsync":
        monkeypatch.setattr(host, "fetch", lambda *_names, **_options: False)
    numbers = range(1, 9)
    for number in numbers:
        out = Path(environment.absolute(f"work/000001.1/{number}/out"))
        out.mkdir(parents=True)
        (out / "file").write_text(f"{number}")
        for link in range(100):
            (out / f"link {link}").symlink_to("file")
    monkeypatch.setattr(budget, "_UNEXPECTED_ENTRIES", 250)
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.take_plan([Task(f"t{number}", "true", (), ("out",)) for number in numbers], environment.root)
        ledger.begin_submission(1, 1)
        with ledger.transaction():
            ended = [Ended("000001.1", n, 1, "done", 0, 1.0, 2.0, (True,), 0, reason="") for n in numbers]
            began = [Began("000001.1", n, 1, 1.0, 1) for n in numbers]
            ledger.apply("1-0", [Manager("1-0", "n1", 1, 1, 1.0), *began, *ended], 10)
        results = Results(tmp_path / "results", is_flat=False)
        assert collect_ended(ledger, files, results, Silent()) == 8
        assert ledger.troubles() == {}
        monkeypatch.setattr(budget, "_UNEXPECTED_ENTRIES", 10)
        ledger.set_uncollected(numbers)
        with pytest.raises(HostError, match="more comes than can be right"):
            collect_ended(ledger, files, results, Silent())
    for number in numbers:
        found = {path.name for path in (results.outdir / f"t{number}/out").iterdir()}
        assert found == {"file", *(f"link {link}" for link in range(100))}
        assert (results.outdir / f"t{number}/out/link 7").read_text() == f"{number}"


def test_collect(tmp_path: Path, files: Transfer, environment: Environment) -> None:
    sandbox = Path(environment.absolute("work/000001.1/1"))
    (sandbox / "folder").mkdir(parents=True)
    (sandbox / "out").write_text("result")
    (sandbox / "folder" / "x").write_text("inside")
    sandbox.with_name("log.4").write_text("said\n")
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.take_plan([Task("a", "true", (), ("out", "folder", "none"))], environment.root)
        ledger.begin_submission(1, 1)
        with ledger.transaction():
            ended = Ended("000001.1", 1, 1, "failed", 0, 1.0, 2.0, (True, True, False), 4, reason="missing output")
            ledger.apply("1-0", [Manager("1-0", "n1", 1, 1, 1.0), Began("000001.1", 1, 1, 1.0, 1), ended], 10)
        results = Results(tmp_path / "results", is_flat=False)
        assert [collect_ended(ledger, files, results, Silent()) for _ in range(2)] == [1, 0]
    left = {"failed/a/out": b"result", "failed/a/folder/x": b"inside"}
    assert tree(str(results.outdir)) == {**left, "logs/a.log": b"said\n"}


def test_collect_some(tmp_path: Path, files: Transfer, environment: Environment) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.take_plan([Task(task_id, "true", (), ()) for task_id in "abc"], environment.root)
        ledger.begin_submission(1, 1)
        ended = [Ended("000001.1", number, 1, "done", 0, 1.0, 2.0, (), 0, reason="") for number in (1, 2, 3)]
        with ledger.transaction():
            ledger.apply("1-0", [Manager("1-0", "n1", 1, 1, 1.0), *ended], 10)
        results = Results(tmp_path / "results", is_flat=False)
        assert [collect_ended(ledger, files, results, Silent(), limit=2) for _ in range(3)] == [2, 1, 0]


def test_read_and_write(tmp_path: Path, files: Transfer, environment: Environment) -> None:
    stage(files, swarm_in(tmp_path))
    assert files.read("exec/manager.sh", Most()) == b"echo hello\n"
    assert files.read("exec/nothing", Most()) is None
    files.write("exec/note", b"\0\xff\n")
    assert files.read("exec/note", Most()) == b"\0\xff\n"
    assert (Path(environment.root) / "exec" / "note").read_bytes() == b"\0\xff\n"


def test_collect_twice_what_came_once(tmp_path: Path, files: Transfer, environment: Environment) -> None:
    """A folder that is there already is filled; what is somebody else's stays, and what is missing is named."""
    for number in (1, 2):
        sandbox = Path(environment.absolute(f"work/000001.1/{number}"))
        sandbox.mkdir(parents=True)
        (sandbox / "out").write_text("new")
    results = Results(tmp_path / "results", is_flat=False)
    (results.outdir / "b").mkdir(parents=True)
    (results.outdir / "b" / "out").write_text("old")
    (results.outdir / "b" / "lost").write_text("somebody else's")
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.take_plan([Task(name, "true", (), ("out", "lost")) for name in "ab"], environment.root)
        ledger.begin_submission(1, 1)
        with ledger.transaction():
            ended = [Ended("000001.1", task, 1, "done", 0, 1.0, 2.0, (True, True), 0, "") for task in (1, 2)]
            ledger.apply("1-0", [Manager("1-0", "n1", 1, 1, 1.0), *ended], 10)
        assert collect_ended(ledger, files, results, Silent()) == 2
        assert set(ledger.troubles()) == {(1, "lost"), (2, "lost"), (2, "out")}
        assert ledger.troubles()[2, "out"].startswith("in the way: b/out is here already")
    assert tree(str(results.outdir)) == {"a/out": b"new", "b/out": b"old", "b/lost": b"somebody else's"}
