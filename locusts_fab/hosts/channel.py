"""Programs on the other side of a login: feed them, hear them, and let rsync run through the login that is there.

rsync wants to start its own ssh, which would log in again. It gets `fake_ssh.py` instead, which hands its pipes to us
through an inherited socket; we pump them to and from a channel of the transport that is logged in already.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from paramiko import SSHException

from locusts_fab.errors import TransferError
from locusts_fab.hosts.base import BEGIN_MARK
from locusts_fab.hosts.fake_ssh import LINK_BROKE
from locusts_fab.hosts.rsync import SILENCE_S, parse_moved, parse_progress, parse_skipped, shell_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paramiko import Channel, Transport

#: How much is read at once.
_PIECE = 1 << 16
#: How long a server may take to open a channel.
_CHANNEL_S = 60
#: How long a program may take over what is still on its way to it.
_DIGEST_S = 600
#: How many lines of complaints are kept for a message.
_COMPLAINTS = 20


def open_channel(transport: Transport) -> Channel:
    """Open a channel for one program.

    :raises SSHException: the link is broken, or the server gives no more channels.
    """
    return transport.open_session(timeout=_CHANNEL_S)


def converse(
    channel: Channel,
    command: str,
    source: BinaryIO,
    sink: Callable[[bytes], object],
    *,
    timeout_s: float | None = None,
) -> tuple[int | None, bytes]:
    """Start a command, feed it, take in what it prints, wait for its end. Channel and `source` are closed afterwards.

    :param source: what its stdin shall hold.
    :param sink: takes bytes of its stdout.
    :returns: its exit status, None if none came because the link broke or a signal ended it; and its stderr.
    :raises TimeoutError: it took longer than `timeout_s`.
    :raises SSHException: it could not be started.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        _hang_up(channel)

    complaint = bytearray()
    feeder = threading.Thread(target=_feed, args=(channel, source), daemon=True)
    listener = threading.Thread(target=_listen, args=(channel, complaint), daemon=True)
    timer = threading.Timer(timeout_s or 0, give_up)
    timer.daemon = True
    with contextlib.closing(channel):
        try:
            try:
                if timeout_s is not None:
                    timer.start()
                channel.exec_command(command)
                feeder.start()  # from now on it closes the source
            except BaseException:
                source.close()
                raise
            listener.start()
            while data := channel.recv(_PIECE):
                sink(data)
            status = channel.recv_exit_status()
            listener.join()
        except SSHException:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
    if late.is_set():
        raise TimeoutError
    return (None if status < 0 else status), bytes(complaint)


def pour(channel: Channel, command: str, pack: Callable[[Callable[[bytes], object]], object]) -> int:
    """Start a command and feed it what `pack` makes, in this thread. The channel is closed afterwards.

    :param pack: called with a function that sends bytes.
    :returns: its exit status; -1 if it was killed.
    :raises OSError: the other side took nothing for so long that it must be stuck; or what `pack` raises.
    :raises SSHException: it could not be started, or the link broke.
    """
    with contextlib.closing(channel):
        channel.settimeout(SILENCE_S)
        channel.set_combine_stderr(True)  # nobody reads either: if this fails, rsync says why
        channel.exec_command(command)
        pack(channel.sendall)
        channel.shutdown_write()
        channel.settimeout(_DIGEST_S)
        while channel.recv(_PIECE):
            pass
        return channel.recv_exit_status()


