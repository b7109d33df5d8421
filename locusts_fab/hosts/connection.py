"""The SSH connection to a host: how it is made of ssh_config, gateways included, and what its errors mean."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fabric import Config, Connection
from paramiko import (
    AuthenticationException,
    BadHostKeyException,
    ChannelException,
    SSHConfig,
    SSHException,
)
from paramiko.ssh_exception import NoValidConnectionsError

from locusts_fab.config.hostnames import HostName, parse_host
from locusts_fab.errors import HostError, LoginRefusedError
from locusts_fab.hosts.openssh.known_hosts import by_hand
from locusts_fab.hosts.openssh.lone_config import read_alone
from locusts_fab.hosts.openssh.settings import HostSettings
from locusts_fab.hosts.openssh.ssh_config import ask_ssh, find_ssh

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locusts_fab.hosts.openssh.proxy import Proxies

#: What paramiko and sockets raise when the link is at fault.
LINK_ERRORS = (SSHException, OSError, EOFError)

#: How long a host may take to answer, unless ssh_config sets it.
_CONNECT_S = 30
#: How often a quiet connection shows that it is alive, at least: firewalls forget quiet ones.
_KEEPALIVE_S = 30

#: What only happens on a link that somebody answered on, so that another try may well work.
_PASSING = (SSHException, EOFError, ConnectionResetError, BrokenPipeError)

#: What an error of the link means, most special first: its type, our error, the text, the next step.
_CAUSES: tuple[tuple[type[Exception], type[HostError], str, str], ...] = (
    (BadHostKeyException, LoginRefusedError, "the host's key has changed: {}", "ask the host's administrators"),
    (AuthenticationException, LoginRefusedError, "the login was refused: {}", "see that `{by_hand}` works"),
    (ChannelException, HostError, "the host, or a gateway to it, opened no channel: {}", "see that `{by_hand}` works"),
    (
        socket.gaierror,
        HostError,
        "there is no such host: {}",
        "check the name in the config and in ~/.ssh/config, the network and the VPN",
    ),
    (ConnectionRefusedError, HostError, "the connection was refused", "check host and port; it may be down, or ban us"),
    (TimeoutError, HostError, "the host does not answer", "check the network and the VPN; the host may be down"),
    (
        SSHException,
        HostError,
        "the host hung up or speaks no SSH: {}",
        "it may be overloaded or count too many connections; wait a while, then see that `{by_hand}` works",
    ),
)


@dataclass(frozen=True)
class Hop:
    """A connection on the way to a host, or the one to the host itself.

    :param connection: the connection; its gateway is that of the hop before.
    :param settings: how ssh would reach it, and what it would accept.
    :param is_ours: it was made here, so it is closed here.
    """

    connection: Connection
    settings: HostSettings
    is_ours: bool = True

    def open(self, proxies: Proxies) -> None:
        """Open the connection; its gateway is open, and it was prepared for a login.

        :param proxies: takes the command that carries the link, if there is one.
        :raises Exception: one of `LINK_ERRORS`.
        """
        connection, settings = self.connection, self.settings
        if connection.connect_timeout is None and "timeout" not in connection.connect_kwargs:
            connection.connect_timeout = settings.connect_timeout_s or _CONNECT_S
        if settings.proxy_command is not None and not connection.gateway:
            connection.connect_kwargs["sock"] = proxies.start(id(self), settings.proxy_command)
        connection.open()
        connection.transport.set_keepalive(min(_KEEPALIVE_S, settings.alive_s or _KEEPALIVE_S))


#: Reads the settings of a host.
Ask = Callable[[HostName], HostSettings]

#: How many gateways may lead to a host, more than anybody has: those of gateways could go round in circles.
_MOST_HOPS = 10


def make_route(host: str) -> list[Hop]:
    """Return the connections that lead to a host, the first to be reached first, none of them open yet.

    :param host: an alias of ssh_config, or user@host:port.
    :raises HostError: ssh_config cannot be read, or `host` cannot be understood.
    """
    with _understood(host):
        asked = parse_host(host)
        ask = _way_to_ask(lambda: Config().base_ssh_config)
        return _route(ask(asked), ask)


def complete_route(connection: Connection) -> list[Hop]:
    """Return the connections that lead to one that somebody made, which takes over what ssh_config says of its host.

    What was said when it was made counts more: its user, its port, its gateway.

    :param connection: the connection, not open yet.
    :raises HostError: ssh_config cannot be read or understood.
    """
    host, read = connection.original_host, connection.ssh_config
    with _understood(host):
        config = connection.config
        ask = _way_to_ask(
            lambda: config.base_ssh_config,
            file=config._runtime_ssh_path,  # noqa: SLF001 - Fabric tells in no other way which config it read
            is_given=getattr(config, "_given_explicit_object", False),
        )
        user = connection.user if connection.user != read.get("user", config.user) else None
        port = connection.port if connection.port != int(read.get("port", config.port)) else None
        settings = ask(HostName(host, user, port))
        connection.host, connection.user, connection.port = settings.hostname, settings.user, settings.port
        if isinstance(connection.gateway, Connection) and "proxyjump" not in read:
            before = complete_route(connection.gateway)
        elif connection.gateway is False or (isinstance(connection.gateway, str) and "proxycommand" not in read):
            before, settings = [], replace(settings, proxy_command=None)
        else:
            before = _gateways(settings, ask)
            connection.gateway = before[-1].connection if before else None
        return [*before, Hop(connection, settings, is_ours=False)]


@contextlib.contextmanager
def _understood(host: str) -> Iterator[None]:
    """Turn what Fabric and paramiko raise at odd names and odd configs into our error."""
    try:
        yield
    except (SSHException, OSError, TypeError, ValueError) as error:
        raise HostError(
            f"{host}: no way to connect can be made of this and ssh_config: {error}",
            hint="host is an alias of ~/.ssh/config, or user@host:port",
        ) from error


def _way_to_ask(read: Callable[[], SSHConfig], *, file: str | None = None, is_given: bool = False) -> Ask:
    """Return a function that reads the settings of a host: by asking ssh, or where that is not possible by paramiko.

    :param read: reads ssh_config by paramiko.
    :param file: the one config file that counts; None: the usual ones.
    :param is_given: a script made the config, so there is no file that ssh could read.
    """
    ssh = None if is_given else find_ssh()
    if ssh is None:
        config = read()
        usual = [Path.home() / ".ssh" / "config", Path("/etc/ssh/ssh_config")]
        files = [] if is_given else [Path(file)] if file else usual
        return lambda asked: read_alone(config, asked, files)
    return lambda asked: ask_ssh(ssh, asked, file)


def _route(settings: HostSettings, ask: Ask, before: Sequence[Hop] | None = None) -> list[Hop]:
    """Return the way to a host: its gateways, unless they are given, and itself."""
    hops = _gateways(settings, ask) if before is None else [*before]
    connection = Connection(
        "host",
        user=settings.user,
        port=settings.port,
        gateway=hops[-1].connection if hops else False,
        config=Config(ssh_config=SSHConfig()),
    )
    connection.host, connection.original_host = settings.hostname, settings.alias
    return [*hops, Hop(connection, settings)]


def _gateways(settings: HostSettings, ask: Ask, depth: int = 0) -> list[Hop]:
    """Return the gateways that lead to a host; the first of them may need gateways of its own, as with ssh."""
    if len(settings.jumps) + depth > _MOST_HOPS:
        raise HostError(f"{settings.alias}: ProxyJump goes round in circles", hint="correct it in ~/.ssh/config")
    hops: list[Hop] | None = None
    for jump in settings.jumps:
        gateway = ask(parse_host(jump.removeprefix("ssh://")))
        if hops is None:
            hops = _gateways(gateway, ask, depth + len(settings.jumps))
        else:
            gateway = replace(gateway, proxy_command=None, jumps=())
        hops = _route(gateway, ask, hops)
    return hops or []


def explain_link(error: Exception, name: str) -> HostError:
    """Return an error that a person can act on.

    :param error: what paramiko or a socket raised, one of `LINK_ERRORS`.
    :param name: the name of the host in messages.
    """
    if isinstance(error, NoValidConnectionsError):  # one error for each address of the host
        error = next(iter(error.errors.values()))
    detail = str(error) or type(error).__name__
    may_pass = isinstance(error, _PASSING)
    for kind, ours, text, hint in _CAUSES:
        if isinstance(error, kind):
            words = hint.format(by_hand=by_hand(name))
            return ours(f"{name}: {text.format(detail)}", hint=words, may_pass=may_pass and ours is HostError)
    return HostError(f"{name}: the link failed: {detail}", hint=f"see that `{by_hand(name)}` works", may_pass=may_pass)
