"""A host behind a real sshd: scripts run there, files travel there and back, links break."""

from __future__ import annotations

import _thread
import contextlib
import os
import shutil
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paramiko import MissingHostKeyPolicy

from locusts_fab import remote as remote_module
from locusts_fab.errors import HostError, TransferError
from locusts_fab.files import ONLY_OLD_INPUTS
from locusts_fab.remote import Remote
from tests.sshd_fixture import Sshd, free_port, module_sshd, needs_sshd, running_sshd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locusts_fab.hosts import Carrier

pytestmark = needs_sshd
__all__ = ["module_sshd"]

HOSTILE_NAMES = [
    b"plain",
    b"with space",
    b" lead and trail ",
    b"-rf",
    b"--delete",
    b"#comment",
    b";comment",
    b"it's",
    b'double"quote',
    b"$(touch pwned)",
    b"`touch pwned`",
    b"a;b&c|d",
    b"star*[a-z]?",
    b"back\\slash",
    b"new\nline",
    b"carriage\rreturn",
    b"tab\there",
    b"\xff\xfe not utf-8",
    "überå漢字".encode(),
    b"host:path",
    b"~",
    b"!history",
    b"%d{a,b}",
    b"\x01\x1b[31m",
]


@pytest.fixture(scope="module")
def host(module_sshd: Sshd) -> Iterator[Remote]:
    """Give one login that all tests of this file share."""
    with module_sshd.remote() as remote:
        yield remote


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_module, "ATTEMPT_DELAYS_S", (0, 0, 0))
    monkeypatch.setattr(remote_module, "TRANSFER_DELAYS_S", (0, 0))


