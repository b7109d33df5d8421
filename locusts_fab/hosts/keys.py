"""The user's keys: those of an agent and those in files, in the order in which OpenSSH offers them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Literal

from paramiko import Agent, PasswordRequiredException, PKey, SSHException
from paramiko.pkey import UnknownKeyType

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class UserAgent(Agent):
    """The user's agent; one that does not answer counts as one without keys.

    :param path: its socket; None: there is none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._conn = None
        self._keys = ()
        if path is None:
            return
        with contextlib.ExitStack() as stack:
            conn = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            try:
                conn.connect(os.fspath(path))
                self._connect(conn)  # type: ignore[attr-defined]  # its stubs leave out how it begins
            except (SSHException, OSError):
                self.close()
                return
            stack.pop_all()


def public_blob(path: Path) -> bytes | None:
    """Return the public half of a key file: the file may be that half itself, or it lies beside as `.pub`."""
    return _blob_in(path) or _blob_in(path.with_name(path.name + ".pub"))


def _blob_in(path: Path) -> bytes | None:
    """Return the public key that a file holds as `kind key`, if it does."""
    try:
        with path.open("rb") as file:
            return base64.b64decode(file.readline(1 << 16).split()[1], validate=True)
    except (OSError, ValueError, IndexError, binascii.Error):
        return None


def load_key(path: Path, passphrase: str | None, certificates: Iterable[Path] = ()) -> PKey | Literal["locked"] | None:
    """Return a private key, with its certificate if there is one.

    :param path: the file; a certificate may lie beside it.
    :param passphrase: what unlocks it; None: nothing does.
    :param certificates: more files with certificates, of which one may be for this key.
    :returns: `locked` if it needs another passphrase; None if there is no usable key.
    """
    try:
        key = PKey.from_path(path, passphrase.encode() if passphrase else None)  # type: ignore[arg-type]
    except (TypeError, PasswordRequiredException):
        return "locked"
    except (OSError, ValueError, SSHException):
        return "locked" if passphrase else None
    except UnknownKeyType:
        return None
    for certificate in certificates:
        with contextlib.suppress(OSError, ValueError, SSHException):
            blob = _blob_in(certificate)
            if blob is not None and _certifies(blob, key):
                key.load_certificate(os.fspath(certificate))
                break
    return key


def _certifies(certificate: bytes, key: PKey) -> bool:
    """Return whether a certificate is for a key: it holds what the public key consists of, after kind and nonce."""
    fields, position = [], 0
    for _ in range(2):
        length = int.from_bytes(certificate[position : position + 4], "big")
        fields.append(certificate[position + 4 : position + 4 + length])
        position += 4 + length
    plain = key.asbytes()
    head = 4 + int.from_bytes(plain[:4], "big")
    return fields[0].startswith(plain[4:head].split(b"-cert")[0]) and certificate[position:].startswith(plain[head:])


def rsa_bits(blob: bytes) -> int | None:
    """Return how long an RSA key is, of its public half or of a certificate for it; None if it is of another kind."""
    fields, position = list[bytes](), 0
    while position < len(blob):
        length = int.from_bytes(blob[position : position + 4], "big")
        fields.append(blob[position + 4 : position + 4 + length])
        position += 4 + length
    is_certificate = fields[:1] == [b"ssh-rsa-cert-v01@openssh.com"]
    if not is_certificate and fields[:1] != [b"ssh-rsa"]:
        return None
    modulus = fields[3:4] if is_certificate else fields[2:3]  # after kind, nonce (of certificates) and exponent
    return int.from_bytes(b"".join(modulus), "big").bit_length()


def may_sign(kind: str, allowed: frozenset[str]) -> bool:
    """Return whether a kind of key may be used: RSA keys sign in several ways."""
    ways = {"rsa-sha2-256", "rsa-sha2-512", "ssh-rsa"} if kind == "ssh-rsa" else {kind}
    return bool(ways & allowed)
