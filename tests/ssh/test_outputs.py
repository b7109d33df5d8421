"""Outputs come whole, or are errors with a reason, and the same by every way: linked, copied, by tar, by rsync."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.bounds.entries import Entry
from locusts_fab.bounds.names import Name
from locusts_fab.layout import Environment, Results
from locusts_fab.manager.records import Began, Ended, Manager, Matched
from locusts_fab.model.tasks import Task
from locusts_fab.operations.collect import collect_ended
from locusts_fab.progress import Silent
from locusts_fab.results.lists import write_lists
from locusts_fab.state.ledger import Ledger
from locusts_fab.transfer.mounted import MountedTransfer
from locusts_fab.transfer.ssh import SshTransfer
from locusts_fab.transfer.stage import put_copy, put_link
from locusts_fab.tsv import unescape
from tests.support.sshd import host, module_sshd, needs_sshd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.hosts.base import Result
    from locusts_fab.hosts.ssh import SshHost
    from locusts_fab.transfer.base import Transfer

pytestmark = needs_sshd
__all__ = ["host", "module_sshd"]


class EndedTask:
    """A swarm of one task that has ended: its sandbox, and what comes of it by one of the ways."""

    def __init__(self, folder: Path, files: Transfer, ledger: Ledger) -> None:
        self.files, self.ledger = files, ledger
        self.sandbox = Path(files.environment.absolute("work/000001.1/1"))
        (self.sandbox / "out/sub").mkdir(parents=True)
        (self.sandbox / "out/sub/x").write_text("x")
        (self.sandbox / "other").write_text("other")
        self.results = Results(folder / "results", is_flat=False)
        self.place = self.results.outdir / "a"

    def collect(self, *outputs: str) -> dict[str, str]:
        """Collect these outputs, all of them there; return the reason for each that did not come."""
        outputs = outputs or ("out", "other")
        self.ledger.take_plan([Task("a", "true", (), outputs)], "/e")
        self.ledger.begin_submission(1, 1)
        found = (True,) * len(outputs)
        with self.ledger.transaction():
            ended = Ended("000001.1", 1, 1, "done", 0, 1.0, 2.0, found, 0, "")
            self.ledger.apply("1-0", [Manager("1-0", "n1", 1, 1, 1.0), Began("000001.1", 1, 1, 1.0, 1), ended], 10)
        return self.again()

    def collect_matches(self, *names: str) -> dict[str, str]:
        """Collect what a pattern matched; return the reason for each that did not come."""
        self.ledger.take_plan([Task("a", "true", (), (Entry("/g/*"),))], "/e")
        self.ledger.begin_submission(1, 1)
        matched = Matched("000001.1", 1, 1, 1, 0, tuple(map(Name, names)))
        ended = Ended("000001.1", 1, 1, "done", 0, 1.0, 2.0, (True,), 0, "", parts=1)
        with self.ledger.transaction():
            self.ledger.apply("1-0", [Manager("1-0", "n1", 1, 1, 1.0), matched, ended], 10)
        return self.again()

    def again(self) -> dict[str, str]:
        self.ledger.set_uncollected([1])
        assert collect_ended(self.ledger, self.files, self.results, Silent()) == 1
        troubles = self.ledger.troubles()
        write_lists(self.ledger.outcomes(), troubles, self.results)
        rows = [line.split("\t") for line in os.fsdecode(self.results.outputs_table.read_bytes()).split("\n")[1:-1]]
        reasons = {name: reason for (_, name), reason in troubles.items()}
        assert {name: status for _, name, status, _ in rows} == {
            name: "error" if unescape(name) in reasons else "present" for _, name, _, _ in rows
        }
        assert [name for name in reasons if os.path.lexists(self.place / name)] == [], "whole or not at all"
        return reasons


@pytest.fixture(params=["linked", "copied", "tar", "rsync"])
def task(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EndedTask]:
    environment = Environment(str(tmp_path / "it's an environment"))
    files: Transfer
    if request.param in {"tar", "rsync"}:
        (tmp_path / "state").mkdir()
        remote = request.getfixturevalue("host")
        if request.param == "rsync":
            monkeypatch.setattr(remote, "fetch", lambda *_names, **_options: False)
        files = SshTransfer(remote, environment, tmp_path / "state")
    else:
        files = MountedTransfer(environment, put_link if request.param == "linked" else put_copy)
        if request.param == "copied":
            monkeypatch.setattr(os, "link", refuse)
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        yield EndedTask(tmp_path, files, ledger)


def refuse(*_paths: object, **_options: object) -> None:
    raise OSError(18, "Invalid cross-device link")


# ---- symlinks ----


def test_links_that_stay_inside_come(task: EndedTask) -> None:
    out = task.sandbox / "out"
    links = {
        "latest": "sub/x",
        "sub/up": "../sub",
        "sub/all": "..",
        "me": ".",
        "broken": "nowhere",
        "circle": "round",
        "round": "circle",
        "odd\nname": "sub/x",
    }
    for name, text in links.items():
        (out / name).symlink_to(text)
    (out / "absolute").symlink_to(out / "sub/x")
    (out / "sub/absolute").symlink_to(out / "latest")
    (out / "from scratch").symlink_to("/tmp/locusts.ab12/000001.1/1/out/sub/x")
    assert task.collect() == {}
    found = {str(path.relative_to(task.place / "out")): path for path in (task.place / "out").rglob("*")}
    assert {name: str(path.readlink()) for name, path in found.items() if path.is_symlink()} == {
        **links,
        "absolute": "sub/x",
        "sub/absolute": "../latest",
        "from scratch": "sub/x",
    }
    assert (task.place / "out/sub/absolute").read_text() == "x"
    assert (task.place / "other").read_text() == "other"
    assert task.again() == {}


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "../../other", "../../../../x", "sub/../../other", "me/..", "/tmp/000001.1/2/out/x"]
)
def test_a_link_that_leads_out_is_an_error(task: EndedTask, text: str) -> None:
    (task.sandbox / "out/me").symlink_to(".")
    (task.sandbox / "out/sub/l").symlink_to(text if text[0] in "/." else f"../{text}")
    reasons = task.collect()
    assert list(reasons) == ["out"]
    assert reasons["out"].startswith("sub/l in it: it is a link that leads out of the folder, to ")
    assert (task.place / "other").read_text() == "other"
    assert "out did not come back: sub/l in it: it is a link" in task.results.tasks_table.read_text()
    (task.sandbox / "out/sub/l").unlink()
    assert task.again() == {}, "once the cause is gone it comes"


def test_an_output_that_is_a_link_comes_as_what_it_leads_to(task: EndedTask, tmp_path: Path) -> None:
    (task.sandbox / "file").symlink_to("out/sub/x")
    (task.sandbox / "folder").symlink_to("out")
    (task.sandbox / "out/inner").symlink_to("sub/x")
    (task.sandbox / "out/absolute").symlink_to(task.sandbox / "out/sub/x")
    (tmp_path / "far/deep").mkdir(parents=True)
    (tmp_path / "far/deep/y").write_text("far")
    (task.sandbox / "far").symlink_to(tmp_path / "far")
    (task.sandbox / "through").symlink_to("far/deep")
    assert task.collect("file", "folder", "far", "through/y") == {}
    assert not [name for name in ("file", "folder", "far", "through") if (task.place / name).is_symlink()]
    assert (task.place / "file").read_text() == "x"
    assert (task.place / "folder/sub/x").read_text() == "x"
    assert (task.place / "folder/inner").readlink() == Path("sub/x")
    assert (task.place / "folder/absolute").readlink() == Path("sub/x")
    assert (task.place / "far/deep/y").read_text() == "far"
    assert (task.place / "through/y").read_text() == "far"


def test_an_output_that_is_a_link_to_nothing(task: EndedTask) -> None:
    (task.sandbox / "broken").symlink_to("nowhere")
    (task.sandbox / "circle").symlink_to("circle")
    assert set(task.collect("broken", "circle", "other")) == {"broken", "circle"}


def test_two_links_to_one_thing(task: EndedTask) -> None:
    for name in ("one", "two"):
        (task.sandbox / name).symlink_to("out/sub/x")
        (task.sandbox / f"{name} folder").symlink_to("out")
    assert task.collect("one", "two", "one folder", "two folder") == {}
    assert {(task.place / name).read_text() for name in ("one", "two", "one folder/sub/x", "two folder/sub/x")} == {"x"}


def test_a_link_that_is_an_output_of_its_own_in_a_folder_that_is_one(task: EndedTask) -> None:
    (task.sandbox / "out/latest").symlink_to("sub/x")
    assert task.collect("out/latest", "out") == {}
    assert (task.place / "out/latest").read_text() == "x"
    assert (task.place / "out/sub/x").read_text() == "x"


# ---- what cannot come whole ----


@pytest.mark.parametrize("kind", ["fifo", "socket", "unreadable file", "unreadable folder"])
def test_what_cannot_come_with_a_folder(task: EndedTask, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = task.sandbox / "out/sub/odd"
    if kind == "fifo":
        os.mkfifo(odd)
    elif kind == "socket":
        monkeypatch.chdir(odd.parent)  # the path of a socket may not be long
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("odd")
    elif os.geteuid() == 0:
        pytest.skip("root reads everything")
    elif kind == "unreadable file":
        odd.write_text("secret")
        odd.chmod(0)
    else:
        odd.mkdir(mode=0)
    try:
        reasons = task.collect()
        # a hard link needs no right to read
        if kind == "unreadable file" and not reasons:
            assert (task.place / "out/sub/odd").samefile(odd)
        else:
            assert list(reasons) == ["out"]
            assert reasons["out"].startswith("sub/odd in it: it ")
    finally:
        if kind.startswith("un"):
            odd.chmod(0o700)
    assert (task.place / "other").read_text() == "other"


def test_what_is_gone(task: EndedTask) -> None:
    shutil.rmtree(task.sandbox / "out")
    assert task.collect() == {"out": "it is not there any more"}


def test_nothing_of_an_earlier_attempt_is_called_whole(task: EndedTask) -> None:
    assert task.collect() == {}
    os.mkfifo(task.sandbox / "out/pipe")
    assert task.again() == {}, "what came whole of the same attempt stays"
    assert (task.place / "out/sub/x").read_text() == "x"
    task.ledger._db.execute("UPDATE tasks SET collected = 0")  # as if it had come of an earlier one
    assert list(task.again()) == ["out"]
    assert not (task.place / "out").exists()


# ---- what tar brings is not believed if it failed ----


def pads(folder: Path, size: int, mtime_ns: int) -> bool:
    """Bring zeros in place of a file, as tar does with what it cannot read to its end."""
    place = folder / "work/000001.1/1/other"
    place.parent.mkdir(parents=True)
    place.write_bytes(bytes(size))
    os.utime(place, ns=(mtime_ns, mtime_ns))
    return False


@pytest.mark.parametrize("task", ["tar"], indirect=True)
@pytest.mark.parametrize("becomes", ["as it is", "shorter", "longer", "gone"])
def test_what_tar_could_not_read_is_compared(
    task: EndedTask, monkeypatch: pytest.MonkeyPatch, host: SshHost, becomes: str
) -> None:
    other = task.sandbox / "other"
    found = other.stat()

    def fetch(_root: str, _names: object, folder: Path, **_options: object) -> bool:
        pads(folder, found.st_size, found.st_mtime_ns)
        if becomes == "gone":
            other.unlink()
        elif becomes != "as it is":
            other.write_text("oth" if becomes == "shorter" else "other ones")
        return False

    monkeypatch.setattr(host, "fetch", fetch)
    reasons = task.collect("other")
    if becomes == "gone":
        assert reasons == {"other": "it is not there any more"}
    else:
        assert reasons == {}
        assert (task.place / "other").read_text() == other.read_text()


@pytest.mark.parametrize("task", ["tar"], indirect=True)
@pytest.mark.parametrize("what", ["a file is missing", "a file is cut", "a folder is missing", "a pipe"])
def test_what_a_host_leaves_out_without_a_word_is_missed(
    task: EndedTask, monkeypatch: pytest.MonkeyPatch, host: SshHost, what: str
) -> None:
    """Such as a file that shrank while it was read, or a program there that is broken."""
    fetch = host.fetch
    (task.sandbox / "out/empty").mkdir()

    def less(root: str, names: Iterable[bytes], folder: Path, **options: Any) -> bool:
        whole = fetch(root, names, folder, **options)
        out = folder / "work/000001.1/1/out"
        if what == "a folder is missing":
            (out / "empty").rmdir()
        elif what == "a pipe":
            os.mkfifo(task.sandbox / "out/pipe")
        else:
            (out / "sub/x").unlink()
            if what == "a file is cut":
                (out / "sub/x").touch()
        return whole

    monkeypatch.setattr(host, "fetch", less)
    assert list(task.collect()) == ["out"]
    monkeypatch.undo()
    (task.sandbox / "out/pipe").unlink(missing_ok=True)
    assert task.again() == {}


@pytest.mark.parametrize("task", ["tar"], indirect=True)
@pytest.mark.parametrize(
    ("path", "text"),
    [(b"../../../../victim/x", b"x"), (b"sub/../../../victim", b"x"), (b"nowhere/l", b"x"), (b"sub/x/l", b"x"),
     (b"sub//l", b"x"), (b"/l", b"x"), (b"l", b"../../../../victim"), (b"l", b"/victim"), (b"l", b"")],
)  # fmt: skip
def test_a_list_that_lies_makes_nothing_outside(
    task: EndedTask, monkeypatch: pytest.MonkeyPatch, host: SshHost, path: bytes, text: bytes
) -> None:
    name = b"./work/000001.1/1/out"
    run = host.run

    def lies(script: str, *args: str, **options: Any) -> Result:
        result = run(script, *args, **options)
        if "resolve NAME" not in script:
            return result
        more = b"\0".join([b"l 1", text, name, path, b"real", b"/../../etc", name, b".", b"f x", b"", name + b"2", b""])
        return replace(result, stdout=result.stdout + more + b"\0")

    victim = Path(task.files.environment.root).parent / "victim"
    victim.mkdir()
    monkeypatch.setattr(host, "run", lies)
    assert list(task.collect()) == ["out"]
    assert list(victim.iterdir()) == []
    assert not [each for each in task.results.outdir.rglob("*") if each.is_symlink()]


@pytest.mark.parametrize("task", ["tar"], indirect=True)
def test_a_host_without_gnu_find_has_its_folders_doubted(
    task: EndedTask, monkeypatch: pytest.MonkeyPatch, host: SshHost
) -> None:
    run = host.run

    def without(script: str, *args: str, **options: Any) -> Result:
        return run(f"PATH=\n{script}" if "resolve NAME" in script else script, *args, **options)

    monkeypatch.setattr(host, "run", without)
    reasons = task.collect()
    assert list(reasons) == ["out"]
    assert reasons["out"].startswith("nobody can see whether it came whole: ")
    assert reasons["out"].endswith("; GNU find has to be first on the PATH there")


def test_what_a_pattern_matched_comes(task: EndedTask) -> None:
    odd = ["a b", "-x", "$(touch y)", "a\nb", "*", "\udcff", "it's"]
    for name in odd:
        (task.sandbox / name).write_text(name, errors="surrogateescape")
    (task.sandbox / "unasked").touch()
    assert task.collect_matches("out", "other", *odd) == {}
    assert {path.name for path in task.place.iterdir()} == {"out", "other", *odd}
    assert all((task.place / name).read_text(errors="surrogateescape") == name for name in odd)
    assert (task.place / "out/sub/x").read_text() == "x"


def test_what_a_pattern_matched_and_is_no_more(task: EndedTask) -> None:
    assert task.collect_matches("other", "gone") == {"gone": "it is not there any more"}
    assert (task.place / "other").exists()


def test_many_matches_come(task: EndedTask) -> None:
    names = [f"file {number}" for number in range(2_000)]
    for name in names:
        (task.sandbox / name).write_text(name)
    assert task.collect_matches(*names) == {}
    assert {path.name: path.read_text() for path in task.place.iterdir()} == {name: name for name in names}
