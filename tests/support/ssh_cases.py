"""What ssh and we make of the same ssh_config and known_hosts: the cases, of which the docs show the table.

`tests/ssh/test_ssh_cases.py` runs each by the real ssh and by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal["in", "refused"]

#: The line that is right, in known_hosts.
RIGHT = "[127.0.0.1]:{port} {host_key}"
WRONG = "[127.0.0.1]:{port} {other_host_key}"
NEW = "  StrictHostKeyChecking accept-new"
#: A user's key that nobody knows, so that only what the case says helps.
STRANGER = "  IdentityFile {stranger}"


@dataclass(frozen=True)
class Case:
    """One ssh_config and known_hosts.

    :param what: what it is about, for readers.
    :param config: lines of `Host far`; a line that begins with no space ends it.
    :param known: the lines of known_hosts.
    :param ssh: what `ssh -o BatchMode=yes` does.
    :param accepting: what we do with `known_hosts = "accept-new"`.
    :param strict: what we do with `known_hosts = "strict"`.
    :param why: the reason if we differ, for readers.
    :param agent: whether an agent that holds a key runs, in `SSH_AUTH_SOCK`.
    """

    what: str
    config: str = ""
    known: str = RIGHT
    ssh: Result = "in"
    accepting: Result = "in"
    strict: Result = "in"
    why: str = ""
    agent: bool = False


def _refused(what: str, config: str = "", known: str = RIGHT, *, agent: bool = False) -> Case:
    """Return a case that all refuse."""
    return Case(what, config, known, "refused", "refused", "refused", agent=agent)


def _new(what: str, config: str, known: str = "") -> Case:
    """Return a case in which ssh takes a new key, and the target's settings decide about us."""
    return Case(what, config, known, "in", "in", "refused", '`known_hosts = "strict"` takes no new key')


