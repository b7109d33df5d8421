"""rsync, run here with its other half on a host, through the login that is there already.

rsync wants to start its own ssh, which would log in again. It starts `fake_ssh.py` instead:

1. `run_rsync` makes a pair of sockets and starts rsync with `-e "python fake_ssh.py N"`. N is the number of one of the
   two, the control socket, which rsync and its child processes inherit.
2. rsync starts `python fake_ssh.py N HOST COMMAND...`, where it would start `ssh HOST COMMAND...`. COMMAND is the rsync
   to run on the host. The stdin and stdout of `fake_ssh.py` are pipes to rsync.
3. `fake_ssh.py` sends one message through the control socket: COMMAND, its stdin, its stdout, and one end of a new pair
   of sockets, the leash. It keeps the other end of the leash, closes its stdin and stdout, and waits.
4. `_serve`, in a thread of ours, takes that message and opens a channel of the login. COMMAND runs there, and `_pump`
   carries bytes between the channel and the two pipes, until COMMAND has ended.
5. `_serve` writes the exit status of COMMAND to the leash, as one byte. `fake_ssh.py` exits with it, so to rsync it
   looks like an ssh that has ended. Meanwhile `_follow` and `_complain` read what rsync itself prints.

Where it goes another way:

* rsync starts no `fake_ssh.py`, as for an option that it does not know: nobody holds the control socket any more, so
  `_serve` reads its end instead of a message, and ends too.
* The link breaks, or no channel can be opened: `_serve` closes the pipes and writes `LINK_BROKE` to the leash, which is
  what ssh exits with then. rsync ends by itself; `SshHost` decides whether to start it again.
* `fake_ssh.py` dies: the leash comes to its end, by which `_tied` knows that nobody waits any more. It closes the
  channel, so COMMAND ends as well.
* Ctrl-C: rsync runs in a session of its own, so the signal reaches us only. `run_rsync` kills rsync and `fake_ssh.py`,
  and the rest follows as if `fake_ssh.py` had died.
"""

from __future__ import annotations

import contextlib
import os
import resource
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

from locusts_fab.bounds.budget import COMPLAINT, Account, Most, TooMuchError
from locusts_fab.errors import TransferError
from locusts_fab.hosts.base import BEGIN_MARK, too_much
from locusts_fab.hosts.channel import AfterMark, converse, hang_up, open_channel, remote_command
from locusts_fab.hosts.fake_ssh import LINK_BROKE
from locusts_fab.hosts.patience import transfer_patience
from locusts_fab.hosts.rsync import parse_moved, parse_progress, parse_skipped, shell_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paramiko import Channel, Transport

    from locusts_fab.bounds.budget import FreeSpace
    from locusts_fab.errors import HostError
    from locusts_fab.hosts.patience import Patience

#: How much is read at once, in bytes.
_PIECE = 1 << 16
#: How many lines of complaints are kept for a message, and of each line how many bytes.
_COMPLAINTS = 20
_LONGEST_LINE = 4_096
#: Its progress is some lines a second, and a line for each thing that it passes over.
_MOST_REPORTED = 256_000_000
#: How many names of what stayed behind are kept.
_MOST_SKIPPED = 1_000
#: The memory of each process of rsync here, in bytes: a list of a million files fits, one without end does not.
_MOST_MEMORY = 300_000_000


@dataclass
class RsyncRun:
    """How one run of rsync ended, and what it reported.

    :param status: its exit status.
    :param host_status: the exit status of its half on the host; None if none came.
    :param files: how many files moved, known only if progress was asked for.
    :param moved: the bytes that moved.
    :param skipped: names of things that are neither files nor folders and stayed behind.
    :param complaints: the last lines of its stderr, and of that of its half on the host.
    :param error: why we ended it, if we did.
    :param too_much: what more came of than can be right, if that is why.
    """

    status: int = LINK_BROKE
    host_status: int | None = None
    files: int = 0
    moved: int = 0
    skipped: list[str] = field(default_factory=list)
    complaints: deque[str] = field(default_factory=lambda: deque(maxlen=_COMPLAINTS))
    error: HostError | None = None
    too_much: TooMuchError | None = None

    @property
    def complaint(self) -> str:
        """Return the complaints as one text."""
        return "\n".join(self.complaints)


