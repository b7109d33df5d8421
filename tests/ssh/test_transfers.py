"""Files travel to and from a host behind a real sshd; names, links and hosts are as hostile as they get."""

from __future__ import annotations

import _thread
import contextlib
import os
import shutil
import stat
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.errors import TransferError
from locusts_fab.hosts import ssh
from locusts_fab.layout import Environment
from locusts_fab.transfer.ssh import ONLY_OLD_INPUTS
from tests.support.environments import ID
from tests.support.sshd import host, module_sshd, needs_sshd, no_waiting, running_sshd
from tests.support.transfers import HOSTILE_NAMES, content, fill, fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from locusts_fab.hosts.ssh import SshHost


pytestmark = needs_sshd
__all__ = ["host", "module_sshd", "no_waiting"]


def test_hostile_names_there_and_back(host: SshHost, tmp_path: Path) -> None:
    source = fill(tmp_path / "it's a $(source)\n", HOSTILE_NAMES)
    destination = tmp_path / "-dest 'x' $(y)\nz"
    moved = host.push(source, str(destination))
    assert moved == sum(map(len, HOSTILE_NAMES))
    assert content(destination) == content(source)
    back = fresh(tmp_path / "back")
    assert host.pull(str(destination), HOSTILE_NAMES, back) == []
    assert content(back) == content(source)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(
        st.binary(min_size=1, max_size=30).filter(lambda n: not {*n} & {0, 47} and n not in {b".", b".."}), max_size=8
    )
)
def test_names_of_any_bytes(host: SshHost, tmp_path_factory: pytest.TempPathFactory, names: set[bytes]) -> None:
    folder = tmp_path_factory.mktemp("any")
    source = fill(folder / "source", sorted(names))
    host.push(source, str(folder / "there"))
    back = fresh(folder / "back")
    assert host.pull(str(folder / "there"), sorted(names), back) == []
    assert content(back) == {name: name for name in names}


def test_names_that_rsync_takes_for_patterns(host: SshHost, tmp_path: Path) -> None:
    names = [b"*\\", b"a[\\b", b"?\\c", b"plain", b"\\", b"*", b"[x]"]
    source = fill(tmp_path / "source", names)
    host.push(source, str(tmp_path / "there"))
    back = fresh(tmp_path / "back")
    assert host.pull(str(tmp_path / "there"), [*names, b"gone\\*"], back) == [b"gone\\*"]
    assert content(back) == {name: name for name in names}


def test_a_second_push_moves_only_what_changed(host: SshHost, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"one", b"two", b"three"])
    there = str(tmp_path / "there")
    assert host.push(source, there) == len(b"onetwothree")
    assert host.push(source, there) == 0
    (source / "two").write_bytes(b"a longer two")
    assert host.push(source, there) == len(b"a longer two")
    assert content(Path(there)) == content(source)


def test_push_follows_symlinks_and_keeps_the_executable_bit(host: SshHost, tmp_path: Path) -> None:
    real = fill(tmp_path / "real", [b"data"])
    (real / "tool").write_text("#!/bin/sh\n")
    (real / "tool").chmod(0o755)
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "data").symlink_to(real / "data")
    (source / "tool").symlink_to(real / "tool")
    (source / "folder").symlink_to(real)
    there = tmp_path / "deep" / "there"
    host.push(source, str(there))
    assert content(there) == {
        b"sub/data": b"data",
        b"tool": b"#!/bin/sh\n",
        b"folder/data": b"data",
        b"folder/tool": b"#!/bin/sh\n",
    }
    assert not any(path.is_symlink() for path in there.rglob("*"))
    assert stat.S_IMODE((there / "tool").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in [there, there.parent, there / "sub"]} == {0o700}


def test_push_deletes_only_when_told_to(host: SshHost, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"new"])
    there = fill(tmp_path / "there", [b"old"])
    host.push(source, str(there))
    assert content(there).keys() == {b"new", b"old"}
    host.push(source, str(there), delete=["R **"])
    assert content(there).keys() == {b"new"}


