"""The files of known hosts: what their lines mean, and how a key is added."""

from __future__ import annotations

import base64
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.hosts.openssh.known_hosts import (
    by_hand,
    hash_name,
    host_pattern,
    judge,
    matches,
    read_known_keys,
    remember,
)
from tests.support.sshd import make_key, needs_sshd, public

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_sshd


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        ("cluster", "cluster", True),
        ("Cluster", "cluster", True),
        ("cluster", "cluster2", False),
        ("other,cluster", "cluster", True),
        ("*.example.org", "login1.example.org", True),
        ("login?.example.org", "login12.example.org", False),
        ("*.example.org,!login2.example.org", "login2.example.org", False),
        ("[cluster]:2222", "[cluster]:2222", True),
        ("[cluster]:2222", "c", False),
        ("cluster", "[cluster]:2222", False),
        ("[*]:2222", "[cluster]:2222", True),
        ("|1|bad", "cluster", False),
        ("|1|!|!", "cluster", False),
    ],
)
def test_lines_that_speak_of_a_host(patterns: str, name: str, *, expected: bool) -> None:
    assert matches(patterns, name) is expected


def test_the_name_of_a_host_with_a_port_of_its_own() -> None:
    assert host_pattern("Cluster", 22) == "cluster"
    assert host_pattern("Cluster", 2222) == "[cluster]:2222"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("cluster", "ssh cluster"),
        ("gateway gate", "ssh gate"),
        ("me@host:2222", "ssh -p 2222 me@host"),
        ("a;b", "ssh 'a;b'"),
        ("::1", "ssh ::1"),
    ],
)
def test_how_a_person_tries_the_same_login(name: str, command: str) -> None:
    assert by_hand(name) == command


def test_hashed_names_are_openssh_s(tmp_path: Path) -> None:
    assert matches(hash_name("[cluster]:22022"), "[cluster]:22022")
    assert not matches(hash_name("[cluster]:22022"), "cluster")
    key = public(make_key(tmp_path / "key"))
    (tmp_path / "known").write_text(f"cluster {key}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", tmp_path / "known"], check=True, capture_output=True)
    assert [known.kind for known in read_known_keys([tmp_path / "known"], "cluster")] == ["ssh-ed25519"]
    assert read_known_keys([tmp_path / "known"], "other") == []


def test_odd_lines_are_passed_over(tmp_path: Path) -> None:
    good = base64.b64encode(b"key").decode()
    file = tmp_path / "known"
    file.write_bytes(
        b"# comment\n\n# cluster ssh-rsa AAAA\ncluster\ncluster ssh-rsa\ncluster ssh-rsa !!!\n\xff\xfe\n"
        + f"@revoked cluster ssh-rsa {good}\n\tcluster ssh-ed25519 {good} comment".encode()
    )
    keys = read_known_keys([tmp_path / "absent", tmp_path, file], "cluster")
    assert [(key.marker, key.kind, key.blob) for key in keys] == [
        ("@revoked", "ssh-rsa", b"key"),
        ("", "ssh-ed25519", b"key"),
    ]
    assert judge(b"key", keys) == "revoked"
    assert judge(b"key", keys[1:]) == "known"
    assert judge(b"other", keys[1:]) == "changed"
    assert judge(b"other", keys[:1]) == "unknown"


def test_a_key_is_appended_and_nothing_else_touched(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known_hosts"
    remember(file, "one", "ssh-ed25519", b"1")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.write_text("@revoked two ssh-rsa AAAA\nlast line without its end")
    remember(file, "one", "ssh-ed25519", b"1")
    assert file.read_text() == "@revoked two ssh-rsa AAAA\nlast line without its end\none ssh-ed25519 MQ==\n"
