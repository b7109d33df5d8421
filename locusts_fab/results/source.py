"""What an output is read from: its sandbox, or what it leads to if it is a symlink.

Where the environment is ours, a symlink is followed wherever it leads, for it is one of ours. Where another machine
writes to it, nothing is read but what lies in the environment: a symlink means what it means there, and one that leads
out is no output. What was found is opened part by part, so that nothing can be put in its place meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name, UnsafeNameError
from locusts_fab.errors import TransferError
from locusts_fab.outputs import GONE, MOST_LINKS, NOWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from locusts_fab.model.findings import Fetched


class NotBroughtError(Exception):
    """One file or folder cannot be brought, for a reason of its own; others can."""


class Source(NamedTuple):
    """What an output is read from.

    :param folder: what holds it.
    :param name: its name in there, on whose way no symlink is.
    :param is_ours: whether it may be linked; else it is copied, so that who edits a result changes nothing else, and
        nobody else changes a result.
    """

    folder: Inside
    name: Name
    status: os.stat_result
    is_ours: bool


class Sources:
    """The environment that outputs are read from.

    :param fetched: where it is, and whose it is.
    :raises TransferError: it is not there.
    """

    def __init__(self, fetched: Fetched) -> None:
        try:
            self._environment = Inside(fetched.environment.root)
        except OSError as error:
            raise TransferError(
                f"{fetched.environment.root} cannot be entered: {error.strerror}",
                hint="see whether it is there, and its permissions; then collect again",
            ) from error
        self._homes = fetched.homes
        self._may_link = fetched.is_ours or fetched.homes is None
        self._all: Inside | None = None
        #: Whether what was made there has our own group, and modes by the umask alone.
        self.are_plain = self._environment.is_plain(Name("any"))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close what is open."""
        for folder in (self._environment, self._all):
            if folder is not None:
                folder.__exit__()

    def find(self, name: Name, home: Name) -> Source:
        """Return what an output is read from.

        :param name: the output, relative to the environment.
        :param home: the folder whose files are its own.
        :raises NotBroughtError: it is not there, or leads where nothing is read.
        """
        try:
            with contextlib.suppress(NotADirectoryError):  # a symlink on the way, or a file
                status = self._environment.stat(name)
                if not stat.S_ISLNK(status.st_mode):
                    return Source(self._environment, name, status, self._may_link)
            return self._follow(name, home) if self._homes is None else self._follow_inside(name, home, self._homes)
        except FileNotFoundError as error:
            raise NotBroughtError(GONE) from error
        except UnsafeNameError as error:
            raise NotBroughtError(f"it is a link that leads nowhere: {error}") from error
        except OSError as error:
            raise NotBroughtError(error.strerror) from error

    def _follow(self, name: Name, home: Name) -> Source:
        """Return what a symlink of ours leads to, wherever that is."""
        root = self._environment.root
        real = os.path.realpath(f"{root}/{name}")
        is_ours = real.startswith(f"{os.path.realpath(f'{root}/{home}')}/")
        if self._all is None:
            self._all = Inside("/")
        os.stat(real)  # says what is wrong in the words of the system
        place = Name(real.removeprefix("/"))
        return Source(self._all, place, self._all.stat(place), is_ours)

    def _follow_inside(self, name: Name, home: Name, homes: Sequence[str]) -> Source:
        """Return what a symlink leads to on the machine that made it, if that is in the environment."""
        place: list[str] = []
        waiting = name.split("/")[::-1]
        followed = 0
        while waiting:
            part = waiting.pop()
            if part == ".." and place:
                place.pop()
            elif part == "..":
                raise NotBroughtError(_leads_out("/".join(reversed(waiting))))
            elif part not in {"", "."}:
                path = Name("/".join([*place, part]))
                status = self._environment.look(path)
                if status is None:
                    raise NotBroughtError(NOWHERE if followed else GONE)
                if not stat.S_ISLNK(status.st_mode):
                    place.append(part)
                    continue
                followed += 1
                if followed > MOST_LINKS:
                    raise NotBroughtError(NOWHERE)
                text = self._environment.readlink(path)
                if text.startswith("/"):
                    place = []
                waiting.extend(reversed(_in_environment(text, home, homes).split("/")))
        found = Name("/".join(place))
        is_ours = self._may_link and found.startswith(f"{home}/")
        return Source(self._environment, found, self._environment.stat(found), is_ours)


def _in_environment(text: str, home: Name, homes: Sequence[str]) -> str:
    """Return what a symlink holds: as it is if it is relative, else relative to the environment.

    :param homes: what the environment is called by those who make symlinks.
    :raises NotBroughtError: it is absolute, and leads out of the environment.
    """
    if not text.startswith("/"):
        return text
    for root in homes:
        if f"{text}/".startswith(f"{root}/"):
            return text[len(root) + 1 :]
    _, found, rest = f"{text}/".partition(f"/{home.removeprefix('work/')}/")  # the sandbox, in `scratch` for instance
    if found:
        return f"{home}/{rest}"
    raise NotBroughtError(_leads_out(text))


def _leads_out(text: str) -> str:
    return f"it is a link that leads out of the environment, to {text}"
