"""Which host keys are known: OpenSSH's `known_hosts` files, read as OpenSSH reads them.

paramiko's own reader gives up at a `@revoked` or `@cert-authority` line, knows no patterns, and keeps one key of a kind
for each host; login nodes behind one name have several.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

KnownHostsMode = Literal["strict", "accept-new"]
Verdict = Literal["known", "unknown", "changed", "revoked"]

#: The length of the salt of a hashed name: OpenSSH's is as long as a SHA-1 digest.
_SALT_BYTES = 20
#: The fields that a line has at least, after its marker: names, kind, key.
_FIELDS = 3

#: The port of a host unless its config names another.
SSH_PORT = 22


@dataclass(frozen=True)
class KnownKey:
    """One line of a `known_hosts` file about the host in question.

    :param marker: `@revoked`, `@cert-authority`, or nothing.
    :param kind: the kind of key, such as `ssh-ed25519`.
    :param blob: the public key.
    :param where: file and line, for messages.
    """

    marker: str
    kind: str
    blob: bytes
    where: str


def host_pattern(host: str, port: int) -> str:
    """Return the name under which `known_hosts` files keep a host: `name`, or `[name]:port`.

    :param host: its name or address, in upper or lower case.
    :param port: its port.
    """
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"


def matches(patterns: str, name: str) -> bool:
    """Return whether a line is about a host.

    :param patterns: the first field of the line: a hash, or a list of patterns.
    :param name: the host as `host_pattern` returns it.
    """
    if patterns.startswith("|1|"):
        return _matches_hash(patterns, name)
    found = False
    for pattern in patterns.lower().split(","):
        # Not fnmatch: to it the brackets of `[host]:2222` would be a set of characters.
        wanted = re.escape(pattern.removeprefix("!")).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(wanted, name, re.DOTALL):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _matches_hash(hashed: str, name: str) -> bool:
    """Return whether a field `|1|salt|hash` is made of a name."""
    try:
        _, _, salt, digest = hashed.split("|")
        made = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(made, base64.b64decode(digest))
    except (ValueError, binascii.Error):
        return False


def hash_name(name: str) -> str:
    """Return the hashed form of a name, for those who set `HashKnownHosts`.

    :param name: the host as `host_pattern` returns it.
    """
    salt = os.urandom(_SALT_BYTES)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def read_known_keys(files: Iterable[Path], name: str) -> list[KnownKey]:
    """Return the lines of `known_hosts` files that are about a host.

    :param files: the files; those that do not exist are passed over.
    :param name: the host as `host_pattern` returns it.
    """
    return [key for path in files for key in _read_file(path, name)]


def _read_file(path: Path, name: str) -> Iterator[KnownKey]:
    """Yield the lines of one file that are about `name`."""
    try:
        lines = path.read_bytes().decode(errors="replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < _FIELDS or fields[0].startswith("#") or not matches(fields[0], name):
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except binascii.Error:
            continue
        yield KnownKey(marker, fields[1], blob, f"{path}:{number}")


def judge(blob: bytes, known: Sequence[KnownKey]) -> Verdict:
    """Return whether the key that a host showed is known, unknown, changed or revoked.

    A key of a kind that we do not have is `changed` too, if we have others: anyone in the middle can make one.

    :param blob: the public key.
    :param known: what the `known_hosts` files hold about the host.
    """
    if any(key.marker == "@revoked" and key.blob == blob for key in known):
        return "revoked"
    plain = [key for key in known if not key.marker]
    if any(key.blob == blob for key in plain):
        return "known"
    return "changed" if plain else "unknown"


def remember(path: Path, name: str, kind: str, blob: bytes) -> None:
    """Append a key to a `known_hosts` file. If need be, the file and its folder are made, for their owner only.

    :param path: the file.
    :param name: the first field of the line: the host, in plain or hashed form.
    :param kind: the kind of key, such as `ssh-ed25519`.
    :param blob: the public key.
    :raises OSError: the file cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = f"{name} {kind} {base64.b64encode(blob).decode()}\n"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        torn = file.seek(0, os.SEEK_END) > 0 and os.pread(descriptor, 1, file.tell() - 1) != b"\n"
        file.write((b"\n" if torn else b"") + line.encode())


def by_hand(name: str) -> str:
    """Return the command with which a person tries the same login.

    :param name: the name of the host in messages: `alias`, `user@host:port` or `gateway alias`.
    """
    host, colon, port = name.rpartition(" ")[2].rpartition(":")
    if colon and port.isdigit() and ":" not in host:
        return f"ssh -p {port} {shlex.quote(host)}"
    return f"ssh {shlex.quote(name.rpartition(' ')[2])}"
