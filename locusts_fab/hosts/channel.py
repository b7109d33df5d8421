"""Programs on the other side of a login: start them, feed them, take in what they print."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import IO, TYPE_CHECKING, BinaryIO

from paramiko import ChannelException, SSHException

from locusts_fab.bounds.budget import COMPLAINT, Account, Most, Tail, TooMuchError
from locusts_fab.hosts.base import BEGIN_MARK
from locusts_fab.hosts.rsync import SILENCE_S
from locusts_fab.shell.quoting import for_login_shell, quote_word, quote_words
from locusts_fab.shell.scripts import PUT_AWAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paramiko import Channel, Transport

    from locusts_fab.hosts.patience import Patience

#: How much is read at once, in bytes.
_PIECE = 1 << 16
#: How long a server may take to open a channel.
_CHANNEL_S = 60
#: Where a server allows one session at a time (MaxSessions), it refuses the next until it has cleared away the last.
#: The pauses before another try, in seconds.
CHANNEL_PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
#: How long a program may take over what is still on its way to it.
_DIGEST_S = 600
#: What start-up files may print before a program, or a program of which nothing is expected.
_NOISE = Most(what="what start-up files print")


def open_channel(transport: Transport) -> Channel:
    """Return a new channel for one program.

    :param transport: a login.
    :raises SSHException: the link is broken, or the server allows no more channels, and has not for some time.
    :raises OSError: the link is broken, as sending found; the login is closed then. `EOFError` likewise.
    """
    try:
        for pause_s in CHANNEL_PAUSES_S:
            try:
                return transport.open_session(timeout=_CHANNEL_S)
            except ChannelException:  # noqa: PERF203 - against a round trip it is nothing
                time.sleep(pause_s)
        return transport.open_session(timeout=_CHANNEL_S)
    except (OSError, EOFError):
        transport.close()  # the thread that reads from it may not have seen the break yet, and would call it active
        raise


def converse(
    channel: Channel,
    command: str,
    source: BinaryIO,
    sink: Callable[[bytes], object],
    *,
    patience: Patience | None = None,
    holds: bool = False,
) -> tuple[int | None, bytes]:
    """Run a command: feed it, take in what it prints, and wait for its end.

    :param channel: a channel on which nothing was started yet; it is closed afterwards.
    :param command: the command, for the login shell on the other side.
    :param source: what is sent to its stdin; it is closed afterwards.
    :param sink: called with pieces of its stdout.
    :param patience: who is told of signs of life, and may close the channel.
    :param holds: whether its stdin stays open until its end, by which it sees that somebody waits.
    :returns: its exit status, None if none came because the link broke or a signal ended it; and the end of its stderr.
    :raises TimeoutError: it was silent for longer than the channel's own limit.
    :raises SSHException: it could not be started.
    :raises TooMuchError: it wrote too much to its stderr, or `sink` raised it.
    """

    def heard() -> None:
        if patience is not None:
            patience.heard()

    complaint = _Complaint(channel, heard)
    feeder = threading.Thread(target=_feed, args=(channel, source, patience), kwargs={"holds": holds}, daemon=True)
    listener = threading.Thread(target=complaint.listen, daemon=True)
    with contextlib.closing(channel):
        try:
            channel.exec_command(command)
            feeder.start()  # from now on it closes the source
        except BaseException:
            source.close()
            raise
        listener.start()
        while data := channel.recv(_PIECE):
            heard()
            sink(data)
        status = channel.recv_exit_status()
        listener.join()
    if complaint.error is not None:
        raise complaint.error
    return (None if status < 0 else status), bytes(complaint.tail)


def pour(
    channel: Channel, command: str, pack: Callable[[Callable[[bytes], object]], object], patience: Patience
) -> int:
    """Run a command and feed it what `pack` makes, in this thread.

    :param channel: a channel on which nothing was started yet; it is closed afterwards.
    :param command: the command, for the login shell on the other side.
    :param pack: called with a function that sends bytes.
    :param patience: who is told of what was sent, and may close the channel.
    :returns: its exit status; -1 if it was killed.
    :raises OSError: the other side took nothing for so long that it must be stuck; or what `pack` raises.
    :raises SSHException: it could not be started, or the link broke.
    :raises TooMuchError: it prints without end.
    """

    def send(data: bytes) -> None:
        channel.sendall(data)
        patience.sent(len(data))

    with contextlib.closing(channel):
        channel.settimeout(SILENCE_S)
        channel.set_combine_stderr(True)  # nobody reads either: if this fails, rsync finds out why
        channel.exec_command(command)
        pack(send)
        channel.shutdown_write()
        channel.settimeout(_DIGEST_S)
        account = Account(_NOISE)
        while data := channel.recv(_PIECE):
            account.take(data)
        return channel.recv_exit_status()


def hear(
    channel: Channel,
    words: list[str],
    source: BinaryIO,
    take: Callable[[IO[bytes]], object],
    patience: Patience | None = None,
) -> int | None:
    """Run a program that prints data; start-up files of the login shell may print before it.

    :param channel: a channel on which nothing was started yet; it is closed afterwards.
    :param words: the program and its arguments.
    :param source: what is sent to its stdin; it is closed afterwards.
    :param take: called with what it prints, as a stream, in a thread of its own.
    :param patience: who is told of signs of life, and may close the channel.
    :returns: its exit status; None if the link broke.
    :raises OSError: it was silent for so long that it must be stuck, or `take` raised it.
    :raises SSHException: it could not be started, or the link broke.
    :raises TooMuchError: more came than can be expected; or `take` raised it.
    """
    faults: list[OSError | TooMuchError] = []

    def listen(stream: BinaryIO) -> None:
        with stream:
            try:
                take(stream)
            except (OSError, TooMuchError) as error:
                faults.append(error)
                hang_up(channel)
            while stream.read(_PIECE):  # so that nobody waits for us
                pass

    status = None
    with contextlib.closing(channel), _pipe() as (reading, writing):
        listener = threading.Thread(target=listen, args=(reading,), daemon=True)
        listener.start()
        try:
            with writing:
                channel.settimeout(SILENCE_S)
                output = AfterMark(writing)
                status, _ = converse(channel, remote_command(words), source, output.take, patience=patience)
        except (OSError, SSHException):
            if not faults:  # else it is only what came of hanging up
                raise
        finally:
            listener.join()
    if faults:
        raise faults[0]
    return status


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Yield the two ends of a pipe, to read and to write; both are closed afterwards."""
    output, input_ = os.pipe()
    with os.fdopen(output, "rb") as reading, os.fdopen(input_, "wb", buffering=0) as writing:
        yield reading, writing