def test_push_of_staged_inputs_removes_only_what_a_task_has_no_more(host: SshHost, tmp_path: Path) -> None:
    there, source = tmp_path / "there", tmp_path / "source"
    for name in ("inputs/0/1/old", "inputs/0/1/same", "inputs/0/2/other", "work/1/out", "exec/x", "shared/k/f"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text("there")
    for name in ("inputs/0/1/same", "inputs/0/1/new", "exec/plan/1", "work", "shared/k/g"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).mkdir() if name == "work" else (source / name).write_text("here")
    host.push(source, str(there), delete=ONLY_OLD_INPUTS)
    left = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    kept = {"inputs/0/1/same", "inputs/0/2/other", "work/1/out", "exec/x", "shared/k/f"}
    assert left == kept | {"inputs/0/1/new", "exec/plan/1", "shared/k/g"}


def tar_of(source: Path) -> bytes:
    return subprocess.run(["tar", "-cf", "-", "-C", source, "."], check=True, stdout=subprocess.PIPE).stdout


def test_unpack(host: SshHost, tmp_path: Path) -> None:
    """What is sent in one stream arrives, whatever it is called; but never in a folder that is there already."""
    source = fill(tmp_path / "source", HOSTILE_NAMES)
    (source / "large").write_bytes(bytes(3_000_000))  # more than fits into the window of a channel
    data = tar_of(source)
    there = tmp_path / "it's $(a) new" / "root"
    environment = new_environment(there)
    assert host.unpack(environment, lambda send: send(data))
    (there / f"exec/id.{ID}").unlink()
    assert content(there) == content(source)
    assert not host.unpack(environment, lambda send: send(data))  # it has no id any more
    (there / f"exec/id.{ID}").touch()
    (there / "inputs").mkdir()
    assert not host.unpack(environment, lambda send: send(data))  # something was put there
    (there.parent / "file").touch()
    assert not host.unpack(Environment(str(there.parent / "file" / "root"), ID), lambda send: send(data))


def new_environment(root: Path) -> Environment:
    (root / "exec").mkdir(parents=True)
    (root / f"exec/id.{ID}").touch()
    return Environment(str(root), ID)


def test_unpack_that_comes_to_nothing(host: SshHost, tmp_path: Path) -> None:
    """It says so, and does not raise: whoever asked has another way, which also tells what is wrong."""

    def stop_half_way(send: Callable[[bytes], object]) -> None:
        send(tar_of(fill(tmp_path / "source", [b"x"]))[:600])
        raise FileNotFoundError("gone in the meantime")

    assert not host.unpack(new_environment(tmp_path / "1"), stop_half_way)
    assert not host.unpack(new_environment(tmp_path / "2"), lambda send: send(b"no archive" * 100))
    with pytest.raises(KeyboardInterrupt):
        host.unpack(new_environment(tmp_path / "3"), lambda _send: _thread.interrupt_main())
    assert host.run("echo on").text == "on\n"  # the link is as good as before


def test_unpack_over_a_link_that_breaks(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()

        def cut(send: Callable[[bytes], object]) -> None:
            send(b"x" * 1000)
            sshd.stop()
            send(bytes(10_000_000))

        with sshd.remote() as remote:
            assert not remote.unpack(new_environment(tmp_path / "new"), cut)


def test_what_cannot_be_pushed_is_named(host: SshHost, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"good"])
    (source / "dangling").symlink_to("nowhere")
    with pytest.raises(TransferError, match="dangling") as caught:
        host.push(source, str(tmp_path / "there"))
    assert "dangling" in caught.value.stderr
    (source / "dangling").unlink()
    os.mkfifo(source / "pipe")
    with pytest.raises(TransferError, match="pipe"):
        host.push(source, str(tmp_path / "there"))
    assert content(tmp_path / "there") == {b"good": b"good"}


def test_a_destination_that_cannot_be_made(host: SshHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TransferError, match="cannot be made"):
        host.push(fill(tmp_path / "source", [b"x"]), str(tmp_path / "file" / "there"))


def test_progress_is_told(host: SshHost, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"%d" % number for number in range(50)])
    seen: list[tuple[int, int]] = []
    moved = host.push(source, str(tmp_path / "there"), progress=lambda *news: seen.append(news))
    assert seen[-1] == (50, moved)
    seen.clear()
    names = [b"%d" % number for number in range(50)]
    host.pull(str(source), names, fresh(tmp_path / "back"), progress=lambda *news: seen.append(news))
    assert seen[-1] == (50, moved)


