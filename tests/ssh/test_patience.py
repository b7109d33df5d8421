"""A host that hangs, refuses channels, or is cut off in a login: none of it is taken for something else."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.errors import HostError, LoginRefusedError
from locusts_fab.hosts import auth, base, channel
from locusts_fab.hosts.auth import Login
from tests.support.processes import await_end, wait_until
from tests.support.sshd import Sshd, make_key, needs_sshd, no_waiting, public, running_sshd
from tests.support.transfers import HOSTILE_NAMES, content, fill, fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from paramiko import Transport

pytestmark = needs_sshd
__all__ = ["no_waiting"]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with running_sshd(tmp_path / "sshd") as made:
        made.trust()
        yield made


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Sshd]:
    """Run an sshd that allows one session at a time."""
    with running_sshd(tmp_path / "sshd", "MaxSessions 1") as made:
        made.trust()
        yield made


# ---------------------------------------------------------------------------------------------------------------------
# Hangs


def test_a_script_that_hangs_is_given_up_and_not_left_there(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "LEASH_S", 0)
    os.mkfifo(tmp_path / "dead")
    with sshd.remote() as remote:
        script = 'echo $$ >"$1/mark"; cat "$1/dead"'
        with pytest.raises(HostError, match="cluster: the file system did not answer within 2 s") as caught:
            remote.run(script, str(tmp_path), quiet_s=2, waits_for="the file system")
        assert caught.value.may_pass
        await_end(int((tmp_path / "mark").read_text()))
        assert remote.run("echo on").text == "on\n"
        assert sshd.logins() == 1


def test_a_link_that_is_cut_leaves_no_script_that_hangs(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "LEASH_S", 0)
    os.mkfifo(tmp_path / "dead")
    mark = tmp_path / "mark"
    with sshd.remote() as remote:

        def cut() -> None:
            wait_until(lambda: mark.exists() and mark.read_text().endswith("\n"), "the script")
            sshd.cut()

        cutter = threading.Thread(target=cut)
        cutter.start()
        with pytest.raises(HostError, match="link broke") as caught:
            remote.run('echo $$ >"$1/mark"; cat "$1/dead"', str(tmp_path))
        cutter.join()
    assert caught.value.may_pass
    await_end(int(mark.read_text()))


def test_what_was_started_for_good_goes_on(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager is started by a script, and outlives it."""
    monkeypatch.setattr(base, "LEASH_S", 0)
    with sshd.remote() as remote:
        pid = int(remote.run("setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!").text)
    sshd.cut()
    with sshd.remote() as remote:
        assert remote.run('kill -0 "$1"', str(pid)).exit_status == 0
    os.kill(pid, signal.SIGKILL)


# ---------------------------------------------------------------------------------------------------------------------
# One session at a time