def hear(channel: Channel, words: list[str], source: BinaryIO, take: Callable[[IO[bytes]], object]) -> int | None:
    """Run a program that reads `source` and prints data; start-up files of the login shell may print before it.

    :param take: called with what it prints, as a stream, in a thread of its own.
    :returns: its exit status; None if the link broke.
    :raises OSError: it said nothing for so long that it must be stuck, or `take` raised it.
    :raises SSHException: it could not be started, or the link broke.
    """
    faults: list[OSError] = []

    def listen(stream: BinaryIO) -> None:
        with stream:
            try:
                take(stream)
            except OSError as error:
                faults.append(error)
            while stream.read(_PIECE):  # so that nobody waits for us
                pass

    with contextlib.closing(channel), _pipe() as (output, input_):
        listener = threading.Thread(target=listen, args=(output,), daemon=True)
        listener.start()
        try:
            with input_:
                channel.settimeout(SILENCE_S)
                status, _ = converse(channel, remote_command(words), source, _AfterMark(input_).take)
        finally:
            listener.join()
    if faults:
        raise faults[0]
    return status


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Give the two ends of a pipe, closed afterwards."""
    output, input_ = os.pipe()
    with os.fdopen(output, "rb") as reading, os.fdopen(input_, "wb", buffering=0) as writing:
        yield reading, writing


def _hang_up(channel: Channel) -> None:
    """Close a channel, whose link may just be breaking."""
    with contextlib.suppress(OSError, EOFError, SSHException):
        channel.close()


def _feed(channel: Channel, source: BinaryIO) -> None:
    """Send all that `source` holds, then say that there is no more."""
    # A program that has ended takes no more; whoever reads its output learns why.
    with source, contextlib.suppress(OSError, EOFError, SSHException):
        while data := source.read(_PIECE):
            channel.sendall(data)
        channel.shutdown_write()


def _listen(channel: Channel, complaint: bytearray) -> None:
    """Keep what a program writes to stderr."""
    with contextlib.suppress(TimeoutError):  # where silence on stdout is timed
        while data := channel.recv_stderr(_PIECE):
            complaint.extend(data)


class _AfterMark:
    """Passes on what comes after `BEGIN_MARK`: what the start-up files of a login shell print is not for rsync."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.begun = False
        self.noise = b""

    def take(self, data: bytes) -> None:
        """Take the next bytes that came."""
        if not self.begun:
            noise, mark, data = (self.noise + data).partition(BEGIN_MARK)
            self.noise = noise[-_PIECE:]
            self.begun = bool(mark)
        # An rsync that has ended takes no more; it knows why.
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[self.file.write(data) :]


def remote_command(words: list[str]) -> str:
    """Return the command that prints the mark on both streams and becomes rsync, for a login shell of any kind."""
    mark = f"printf %s {shlex.quote(BEGIN_MARK.decode().strip())}; echo"
    script = f"{{ {mark}; }} >&2; {mark}; exec {shlex.join(words)}"
    return f"bash -c {shlex.quote(script)}"


@dataclass
class Transfer:
    """What one run of rsync came to.

    :param status: its exit status.
    :param host_status: the exit status of its half on the host; None if none came.
    :param files: how many files moved, known only if progress was asked for.
    :param moved: the bytes that moved.
    :param skipped: names of things that are neither files nor folders and stayed behind.
    :param complaints: the last lines it complained of, its own and those of the shell on the host.
    """

    status: int = LINK_BROKE
    host_status: int | None = None
    files: int = 0
    moved: int = 0
    skipped: list[str] = field(default_factory=list)
    complaints: deque[str] = field(default_factory=lambda: deque(maxlen=_COMPLAINTS))

    @property
    def complaint(self) -> str:
        """The complaints as text."""
        return "\n".join(self.complaints)


