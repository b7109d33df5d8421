"""Names of hosts as people write them: what they are made of, and which are refused.

ssh_config hands them to shells (`Match exec`, `ProxyCommand`), so OpenSSH refuses characters that mean something there.
A config may come from somebody else, so the same rule holds for what it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What OpenSSH lets nobody write in the name of a host (`ssh_valid_hostname` in its readconf.c), and the slash, with
#: which a name could lead files that are named after it out of their folder, and `ssh://` would be a URI.
_BAD_IN_HOST = re.compile(r"[\s\x00-\x1f\x7f'`\"$\\;&<>|(){},/]")
#: The same for users (`ssh_valid_ruser`), where a dollar or a backslash may stand: `DOMAIN\me`.
_BAD_IN_USER = re.compile(r"[\x00-\x1f\x7f'`\";&<>|(){}]|\s-|\\$")
_LAST_PORT = 65535

HOST_RULE = 'expected an ssh_config alias or "user@host:port", with no spaces and no leading dash'


@dataclass(frozen=True)
class HostName:
    """A host as somebody wrote it.

    :param host: an alias of ssh_config, a name or an address.
    :param user: the account there; None: what ssh_config says.
    :param port: the port; None: what ssh_config says.
    """

    host: str
    user: str | None = None
    port: int | None = None


def is_host(text: str) -> bool:
    """Return whether OpenSSH would take a text for the name of a host."""
    return bool(text) and not text.startswith("-") and not _BAD_IN_HOST.search(text)


def is_user(text: str) -> bool:
    """Return whether OpenSSH would take a text for the name of a user."""
    return bool(text) and not text.startswith("-") and not _BAD_IN_USER.search(text)


def parse_host(text: str) -> HostName:
    """Return what a host is made of.

    :param text: `host`, `user@host`, `user@host:port`; an IPv6 address stands in brackets if a port follows.
    :raises ValueError: it is no such text, or holds what OpenSSH refuses.
    """
    if not text.strip():
        raise ValueError("must not be empty")
    user, at, place = text.rpartition("@")
    if text.startswith("-") or place.startswith("-") or re.search(r"\s", text) or (at and not user):
        raise ValueError(HOST_RULE)
    bad = _BAD_IN_USER.search(user) or _BAD_IN_HOST.search(place)
    if bad:
        raise ValueError(f"no host has {bad[0]!r} in its name, and no user; ssh refuses it too")
    host, port = _split(place)
    if not host or host.startswith("-") or "[" in host or "]" in host:
        raise ValueError(HOST_RULE)
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) <= _LAST_PORT):
        raise ValueError(f"a port is a number from 1 to {_LAST_PORT}")
    return HostName(host, user or None, int(port) if port is not None else None)


def _split(place: str) -> tuple[str, str | None]:
    """Return host and port of `host:port`, `[address]:port`, or an address with colons of its own."""
    if bracketed := re.fullmatch(r"\[([^][]*)\](?::(.*))?", place):
        return bracketed[1], bracketed[2]
    if place.count(":") == 1:
        host, _, port = place.partition(":")
        return host, port
    return place, None
