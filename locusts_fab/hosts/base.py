"""The two protocols of machines, and how a script travels to bash and its output back.

`local.py` and `ssh.py` implement them. Modules above this package use the protocols only.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from locusts_fab.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

#: Lines around a script's own output. Start-up files of a login shell may print anything before and after.
BEGIN_MARK = b"--locusts-begin--\n"
END_MARK = b"--locusts-end--"


@dataclass(frozen=True)
class Result:
    """What a script came to.

    :param exit_status: its exit status.
    :param stdout: what it printed between the marks, byte by byte.
    :param stderr: what it complained of; what start-up files said before it is left out.
    :param noise: what start-up files of the login shell printed before it.
    """

    exit_status: int
    stdout: bytes
    stderr: str
    noise: bytes = b""

    @property
    def text(self) -> str:
        """`stdout` as text; bytes that are not UTF-8 survive as surrogates, as in file names."""
        return os.fsdecode(self.stdout)


class Host(Protocol):
    """A machine that runs bash scripts."""

    @property
    def name(self) -> str:
        """What messages call it: `this machine`, or the host as the config names it."""

    def run(self, script: str, *args: str, timeout_s: float | None = None) -> Result:
        """Run a bash script, `args` as its `$1`, `$2`, …; a status other than 0 is a result, not an error.

        :raises HostError: the machine could not be reached, bash did not start, or `timeout_s` passed.
        """

    def close(self) -> None:
        """Let go of the connection, if there is one."""


class Carrier(Host, Protocol):
    """A machine that files have to be carried to and from."""

    def push(
        self,
        source: Path,
        destination: str,
        *,
        delete: Sequence[str] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Make the folder `destination` hold what the local folder `source` holds, symlinks in it followed.

        Files that are there already with the same size and time do not move.

        :param delete: filter rules of rsync that say what to remove there if it is not in `source`; none: nothing.
        :param progress: called with (files done, bytes moved) now and then.
        :returns: the bytes that moved.
        :raises TransferError: something did not arrive.
        """

    def unpack(self, destination: str, pack: Callable[[Callable[[bytes], object]], object]) -> bool:
        """Make the folder `destination` out of a tar archive, if nothing of that name is there yet.

        :param pack: called with a function that takes pieces of the archive.
        :returns: whether it did. If not, some of it may be there, and `push` mends that or tells what is wrong.
        """

    def push_names(
        self,
        source: Path,
        names: Iterable[bytes],
        destination: str,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Take `names`, relative to the local folder `source`, to the folder `destination`; symlinks stay symlinks.

        Folders come without what is in them.

        :returns: the bytes that moved.
        :raises TransferError: something did not arrive.
        """

    def fetch(
        self,
        source: str,
        names: Iterable[bytes],
        destination: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> bool:
        """Bring `names` as `pull` does, many small files in a fraction of the time.

        :returns: whether all of them came whole. If not, some of it may be there, and `pull` mends that or tells what
            is wrong.
        """

    def pull(
        self,
        source: str,
        names: Iterable[bytes],
        destination: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[bytes]:
        """Bring `names`, files or folders relative to the folder `source`, into the local folder `destination`.

        :returns: the names that did not arrive, which is not an error.
        :raises TransferError: the transfer as a whole failed; what did arrive stays.
        """


def frame(script: str, args: tuple[str, ...]) -> bytes:
    """Wrap a script for `bash -s` on stdin: marks around its output, `args` as its positional parameters.

    :returns: bash source; the script runs in a subshell, so that an `exit` in it still lets the end mark out.
    """
    words = " ".join(shlex.quote(arg) for arg in args)
    text = (
        f"printf '%s' {shlex.quote(BEGIN_MARK.decode())}\n"
        f"printf '%s' {shlex.quote(BEGIN_MARK.decode())} >&2\n"
        f"(\nset -- {words}\n{script}\n) </dev/null\n"
        f"printf '\\n%s %d\\n' {shlex.quote(END_MARK.decode())} $?\n"
    )
    return os.fsencode(text)


def unframe(stdout: bytes, stderr: bytes, host: str) -> Result:
    """Take out of a framed script's output what the script itself printed, and its status.

    :raises HostError: the marks are not there, so bash did not start or the link broke on the way.
    """
    noise, begun, rest = stdout.partition(BEGIN_MARK)
    body, ended, tail = rest.rpartition(b"\n" + END_MARK + b" ")
    status, arrived, _ = tail.partition(b"\n")  # without the end of its line, the status may have been cut short
    if not begun or not ended or not arrived or not status.isdigit():
        last = "\n".join(os.fsdecode(stderr).strip().splitlines()[-5:])
        raise HostError(
            f"{host}: bash did not run the script to its end" + (f":\n{last}" if last else ""),
            hint="log in by hand and see that `bash -s` works and that nothing in the start-up files ends the shell",
            stderr=os.fsdecode(stderr),
        )
    more_noise, _, complaint = stderr.rpartition(BEGIN_MARK)
    return Result(int(status), body, os.fsdecode(complaint), noise + more_noise)