def run_rsync(
    transport: Transport,
    arguments: Callable[[str], list[str]],
    names: IO[bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    name: str,
    space: FreeSpace | None = None,
) -> RsyncRun:
    """Run rsync here with its other half on the host, and wait for its end; a failure is a result, not an error.

    :param transport: the login.
    :param arguments: returns the command, given what rsync shall start in place of ssh.
    :param names: a file that rsync reads as its stdin; None: nothing.
    :param progress: called with (files done, bytes moved) now and then.
    :param name: the name of the host, for messages.
    :param space: where the files come to, if they come here.
    :returns: how it ended.
    :raises TransferError: rsync is not installed here.
    """
    run = RsyncRun()
    control, inherited = socket.socketpair()
    with (
        control,
        inherited,
        _start(arguments(_fake_ssh_command(inherited.fileno())), names, inherited.fileno()) as process,
    ):
        inherited.close()
        if space is not None:  # the host says how many files there are
            resource.prlimit(process.pid, resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        patience = transfer_patience(name, lambda: _kill(process), space)
        threads = [
            threading.Thread(target=_serve, args=(transport, control, run, patience), daemon=True),
            threading.Thread(target=_complain, args=(process, run), daemon=True),
        ]
        try:
            for thread in threads:
                thread.start()
            with patience:
                _follow(process, run, progress)
                run.status = process.wait()
        finally:
            _kill(process)  # after a Ctrl-C, rsync and fake_ssh.py; their end closes the channel
            for thread in threads:
                thread.join()
    run.error = patience.error if run.too_much is None else too_much(run.too_much, name)
    return run


def _fake_ssh_command(control: int) -> str:
    """Return what rsync starts in place of ssh; with these options Python starts in 10 ms."""
    program = Path(__file__).with_name("fake_ssh.py")
    return f"{shell_word(sys.executable)} -I -S -E {shell_word(os.fspath(program))} {control}"


def _start(arguments: list[str], names: IO[bytes] | None, control: int) -> subprocess.Popen[bytes]:
    """Start rsync, without its own environment variables, where the terminal's Ctrl-C does not reach it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RSYNC_")}
    try:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL if names is None else names,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[control],
            env={**environment, "LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError as error:
        raise TransferError(
            f"rsync could not be started on this machine: {error}", hint="install rsync 3.1 or newer"
        ) from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End rsync here, and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _follow(process: subprocess.Popen[bytes], run: RsyncRun, progress: Callable[[int, int], None] | None) -> None:
    """Read what rsync reports until it ends. Lines of progress end in a carriage return."""
    for line in _lines(process, process.stdout, run, Most(_MOST_REPORTED, what="what rsync reports")):
        if progress and (seen := parse_progress(line)):
            run.files = run.files if seen[0] is None else seen[0]
            progress(run.files, seen[1])
        elif (moved := parse_moved(line)) is not None:
            run.moved = moved
        elif (name := parse_skipped(line)) is not None and len(run.skipped) < _MOST_SKIPPED:
            run.skipped.append(name)


def _complain(process: subprocess.Popen[bytes], run: RsyncRun) -> None:
    """Keep the last lines of rsync's stderr, which are also what the host wants to have said."""
    run.complaints.extend(filter(None, map(str.strip, _lines(process, process.stderr, run, COMPLAINT))))


def _lines(process: subprocess.Popen[bytes], stream: IO[bytes] | None, run: RsyncRun, most: Most) -> Iterator[str]:
    """Yield the lines that rsync prints, each cut to a length that makes sense; if they do not end, end it."""
    account = Account(most)
    rest = b""
    while stream and (data := os.read(stream.fileno(), _PIECE)):
        try:
            account.take(data)
        except TooMuchError as error:
            run.too_much = run.too_much or error
            _kill(process)
            return
        *lines, rest = (rest[:_LONGEST_LINE] + data.replace(b"\r", b"\n")).split(b"\n")
        yield from (os.fsdecode(line[:_LONGEST_LINE]) for line in lines)
    yield os.fsdecode(rest[:_LONGEST_LINE])


def _serve(transport: Transport, control: socket.socket, run: RsyncRun, patience: Patience) -> None:
    """Wait for what fake_ssh.py hands over, run its command on the host, and report the exit status back."""
    message, descriptors, _, _ = socket.recv_fds(control, _PIECE, 3)
    if not descriptors:  # rsync ended without starting anything
        return
    for descriptor in descriptors[:2]:
        os.set_blocking(descriptor, True)  # rsync hands over non-blocking ends
    wants, gets = os.fdopen(descriptors[0], "rb", buffering=0), os.fdopen(descriptors[1], "wb", buffering=0)
    with socket.socket(fileno=descriptors[2]) as leash:
        try:
            with gets, contextlib.closing(open_channel(transport)) as channel, _tied(channel, leash):
                run.host_status = _pump(channel, os.fsdecode(message).split("\0"), wants, gets, run, patience)
        except TooMuchError as error:
            run.too_much = run.too_much or error
        except (OSError, EOFError, SSHException) as error:
            wants.close()
            run.complaints.append(str(error) or type(error).__name__)
        with contextlib.suppress(OSError):
            status = LINK_BROKE if run.host_status is None else run.host_status
            leash.sendall(bytes([min(status, LINK_BROKE)]))


@contextlib.contextmanager
def _tied(channel: Channel, leash: socket.socket) -> Iterator[None]:
    """Close the channel as soon as the process at the other end of the leash is gone."""

    def watch() -> None:
        leash.recv(1)
        hang_up(channel)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        leash.shutdown(socket.SHUT_RD)  # wakes the watcher
        watcher.join()


def _pump(
    channel: Channel, words: list[str], wants: BinaryIO, gets: BinaryIO, run: RsyncRun, patience: Patience
) -> int | None:
    """Run rsync's other half on a channel, between the pipes that rsync handed over."""
    output = AfterMark(gets)
    status, complaint = converse(channel, remote_command(words), wants, output.take, patience=patience)
    complaint = complaint.rpartition(BEGIN_MARK)[2] if output.begun else output.noise + b"\n" + complaint
    run.complaints.extend(line for line in os.fsdecode(complaint).splitlines() if line.strip())
    return status
