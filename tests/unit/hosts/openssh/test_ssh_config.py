"""What `ssh -G` says, as settings; and the same from paramiko's reader where there is no ssh."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest
from paramiko import SSHConfig

from locusts_fab.config.hostnames import parse_host
from locusts_fab.errors import HostError
from locusts_fab.hosts import connection
from locusts_fab.hosts.connection import make_route
from locusts_fab.hosts.openssh.lone_config import read_alone
from locusts_fab.hosts.openssh.ssh_config import ask_ssh, find_ssh
from locusts_fab.hosts.ssh import SshHost
from tests.support.sshd import no_waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from locusts_fab.hosts.openssh.settings import HostSettings

SSH = find_ssh() or ""
pytestmark = pytest.mark.skipif(not SSH, reason="needs ssh")
__all__ = ["no_waiting"]


def settings(folder: Path, config: str, host: str = "far") -> HostSettings:
    """Ask ssh about a host."""
    path = folder / "asked"
    path.write_text(config)
    return ask_ssh(SSH, parse_host(host), str(path))


def alone(config: str, host: str = "far") -> HostSettings:
    """Ask paramiko about a host."""
    return read_alone(SSHConfig.from_file(io.StringIO(config)), parse_host(host))


CONFIG = """
Host far
  HostName far.example
  Port 2222
  User me
  StrictHostKeyChecking yes
  PasswordAuthentication no
  PreferredAuthentications password,publickey,keyboard-interactive
  UserKnownHostsFile /k/%h /k/two
  IdentityFile ~/.ssh/%r.key
  IdentitiesOnly yes
  IdentityAgent none
  ConnectTimeout 7
  ServerAliveInterval 9
  ProxyJump gate,you@gate2:33
"""


@pytest.mark.parametrize("asks", [True, False])
def test_what_both_readers_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asks: bool) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = settings(tmp_path, CONFIG) if asks else alone(CONFIG)
    assert (found.alias, found.hostname, found.port, found.user) == ("far", "far.example", 2222, "me")
    assert found.strictness == "yes"
    assert found.methods == ("publickey", "keyboard-interactive")
    assert list(map(str, found.user_known_hosts)) == ["/k/far.example", "/k/two"]
    assert found.identity_files == (tmp_path / ".ssh/me.key",)
    assert (found.identities_only, found.identity_agent) == (True, None)
    assert (found.connect_timeout_s, found.alive_s) == (7, 9)
    assert found.jumps == ("gate", "you@gate2:33")


@pytest.mark.parametrize("asks", [True, False])
def test_what_was_asked_for_counts_more(tmp_path: Path, *, asks: bool) -> None:
    found = settings(tmp_path, CONFIG, "you@far:44") if asks else alone(CONFIG, "you@far:44")
    assert (found.port, found.user) == (44, "you")


@pytest.mark.parametrize("line", ["Include other", "CanonicalizeHostname yes", "Ciphers -aes*", "KexAlgorithms -x"])
def test_what_only_ssh_knows_is_no_guess(line: str) -> None:
    with pytest.raises(HostError, match="only ssh itself"):
        alone(f"Host far\n  {line}\n")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("Nonsense yes", "Bad configuration option"),
        ("ProxyUseFdpass yes", "ProxyUseFdpass"),
        ("IdentityFile ~/%Z", "%Z"),
        ("User a;b", "user that ssh refuses"),
    ],
)
def test_what_cannot_be_understood_is_an_error(tmp_path: Path, config: str, why: str) -> None:
    with pytest.raises(HostError, match=why):
        settings(tmp_path, config)


def test_names_with_spaces_that_can_be_read_in_two_ways(tmp_path: Path) -> None:
    config = f'UserKnownHostsFile "{tmp_path}/a b" {tmp_path}/c'
    assert settings(tmp_path, config).user_known_hosts == (tmp_path / "a b", tmp_path / "c")
    (tmp_path / "a").touch()
    with pytest.raises(HostError, match="cannot be told which files"):
        settings(tmp_path, config)


def test_the_home_folder_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is $HOME; ssh by itself would look in the account's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh/config.d").mkdir(parents=True)
    (tmp_path / ".ssh/config").write_text("Include config.d/*\n")
    (tmp_path / ".ssh/config.d/one").write_text("Host far\n  Port 2222\n  StrictHostKeyChecking yes\n")
    found = ask_ssh(SSH, parse_host("far"))
    assert (found.port, found.strictness) == (2222, "yes")
    assert found.user_known_hosts[0] == tmp_path / ".ssh/known_hosts"


def test_ssh_is_asked_once_for_each_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not before somebody connects."""
    (tmp_path / "bin").mkdir()
    asked = tmp_path / "asked"
    (tmp_path / "bin/ssh").write_text(f'#!/bin/sh\necho x >> {asked}\nexec {SSH} "$@"\n')
    (tmp_path / "bin/ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    host = SshHost(host="127.0.0.1:1")
    assert not asked.exists()
    for _ in range(2):
        with pytest.raises(HostError):
            host.run("true")
    assert asked.read_text() == "x\n"


def test_without_ssh_paramiko_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host far\n  Port 2222\n  ProxyJump gate\n")
    monkeypatch.setattr(connection, "find_ssh", lambda: None)
    assert [hop.settings.port for hop in make_route("far")] == [22, 2222]
    with (tmp_path / ".ssh/config").open("a") as file:
        file.write("Include absent\nInclude there\n")
    assert [hop.settings.port for hop in make_route("far")] == [22, 2222]
    (tmp_path / ".ssh/there").touch()
    with pytest.raises(HostError, match="holds include"):
        make_route("far")


@pytest.mark.parametrize("ask", [settings, lambda _, config: alone(config)], ids=["by ssh", "alone"])
@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("RemoteCommand tmux attach", "RemoteCommand"),
        ("RemoteCommand none", None),
        ("SessionType none", "SessionType"),
        ("SessionType default", None),
        ("RequestTTY force", None),
        ("", None),
    ],
)
def test_what_ssh_runs_instead_of_our_commands(
    tmp_path: Path, ask: Callable[[Path, str], HostSettings], option: str, instead: str | None
) -> None:
    assert ask(tmp_path, f"Host far\n  HostName far.example\n  {option}\n").instead == instead


def test_a_host_that_takes_no_command_of_ours_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh/config").write_text("Host far gate\n  RemoteCommand tmux attach\nHost near\n  ProxyJump gate\n")
    with pytest.raises(HostError, match="ssh_config sets RemoteCommand for this host") as caught:
        make_route("far")
    assert "a Host of its own without RemoteCommand" in str(caught.value.hint)
    assert [hop.settings.alias for hop in make_route("near")] == ["gate", "near"]