def hang_up(channel: Channel) -> None:
    """Close a channel, without an error if its link is just breaking."""
    with contextlib.suppress(OSError, EOFError, SSHException):
        channel.close()


def _feed(channel: Channel, source: BinaryIO, patience: Patience | None, *, holds: bool = False) -> None:
    """Send all that `source` holds, and then, unless it holds the other end, the end of the file."""
    # A program that has ended takes no more; whoever reads its output learns why.
    with source, contextlib.suppress(OSError, EOFError, SSHException):
        while data := source.read(_PIECE):
            channel.sendall(data)
            if patience is not None:
                patience.sent(len(data))
        if not holds:
            channel.shutdown_write()


class _Complaint:
    """What a program writes to stderr: its end is kept; if it does not end, the program is.

    :param channel: where it runs.
    :param heard: called at each sign of life.
    """

    def __init__(self, channel: Channel, heard: Callable[[], object]) -> None:
        self._channel, self._heard = channel, heard
        self.tail = Tail()
        self.error: TooMuchError | None = None

    def listen(self) -> None:
        """Take in all of it."""
        account = Account(COMPLAINT)
        try:
            while data := self._channel.recv_stderr(_PIECE):
                self._heard()
                self.tail.take(data)
                account.take(data)
        except TimeoutError:  # where silence on stdout is timed
            pass
        except TooMuchError as error:
            self.error = error
            hang_up(self._channel)


class AfterMark:
    """Passes on what comes after `BEGIN_MARK`, and so leaves out what start-up files of a login shell print.

    :param file: where the rest is written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.begun = False
        self.noise = b""
        self._account = Account(_NOISE)

    def take(self, data: bytes) -> None:
        """Take the next bytes that came, and pass on those after the mark.

        :raises TooMuchError: the mark does not come.
        """
        if not self.begun:
            self._account.take(data)
            noise, mark, data = (self.noise + data).partition(BEGIN_MARK)
            self.noise = noise[-_PIECE:]
            self.begun = bool(mark)
        # A program that has ended takes no more; it knows why.
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[self.file.write(data) :]


def remote_command(words: list[str]) -> str:
    """Return the command that prints the mark on stdout and stderr and then runs a program in its place.

    :param words: the program and its arguments.
    :returns: a command that a login shell of any kind understands.
    """
    mark = f"printf %s {quote_word(BEGIN_MARK.decode().strip())}; echo"
    script = f"{{ {mark}; }} >&2; {mark}; {PUT_AWAY}; exec {quote_words(words)}"
    return for_login_shell(script)
