"""What ssh_config says of one host, typed. Where it cannot be understood, nobody is called."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from locusts_fab.config.hostnames import is_user
from locusts_fab.errors import HostError
from locusts_fab.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Strictness = Literal["yes", "ask", "accept-new", "no"]

_STRICTNESS: dict[str, Strictness] = {
    "yes": "yes",
    "true": "yes",
    "ask": "ask",
    "accept-new": "accept-new",
    "no": "no",
    "false": "no",
    "off": "no",
}
#: The methods that we know, each with the options that forbid it, in the order in which ssh tries them.
METHODS = {
    "publickey": ("pubkeyauthentication",),
    "keyboard-interactive": ("kbdinteractiveauthentication", "challengeresponseauthentication"),
    "password": ("passwordauthentication",),
}
#: Which algorithms are allowed: paramiko's name for the kind, and the options, newer name first.
_ALGORITHMS = {
    "kex": ("kexalgorithms",),
    "ciphers": ("ciphers",),
    "macs": ("macs",),
    "keys": ("hostkeyalgorithms",),
    "pubkeys": ("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes"),
}


@dataclass(frozen=True)
class Tokens:
    """What stands for the tokens of ssh_config.

    :param values: by their letter.
    :param home: the folder that `~` means.
    """

    values: Mapping[str, str]
    home: Path

    @classmethod
    def of(cls, alias: str, answers: Mapping[str, Sequence[str]], home: Path) -> Tokens:
        """Return the tokens of a host.

        :param alias: what was asked for.
        :param answers: what ssh says of it.
        """
        host, port, user = (answers[key][0] for key in ("hostname", "port", "user"))
        here = socket.gethostname()
        key = answers.get("hostkeyalias", [host])[0]
        jump = answers.get("proxyjump", [""])[0]
        whole = f"{here}{host}{port}{user}{jump}".encode(errors="surrogateescape")
        digest = hashlib.sha1(whole, usedforsecurity=False).hexdigest()  # which hash it is OpenSSH says
        values = {"%": "%", "h": host, "n": alias, "p": port, "r": user, "d": os.fspath(home), "k": key, "j": jump}
        values |= {"i": str(os.getuid()), "u": _local_user(), "l": here, "L": here.partition(".")[0], "C": digest}
        return cls(values, home)

    def fill(self, text: str, what: str) -> str:
        """Return a text with its tokens replaced, and `${NAME}` by variables of the environment.

        :param what: where it stands, for messages.
        :raises HostError: one of them is unknown.
        """

        def filled(found: re.Match[str]) -> str:
            value = os.environ.get(found[2]) if found[2] else self.values.get(found[1])
            if value is None:
                raise HostError(f"{what} holds {found[0]}, for which nothing is known here: {printable(text)}")
            return value

        return re.sub(r"%(.|$)|\$\{([^}]*)\}", filled, text, flags=re.DOTALL)

    def path(self, text: str, what: str) -> Path:
        """Return the file that an option names; see `fill`."""
        return self.at_home(Path(self.fill(text, what))).expanduser()

    def at_home(self, path: Path) -> Path:
        """Return a path with the home folder in place of a `~` at its beginning."""
        return self.home.joinpath(*path.parts[1:]) if path.parts[:1] == ("~",) else path


def _local_user() -> str:
    import pwd  # noqa: PLC0415 - not on every system

    return pwd.getpwuid(os.getuid()).pw_name


@dataclass(frozen=True)
class HostSettings:
    """How ssh would reach one host, and what it would accept.

    :param alias: what was asked for; the name in messages and for ssh by hand.
    :param hostname: the name or address to connect to.
    :param strictness: StrictHostKeyChecking.
    :param user_known_hosts: the user's files, of which the first takes new keys.
    :param key_name: HostKeyAlias, under which keys are kept in place of name and port.
    :param revoked: RevokedHostKeys.
    :param checks_address: CheckHostIP: the key is looked for under the address too.
    :param asks_command: KnownHostsCommand, which we do not run, knows keys.
    :param methods: how to log in, in this order; no others.
    :param is_batch: nobody is to be asked.
    :param identity_agent: the socket of the agent; None: there is none to use.
    :param jumps: ProxyJump, the first to be reached first.
    :param proxy_command: ProxyCommand, with its tokens replaced.
    :param connect_timeout_s: ConnectTimeout; None: not set.
    :param alive_s: ServerAliveInterval; None: not set.
    :param allowed: the algorithms that may be used, by paramiko's name for their kind; one that is missing: all.
    :param least_rsa_bits: RequiredRSASize, for keys of hosts and of users.
    :param instead: the option by which ssh would run something else than a command of ours, or nothing.
    """

    alias: str
    hostname: str
    port: int
    user: str
    strictness: Strictness
    user_known_hosts: tuple[Path, ...] = ()
    system_known_hosts: tuple[Path, ...] = ()
    key_name: str | None = None
    revoked: tuple[Path, ...] = ()
    hashes_names: bool = False
    checks_address: bool = False
    asks_command: bool = False
    methods: tuple[str, ...] = tuple(METHODS)
    is_batch: bool = False
    identity_files: tuple[Path, ...] = ()
    certificate_files: tuple[Path, ...] = ()
    identities_only: bool = False
    identity_agent: Path | None = None
    jumps: tuple[str, ...] = ()
    proxy_command: str | None = None
    connect_timeout_s: int | None = None
    alive_s: int | None = None
    allowed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    least_rsa_bits: int = 0
    instead: str | None = None


def make_settings(alias: str, answers: Mapping[str, Sequence[str]], tokens: Tokens) -> HostSettings:
    """Return the settings of a host.

    :param alias: what was asked for.
    :param answers: the values of each option, its name in lower case; lists of files have been split.
    :param tokens: what stands for tokens.
    :raises HostError: an option has a value that cannot be understood, or asks for what we cannot do.
    """
    reader = _Reader(alias, answers)
    if reader.flag("proxyusefdpass"):
        raise HostError(f"{alias}: ProxyUseFdpass is not possible here", hint="use a ProxyCommand that carries data")
    user = answers["user"][0]
    if not is_user(user):
        raise HostError(f"{alias}: ssh_config gives a user that ssh refuses: {printable(user)}")
    strictness = _STRICTNESS.get(reader.text("stricthostkeychecking", "ask").lower())
    if strictness is None:
        raise reader.odd("stricthostkeychecking")

    def paths(key: str) -> tuple[Path, ...]:
        return tuple(tokens.path(text, f"{alias}: {key}") for text in answers.get(key, ()) if text.lower() != "none")

    def as_printed(key: str) -> tuple[Path, ...]:
        return tuple(Path(text) for text in answers.get(key, ()) if text.lower() != "none")

    jumps = reader.text("proxyjump", "none")
    command = reader.text("proxycommand", "none")
    return HostSettings(
        alias=alias,
        hostname=answers["hostname"][0],
        port=reader.number("port") or 22,
        user=user,
        strictness=strictness,
        user_known_hosts=tuple(map(tokens.at_home, as_printed("userknownhostsfile"))),
        system_known_hosts=as_printed("globalknownhostsfile"),
        key_name=answers.get("hostkeyalias", [None])[0],
        revoked=as_printed("revokedhostkeys"),
        hashes_names=reader.flag("hashknownhosts"),
        checks_address=reader.flag("checkhostip"),
        asks_command=reader.text("knownhostscommand", "none").lower() != "none",
        methods=_methods(reader),
        is_batch=reader.flag("batchmode"),
        identity_files=paths("identityfile"),
        certificate_files=paths("certificatefile"),
        identities_only=reader.flag("identitiesonly"),
        identity_agent=_agent(reader.text("identityagent", "SSH_AUTH_SOCK"), tokens, alias),
        jumps=() if jumps.lower() == "none" else tuple(jump.strip() for jump in jumps.split(",")),
        proxy_command=None if command.lower() == "none" else tokens.fill(command, f"{alias}: ProxyCommand"),
        connect_timeout_s=reader.number("connecttimeout"),
        alive_s=reader.number("serveraliveinterval"),
        allowed={kind: names for kind, keys in _ALGORITHMS.items() if (names := reader.names(keys))},
        least_rsa_bits=reader.number("requiredrsasize") or 0,
        instead=_instead(reader),
    )


@dataclass(frozen=True)
class _Reader:
    """Reads single values, or says which one is odd."""

    alias: str
    answers: Mapping[str, Sequence[str]]

    def text(self, key: str, default: str) -> str:
        return self.answers.get(key, [default])[0]

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.text(key, "yes" if default else "no").lower()
        if value not in {"yes", "true", "no", "false"}:
            raise self.odd(key)
        return value in {"yes", "true"}

    def number(self, key: str) -> int | None:
        value = self.text(key, "none")
        if not re.fullmatch(r"none|[0-9]{1,9}", value):
            raise self.odd(key)
        return int(value) if value != "none" and int(value) > 0 else None

    def names(self, keys: tuple[str, ...]) -> frozenset[str]:
        value = next((self.answers[key][0] for key in keys if key in self.answers), "")
        return frozenset(value.split(",")) - {""}

    def odd(self, key: str) -> HostError:
        value = printable(self.answers[key][0])
        return HostError(f"{self.alias}: ssh_config says {key} {value}, which is not understood here")


def _instead(reader: _Reader) -> str | None:
    """Return the option by which ssh runs no command of ours: with one of its own it refuses to run another."""
    if reader.text("remotecommand", "none").lower() != "none":
        return "RemoteCommand"
    return None if reader.text("sessiontype", "default").lower() == "default" else "SessionType"


def _methods(reader: _Reader) -> tuple[str, ...]:
    """Return the ways to log in that are allowed, in the order that is wanted."""
    allowed = set()
    for method, keys in METHODS.items():
        values = [reader.text(key, "yes").lower() for key in keys]
        if not any(value in {"no", "false"} for value in values):
            allowed.add(method)
    order = reader.text("preferredauthentications", ",".join(METHODS)).split(",")
    wanted = tuple(method.strip() for method in order if method.strip() in allowed)
    if reader.flag("batchmode"):
        return tuple(method for method in wanted if method == "publickey")
    return wanted


def _agent(value: str, tokens: Tokens, alias: str) -> Path | None:
    """Return the socket of the agent that IdentityAgent names."""
    if value.lower() == "none":
        return None
    if value == "SSH_AUTH_SOCK" or re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", value):
        path = os.environ.get(value.removeprefix("$"))
        return Path(path) if path else None
    return tokens.path(value, f"{alias}: IdentityAgent")
