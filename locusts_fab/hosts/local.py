"""The machine that this program runs on."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from typing import IO, TYPE_CHECKING, cast

from locusts_fab.bounds.budget import ANSWER, COMPLAINT, Account, Most, Tail, TooMuchError
from locusts_fab.errors import HostError
from locusts_fab.hosts.base import Result, frame, too_much, unframe
from locusts_fab.hosts.patience import QUIET_S, TARGET, TOTAL_S, Patience

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How much is read or written at once, in bytes.
_PIECE = 1 << 16
#: How often it is seen whether it was given up, though something still holds its output open.
_TICK_S = 0.5
#: How long what was killed may take to be gone; what hangs in the kernel is left to it.
_BURIAL_S = 5


class LocalHost:
    """The machine that this program runs on; it is no `Carrier`, for files are linked or copied here."""

    name = "this machine"

    def run(
        self,
        script: str,
        *args: str,
        timeout_s: float = TOTAL_S,
        quiet_s: float = QUIET_S,
        waits_for: str = TARGET,
        most: Most = ANSWER,
    ) -> Result:
        """Run a bash script here, without anybody's start-up files; see `Host.run`."""
        text = frame(script, args)
        with _started() as process:
            patience = Patience(
                self.name, waits_for, quiet_s=quiet_s, total_s=timeout_s, give_up=lambda: _kill(process)
            )
            try:
                with patience:
                    stdout, stderr = _converse(process, text, patience, most)
            except TooMuchError as error:
                _kill(process)
                raise too_much(error, self.name) from error
            if patience.error is not None:
                raise patience.error
        return unframe(stdout, stderr, self.name)

    def close(self) -> None:
        """Do nothing, for there is no connection."""


@contextlib.contextmanager
def _started() -> Iterator[subprocess.Popen[bytes]]:
    """Start bash, and yield it. Afterwards its stdin is closed, by which it sees that nobody waits any more."""
    try:
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal is for us, not for a script half-way
        )
    except OSError as error:
        raise HostError(f"bash could not be started: {error}", hint="install bash 4.2 or newer") from error
    burial_s = _BURIAL_S
    try:
        yield process
    except KeyboardInterrupt:
        burial_s = 0  # nobody has to wait for the rest of a script
        raise
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(burial_s)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a script and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _converse(process: subprocess.Popen[bytes], text: bytes, patience: Patience, most: Most) -> tuple[bytearray, bytes]:
    """Feed bash and take in what it prints, until it has ended or was given up."""
    stdin, stdout, stderr = cast("list[IO[bytes]]", [process.stdin, process.stdout, process.stderr])
    answer, complaint = bytearray(), Tail()
    heard = {stdout: (answer.extend, Account(most)), stderr: (complaint.take, Account(COMPLAINT))}
    left = memoryview(text)
    os.set_blocking(stdin.fileno(), False)
    with selectors.DefaultSelector() as ready:
        ready.register(stdin, selectors.EVENT_WRITE)
        for stream in heard:
            ready.register(stream, selectors.EVENT_READ)
        open_ends = len(heard)
        while open_ends and patience.error is None:
            for key, _ in ready.select(_TICK_S):
                if key.fileobj is stdin:
                    with contextlib.suppress(BrokenPipeError):  # it has ended, and its output says why
                        left = left[os.write(key.fd, left[:_PIECE]) :]
                        if left:
                            continue
                    ready.unregister(stdin)
                elif piece := os.read(key.fd, _PIECE):
                    patience.heard()
                    take, account = heard[key.fileobj]  # type: ignore[index]  # only these were registered
                    account.take(piece)
                    take(piece)
                else:
                    ready.unregister(key.fileobj)
                    open_ends -= 1
    return answer, bytes(complaint)
