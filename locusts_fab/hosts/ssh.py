"""A host behind a Fabric connection: scripts run there and files travel to and from it, all through one login.

Modules below this one: `connection.py` makes the connection, `auth.py` logs in, `channel.py` runs programs on the host,
`rsync_process.py` runs rsync, and `untar.py` takes in what tar on the host packs.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from locusts_fab.bounds.budget import ANSWER, Account, FreeSpace, Most, TooMuchError
from locusts_fab.bounds.names import Name, UnsafeNameError
from locusts_fab.errors import HostError, TransferError
from locusts_fab.hosts.auth import ask_on_terminal
from locusts_fab.hosts.base import Result, frame, too_much, unframe
from locusts_fab.hosts.channel import converse, hang_up, hear, pour
from locusts_fab.hosts.connection import LINK_ERRORS, explain_link
from locusts_fab.hosts.link import Link
from locusts_fab.hosts.patience import QUIET_S, TARGET, TOTAL_S, Patience, transfer_patience
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
from locusts_fab.shell.quoting import for_login_shell, quote_word
from locusts_fab.shell.scripts import PUT_AWAY, remote_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fabric import Connection

    from locusts_fab.hosts.openssh.known_hosts import KnownHostsMode
    from locusts_fab.layout import Environment

#: The wait before rsync is started again after a hiccup of the link; what has arrived does not move again.
TRANSFER_DELAYS_S = (2, 10)

#: How many names one rsync is asked for. It checks each file that comes against all of them, which takes their square.
_BATCH = 5000
#: Exit statuses of rsync when single files did not move.
_PARTLY = (23, 24)

# $1 a folder; an archive comes on stdin. Folders that it does not name come out 0700 too.
_UNPACK = f'{PUT_AWAY}; umask 077; exec tar -xpof - -C "$1"'
# How tar packs files whose names come on stdin, each with a NUL after it.
_PACK = ("--format=gnu", "--hard-dereference", "--no-unquote", "--null", "-T", "-")


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
        self._link = Link(connection, host, known_hosts, prompt or ask_on_terminal)

    def run(
        self,
        script: str,
        *args: str,
        timeout_s: float = TOTAL_S,
        quiet_s: float = QUIET_S,
        waits_for: str = TARGET,
        most: Most = ANSWER,
    ) -> Result:
        """Run a bash script on the host; see `Host.run`."""
        source = io.BytesIO(frame(script, args))
        channel = self._link.channel()
        patience = Patience(self.name, waits_for, quiet_s=quiet_s, total_s=timeout_s, give_up=lambda: hang_up(channel))
        stdout, account = bytearray(), Account(most)

        def take(data: bytes) -> None:
            account.take(data)
            stdout.extend(data)

        try:
            with contextlib.closing(channel), patience:
                status, stderr = converse(channel, "bash -s", source, take, patience=patience, holds=True)
        except TooMuchError as error:
            raise too_much(error, self.name) from error
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
        return unframe(stdout, stderr, self.name)

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
        ignores_times: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Send files, symlinks and folders as such; see `Carrier.push_names`."""
        self._make_folder(destination)
        how = {"ignores_times": ignores_times, "progress": progress is not None}
        with tempfile.TemporaryFile() as listing:
            listing.write(_listing(map(_inner_path, names)))
            run = self._rsync(
                lambda shell: tree_arguments(source, destination, shell, **how),
                self.name,
                names=listing,
                progress=progress,
            )
        return run.moved

    def unpack(self, environment: Environment, pack: Callable[[Callable[[bytes], object]], object]) -> bool:
        """Fill a new environment out of a tar archive, by tar on the host; see `Carrier.unpack`."""
        arguments = (environment.root, environment.id, f".arriving.{secrets.token_hex(4)}")
        if self.run(remote_script("new_folder"), *arguments).exit_status != 0:
            return False
        command = for_login_shell(f"set -- {quote_word(f'{arguments[0]}/{arguments[-1]}')}; {_UNPACK}")
        channel = self._link.channel()
        patience = transfer_patience(self.name, lambda: hang_up(channel))
        try:
            with patience:
                has_come = pour(channel, command, pack, patience) == 0
        except TooMuchError as error:
            raise too_much(error, self.name) from error
        except LINK_ERRORS:
            has_come = False
        if patience.error is not None:
            raise patience.error
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

        is_over, patience = self._hear(words, _listing(sorted(wanted)), take, destination)
        if patience.error is not None:
            raise patience.error
        return is_over

    def _hear(
        self, words: list[str], source: bytes, take: Callable[[IO[bytes]], object], folder: Path
    ) -> tuple[bool, Patience]:
        """Run a program and take in what it prints; see `Carrier.stream` for what is given.

        :returns: whether it came to its end, and who waited for it, who may have given it up.
        :raises HostError: more came than can be expected.
        """
        channel, space = self._link.channel(), FreeSpace(folder)
        patience = transfer_patience(self.name, lambda: hang_up(channel), space)
        try:
            with patience:
                status = hear(channel, words, io.BytesIO(source), take, patience)
        except TooMuchError as error:
            raise too_much(error, self.name) from error
        except LINK_ERRORS:
            status = None
        return status == 0, patience

    def stream(self, script: str, *args: str, source: bytes, take: Callable[[IO[bytes]], object], folder: Path) -> bool:
        """Run a script that prints data, and take it in as it comes; see `Carrier.stream`."""
        faults: list[OSError] = []

        def take_or_note(stream: IO[bytes]) -> None:
            try:
                take(stream)
            except OSError as error:
                faults.append(error)  # else it would be taken for one of the link
                raise

        # over SSH a second bash would run the start-up files once more, and they print after the mark then
        words = ["bash", "--norc", "--noprofile", "-c", script, "bash", *args]
        is_over, patience = self._hear(words, source, take_or_note, folder)
        if faults:
            raise faults[0]
        if patience.error is not None:
            raise patience.error
        return is_over

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
        done, moved, space = 0, 0, FreeSpace(destination)

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
                    space=space,
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
        space: FreeSpace | None = None,
        accept: tuple[int, ...] = (),
    ) -> RsyncRun:
        """Run rsync, and again after a hiccup as long as the login holds.

        :param receiver: the name of the side that writes files, in messages.
        :param space: where files come to, if they come here.
        :param accept: exit statuses that are no failure, besides 0.
        :raises TransferError: it failed for good.
        :raises HostError: it took too long, or more came than can be right.
        """
        transport = self._link.transport()  # and no other one: what shows only now that it broke is not made anew
        for delay_s in (*TRANSFER_DELAYS_S, None):
            if names is not None:
                names.seek(0)
            run = run_rsync(transport, arguments, names, progress, name=self.name, space=space)
            if run.error is not None:
                raise run.error
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

    def close(self) -> None:
        """Close the connection and its gateways; a Connection that was handed in stays open."""
        self._link.close()


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
