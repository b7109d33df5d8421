"""A host behind a Fabric connection: scripts run there and files travel to and from it, all through one login.

Modules below this one: `connection.py` makes the connection, `auth.py` logs in, `channel.py` runs programs on the host,
`rsync_process.py` runs rsync, and `untar.py` takes in what tar on the host packs.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import secrets
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from locusts_fab.bounds.names import Name, UnsafeNameError
from locusts_fab.errors import HostError, LoginRefusedError, TransferError
from locusts_fab.hosts.auth import Login, ask_on_terminal, prepare, tune
from locusts_fab.hosts.base import Result, frame, unframe
from locusts_fab.hosts.channel import converse, hang_up, hear, open_channel, pour
from locusts_fab.hosts.connection import LINK_ERRORS, Hop, complete_route, explain_link, make_route
from locusts_fab.hosts.openssh.proxy import Proxies
from locusts_fab.hosts.patience import ANSWER, QUIET_S, TOTAL_S, Patience
from locusts_fab.hosts.rsync import (
    explain,
    is_pattern_to_rsync,
    pull_arguments,
    push_arguments,
    tree_arguments,
    worth_telling,
)
from locusts_fab.hosts.rsync_process import RsyncRun, run_rsync
from locusts_fab.hosts.untar import take_files
from locusts_fab.shell.quoting import quote_words
from locusts_fab.shell.scripts import remote_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fabric import Connection
    from paramiko import Channel, Transport

    from locusts_fab.hosts.known_hosts import KnownHostsMode
    from locusts_fab.layout import Environment

#: The wait before each attempt to connect; no more attempts than these, for sites ban those who knock too often.
ATTEMPT_DELAYS_S = (0, 5, 20, 60)
#: The wait before rsync is started again after a hiccup of the link; what has arrived does not move again.
TRANSFER_DELAYS_S = (2, 10)

#: How many names one rsync is asked for. It checks each file that comes against all of them, which takes their square.
_BATCH = 5000
#: Exit statuses of rsync when single files did not move.
_PARTLY = (23, 24)

# What paramiko logs, tracebacks and all, reaches a person as one of our errors instead.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


# $1 a folder; an archive comes on stdin. Folders that it does not name come out 0700 too.
_UNPACK = 'umask 077; exec tar -xpof - -C "$1"'
# How tar packs files whose names come on stdin, each with a NUL after it.
_PACK = ("--format=gnu", "--hard-dereference", "--null", "-T", "-")


class SshHost:
    """A machine reached over SSH; a `Carrier`. It logs in when it is first used.

    :param connection: a Fabric Connection to use instead of one of our own. If it is open already it is taken as it is;
        if not, it is opened our way, host keys checked. It is never closed here: it belongs to whoever made it.
    :param host: an alias of ssh_config, or user@host:port; messages use it as the host's name.
    :param known_hosts: `strict`: the host's key must be known; `accept-new`: an unknown one is kept if ssh_config
        allows it. A changed one is refused always.
    :param prompt: shows its argument and returns what a person types; the default asks at the terminal.
    """

    def __init__(
        self,
        connection: Connection | None = None,
        *,
        host: str,
        known_hosts: KnownHostsMode = "strict",
        prompt: Callable[[str], str] | None = None,
    ) -> None:
        self.name = host
        self._connection = connection
        self._hops: list[Hop] = []
        self._proxies = Proxies()
        self._is_borrowed = connection is not None and connection.is_connected
        self._known_hosts: KnownHostsMode = known_hosts
        self._prompt = prompt or ask_on_terminal
        self._logins: dict[int, Login] = {}  # of each hop, by its id(): Fabric takes hops to one host for equal
        self._failures = 0
        self._opening: Patience | None = None
        self._refusal: HostError | None = None
        self._lock = threading.Lock()
        if connection is not None and connection.is_connected:
            tune(connection.transport.sock)

    def run(
        self, script: str, *args: str, timeout_s: float = TOTAL_S, quiet_s: float = QUIET_S, waits_for: str = ANSWER
    ) -> Result:
        """Run a bash script on the host; see `Host.run`."""
        source = io.BytesIO(frame(script, args))
        channel = self._channel()
        patience = Patience(self.name, waits_for, quiet_s=quiet_s, total_s=timeout_s, give_up=lambda: hang_up(channel))
        stdout = bytearray()
        try:
            with contextlib.closing(channel), patience:
                status, stderr = converse(channel, "bash -s", source, stdout.extend, patience=patience, holds=True)
        except LINK_ERRORS as error:
            raise patience.error or explain_link(error, self.name) from error
        if patience.error is not None:
            raise patience.error
        if status is None:
            raise HostError(
                f"{self.name}: the link broke while a script ran, or the script was killed",
                hint="run the command again; managers on the host keep running without us",
                stderr=os.fsdecode(stderr),
                may_pass=True,
            )
        return unframe(bytes(stdout), stderr, self.name)

    def _channel(self) -> Channel:
        """Open a channel; a link that is found to be broken before anything began is made anew, once."""
        transport = self._transport()
        try:
            try:
                return open_channel(transport)
            except LINK_ERRORS:
                if transport.is_active():
                    raise
                return open_channel(self._transport())
        except LINK_ERRORS as error:
            raise explain_link(error, self.name) from error

    def push(
        self,
        source: Path,
        destination: str,
        *,
        delete: Sequence[str] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Send what a local folder holds; see `Carrier.push`.

        Folders come out 0700, files keep what their owner may do with them.
        """
        self._make_folder(destination)
        run = self._rsync(
            lambda shell: push_arguments(source, destination, shell, delete=delete, progress=progress is not None),
            self.name,
            progress=progress,
        )
        if run.skipped:
            raise TransferError(
                f"{self.name}: neither files nor folders, so they did not move: {', '.join(run.skipped)}",
                hint="remove them from what is to be sent",
            )
        return run.moved

    def push_names(
        self,
        source: Path,
        names: Iterable[bytes],
        destination: str,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Send files, symlinks and folders as such; see `Carrier.push_names`."""
        self._make_folder(destination)
        with tempfile.TemporaryFile() as listing:
            listing.write(_listing(map(_inner_path, names)))
            run = self._rsync(
                lambda shell: tree_arguments(source, destination, shell, progress=progress is not None),
                self.name,
                names=listing,
                progress=progress,
            )
        return run.moved

    def unpack(self, environment: Environment, pack: Callable[[Callable[[bytes], object]], object]) -> bool:
        """Fill a new environment out of a tar archive, by tar on the host; see `Carrier.unpack`."""
        arguments = (environment.root, environment.id, f"arriving.{secrets.token_hex(4)}")
        if self.run(remote_script("new_folder"), *arguments).exit_status != 0:
            return False
        command = quote_words(["bash", "-c", _UNPACK, "bash", f"{arguments[0]}/{arguments[-1]}"])
        try:
            has_come = pour(self._channel(), command, pack) == 0
        except LINK_ERRORS:
            return False
        return has_come and self.run(remote_script("take_in"), *arguments).exit_status == 0

    def fetch(
        self,
        source: str,
        names: Iterable[bytes],
        destination: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> bool:
        """Fetch files and folders, packed by tar on the host; see `Carrier.fetch`."""
        wanted = {_inner_path(name) for name in names}
        words = ["tar", "-cf", "-", "-C", source, *_PACK]

        def take(stream: IO[bytes]) -> None:
            take_files(stream, wanted, destination, progress)

        try:
            return hear(self._channel(), words, io.BytesIO(_listing(sorted(wanted))), take) == 0
        except LINK_ERRORS:
            return False

    def _make_folder(self, folder: str) -> None:
        made = self.run('umask 077 && mkdir -p -- "$1"', folder)
        if made.exit_status != 0:
            raise TransferError(
                f"{self.name}: the folder {folder} cannot be made:\n{made.stderr.strip()}",
                hint="check the path, permissions and quota on the host",
                stderr=made.stderr,
            )

    def pull(
        self,
        source: str,
        names: Iterable[bytes],
        destination: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[bytes]:
        """Fetch files and folders by rsync; see `Carrier.pull`."""
        wanted = {name: _inner_path(name) for name in names}
        paths = [path for path in wanted.values() if not is_pattern_to_rsync(path)]
        done, moved = 0, 0

        def report(files: int, size: int) -> None:
            if progress is not None:
                progress(done + files, moved + size)

        for first in range(0, len(paths), _BATCH):
            batch = paths[first : first + _BATCH]
            with tempfile.TemporaryFile() as listing:
                listing.write(_listing(batch))
                run = self._rsync(
                    lambda shell: pull_arguments(source, destination, shell, progress=progress is not None),
                    "this machine",
                    names=listing,
                    progress=report if progress is not None else None,
                    accept=_PARTLY,
                )
            done, moved = done + run.files, moved + run.moved
        root = os.fsencode(destination)
        _remove_irregular(root)
        others = [path for path in set(wanted.values()).difference(paths) if not os.path.lexists(root + b"/" + path)]
        if others:
            self.fetch(source, others, destination)  # what does not come is told below
        return [name for name, path in wanted.items() if not os.path.lexists(root + b"/" + path)]

    def _rsync(
        self,
        arguments: Callable[[str], list[str]],
        receiver: str,
        *,
        names: BinaryIO | None = None,
        progress: Callable[[int, int], None] | None = None,
        accept: tuple[int, ...] = (),
    ) -> RsyncRun:
        """Run rsync, and again after a hiccup as long as the login holds.

        :param receiver: the name of the side that writes files, in messages.
        :param accept: exit statuses that are no failure, besides 0.
        :raises TransferError: it failed for good.
        """
        transport = self._transport()  # and no other one: what shows only now that it broke is not made anew
        for delay_s in (*TRANSFER_DELAYS_S, None):
            if names is not None:
                names.seek(0)
            run = run_rsync(transport, arguments, names, progress)
            failure = explain(run.status, run.host_status, run.complaint, receiver)
            if run.status == 0 or (run.status in accept and not failure.fatal):
                return run
            if not failure.retry or delay_s is None or not transport.is_active():
                break
            time.sleep(delay_s)
        raise TransferError(
            "\n".join([f"{self.name}: rsync failed: {failure.cause}", *worth_telling(run.complaints)]),
            hint=failure.hint,
            stderr=run.complaint,
        )

    def _transport(self) -> Transport:
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


def _inner_path(name: bytes) -> bytes:
    """Return a name in its plain form, without `.`, doubled slashes and the like.

    :raises TransferError: it does not name something below the folder.
    """
    try:
        return os.fsencode(Name(os.path.normpath(os.fsdecode(name)) if name else ""))
    except UnsafeNameError as error:
        raise TransferError(f"this is no path below the folder to bring it from: {error}") from error


def _listing(paths: Iterable[bytes]) -> bytes:
    """Return a list of paths for rsync or tar; after a ./ it does not matter that a name begins with # or ; or -."""
    return b"".join(b"./" + path + b"\0" for path in paths)


def _remove_irregular(folder: bytes) -> None:
    """Remove what is neither a file nor a folder: we asked rsync for none, but the host serves what it likes."""
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                _remove_irregular(entry.path)
            elif not entry.is_file(follow_symlinks=False):
                Path(os.fsdecode(entry.path)).unlink()
