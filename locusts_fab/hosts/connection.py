"""The SSH connection to a host: how it is made of ssh_config, gateways included, and what its errors mean."""

from __future__ import annotations

import socket

from fabric import Connection
from paramiko import (
    AuthenticationException,
    BadHostKeyException,
    ChannelException,
    SSHException,
)
from paramiko.ssh_exception import NoValidConnectionsError

from locusts_fab.errors import HostError, LoginRefusedError
from locusts_fab.hosts.known_hosts import by_hand

#: What paramiko and sockets raise when the link is at fault.
LINK_ERRORS = (SSHException, OSError, EOFError)

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


def make_connection(host: str) -> Connection:
    """Return a Fabric Connection to a host, not open yet.

    :param host: an alias of ssh_config, or user@host:port.
    :raises HostError: ssh_config cannot be read, or `host` cannot be understood.
    """
    try:
        connection = Connection(host)
        _route(connection)
    except (SSHException, OSError, TypeError, ValueError) as error:  # Fabric chokes on odd names in all these ways
        raise HostError(
            f"{host}: no way to connect can be made of this and ssh_config: {error}",
            hint="host is an alias of ~/.ssh/config, or user@host:port",
        ) from error
    return connection


def _route(connection: Connection) -> None:
    """Set the gateways of a connection as ProxyJump means them; Fabric visits several in reverse, and a host `none`."""
    hops = connection.ssh_config.get("proxyjump", "")
    if hops.lower() == "none":
        connection.gateway = None
    elif "," in hops:
        gateway = None
        for hop in hops.split(","):
            gateway = Connection(hop.strip(), config=connection.config.clone(), gateway=gateway)
        connection.gateway = gateway


def hops_to(connection: Connection) -> list[Connection]:
    """Return the gateways that lead to a connection, the first to be reached first, and then the connection itself."""
    hops = [connection]
    while isinstance(gateway := hops[0].gateway, Connection):
        hops.insert(0, gateway)
    return hops


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
