"""ProxyCommand, run as OpenSSH runs it: by the user's shell, its stdin and stdout being the link."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess

#: How long a command may take to end by itself once the link is closed.
_GRACE_S = 2.0


class Proxy:
    """A command that carries a link.

    :param command: the command, its tokens replaced.
    :raises OSError: the shell cannot be started.
    """

    def __init__(self, command: str) -> None:
        #: Our end of the link.
        self.sock, theirs = socket.socketpair()
        shell = os.environ.get("SHELL") or "/bin/sh"
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [shell, "-c", f"exec {command}"], stdin=theirs.fileno(), stdout=theirs.fileno()
                )
            except BaseException:
                self.sock.close()
                raise

    def end(self) -> None:
        """Close the link and see that the command is gone."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Proxies:
    """The commands that carry links, by a number that tells them apart."""

    def __init__(self) -> None:
        self._running: dict[int, Proxy] = {}

    def start(self, key: int, command: str) -> socket.socket:
        """Start a command, in place of the one with the same key, and return our end of its link."""
        if key in self._running:
            self._running.pop(key).end()
        self._running[key] = Proxy(command)
        return self._running[key].sock

    def end(self) -> None:
        """End them all."""
        while self._running:
            self._running.popitem()[1].end()
