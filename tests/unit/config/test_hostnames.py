"""Names of hosts: what they are made of, and that OpenSSH refuses none that we let through."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from locusts_fab.config.hostnames import HostName, is_host, is_user, parse_host


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cluster", HostName("cluster")),
        ("me@cluster", HostName("cluster", "me")),
        ("me@cluster.example:2222", HostName("cluster.example", "me", 2222)),
        ("me@site@cluster", HostName("cluster", "me@site")),
        ("DOMAIN\\me@cluster", HostName("cluster", "DOMAIN\\me")),
        ("::1", HostName("::1")),
        ("[::1]:22", HostName("::1", None, 22)),
        ("[::1]", HostName("::1")),
        ("fe80::1%eth0", HostName("fe80::1%eth0")),
    ],
)
def test_what_a_host_is_made_of(text: str, expected: HostName) -> None:
    assert parse_host(text) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "-x", "a b", "a@", "@a", "a@b:", "a:99999", "[a", "a]b", "a\nb", "a\0b", "a\\@b"]
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_host(text)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs ssh")
def test_what_ssh_refuses_is_refused() -> None:
    """Of every ASCII character; ssh may take more, or less than newer versions of it."""
    for code in range(1, 128):
        host = f"x{chr(code)}y"
        asked = subprocess.run(["ssh", "-F", "none", "-G", "--", host], capture_output=True, check=False)
        assert asked.returncode == 0 or code in b"@:" or not is_host(host), repr(host)
        asked = subprocess.run(["ssh", "-F", "none", "-G", "-l", host, "--", "x"], capture_output=True, check=False)
        assert asked.returncode == 0 or not is_user(host), repr(host)
