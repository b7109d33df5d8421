"""The one login to a host, and the gateways on the way: opened when it is first needed, and anew if it breaks.

It never asks a person twice, and never knocks again where it was refused.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, cast

from locusts_fab.errors import HostError, LoginRefusedError
from locusts_fab.hosts.auth import Login, prepare, tune
from locusts_fab.hosts.channel import open_channel
from locusts_fab.hosts.connection import LINK_ERRORS, Hop, complete_route, explain_link, make_route
from locusts_fab.hosts.openssh.proxy import Proxies
from locusts_fab.hosts.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from fabric import Connection
    from paramiko import Channel, Transport

    from locusts_fab.hosts.openssh.known_hosts import KnownHostsMode

#: The wait before each attempt to connect; no more attempts than these, for sites ban those who knock too often.
ATTEMPT_DELAYS_S = (0, 5, 20, 60)

# What paramiko logs, tracebacks and all, reaches a person as one of our errors instead.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Link:
    """A login to a host; see `SshHost` for what it is given.

    :param prompt: shows its argument and returns what a person types.
    """

    def __init__(
        self,
        connection: Connection | None,
        name: str,
        known_hosts: KnownHostsMode,
        prompt: Callable[[str], str],
    ) -> None:
        self.name = name
        self._connection = connection
        self._hops: list[Hop] = []
        self._proxies = Proxies()
        self._is_borrowed = connection is not None and connection.is_connected
        self._known_hosts: KnownHostsMode = known_hosts
        self._prompt = prompt
        self._logins: dict[int, Login] = {}  # of each hop, by its id(): Fabric takes hops to one host for equal
        self._failures = 0
        self._opening: Patience | None = None
        self._refusal: HostError | None = None
        self._lock = threading.Lock()
        if connection is not None and connection.is_connected:
            tune(connection.transport.sock)

    def transport(self) -> Transport:
        """Return the transport, logged in: as it is, or opened now.

        :raises HostError: it cannot be opened, or not without asking a person again.
        """
        with self._lock:
            if self._connection is None:
                self._hops = make_route(self.name)
                self._connection = self._hops[-1].connection
            if not self._connection.is_connected:
                self._open(self._connection)
            return cast("Transport", self._connection.transport)

    def channel(self) -> Channel:
        """Open a channel; a link that is found to be broken before anything began is made anew, once."""
        transport = self.transport()
        try:
            try:
                return open_channel(transport)
            except LINK_ERRORS:
                if transport.is_active():
                    raise
                return open_channel(self.transport())
        except LINK_ERRORS as error:
            raise explain_link(error, self.name) from error

    def _open(self, connection: Connection) -> None:
        """Log in, or raise why not."""
        if self._refusal is not None:
            raise self._refusal
        if self._is_borrowed or any(login.asked for login in self._logins.values()):
            raise LoginRefusedError(
                f"{self.name}: the link broke, and a new login might ask you again",
                hint="run the command again; managers on the host keep running without us",
            )
        try:
            with Patience(self.name, "the login") as self._opening:
                time.sleep(ATTEMPT_DELAYS_S[self._failures])
                self._log_in(connection)
        except HostError as error:
            self._failures += 1
            if isinstance(error, LoginRefusedError) or self._failures == len(ATTEMPT_DELAYS_S):
                self._refusal = error
            raise
        self._failures = 0

    def _ask(self, question: str) -> str:
        """Ask a person, who then knows what is waited for."""
        if self._opening is not None:
            self._opening.hush()
        return self._prompt(question)

    def _log_in(self, connection: Connection) -> None:
        """Open the gateways on the way, if any, and then the host."""
        self._hops = self._hops or complete_route(connection)
        try:
            for hop in self._hops:
                if not hop.connection.is_connected:
                    self._open_hop(hop, self.name if hop is self._hops[-1] else f"gateway {hop.settings.alias}")
        except BaseException:
            for hop in self._hops:
                hop.connection.client.close()
            self._proxies.end()
            raise

    def _open_hop(self, hop: Hop, name: str) -> None:
        """Open one connection on the way, whose gateway is open."""
        if id(hop) not in self._logins:
            self._logins[id(hop)] = prepare(hop, name, self._known_hosts, self._ask)
        try:
            hop.open(self._proxies)
        except LINK_ERRORS as error:
            raise explain_link(error, name) from error

    def close(self) -> None:
        """Close the connection and its gateways; a Connection that was handed in stays open."""
        with self._lock:
            for hop in reversed(self._hops):
                if hop.is_ours and self._hops[-1].is_ours:
                    hop.connection.close()
            if self._hops and self._hops[-1].is_ours:
                self._proxies.end()
