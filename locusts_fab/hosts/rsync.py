"""The arguments of rsync, and the meaning of what it prints and of its exit status. `rsync_process.py` runs it.

The cluster is not trusted: a pull asks for plain files and folders only, so that nothing it serves can point elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

#: How long neither side may stay silent, in seconds.
SILENCE_S = 60

#: rsync wants a host before the colon; whatever it is called, it is the one we are logged in to.
_HOST = "host"

_COMMON = ("rsync", "-s", f"--timeout={SILENCE_S}", "--no-human-readable", "--stats")

_PROGRESS = re.compile(r"\s*([0-9]{1,20})\s+[0-9]{1,20}%.*?(?:\(xfr#([0-9]{1,20}),.*\))?\s*$")
_MOVED = re.compile(r"Total transferred file size: ([0-9][0-9,]{0,29}) ")
_SKIPPED = "skipping non-regular file "
# What each half of rsync prints when the other one ends, whatever the reason, and its own exit status in words.
_ECHO = re.compile(r"rsync error: |rsync: connection unexpectedly closed |rsync: \[\w+\] write error: Broken pipe")
_DISK_FULL = ("No space left on device", "Disk quota exceeded")


def push_arguments(source: Path, destination: str, shell: str, *, delete: Sequence[str], progress: bool) -> list[str]:
    """Return the command that makes a folder on the host like a local one.

    Symlinks in `source` are followed. Folders come out 0700, files keep the owner's part of their mode.

    :param source: the local folder.
    :param destination: the folder on the host, absolute or relative to the home folder.
    :param shell: the command that rsync starts in place of ssh.
    :param delete: filter rules of rsync for what to remove there if it is not in `source`; none: nothing.
    :param progress: whether rsync shall print its progress.
    """
    removals = ["--delete", *[f"--filter={rule}" for rule in delete]] if delete else []
    wishes = ["-rtLp", "--chmod=D0700,Fgo-rwx", *removals]
    # An absolute path, or one that begins with ./, is never taken for host:path or for host::module.
    return [
        *_command(shell, wishes, progress=progress),
        f"{source.absolute()}/",
        f"{_HOST}:{_anchored(destination)}/",
    ]


def tree_arguments(
    source: Path, destination: str, shell: str, *, progress: bool, ignores_times: bool = False
) -> list[str]:
    """Return the command that sends what its stdin names, symlinks as such, and folders without what is in them.

    A file takes the place of a folder with all that is in it.

    :param source: the local folder that the names are relative to.
    :param destination: the folder on the host, in which they are the same; see `push_arguments`.
    :param shell: the command that rsync starts in place of ssh.
    :param progress: whether rsync shall print its progress.
    :param ignores_times: whether to compare also what is in files of the same size and time: rsync knows only whole
        seconds, and an option that would tell it otherwise is none of 3.1.
    """
    again = ["--ignore-times"] if ignores_times else []
    wishes = ["-ltp", "--dirs", "--force", "--files-from=-", "--from0", "--chmod=Du+rwx", *again]
    return [
        *_command(shell, wishes, progress=progress),
        f"{source.absolute()}/",
        f"{_HOST}:{_anchored(destination)}/",
    ]


def is_pattern_to_rsync(name: bytes) -> bool:
    """Return whether rsync cannot be asked for a name: one with a wildcard and a backslash.

    The side that receives checks what comes against what it asked for, and there takes such a name for a pattern in
    which the backslash guards the next character (`add_implied_include` in rsync's exclude.c; seen with 3.2.7, 3.5.0).
    """
    return b"\\" in name and any(letter in name for letter in (b"*", b"?", b"["))


def pull_arguments(source: str, destination: Path, shell: str, *, progress: bool) -> list[str]:
    """Return the command that fetches the files and folders that its stdin names.

    Neither symlinks nor devices nor modes come along: what the cluster serves is only ever data.

    :param source: the folder on the host that the names are relative to; see `push_arguments`.
    :param destination: the local folder.
    :param shell: the command that rsync starts in place of ssh.
    :param progress: whether rsync shall print its progress.
    """
    wishes = ["-rt", "--no-inc-recursive", "--files-from=-", "--from0", "--chmod=Du+rwx,Fu+rw"]
    return [
        *_command(shell, wishes, progress=progress),
        f"{_HOST}:{_anchored(source)}/",
        f"{destination.absolute()}/",
    ]


def _command(shell: str, wishes: list[str], *, progress: bool) -> list[str]:
    """Return what all commands have in common, up to the paths."""
    return [*_COMMON, *wishes, *(["--info=progress2"] if progress else []), "-e", shell, "--"]


def _anchored(path: str) -> str:
    """Return a remote path that begins with `/` or `./`; relative paths start in the home folder."""
    return path if path.startswith("/") else f"./{path}"


def shell_word(word: str) -> str:
    """Return a word, quoted for rsync's `-e`: quotes are doubled, and a backslash means nothing."""
    return "'" + word.replace("'", "''") + "'"


def parse_progress(line: str) -> tuple[int | None, int] | None:
    """Return what a line of `--info=progress2` reports.

    :returns: files done, None if it is not in this line, and bytes moved; None if it is another kind of line.
    """
    found = _PROGRESS.match(line)
    if found is None:
        return None
    return (int(found[2]) if found[2] else None), int(found[1])


def parse_moved(line: str) -> int | None:
    """Return the bytes that moved from a line of `--stats`; None if it is another line."""
    found = _MOVED.match(line)
    return int(found[1].replace(",", "")) if found else None


def parse_skipped(line: str) -> str | None:
    """Return the name of what stayed behind, being neither a file nor a folder; None if it is another line."""
    return line.removeprefix(_SKIPPED).strip().strip('"') if line.startswith(_SKIPPED) else None


@dataclass(frozen=True)
class Failure:
    """Why rsync failed, and what to do about it.

    :param cause: why it failed, for a person; to be read after "rsync failed: ".
    :param hint: what to do next.
    :param retry: whether trying again at once makes sense.
    :param fatal: whether no more can move, whatever the exit status promises.
    """

    cause: str
    hint: str | None = None
    retry: bool = False
    fatal: bool = False


_LINK = Failure(
    "the link broke, or rsync was killed on the host",
    "run the command again: what has arrived stays, only the rest moves",
    retry=True,
)
_SILENT = Failure(
    f"nothing moved for {SILENCE_S} s",
    "the file system or the network there may be overloaded; run the command again, only the rest moves",
    retry=True,
)
_BY_STATUS = {
    1: Failure("it did not understand our options", "both sides need rsync 3.1 or newer; see `rsync --version`"),
    2: Failure(
        "the two sides do not understand each other",
        "start-up files on the host may print something, or its rsync is too old; see `ssh HOST rsync --version`",
    ),
    3: Failure("a folder is not there or cannot be entered", "check the path and permissions; the lines above name it"),
    4: Failure(
        "one side refused what the other sent",
        "the rsync on the host is too old, broken or hostile; nothing outside the destination was changed",
    ),
    10: _LINK,
    11: Failure("a file could not be written", "look at free space, quota and permissions"),
    12: _LINK,
    14: Failure("the program that carries its data did not start", "is the Python that runs this still in place?"),
    20: Failure("it was interrupted", "run the command again: only the rest moves", retry=True),
    23: Failure("some files did not move", "the lines above name them"),
    24: Failure("some files vanished while they moved", "do not change files while they move; run the command again"),
    30: _SILENT,
    35: _SILENT,
    126: Failure("rsync on the host cannot be run", "see `ssh HOST rsync --version`"),
    127: Failure(
        "rsync is not installed on the host", "install it there, or put it on the PATH in the shell's start-up file"
    ),
    255: _LINK,
}


def worth_telling(complaints: Iterable[str]) -> list[str]:
    """Return the lines of rsync that add something to the exit statuses, each once."""
    return [line for line in dict.fromkeys(complaints) if not _ECHO.match(line)]


#: How rsync here exits when its other half has ended, whatever the reason.
_OTHER_HALF_GONE = (10, 12, 255)


def explain(status: int, host_status: int | None, complaint: str, receiver: str) -> Failure:
    """Return why rsync failed, from the exit statuses of its two halves and what they printed to stderr.

    :param status: the exit status of the half here; negative if a signal killed it.
    :param host_status: that of the half on the host; None if none came.
    :param complaint: what both printed to stderr.
    :param receiver: the name of the side that writes files, in messages.
    """
    if status < 0:
        return Failure(f"it was killed by signal {-status}", "run the command again: only the rest moves")
    full = next((reason for reason in _DISK_FULL if reason in complaint), None)
    if full:
        hint = "free some space there or use another folder, then run the command again"
        return Failure(f"the disk is full on {receiver} ({full})", hint, fatal=True)
    if status in _OTHER_HALF_GONE and host_status:
        status = host_status
    return _BY_STATUS.get(status, Failure(f"exit status {status}"))
