"""The two protocols of machines, and how a script travels to bash and its output back.

`local.py` and `ssh.py` implement them. Modules above this package use the protocols only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

from locusts_fab.bounds.budget import ANSWER, Most, TooManyEntriesError, TooMuchError
from locusts_fab.bounds.numbers import MOST_STATUS, whole_or_none
from locusts_fab.errors import EntriesError, HostError
from locusts_fab.hosts.patience import QUIET_S, TARGET, TOTAL_S
from locusts_fab.shell.quoting import quote_word, quote_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from locusts_fab.layout import Environment

#: Lines around a script's own output. Start-up files of a login shell may print anything before and after.
BEGIN_MARK = b"--locusts-begin--\n"
END_MARK = b"--locusts-end--"
_END = b"\n" + END_MARK + b" "
#: So much of what start-up files print is kept.
_NOISE_BYTES = 1 << 16
#: A script that nobody waits for any more has so many seconds to come to its end: it may be half-way in something.
LEASH_S = 60


@dataclass(frozen=True)
class Result:
    """How a script ended, and what it printed.

    :param exit_status: its exit status.
    :param stdout: its standard output, byte by byte.
    :param stderr: its standard error, without what start-up files printed before it.
    :param noise: what start-up files of the login shell printed before it.
    """

    exit_status: int
    stdout: bytes
    stderr: str
    noise: bytes = b""

    @property
    def text(self) -> str:
        """Return `stdout` as text; bytes that are not UTF-8 become surrogates, as in file names."""
        return os.fsdecode(self.stdout)


class Host(Protocol):
    """A machine that runs bash scripts."""

    @property
    def name(self) -> str:
        """Return the name that messages use: `this machine`, or the host as the config names it."""

    def run(
        self,
        script: str,
        *args: str,
        timeout_s: float = TOTAL_S,
        quiet_s: float = QUIET_S,
        waits_for: str = TARGET,
        most: Most = ANSWER,
    ) -> Result:
        """Run a bash script; an exit status other than 0 is a result, not an error.

        When it is given up, or we are killed, it is ended there as well, after `LEASH_S`.

        :param script: bash source.
        :param args: its `$1`, `$2`, …
        :param timeout_s: the seconds after which it is given up.
        :param quiet_s: the seconds without a byte from it after which it is given up.
        :param waits_for: what holds it up if it takes long, for messages.
        :param most: what it may print at most.
        :returns: how it ended, and what it printed.
        :raises HostError: the machine cannot be reached, bash did not start, it took too long, or printed too much.
        """

    def close(self) -> None:
        """Close the connection, if there is one."""


class Carrier(Host, Protocol):
    """A machine that files have to be sent to and fetched from."""

    def push(
        self,
        source: Path,
        destination: str,
        *,
        delete: Sequence[str] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Send what a local folder holds. Files that are there already with the same size and time do not move.

        :param source: the local folder; symlinks in it are followed.
        :param destination: the folder on the machine, made if need be.
        :param delete: filter rules of rsync for what to remove there if it is not in `source`; none: nothing.
        :param progress: called with (files done, bytes moved) now and then.
        :returns: the bytes that moved.
        :raises TransferError: something did not arrive.
        :raises HostError: the machine cannot be reached.
        """

    def unpack(self, environment: Environment, pack: Callable[[Callable[[bytes], object]], object]) -> bool:
        """Fill an environment on the machine out of a tar archive, if it is new: nothing was put into it yet.

        :param pack: called with a function that takes pieces of the archive.
        :returns: whether all of it arrived and is in its place. If not, nothing of it is; `push` sends it, or raises
            what is wrong.
        :raises HostError: the machine cannot be reached.
        """

    def push_names(
        self,
        source: Path,
        names: Iterable[bytes],
        destination: str,
        *,
        ignores_times: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Send files, symlinks as such, and folders without what is in them.

        :param source: a local folder.
        :param names: what to send, relative to `source`.
        :param destination: the folder on the machine, made if need be; names are the same in it.
        :param ignores_times: whether also files move that are there with the same size and, to the second, time.
        :param progress: called with (files done, bytes moved) now and then.
        :returns: the bytes that moved.
        :raises TransferError: a name leads out of the folder, or something did not arrive.
        :raises HostError: the machine cannot be reached.
        """

    def fetch(
        self,
        source: str,
        names: Iterable[bytes],
        destination: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> bool:
        """Fetch files and folders as `pull` does, many small files in a fraction of the time.

        :param source: a folder on the machine.
        :param names: what to fetch, relative to `source`.
        :param destination: an empty local folder that nobody else can write to.
        :param progress: called with (files done, bytes moved) now and then.
        :returns: whether all of them arrived whole. If not, some may be there; `pull` completes them, or raises what
            is wrong.
        :raises TransferError: a name leads out of the folder.
        :raises HostError: the machine cannot be reached.
        """

    def stream(self, script: str, *args: str, source: bytes, take: Callable[[IO[bytes]], object], folder: Path) -> bool:
        """Run a bash script that prints data without end to speak of, and take it in as it comes.

        :param script: bash source.
        :param args: its `$1`, `$2`, …
        :param source: what it reads from its stdin.
        :param take: called with what it prints, as a stream, in a thread of its own.
        :param folder: where `take` writes to, so that the disk is not filled up.
        :returns: whether it came to its end.
        :raises OSError: `take` raised it.
        :raises HostError: the machine cannot be reached, was silent for too long, or sends too much.
        """

    def pull(
        self,
        source: str,
        names: Iterable[bytes],
        destination: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[bytes]:
        """Fetch files and folders, and nothing else: no symlinks, no devices.

        :param source: a folder on the machine.
        :param names: what to fetch, relative to `source`.
        :param destination: a local folder that nobody else can write to, and that holds at most what `fetch` left.
        :param progress: called with (files done, bytes moved) now and then.
        :returns: the names that did not arrive, which is not an error.
        :raises TransferError: a name leads out of the folder, or the transfer as a whole failed; what did arrive stays.
        :raises HostError: the machine cannot be reached.
        """


#: What a user's start-up files may say, or whoever exports SHELLOPTS or BASHOPTS, and no script of ours expects.
#: Managers have the same in templates/manager/environment.sh.
_PLAIN_OPTIONS = "set +eCfuvx; shopt -u failglob nullglob dotglob nocaseglob nocasematch extglob globstar xpg_echo"


def frame(script: str, args: tuple[str, ...]) -> bytes:
    """Return a script as `bash -s` shall read it from stdin: with marks around its output, and on a leash.

    The script runs in a subshell, so that the end mark is printed after an `exit` in it too. The leash is our end of
    stdin, which stays open until the end of all: another subshell reads it, and if it closes before that, because
    nobody waits any more, the script has `LEASH_S` to come to its end by itself. So nothing that hangs is left there.

    :param script: bash source.
    :param args: its `$1`, `$2`, …
    """
    words = quote_words(args)
    text = (
        f"{_PLAIN_OPTIONS}\n"
        f"printf '%s' {quote_word(BEGIN_MARK.decode())}\n"
        f"printf '%s' {quote_word(BEGIN_MARK.decode())} >&2\n"
        "{\n"  # one command to its end, so bash has read all of it before the leash reads the same stdin
        "exec 3<&0\n"
        "{ while read -r _; do :; done\n"
        f"sleep {LEASH_S}\n"
        "read -r _ _ _ _ group session _ </proc/self/stat\n"  # sshd, and we, start it in a session of its own
        '[[ $group == "$session" ]] && kill -KILL 0\n'
        "} <&3 >/dev/null 2>&1 &\n"
        "locusts_leash=$!\n"
        "disown\n"  # so that bash does not report its end
        f"(\nset -- {words}\neval {quote_word(script)}\n) </dev/null 3<&-\n"
        "locusts_status=$?\n"
        "kill -KILL $locusts_leash 2>/dev/null\n"
        f"printf '\\n%s %d\\n' {quote_word(END_MARK.decode())} $locusts_status\n"
        "exit\n"
        "}\n"
    )
    return os.fsencode(text)


def too_much(error: TooMuchError, host: str) -> HostError:
    """Return the error of a machine that sends more than it should.

    :param host: the name of the machine.
    """
    kind = EntriesError if isinstance(error, TooManyEntriesError) else HostError
    return kind(
        f"{host}: more comes than can be right: {error}",
        hint="start-up files or a program there may print without end, or somebody there means harm: log in by hand and"
        " look; what came was not used",
    )


def unframe(stdout: bytes | bytearray, stderr: bytes, host: str) -> Result:
    """Return what a framed script itself printed, and its exit status.

    :param stdout: all that came on stdout.
    :param stderr: all that came on stderr.
    :param host: the name of the machine, for messages.
    :raises HostError: the marks are not there, so bash did not start or the link broke on the way.
    """
    begin = stdout.find(BEGIN_MARK) + len(BEGIN_MARK)
    end = stdout.rfind(_END, begin)
    # without the end of its line, the status may have been cut short
    said, arrived, _ = bytes(stdout[end + len(_END) :]).partition(b"\n")
    status = whole_or_none(os.fsdecode(said), most=MOST_STATUS)
    if begin < len(BEGIN_MARK) or end < 0 or not arrived or status is None:
        last = "\n".join(os.fsdecode(stderr).strip().splitlines()[-5:])
        raise HostError(
            f"{host}: bash did not run the script to its end" + (f":\n{last}" if last else ""),
            hint="log in by hand and see that `bash -s` works and that nothing in the start-up files ends the shell",
            stderr=os.fsdecode(stderr),
        )
    more_noise, _, complaint = stderr.rpartition(BEGIN_MARK)
    noise = bytes(stdout[: begin - len(BEGIN_MARK)][-_NOISE_BYTES:]) + more_noise
    return Result(status, bytes(memoryview(stdout)[begin:end]), os.fsdecode(complaint), noise)