def fill(folder: Path, names: list[bytes]) -> Path:
    """Make a folder with a file of each name, its content is its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(name)
    return folder


def content(folder: Path) -> dict[bytes, bytes]:
    """Return every file below a folder."""
    return {os.fsencode(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fresh(folder: Path) -> Path:
    """Make a folder as those who pull make it."""
    folder.mkdir(mode=0o700)
    return folder


# Scripts.


def test_a_remote_is_a_carrier(host: Remote) -> None:
    carrier: Carrier = host
    assert carrier.name == "cluster"


def test_status_output_and_complaints(host: Remote) -> None:
    result = host.run('printf "%s|" "$@"; echo oops >&2; exit 7', "a b", "$(x)\n", "", "\udcff")
    assert result.exit_status == 7
    assert result.stdout == b"a b|$(x)\n||\xff|"
    assert "oops" in result.stderr


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=20).filter(lambda value: b"\0" not in value), max_size=5))
def test_arguments_arrive_byte_by_byte(host: Remote, values: list[bytes]) -> None:
    result = host.run('[ $# -eq 0 ] || printf "%s\\0" "$@"', *(os.fsdecode(value) for value in values))
    assert result.stdout == b"".join(value + b"\0" for value in values)


def test_much_goes_in_and_out_at_once(host: Remote) -> None:
    much = "0123456789" * 500_000
    assert host.run('printf "%s\\n" "$1"; printf %s "$1"', much).text == f"{much}\n{much}"


def test_output_is_binary_safe(host: Remote) -> None:
    result = host.run("head -c 1000000 /dev/zero; printf '\\377\\r\\n'")
    assert result.stdout == b"\0" * 1_000_000 + b"\xff\r\n"


def test_a_script_that_takes_too_long(host: Remote) -> None:
    with pytest.raises(HostError, match=r"did not end within 0\.3 s"):
        host.run("sleep 60", timeout_s=0.3)
    assert host.run("echo still here").text == "still here\n"


def test_several_threads_share_one_login(host: Remote) -> None:
    texts: list[str] = []
    threads = [threading.Thread(target=lambda n=n: texts.append(host.run("echo $1", str(n)).text)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts) == [f"{n}\n" for n in range(4)]


# Files.


def test_hostile_names_there_and_back(host: Remote, tmp_path: Path) -> None:
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
def test_names_of_any_bytes(host: Remote, tmp_path_factory: pytest.TempPathFactory, names: set[bytes]) -> None:
    folder = tmp_path_factory.mktemp("any")
    source = fill(folder / "source", sorted(names))
    host.push(source, str(folder / "there"))
    back = fresh(folder / "back")
    assert host.pull(str(folder / "there"), sorted(names), back) == []
    assert content(back) == {name: name for name in names}


def test_a_second_push_moves_only_what_changed(host: Remote, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"one", b"two", b"three"])
    there = str(tmp_path / "there")
    assert host.push(source, there) == len(b"onetwothree")
    assert host.push(source, there) == 0
    (source / "two").write_bytes(b"a longer two")
    assert host.push(source, there) == len(b"a longer two")
    assert content(Path(there)) == content(source)


def test_push_follows_symlinks_and_keeps_the_executable_bit(host: Remote, tmp_path: Path) -> None:
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


def test_push_deletes_only_when_told_to(host: Remote, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"new"])
    there = fill(tmp_path / "there", [b"old"])
    host.push(source, str(there))
    assert content(there).keys() == {b"new", b"old"}
    host.push(source, str(there), delete=["R **"])
    assert content(there).keys() == {b"new"}


def test_push_of_staged_inputs_removes_only_what_a_task_has_no_more(host: Remote, tmp_path: Path) -> None:
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


def test_unpack(host: Remote, tmp_path: Path) -> None:
    """What is sent in one stream arrives, whatever it is called; but never in a folder that is there already."""
    source = fill(tmp_path / "source", HOSTILE_NAMES)
    (source / "large").write_bytes(bytes(3_000_000))  # more than fits into the window of a channel
    data = tar_of(source)
    there = tmp_path / "it's $(a) new" / "root"
    assert host.unpack(str(there), lambda send: send(data))
    assert content(there) == content(source)
    (there / "plain").write_text("changed")
    assert not host.unpack(str(there), lambda send: send(data))
    assert (there / "plain").read_text() == "changed"
    (there.parent / "file").touch()
    assert not host.unpack(str(there.parent / "file" / "root"), lambda send: send(data))


def test_unpack_that_comes_to_nothing(host: Remote, tmp_path: Path) -> None:
    """It says so, and does not raise: whoever asked has another way, which also tells what is wrong."""

    def stop_half_way(send: Callable[[bytes], object]) -> None:
        send(tar_of(fill(tmp_path / "source", [b"x"]))[:600])
        raise FileNotFoundError("gone in the meantime")

    assert not host.unpack(str(tmp_path / "1"), stop_half_way)
    assert not host.unpack(str(tmp_path / "2"), lambda send: send(b"no archive" * 100))
    with pytest.raises(KeyboardInterrupt):
        host.unpack(str(tmp_path / "3"), lambda _send: _thread.interrupt_main())
    assert host.run("echo on").text == "on\n"  # the link is as good as before


def test_unpack_over_a_link_that_breaks(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()

        def cut(send: Callable[[bytes], object]) -> None:
            send(b"x" * 1000)
            sshd.stop()
            send(bytes(10_000_000))

        with sshd.remote() as remote:
            assert not remote.unpack(str(tmp_path / "new"), cut)


def test_what_cannot_be_pushed_is_named(host: Remote, tmp_path: Path) -> None:
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


def test_a_destination_that_cannot_be_made(host: Remote, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TransferError, match="cannot be made"):
        host.push(fill(tmp_path / "source", [b"x"]), str(tmp_path / "file" / "there"))


def test_progress_is_told(host: Remote, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"%d" % number for number in range(50)])
    seen: list[tuple[int, int]] = []
    moved = host.push(source, str(tmp_path / "there"), progress=lambda *news: seen.append(news))
    assert seen[-1] == (50, moved)
    seen.clear()
    names = [b"%d" % number for number in range(50)]
    host.pull(str(source), names, fresh(tmp_path / "back"), progress=lambda *news: seen.append(news))
    assert seen[-1] == (50, moved)


def test_pull_says_what_did_not_come(host: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_module, "_BATCH", 2)
    there = fill(tmp_path / "there", [b"one", b"two"])
    fill(there / "folder" / "below", [b"deep"])
    back = fresh(tmp_path / "back")
    names = [b"missing", b"one", b"folder/", b"no/such", b"two"]
    assert host.pull(str(there), names, back) == [b"missing", b"no/such"]
    assert content(back) == {b"one": b"one", b"two": b"two", b"folder/below/deep": b"deep"}
    assert host.pull(str(there), [], back) == []


def test_pull_brings_files_and_folders_only(host: Remote, tmp_path: Path) -> None:
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


def test_fetch(host: Remote, tmp_path: Path) -> None:
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


def test_fetch_says_when_it_is_not_enough(host: Remote, tmp_path: Path) -> None:
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
def test_names_outside_the_folder_are_refused(host: Remote, tmp_path: Path, name: bytes) -> None:
    with pytest.raises(TransferError, match="no path below"):
        host.pull(str(tmp_path), [name], fresh(tmp_path / "back"))


def test_pull_from_a_folder_that_is_not_there(host: Remote, tmp_path: Path) -> None:
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


def test_a_machine_without_rsync(host: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TransferError, match="on this machine"):
        host.pull(str(tmp_path), [b"x"], fresh(tmp_path / "back"))


def test_rsyncs_own_variables_do_not_matter(host: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
            giving_up = threading.Timer(10, remote._transport().close)  # the two may talk past each other for ever
            giving_up.start()
            remote.pull(str(there), [b"file", b"link", b"link/precious"], back)
        giving_up.cancel()
    assert content(victim) == {b"precious": b"precious"}
    assert not any(path.is_symlink() for path in back.rglob("*"))


# Logins and links.


def test_one_login_serves_everything(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()
        source = fill(tmp_path / "source", [b"x"])
        with sshd.remote() as remote:
            for _ in range(2):
                assert remote.run("exit 0").exit_status == 0
                remote.push(source, str(tmp_path / "there"))
            remote.pull(str(tmp_path / "there"), [b"x"], fresh(tmp_path / "back"))
        assert sshd.logins() == 1


def test_noise_of_start_up_files_does_no_harm(tmp_path: Path) -> None:
    noise = r"printf 'Welcome!\n\001\377--locusts-\n'; echo grumble >&2"
    force = f'ForceCommand {noise}; sh -c "$SSH_ORIGINAL_COMMAND"; status=$?; echo bye; exit $status'
    with running_sshd(tmp_path / "sshd", force) as sshd:
        sshd.trust()
        source = fill(tmp_path / "source", HOSTILE_NAMES)
        with sshd.remote() as remote:
            assert remote.run("echo me; exit 3").stdout == b"me\n"
            remote.push(source, str(tmp_path / "there"))
            assert remote.pull(str(tmp_path / "there"), HOSTILE_NAMES, fresh(tmp_path / "back")) == []
    assert content(tmp_path / "back") == content(source)


def test_an_account_that_only_says_no(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd", "ForceCommand echo This account is closed.; exit 1") as sshd:
        sshd.trust()
        with sshd.remote() as remote, pytest.raises(HostError, match="did not run the script"):
            remote.run("true")


def test_a_link_that_breaks_in_a_script_is_made_again(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()
        with sshd.remote() as remote:
            remote.run("true")
            threading.Timer(0.3, sshd.cut).start()
            with pytest.raises(HostError, match="link broke"):
                remote.run("sleep 60")
            assert remote.run("echo again").text == "again\n"
        assert sshd.logins() == 2


def test_a_link_that_broke_between_two_scripts_is_made_again(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()
        with sshd.remote() as remote:
            remote.run("true")
            sshd.cut()
            assert remote.run("echo again").text == "again\n"


def test_a_link_that_breaks_in_a_push(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(8):
        (source / str(number)).write_bytes(os.urandom(20_000_000))
    there = tmp_path / "there"
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()
        with sshd.remote() as remote:
            remote.run("true")

            def cut_in_the_middle() -> None:
                while not (there.exists() and len([*there.iterdir()]) >= 3):
                    time.sleep(0.005)
                sshd.cut()

            cutter = threading.Thread(target=cut_in_the_middle)
            cutter.start()
            with pytest.raises(TransferError, match="link broke") as caught:
                remote.push(source, str(there))
            cutter.join()
            assert "run the command again" in str(caught.value)
            moved = remote.push(source, str(there))
    assert 0 < moved < 160_000_000
    assert {path.name: path.stat().st_size for path in there.iterdir() if path.name.isdigit()} == {
        str(number): 20_000_000 for number in range(8)
    }


def test_ctrl_c_ends_both_halves_of_rsync(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "big").write_bytes(os.urandom(200_000_000))
    there = tmp_path / "there"

    with running_sshd(tmp_path / "sshd") as sshd:

        def interrupt(_files: int, _moved: int) -> None:
            assert "rsync" in sshd.programs()
            raise KeyboardInterrupt

        sshd.trust()
        with sshd.remote() as remote:
            with pytest.raises(KeyboardInterrupt):
                remote.push(source, str(there), progress=interrupt)
            assert [path for path in there.iterdir() if path.name == "big"] == []
            deadline = time.monotonic() + 20
            while "rsync" in sshd.programs():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert remote.run("echo still in").text == "still in\n"
        assert sshd.logins() == 1


def test_attempts_come_to_an_end(tmp_path: Path) -> None:
    sshd = Sshd(tmp_path / "sshd")
    with sshd.remote() as remote:
        for _ in range(5):
            with pytest.raises(HostError, match="refused"):
                remote.run("true")
        assert remote._failures == 3


def test_through_a_gateway(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()
        sshd.ssh_config(more="Host cluster\n  ProxyJump gate\n")
        source = fill(tmp_path / "source", HOSTILE_NAMES)
        with sshd.remote() as remote:
            assert remote.run("echo far").text == "far\n"
            remote.push(source, str(tmp_path / "there"))
        assert sshd.logins() == 2
    assert content(tmp_path / "there") == content(source)


def test_gateways_are_visited_in_the_order_of_proxyjump(module_sshd: Sshd, tmp_path: Path) -> None:
    del tmp_path
    module_sshd.ssh_config(more="Host cluster\n  ProxyJump one,two\nHost alone\n  ProxyJump none\n")
    connection = module_sshd.connection()
    remote_module._route(connection)
    assert [hop.original_host for hop in remote_module._hops(connection)] == ["one", "two", "cluster"]
    alone = module_sshd.connection("alone")
    remote_module._route(alone)
    assert remote_module._hops(alone) == [alone]
    module_sshd.ssh_config()


def test_an_open_connection_is_taken_as_it_is(tmp_path: Path) -> None:
    class Anything(MissingHostKeyPolicy):
        def missing_host_key(self, *_: object) -> None:
            """Accept it."""

    with running_sshd(tmp_path / "sshd") as sshd, sshd.connection() as connection:
        policy = Anything()
        connection.client.set_missing_host_key_policy(policy)
        connection.open()
        remote = Remote(connection, host="cluster")
        assert remote.run("echo hello").text == "hello\n"
        remote.close()
        assert connection.is_connected
        assert connection.client._policy is policy
        sshd.cut()
        with pytest.raises(HostError, match="link broke"):
            remote.run("true")
        assert sshd.logins() == 1


@pytest.mark.parametrize("host", ["user@host:port", "host:1:2:3@x:y", ""])
def test_a_host_that_cannot_be_understood(host: str) -> None:
    with pytest.raises(HostError):
        Remote(host=host).run("true")


def test_nobody_answers_there() -> None:
    remote = Remote(host=f"127.0.0.1:{free_port()}")
    with pytest.raises(HostError, match="refused"):
        remote.run("true")
    remote.close()
    with pytest.raises(HostError, match="no such host"):
        Remote(host="no-such-host.invalid").run("true")


def test_something_else_answers_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def hang_up() -> None:
            client, _ = server.accept()
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(HostError, match="hung up or speaks no SSH"):
            Remote(host=f"127.0.0.1:{port}").run("true")
        thread.join()
