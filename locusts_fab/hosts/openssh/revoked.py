"""RevokedHostKeys: which keys nobody may show us any more, as a list of public keys or as OpenSSH's own KRL."""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

from locusts_fab.errors import LoginRefusedError

if TYPE_CHECKING:
    from pathlib import Path

_KRL = b"SSHKRL\n\0"
_LIMIT_S = 60


def is_revoked(path: Path, kind: str, blob: bytes, name: str) -> bool:
    """Return whether a file says that a key is revoked.

    :param path: the file.
    :param kind: the kind of key, such as `ssh-ed25519`.
    :param blob: the public key.
    :param name: the name of the host in messages.
    :raises LoginRefusedError: the file cannot be read or understood, so that nobody knows.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unknown(name, path, f"cannot be read: {error.strerror}") from error
    if data.startswith(_KRL):
        return _is_in_krl(path, kind, blob, name)
    keys = set()
    for number, line in enumerate(data.split(b"\n"), 1):
        fields = line.split()
        if not fields or fields[0].startswith(b"#"):
            continue
        try:
            keys.add(base64.b64decode(fields[1], validate=True))
        except (IndexError, binascii.Error):
            raise _unknown(name, path, f"holds no key in line {number}") from None
    return blob in keys


def _is_in_krl(path: Path, kind: str, blob: bytes, name: str) -> bool:
    """Return what ssh-keygen says of a key."""
    keygen = shutil.which("ssh-keygen")
    if keygen is None:
        raise _unknown(name, path, "is a KRL, which only ssh-keygen can read, and there is none on PATH")
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as file:
        file.write(f"{kind} {base64.b64encode(blob).decode()}\n")
        file.flush()
        try:
            done = subprocess.run(
                [keygen, "-Q", "-f", path.absolute(), file.name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unknown(name, path, f"could not be read by ssh-keygen: {error}") from error
    if done.returncode != 0 and b"REVOKED" not in done.stdout:
        raise _unknown(name, path, "could not be understood by ssh-keygen")
    return done.returncode != 0


def _unknown(name: str, path: Path, why: str) -> LoginRefusedError:
    return LoginRefusedError(
        f"{name}: whether the host's key is revoked cannot be known: {path} {why}",
        hint="make the file readable, or take RevokedHostKeys out of ssh_config",
    )
