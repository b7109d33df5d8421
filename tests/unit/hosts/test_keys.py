"""Keys of the user, read from their public halves."""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.hosts.keys import rsa_bits
from tests.support.sshd import make_key, public

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.parametrize(("kind", "bits"), [("rsa", 1024), ("rsa", 3072), ("ecdsa", 256), ("ed25519", None)])
def test_how_long_an_rsa_key_is(tmp_path: Path, kind: str, bits: int | None) -> None:
    key = make_key(tmp_path / "key", kind, bits=bits)
    sign = ["ssh-keygen", "-q", "-s", str(make_key(tmp_path / "authority")), "-I", "x", f"{key}.pub"]
    subprocess.run(sign, check=True)
    for half in (public(key), (tmp_path / "key-cert.pub").read_text()):
        assert rsa_bits(base64.b64decode(half.split()[1])) == (bits if kind == "rsa" else None)


@given(st.binary(max_size=60).map(lambda data: b"\0\0\0\x07ssh-rsa" + data))
def test_what_is_no_key_has_some_length_or_none(blob: bytes) -> None:
    assert (rsa_bits(blob) or 0) >= 0
    assert (rsa_bits(blob[4:]) or 0) >= 0