CASES = (
    Case("the key is known"),
    _refused("the key is unknown, StrictHostKeyChecking is not set (it asks)", known=""),
    _refused("unknown, `StrictHostKeyChecking yes`", "  StrictHostKeyChecking yes", ""),
    _new("unknown, `StrictHostKeyChecking accept-new`", NEW),
    _new("unknown, `StrictHostKeyChecking no`", "  StrictHostKeyChecking no"),
    _refused("changed, StrictHostKeyChecking is not set", known=WRONG),
    _refused("changed, `accept-new`", NEW, WRONG),
    Case(
        "changed, `StrictHostKeyChecking no`", "  StrictHostKeyChecking no", WRONG, "in", "refused", "refused",
        "a changed key is refused always",
    ),
    Case("one right key among others", known=f"{WRONG}\n{RIGHT}"),
    _refused("`@revoked` beside the right line", NEW, f"{RIGHT}\n@revoked * {{host_key}}"),
    Case(
        "`@revoked`, `StrictHostKeyChecking no`", "  StrictHostKeyChecking no", "@revoked * {host_key}", "in",
        "refused", "refused", "a revoked key is refused always",
    ),
    Case(
        "`@cert-authority`, and the host shows a certificate", known="@cert-authority * {authority}",
        accepting="refused", strict="refused", why="certificates of hosts are not understood",
    ),
    Case("a hashed name", known="{hashed} {host_key}"),
    Case("a pattern", known="[127.0.*]:* {host_key}"),
    _refused("a pattern that excludes the host", known="[127.*]:*,![127.0.0.1]:* {host_key}"),
    Case("the name without the port", known="127.0.0.1 {host_key}"),
    _new("another key for the name without the port, `accept-new`", NEW, "127.0.0.1 {other_host_key}"),
    Case("`VerifyHostKeyDNS yes`", "  VerifyHostKeyDNS yes"),
    _refused("unknown, `VerifyHostKeyDNS yes`, and DNS has no key", "  VerifyHostKeyDNS yes", ""),
    _refused("changed, `VerifyHostKeyDNS yes`", f"{NEW}\n  VerifyHostKeyDNS yes", WRONG),
    Case("`HostKeyAlias`", "  HostKeyAlias The-Cluster", "the-cluster {host_key}"),
    _refused("`HostKeyAlias`, and the key is known by the other name only", "  HostKeyAlias the-cluster"),
    _refused("`UserKnownHostsFile` with `%h`, another key", f"{NEW}\n  UserKnownHostsFile {{here}}/%h.keys"),
    Case("`UserKnownHostsFile` with `%p`", "  UserKnownHostsFile {here}/%p.right", ""),
    Case("`UserKnownHostsFile` with several files", "  UserKnownHostsFile {here}/none {here}/right", ""),
    Case("`UserKnownHostsFile` with a space in its name", '  UserKnownHostsFile "{here}/a file/right"', ""),
    _refused("another key in the second file", f"{NEW}\n  UserKnownHostsFile {{here}}/absent {{here}}/wrong"),
    _refused("`UserKnownHostsFile none`", "  UserKnownHostsFile none"),
    _refused("`UserKnownHostsFile none`, `accept-new`", f"{NEW}\n  UserKnownHostsFile none", ""),
    Case("`GlobalKnownHostsFile`", "  GlobalKnownHostsFile {here}/right", ""),
    _refused("another key in `GlobalKnownHostsFile`", f"{NEW}\n  GlobalKnownHostsFile {{here}}/wrong", ""),
    _refused("`RevokedHostKeys` with the key", "  RevokedHostKeys {here}/revoked"),
    _refused("`RevokedHostKeys`, a KRL with the key", "  RevokedHostKeys {here}/krl"),
    Case("`RevokedHostKeys` with another key", "  RevokedHostKeys {here}/unrevoked"),
    Case("`RevokedHostKeys`, a KRL with another key", "  RevokedHostKeys {here}/other_krl"),
    _refused("`RevokedHostKeys` that cannot be read", "  RevokedHostKeys {here}/absent"),
    _refused("`RevokedHostKeys` that holds no key", "  RevokedHostKeys {here}/nonsense"),
    _refused("`HostKeyAlgorithms` that the host has not", "  HostKeyAlgorithms rsa-sha2-512"),
    _refused("`Ciphers` that nobody has", "  Ciphers aes128-cbc"),
    Case(
        "`KnownHostsCommand` knows the key", "  KnownHostsCommand /bin/cat {here}/right", "", "in", "refused",
        "refused", "it is not run; new keys are not taken where it is set",
    ),
    _refused("another key by `KnownHostsCommand`", f"{NEW}\n  KnownHostsCommand /bin/cat {{here}}/wrong", ""),
    Case("`Include` of the key", f"Host *\nInclude {{here}}/identity\nHost far\n{STRANGER}"),
    _refused("`Include` of `StrictHostKeyChecking yes`", f"Host *\nInclude {{here}}/careful\nHost far\n{NEW}", ""),
    _refused(
        "`Match exec` that sets `StrictHostKeyChecking yes`",
        f'Match exec "true"\n  StrictHostKeyChecking yes\nHost far\n{NEW}', "",
    ),
    Case("`Match exec` that does not hold", 'Match exec "false"\n  User somebody'),
    Case("`Match host` of HostName", f"  HostName 127.0.0.1\n{STRANGER}\nMatch host 127.0.0.1\n  IdentityFile {{key}}"),
    _refused("an option that is unknown", "  Nonsense yes"),
    Case("an option that is unknown, with `IgnoreUnknown`", "  IgnoreUnknown Nonsense\n  Nonsense yes"),
    _refused("a key that the host does not know", STRANGER),
    _refused("`PubkeyAuthentication no`", "  PubkeyAuthentication no"),
    _refused("`PreferredAuthentications password`", "  PreferredAuthentications password"),
    Case("`PreferredAuthentications publickey`", "  PreferredAuthentications publickey"),
    _refused("`PubkeyAcceptedAlgorithms` without the key's", "  PubkeyAcceptedAlgorithms rsa-sha2-512"),
    _refused("a key of RSA that is shorter than `RequiredRSASize`", "  IdentityFile {rsa}\n  RequiredRSASize 3072"),
    Case("a key of RSA that is as long as `RequiredRSASize`", "  IdentityFile {rsa}\n  RequiredRSASize 2048"),
    _refused(
        "a key of RSA of the agent that is shorter than `RequiredRSASize`",
        "  IdentityFile {rsa}.pub\n  IdentitiesOnly yes\n  RequiredRSASize 3072", agent=True,
    ),
    Case("`RequiredRSASize`, and a key of another kind", "  RequiredRSASize 3072"),
    Case("a key of the agent", f"{STRANGER}\n  IdentitiesOnly no", agent=True),
    _refused("a key of the agent, `IdentitiesOnly yes`", "  IdentityFile {stranger}\n  IdentitiesOnly yes", agent=True),
    Case(
        "a key of the agent, its public half as IdentityFile",
        "  IdentityFile {here}/public.pub\n  IdentitiesOnly yes", agent=True,
    ),
    _refused("`IdentityAgent none`", f"{STRANGER}\n  IdentityAgent none", agent=True),
    Case("`IdentityAgent` with a path, no SSH_AUTH_SOCK", f"{STRANGER}\n  IdentityAgent {{agent}}"),
    Case("`CertificateFile`", "  IdentityFile {certified}\n  CertificateFile {here}/certificate.pub"),
    _refused("`RemoteCommand` (ssh runs no other command there then)", "  RemoteCommand true"),
    Case("`RemoteCommand none`", "  RemoteCommand none"),
    Case("`RemoteCommand` of a host that `ProxyJump` names", "  ProxyJump gate\nHost gate\n  RemoteCommand true"),
    Case("`ProxyJump`", "  ProxyJump gate"),
    Case("`ProxyJump` over two hosts", "  ProxyJump gate,gate2"),
    Case("`ProxyJump none`", "  ProxyJump none\nHost far\n  ProxyJump gate"),
    _refused("`ProxyJump` to a host with a changed key", "  ProxyJump bad"),
    _refused("`ProxyJump` to a host that is strict and unknown", f"{NEW}\n  ProxyJump unknown"),
    _refused("`ProxyJump` to a host with `PubkeyAuthentication no`", "  ProxyJump keyless"),
    Case(
        "`ProxyCommand` with tokens and words of the shell",
        "  HostName elsewhere\n  HostKeyAlias far\n  ProxyCommand {proxy} %p && :", "far {host_key}",
    ),
    _refused("`ProxyCommand` that fails", "  ProxyCommand false"),
)  # fmt: skip


def render_cases() -> str:
    """Return the table of the docs."""
    lines = ["| case | `ssh` | `accept-new` | `strict` | why we differ |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {case.what} | {case.ssh} | {case.accepting} | {case.strict} | {case.why} |" for case in CASES]
    return "\n".join([*lines, ""])