def run_rsync(
    transport: Transport,
    arguments: Callable[[str], list[str]],
    names: IO[bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Transfer:
    """Run rsync here with its other half on the host.

    :param arguments: makes the command, given what rsync shall start in place of ssh.
    :param names: what rsync reads on its stdin.
    :param progress: called with (files done, bytes moved) now and then.
    :raises TransferError: rsync is not installed here.
    """
    transfer = Transfer()
    door, inherited = socket.socketpair()
    with (
        door,
        inherited,
        _start(arguments(_handover_command(inherited.fileno())), names, inherited.fileno()) as process,
    ):
        inherited.close()
        threads = [
            threading.Thread(target=_serve, args=(transport, door, transfer), daemon=True),
            threading.Thread(target=_complain, args=(process.stderr, transfer), daemon=True),
        ]
        try:
            for thread in threads:
                thread.start()
            _follow(process.stdout, transfer, progress)
            transfer.status = process.wait()
        finally:
            # After a Ctrl-C, rsync and its handover; their end closes the channel.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
    return transfer


def _handover_command(door: int) -> str:
    """Return what rsync starts in place of ssh. Python skips all that it can: it starts in 10 ms."""
    program = Path(__file__).with_name("fake_ssh.py")
    return f"{shell_word(sys.executable)} -I -S -E {shell_word(os.fspath(program))} {door}"


def _start(arguments: list[str], names: IO[bytes] | None, door: int) -> subprocess.Popen[bytes]:
    """Start rsync, deaf to its own environment variables and to the terminal's Ctrl-C, which is for us."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RSYNC_")}
    try:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL if names is None else names,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[door],
            env={**environment, "LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError as error:
        raise TransferError(
            f"rsync could not be started on this machine: {error}", hint="install rsync 3.1 or newer"
        ) from error


def _follow(stdout: IO[bytes] | None, transfer: Transfer, progress: Callable[[int, int], None] | None) -> None:
    """Read what rsync reports until it ends. Lines of progress end in a carriage return."""
    rest = b""
    while stdout and (data := os.read(stdout.fileno(), _PIECE)):
        *lines, rest = (rest + data.replace(b"\r", b"\n")).split(b"\n")
        for line in map(os.fsdecode, lines):
            if progress and (seen := parse_progress(line)):
                transfer.files = transfer.files if seen[0] is None else seen[0]
                progress(transfer.files, seen[1])
            elif (moved := parse_moved(line)) is not None:
                transfer.moved = moved
            elif (name := parse_skipped(line)) is not None:
                transfer.skipped.append(name)


def _complain(stderr: IO[bytes] | None, transfer: Transfer) -> None:
    """Keep the last lines of what rsync complains of."""
    for line in stderr or ():
        if text := os.fsdecode(line).strip():
            transfer.complaints.append(text)


def _serve(transport: Transport, door: socket.socket, transfer: Transfer) -> None:
    """Wait for the handover, run its command on the host, report the exit status back."""
    message, descriptors, _, _ = socket.recv_fds(door, _PIECE, 3)
    if not descriptors:  # rsync ended without starting anything
        return
    for descriptor in descriptors[:2]:
        os.set_blocking(descriptor, True)  # rsync hands over non-blocking ends
    wants, gets = os.fdopen(descriptors[0], "rb", buffering=0), os.fdopen(descriptors[1], "wb", buffering=0)
    with socket.socket(fileno=descriptors[2]) as leash:
        try:
            with gets, contextlib.closing(open_channel(transport)) as channel, _tied(channel, leash):
                transfer.host_status = _pump(channel, os.fsdecode(message).split("\0"), wants, gets, transfer)
        except (OSError, EOFError, SSHException) as error:
            wants.close()
            transfer.complaints.append(str(error) or type(error).__name__)
        with contextlib.suppress(OSError):
            status = LINK_BROKE if transfer.host_status is None else transfer.host_status
            leash.sendall(bytes([min(status, LINK_BROKE)]))


@contextlib.contextmanager
def _tied(channel: Channel, leash: socket.socket) -> Iterator[None]:
    """Close the channel as soon as the process at the other end of the leash is gone."""

    def watch() -> None:
        leash.recv(1)
        _hang_up(channel)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        leash.shutdown(socket.SHUT_RD)  # wakes the watcher
        watcher.join()


def _pump(channel: Channel, words: list[str], wants: BinaryIO, gets: BinaryIO, transfer: Transfer) -> int | None:
    """Run rsync's other half on a channel, between the pipes that rsync handed over."""
    output = _AfterMark(gets)
    status, complaint = converse(channel, remote_command(words), wants, output.take)
    complaint = complaint.rpartition(BEGIN_MARK)[2] if output.begun else output.noise + b"\n" + complaint
    transfer.complaints.extend(line for line in os.fsdecode(complaint).splitlines() if line.strip())
    return status
