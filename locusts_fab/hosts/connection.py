"""The way to a host: what ssh_config says of it, and the gateways between."""

from __future__ import annotations

from fabric import Connection
from paramiko import SSHException

from locusts_fab.errors import HostError


def make_connection(host: str) -> Connection:
    """Make a Fabric Connection, not open yet, to an alias of ssh_config or to user@host:port.

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
    """Make the gateways of a connection what ProxyJump says: Fabric visits several in reverse and jumps to `none`."""
    hops = connection.ssh_config.get("proxyjump", "")
    if hops.lower() == "none":
        connection.gateway = None
    elif "," in hops:
        gateway = None
        for hop in hops.split(","):
            gateway = Connection(hop.strip(), config=connection.config.clone(), gateway=gateway)
        connection.gateway = gateway


def hops_to(connection: Connection) -> list[Connection]:
    """Return the gateways that lead to a connection, in the order of the way, and the connection."""
    hops = [connection]
    while isinstance(gateway := hops[0].gateway, Connection):
        hops.insert(0, gateway)
    return hops