def test_pull_says_what_did_not_come(host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_BATCH", 2)
    there = fill(tmp_path / "there", [b"one", b"two"])
    fill(there / "folder" / "below", [b"deep"])
    back = fresh(tmp_path / "back")
    names = [b"missing", b"one", b"folder/", b"no/such", b"two"]
    assert host.pull(str(there), names, back) == [b"missing", b"no/such"]
    assert content(back) == {b"one": b"one", b"two": b"two", b"folder/below/deep": b"deep"}
    assert host.pull(str(there), [], back) == []


def test_pull_brings_files_and_folders_only(host: SshHost, tmp_path: Path) -> None:
    there = fill(tmp_path / "there", [b"file"])
    os.mkfifo(there / "pipe")
    (there / "secret").symlink_to("/etc/passwd")
    (there / "out").symlink_to(tmp_path)
    back = fresh(tmp_path / "back")
    names = [b"file", b"pipe", b"secret", b"out", b"out/there/file"]
    missing = host.pull(str(there), names, back)
    assert not any(path.is_symlink() for path in back.rglob("*"))
    assert {b"pipe", b"secret"} <= {*missing}
    assert content(back)[b"file"] == b"file"


def test_fetch(host: SshHost, tmp_path: Path) -> None:
    there = fill(tmp_path / "there", HOSTILE_NAMES)
    fill(there / "folder" / "below", [b"deep"])
    (there / "large").write_bytes(bytes(3_000_000))
    seen: list[tuple[int, int]] = []
    names = [*HOSTILE_NAMES, b"folder/", b"large"]
    back = fresh(tmp_path / "back")
    assert host.fetch(str(there), names, back, progress=lambda *news: seen.append(news))
    assert content(back) == content(there)
    assert seen[-1][0] == len(HOSTILE_NAMES) + 2


def test_fetch_from_an_account_that_talks(tmp_path: Path) -> None:
    there = fill(tmp_path / "there", HOSTILE_NAMES)
    home = tmp_path / "home"
    home.mkdir()
    for name in (".bashrc", ".profile"):
        (home / name).write_text("echo noise; echo more noise >&2\n")
    force = f'ForceCommand HOME={home} exec bash -c ". ~/.bashrc; $SSH_ORIGINAL_COMMAND"'
    with running_sshd(tmp_path / "sshd", f"SetEnv HOME={home}", force) as sshd:
        sshd.trust()
        back = fresh(tmp_path / "back")
        with sshd.remote() as remote:
            assert remote.fetch(str(there), HOSTILE_NAMES, back)
    assert content(back) == content(there)


def test_fetch_says_when_it_is_not_enough(host: SshHost, tmp_path: Path) -> None:
    there = fill(tmp_path / "there", [b"one"])
    (there / "link").symlink_to("/etc/passwd")
    back = fresh(tmp_path / "back")
    assert not host.fetch(str(there), [b"one", b"missing"], back)
    assert content(back) == {b"one": b"one"}
    assert not host.fetch(str(tmp_path / "nowhere"), [b"one"], fresh(tmp_path / "2"))
    assert host.fetch(str(there), [b"link"], fresh(tmp_path / "3"))
    assert content(tmp_path / "3") == {}
    assert host.run("echo on").text == "on\n"


def test_a_tar_that_lies_changes_nothing_outside(tmp_path: Path) -> None:
    victim = fill(tmp_path / "victim", [b"precious"])
    there = fill(tmp_path / "there", [b"file"])
    (there / "link").symlink_to(victim)
    tools = tmp_path / "bin"
    tools.mkdir()
    liar = tools / "tar"
    liar.write_text(
        f"#!/bin/bash\ncd {there} && {shutil.which('tar')} -cf - -P link link/precious ../victim/precious file\n"
    )
    liar.chmod(0o755)
    force = f'ForceCommand PATH={tools}:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"'
    with running_sshd(tmp_path / "sshd", force) as sshd:
        sshd.trust()
        back = fresh(tmp_path / "back")
        with sshd.remote() as remote:
            assert remote.fetch(str(there), [b"file"], back)
    assert content(back) == {b"file": b"file"}
    assert content(victim) == {b"precious": b"precious"}


@pytest.mark.parametrize("name", [b"/etc/passwd", b"../x", b"a/../../x", b"", b"a\0b"])
def test_names_outside_the_folder_are_refused(host: SshHost, tmp_path: Path, name: bytes) -> None:
    with pytest.raises(TransferError, match="no path below"):
        host.pull(str(tmp_path), [name], fresh(tmp_path / "back"))


def test_pull_from_a_folder_that_is_not_there(host: SshHost, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="folder is not there"):
        host.pull(str(tmp_path / "none"), [b"a"], fresh(tmp_path / "back"))


def test_a_host_without_rsync(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "mkdir", "sh"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    with running_sshd(
        tmp_path / "sshd", f"SetEnv PATH={tools}", 'ForceCommand PATH=$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"'
    ) as sshd:
        sshd.trust()
        with sshd.remote() as remote, pytest.raises(TransferError, match="not installed on the host"):
            remote.push(fill(tmp_path / "source", [b"x"]), str(tmp_path / "there"))


def test_a_machine_without_rsync(host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TransferError, match="on this machine"):
        host.pull(str(tmp_path), [b"x"], fresh(tmp_path / "back"))


def test_rsyncs_own_variables_do_not_matter(host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSYNC_RSH", "false")
    monkeypatch.setenv("RSYNC_PROTECT_ARGS", "0")
    assert host.push(fill(tmp_path / "source", [b"x"]), str(tmp_path / "the re")) == 1


def test_a_host_that_lies_changes_nothing_outside(tmp_path: Path) -> None:
    """Its rsync sends symlinks though nobody asked for them, and files through them."""
    there = fill(tmp_path / "there", [b"file"])
    (there / "link").symlink_to(tmp_path / "victim")
    victim = fill(tmp_path / "victim", [b"precious"])
    tools = tmp_path / "bin"
    tools.mkdir()
    liar = tools / "rsync"
    liar.write_text(f'#!/bin/bash\nexec {shutil.which("rsync")} "${{@:1:2}}" -lDK "${{@:3}}"\n')
    liar.chmod(0o755)
    force = f'ForceCommand PATH={tools}:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"'
    with running_sshd(tmp_path / "sshd", force) as sshd:
        sshd.trust()
        back = fresh(tmp_path / "back")
        with sshd.remote() as remote, contextlib.suppress(TransferError):
            giving_up = threading.Timer(10, remote._link.transport().close)  # the two may talk past each other for ever
            giving_up.start()
            remote.pull(str(there), [b"file", b"link", b"link/precious"], back)
        giving_up.cancel()
    assert content(victim) == {b"precious": b"precious"}
    assert not any(path.is_symlink() for path in back.rglob("*"))
