"""A host behind a real sshd: scripts run there, one login serves them all, links break and are made again."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paramiko import MissingHostKeyPolicy

from locusts_fab.errors import HostError
from locusts_fab.hosts import link
from locusts_fab.hosts.ssh import SshHost
from tests.support.processes import wait_until
from tests.support.sshd import Sshd, host, module_sshd, needs_sshd, no_waiting, running_sshd
from tests.support.transfers import HOSTILE_NAMES, content, fill, fresh

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.hosts.base import Carrier

pytestmark = needs_sshd
__all__ = ["host", "module_sshd", "no_waiting"]


def test_a_remote_is_a_carrier(host: SshHost) -> None:
    carrier: Carrier = host
    assert carrier.name == "cluster"


def test_status_output_and_complaints(host: SshHost) -> None:
    result = host.run('printf "%s|" "$@"; echo oops >&2; exit 7', "a b", "$(x)\n", "", "\udcff")
    assert result.exit_status == 7
    assert result.stdout == b"a b|$(x)\n||\xff|"
    assert "oops" in result.stderr


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=20).filter(lambda value: b"\0" not in value), max_size=5))
def test_arguments_arrive_byte_by_byte(host: SshHost, values: list[bytes]) -> None:
    result = host.run('[ $# -eq 0 ] || printf "%s\\0" "$@"', *(os.fsdecode(value) for value in values))
    assert result.stdout == b"".join(value + b"\0" for value in values)


def test_arguments_that_cannot_be_sent_open_nothing(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(link, "open_channel", opened.append)
    with pytest.raises(UnicodeEncodeError):
        host.run("true", "\ud800")
    assert opened == []


def test_much_goes_in_and_out_at_once(host: SshHost) -> None:
    much = "0123456789" * 500_000
    assert host.run('printf "%s\\n" "$1"; printf %s "$1"', much).text == f"{much}\n{much}"


def test_output_is_binary_safe(host: SshHost) -> None:
    result = host.run("head -c 1000000 /dev/zero; printf '\\377\\r\\n'")
    assert result.stdout == b"\0" * 1_000_000 + b"\xff\r\n"


def test_a_script_that_takes_too_long(host: SshHost) -> None:
    with pytest.raises(HostError, match=r"did not end within 0\.3 s"):
        host.run("sleep 60", timeout_s=0.3)
    assert host.run("echo still here").text == "still here\n"


def test_several_threads_share_one_login(host: SshHost) -> None:
    texts: list[str] = []
    threads = [threading.Thread(target=lambda n=n: texts.append(host.run("echo $1", str(n)).text)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts) == [f"{n}\n" for n in range(4)]


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

            def cut_in_the_middle() -> None:
                wait_until((tmp_path / "began").exists, "the script")
                sshd.cut()

            cutter = threading.Thread(target=cut_in_the_middle)
            cutter.start()
            with pytest.raises(HostError, match="link broke"):
                remote.run('touch "$1"; sleep 600', str(tmp_path / "began"))
            cutter.join()
            assert remote.run("echo again").text == "again\n"
        assert sshd.logins() == 2


def test_a_link_that_broke_between_two_scripts_is_made_again(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()
        with sshd.remote() as remote:
            remote.run("true")
            sshd.cut()
            assert remote.run("echo again").text == "again\n"


def test_a_link_whose_break_only_sending_has_seen_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_pipe(*_: object, **__: object) -> None:
        raise EOFError

    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()
        with sshd.remote() as remote:
            remote.run("true")
            transport = remote._link.transport()
            assert transport.is_active()
            monkeypatch.setattr(transport, "open_session", broken_pipe)
            assert remote.run("echo again").text == "again\n"
        assert sshd.logins() == 2


def test_attempts_come_to_an_end(tmp_path: Path) -> None:
    sshd = Sshd(tmp_path / "sshd")
    with sshd.remote() as remote:
        for _ in range(5):
            with pytest.raises(HostError, match="refused"):
                remote.run("true")
        assert remote._link._failures == 3


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


def test_an_open_connection_is_taken_as_it_is(tmp_path: Path) -> None:
    class Anything(MissingHostKeyPolicy):
        def missing_host_key(self, *_: object) -> None:
            """Accept it."""

    with running_sshd(tmp_path / "sshd") as sshd, sshd.connection() as connection:
        policy = Anything()
        connection.client.set_missing_host_key_policy(policy)
        connection.open()
        remote = SshHost(connection, host="cluster")
        assert remote.run("echo hello").text == "hello\n"
        remote.close()
        assert connection.is_connected
        assert connection.client._policy is policy
        sshd.cut()
        with pytest.raises(HostError, match="link broke"):
            remote.run("true")
        assert sshd.logins() == 1
