"""Whether the key that a host shows is accepted: never one that ssh, asked by nobody, would refuse."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from paramiko import MissingHostKeyPolicy

from locusts_fab.errors import LoginRefusedError
from locusts_fab.hosts.openssh.known_hosts import (
    SSH_PORT,
    KnownHostsMode,
    KnownKey,
    Verdict,
    by_hand,
    hash_name,
    host_pattern,
    judge,
    read_known_keys,
    remember,
)
from locusts_fab.hosts.openssh.revoked import is_revoked

if TYPE_CHECKING:
    from collections.abc import Callable

    from paramiko import PKey, SSHClient, Transport

    from locusts_fab.hosts.openssh.settings import HostSettings

#: Characters of a name that OpenSSH writes into no file.
_UNWRITABLE = frozenset("@?*#[]|'\"\\")


class HostKeyCheck(MissingHostKeyPolicy):
    """Compares the key that a host shows with the user's `known_hosts` files.

    The client of the connection holds no keys of its own, so paramiko asks this policy about every key.

    :param settings: what ssh_config says of the host.
    :param name: the name of the host in messages.
    :param mode: `strict`: an unknown key is refused; `accept-new`: what ssh_config says of unknown keys counts.
    :param prompt: shows its argument to a person and returns what they type, or raises LoginRefusedError.
    """

    def __init__(self, settings: HostSettings, name: str, mode: KnownHostsMode, prompt: Callable[[str], str]) -> None:
        self.settings = settings
        self.name = name
        self.mode = mode
        self.prompt = prompt
        self.pattern = settings.key_name or host_pattern(settings.hostname, settings.port)
        self.pattern = self.pattern.lower()

    def known_keys(self, pattern: str | None = None) -> list[KnownKey]:
        """Return the lines about this host that the files hold now.

        :param pattern: the name to look for; None: the host's own.
        """
        files = [*self.settings.user_known_hosts, *self.settings.system_known_hosts]
        return read_known_keys(files, pattern or self.pattern)

    def prefer_known_kinds(self, transport: Transport) -> None:
        """Make the host show a kind of key that is known, if it has one: it has several and shows only one.

        :param transport: a transport that has not begun; its order of kinds is changed.
        """
        kinds = {key.kind for key in [*self.known_keys(), *self._keys_of_any_port()] if not key.marker}
        options = transport.get_security_options()
        options.key_types = sorted(options.key_types, key=lambda kind: _key_kind(kind) not in kinds)

    def missing_host_key(self, client: SSHClient, _hostname: str, key: PKey, /) -> None:
        """Accept the key that a host shows, or raise; paramiko calls this.

        :param client: the client that was shown it.
        :param key: the public key.
        :raises LoginRefusedError: it is unknown, changed or revoked.
        """
        shown = f"{key.get_name()} {key.fingerprint}"
        if any(is_revoked(path, key.get_name(), key.asbytes(), self.name) for path in self.settings.revoked):
            raise self._revoked(shown, ", ".join(map(str, self.settings.revoked)))
        if key.get_name() == "ssh-rsa" and key.get_bits() < self.settings.least_rsa_bits:
            raise LoginRefusedError(f"{self.name}: the host's key ({shown}) is shorter than RequiredRSASize")
        known = self.known_keys()
        verdict = self._judge(key, known, shown)
        self._check_address(client, key, shown)
        if verdict == "unknown" and self._judge(key, self._keys_of_any_port(), shown, is_final=False) == "unknown":
            self._meet(key, shown, known)

    def _judge(self, key: PKey, known: list[KnownKey], shown: str, *, is_final: bool = True) -> Verdict:
        """Return whether a key is known or not.

        :param is_final: a changed key is refused; else it counts as unknown.
        :raises LoginRefusedError: it is changed or revoked.
        """
        verdict = judge(key.asbytes(), known)
        where = ", ".join(line.where for line in known)
        if verdict == "revoked":
            raise self._revoked(shown, where)
        if verdict != "changed":
            return verdict
        if not is_final:
            return "unknown"
        raise LoginRefusedError(
            f"{self.name}: the host shows another key ({shown}) than the one known from {where}",
            hint="someone may be listening in. Ask the host's administrators; if the key did change, "
            f"remove the old one with `ssh-keygen -R {shlex.quote(self.pattern)}`",
        )

    def _revoked(self, shown: str, where: str) -> LoginRefusedError:
        return LoginRefusedError(
            f"{self.name}: the host's key ({shown}) is revoked in {where}", hint="ask the host's administrators"
        )

    def _keys_of_any_port(self) -> list[KnownKey]:
        """Return the lines about the host on the usual port, which OpenSSH takes for those of other ports too."""
        if self.settings.key_name or self.settings.port == SSH_PORT:
            return []
        return self.known_keys(host_pattern(self.settings.hostname, SSH_PORT))

    def _check_address(self, client: SSHClient, key: PKey, shown: str) -> None:
        """With CheckHostIP, refuse a key that is another one than that of the address.

        :raises LoginRefusedError: it is.
        """
        transport = client.get_transport()
        if not self.settings.checks_address or self.settings.proxy_command or transport is None:
            return
        peer = transport.getpeername()
        if peer and len(peer) > 1 and str(peer[0]) != self.settings.hostname:
            self._judge(key, self.known_keys(host_pattern(str(peer[0]), self.settings.port)), shown)

    def _meet(self, key: PKey, shown: str, known: list[KnownKey]) -> None:
        """Deal with a new key: keep it, if both ssh_config and the target's settings allow that."""
        strictness = "yes" if self.mode == "strict" or self.settings.asks_command else self.settings.strictness
        may_ask = strictness == "ask" and not self.settings.is_batch
        if strictness in {"accept-new", "no"} or (may_ask and self._agrees(shown)):
            self._remember(key)
            return
        by_authority = " (only a certificate authority for it, which we cannot use)" if known else ""
        raise LoginRefusedError(
            f"{self.name}: the host's key ({shown}) is not known{by_authority}",
            hint=f"log in once with `{by_hand(self.name)}` and check the key; to take new keys without a question, set "
            'known_hosts = "accept-new" for this target and StrictHostKeyChecking accept-new in ssh_config',
        )

    def _agrees(self, shown: str) -> bool:
        """Return whether a person says that the key is the right one."""
        question = f"{self.name} is not known. Its key is {shown}. Is this right? Type yes or no: "
        try:
            return self.prompt(question).strip().lower() == "yes"
        except LoginRefusedError:  # nobody is there
            return False

    def _remember(self, key: PKey) -> None:
        """Write a new key into the user's file."""
        files = self.settings.user_known_hosts
        if not files:
            raise LoginRefusedError(
                f"{self.name}: ssh_config names no UserKnownHostsFile in which to keep the host's key",
                hint='name one, or add the key to GlobalKnownHostsFile and keep known_hosts = "strict"',
            )
        if _UNWRITABLE & {*(self.settings.key_name or self.settings.hostname)}:
            raise LoginRefusedError(f"{self.name}: known_hosts cannot hold the name {self.pattern!r}")
        name = hash_name(self.pattern) if self.settings.hashes_names else self.pattern
        try:
            remember(files[0], name, key.get_name(), key.asbytes())
        except OSError as error:
            raise LoginRefusedError(
                f"{self.name}: the host's new key cannot be kept in {files[0]}: {error.strerror}",
                hint="make the file writable, or name another one with UserKnownHostsFile in ssh_config",
            ) from error


def _key_kind(algorithm: str) -> str:
    """Return the kind of key that an algorithm signs with: RSA keys sign in several ways."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm
