"""Which host keys are accepted, as a real sshd shows them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import HostError
from locusts_fab.hosts import link
from locusts_fab.hosts.openssh.known_hosts import hash_name
from tests.support.logins import assert_refused, assert_works, shared_sshd, sshd
from tests.support.sshd import Sshd, make_key, needs_sshd, public, running_sshd

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_sshd
__all__ = ["shared_sshd", "sshd"]


def test_an_unknown_key(sshd: Sshd) -> None:
    error = assert_refused(sshd, "is not known", "strict")
    assert "accept-new" in str(error)
    assert "SHA256:" in str(error)
    assert_works(sshd, "accept-new")
    assert sshd.known_hosts.read_text() == f"[127.0.0.1]:{sshd.port} {public(sshd.host_key)}\n"
    assert stat.S_IMODE(sshd.known_hosts.stat().st_mode) == 0o600
    assert_works(sshd)
    assert_works(sshd, "accept-new")
    assert sshd.known_hosts.read_text().count("\n") == 1


def test_a_new_key_is_shown_to_a_person(sshd: Sshd) -> None:
    """Where StrictHostKeyChecking asks, and the target takes new keys."""
    sshd.ssh_config(more="Host *\n  StrictHostKeyChecking ask\n")
    assert_refused(sshd, "is not known", "strict")
    asked: list[str] = []

    def prompt(question: str) -> str:
        asked.append(question)
        return "no" if len(asked) == 1 else "yes"

    with (
        sshd.remote(known_hosts="accept-new", prompt=prompt) as remote,
        pytest.raises(HostError, match="is not known"),
    ):
        remote.run("true")
    with sshd.remote(known_hosts="accept-new", prompt=prompt) as remote:
        assert remote.run("echo in").text == "in\n"
    assert ["SHA256:" in question for question in asked] == [True, True]
    assert sshd.known_hosts.read_text().count("\n") == 1


def test_a_changed_key(sshd: Sshd, tmp_path: Path) -> None:
    sshd.trust(public(make_key(tmp_path / "other")))
    error = assert_refused(sshd, "another key")
    assert "ssh-keygen -R" in str(error)
    assert f"{sshd.known_hosts}:1" in str(error)


def test_a_key_of_another_kind_is_a_changed_one(sshd: Sshd, tmp_path: Path) -> None:
    sshd.trust(public(make_key(tmp_path / "other", "ecdsa")))
    assert_refused(sshd, "another key")


def test_one_name_with_several_keys(sshd: Sshd, tmp_path: Path) -> None:
    sshd.trust(public(make_key(tmp_path / "other")))
    sshd.trust()
    assert_works(sshd)


def test_a_revoked_key(sshd: Sshd) -> None:
    sshd.trust()
    sshd.trust(marker="@revoked", name="*")
    assert_refused(sshd, "revoked")


def test_an_authority_does_no_harm_and_helps_nobody(sshd: Sshd, tmp_path: Path) -> None:
    sshd.trust(public(make_key(tmp_path / "ca")), marker="@cert-authority", name="*")
    assert_refused(sshd, "certificate authority", "strict")
    sshd.trust()
    assert_works(sshd)


def test_other_names_for_a_host(sshd: Sshd) -> None:
    sshd.trust(name=hash_name(f"[127.0.0.1]:{sshd.port}"))
    assert_works(sshd)
    sshd.known_hosts.unlink()
    sshd.trust(name="[127.0.*]:*")
    assert_works(sshd)
    sshd.known_hosts.unlink()
    sshd.ssh_config(more="Host cluster\n  HostKeyAlias The-Cluster\n")
    sshd.trust(name="the-cluster")
    assert_works(sshd)
    sshd.known_hosts.unlink()
    sshd.ssh_config(more="Host cluster\n  HashKnownHosts yes\n")
    assert_works(sshd, "accept-new")
    assert sshd.known_hosts.read_text().startswith("|1|")
    assert_works(sshd)


def test_a_host_with_two_keys_shows_the_one_we_know(tmp_path: Path) -> None:
    folder = tmp_path / "sshd"
    folder.mkdir()
    rsa = make_key(folder / "rsa_key", "rsa")
    with running_sshd(folder, f"HostKey {rsa}") as sshd:
        sshd.trust(public(rsa))
        assert_works(sshd)


def test_a_file_that_cannot_be_written(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sshd.ssh_config(more=f"Host cluster\n  UserKnownHostsFile {tmp_path}/file/known_hosts\n")
    assert_refused(sshd, "cannot be kept", "accept-new")
    sshd.ssh_config(more="Host cluster\n  UserKnownHostsFile none\n")
    assert_refused(sshd, "names no UserKnownHostsFile", "accept-new")


def test_the_key_of_a_gateway_is_checked_too(sshd: Sshd, tmp_path: Path) -> None:
    other = public(make_key(tmp_path / "other"))
    jump = "Host cluster\n  ProxyJump gate\n  HostKeyAlias far\nHost gate\n  HostKeyAlias near\n"
    sshd.ssh_config(more=jump)
    sshd.trust(name="far")
    assert_refused(sshd, "gateway gate: the host's key", "strict")
    sshd.trust(other, name="near")
    assert_refused(sshd, "gateway gate: the host shows another key")
    sshd.known_hosts.unlink()
    sshd.trust(name="near")
    sshd.trust(other, name="far")
    logins = sshd.logins()
    for mode in ("strict", "accept-new"):
        with (
            sshd.remote(known_hosts="strict" if mode == "strict" else "accept-new") as remote,
            pytest.raises(HostError, match="cluster: the host shows another key"),
        ):
            remote.run("true")
    assert sshd.logins() == logins + 2, "only the gateway was logged in to"


def test_keys_are_checked_after_a_failed_attempt_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ATTEMPT_DELAYS_S", (0, 0, 0))
    sshd = Sshd(tmp_path / "sshd")
    sshd.ssh_config(more="Host cluster\n  ProxyJump gate\n  HostKeyAlias far\nHost gate\n  HostKeyAlias near\n")
    sshd.trust(name="near")
    with sshd.remote() as remote:
        with pytest.raises(HostError, match="gateway gate: the connection was refused"):
            remote.run("true")
        sshd.start()
        try:
            with pytest.raises(HostError, match=r"cluster: the host's key .* is not known"):
                remote.run("true")
        finally:
            sshd.stop()