def test_one_session_at_a_time_is_enough(narrow: Sshd, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", HOSTILE_NAMES)
    with narrow.remote() as remote:
        for number in range(30):
            assert remote.run('echo "$1"', str(number)).text == f"{number}\n"
        remote.push(source, str(tmp_path / "there"))
        assert remote.fetch(str(tmp_path / "there"), HOSTILE_NAMES, fresh(tmp_path / "fetched"))
        assert remote.pull(str(tmp_path / "there"), HOSTILE_NAMES, fresh(tmp_path / "back")) == []
    assert content(tmp_path / "back") == content(source)
    assert narrow.logins() == 1


def holding_the_session(narrow: Sshd, tmp_path: Path, act: Callable[[Any], None]) -> None:
    """Do something while a script has the one session, until there is a file `go`."""
    with narrow.remote() as remote:
        script = ': >"$1/at-work"; while [[ ! -e $1/go ]]; do sleep 0.02; done'
        holder = threading.Thread(target=remote.run, args=(script, str(tmp_path)))
        holder.start()
        wait_until((tmp_path / "at-work").exists, "the session")
        try:
            act(remote)
        finally:
            (tmp_path / "go").touch()
            holder.join()


def test_a_channel_that_is_refused_is_waited_for(narrow: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, pauses = time.sleep, []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            (tmp_path / "go").touch()
        sleep(seconds)

    monkeypatch.setattr(channel, "time", SimpleNamespace(sleep=pause))
    holding_the_session(narrow, tmp_path, lambda remote: remote.run("true"))
    growing = [each for each in pauses if each in channel.CHANNEL_PAUSES_S]
    assert growing == list(channel.CHANNEL_PAUSES_S)[: len(growing)]


def test_it_is_not_waited_for_without_an_end(narrow: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CHANNEL_PAUSES_S", (0, 0, 0))

    def refused(remote: Any) -> None:
        with pytest.raises(HostError, match="opened no channel") as caught:
            remote.run("true")
        assert caught.value.may_pass
        assert not isinstance(caught.value, LoginRefusedError)

    holding_the_session(narrow, tmp_path, refused)
    assert sum(channel.CHANNEL_PAUSES_S) < 60


def test_rsync_waits_for_its_channel_too(narrow: Sshd, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"x"])
    with narrow.remote() as remote:
        for number in range(5):
            remote.push(source, str(tmp_path / f"there{number}"))
    assert content(tmp_path / "there4") == content(source)


# ---------------------------------------------------------------------------------------------------------------------
# A cut is no refusal


def assert_cut(caught: pytest.ExceptionInfo[HostError]) -> None:
    assert not isinstance(caught.value, LoginRefusedError)
    assert "the link broke during the login" in caught.value.message
    assert caught.value.may_pass


def test_a_cut_before_anything_was_tried(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Login._accepted_ways

    def cut_first(self: Login, transport: Transport) -> Any:
        sshd.cut()
        return ask(self, transport)

    monkeypatch.setattr(Login, "_accepted_ways", cut_first)
    with sshd.remote() as remote, pytest.raises(HostError) as caught:
        remote.run("true")
    assert_cut(caught)


def test_a_cut_between_two_keys(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Login._ways_with_keys

    def cut_first(self: Login, transport: Transport) -> Any:
        sshd.cut()
        yield from keys(self, transport)

    monkeypatch.setattr(Login, "_ways_with_keys", cut_first)
    with sshd.remote() as remote:
        with pytest.raises(HostError) as caught:
            remote.run("true")
        assert_cut(caught)
        monkeypatch.undo()
        assert remote.run("echo in").text == "in\n"


def test_a_cut_while_a_person_types(sshd: Sshd, tmp_path: Path) -> None:
    locked = make_key(tmp_path / "locked", "ed25519", "open sesame")
    with (sshd.folder / "authorized_keys").open("a") as file:
        file.write(public(locked) + "\n")
    sshd.ssh_config(key=locked)

    def prompt(_: str) -> str:
        sshd.cut()
        return "open sesame"

    with sshd.remote(prompt=prompt) as remote, pytest.raises(HostError) as caught:
        remote.run("true")
    assert_cut(caught)


def test_a_host_that_falls_silent_in_the_login(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_ANSWER_S", 1)
    locked = make_key(tmp_path / "locked", "ed25519", "open sesame")
    sshd.ssh_config(key=locked)
    stopped: list[int] = []

    def prompt(_: str) -> str:
        for pid in sshd.children():
            stopped.extend([pid, *sshd.children(pid)])
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        return "open sesame"

    with sshd.remote(prompt=prompt) as remote, pytest.raises(HostError) as caught:
        remote.run("true")
    assert_cut(caught)
    for pid in stopped:
        os.kill(pid, signal.SIGKILL)


def test_a_host_that_says_goodbye_has_refused(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd", "MaxAuthTries 1") as sshd:
        sshd.trust()
        sshd.ssh_config(key=make_key(tmp_path / "stranger"))
        with sshd.remote() as remote, pytest.raises(LoginRefusedError, match="Too many authentication failures"):
            remote.run("true")
