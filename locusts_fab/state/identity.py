"""Whose environment it is: each has an id, made with it, and a note of who made it; the ledger knows that of its own.

A client changes nothing in an environment whose id its ledger does not know. Nothing else tells two environments apart
that lie at the same place one after the other, or that two project folders take for theirs.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.bounds.numbers import whole_or_none
from locusts_fab.errors import StateError
from locusts_fab.manager.records import ENVIRONMENT_ID
from locusts_fab.text import first_few
from locusts_fab.tsv import join_fields, split_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.config.swarm import Swarm

_FIELDS = 5
_MOST_TIME = 4_000_000_000


class ForeignEnvironmentError(StateError):
    """The environment is somebody else's, or nobody knows whose."""


@dataclass(frozen=True)
class Founder:
    """The note of who made an environment.

    :param id: the environment's id.
    :param made: when, in words.
    """

    id: str
    user: str
    machine: str
    folder: str
    made: str

    def __str__(self) -> str:
        return f"{self.user} on {self.machine} in {self.folder} on {self.made}"


def write_note(swarm: Swarm) -> str:
    """Return the note of who makes an environment now: user, machine, project folder and time."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no variable says it, and the user is not listed
        user = str(os.getuid())
    return join_fields([user, socket.gethostname(), str(swarm.folder), str(int(time.time()))])


def read_notes(lines: Iterable[str]) -> list[Founder]:
    """Return the founders in lines of an id and a note, as the scripts on targets print them; any text may come."""
    found = []
    for line in lines:
        environment_id, *fields = split_fields(line) or [""]
        if not re.fullmatch(ENVIRONMENT_ID, environment_id):
            continue
        user, machine, folder, made = fields if len(fields) == _FIELDS - 1 else ["somebody", "?", "?", "?"]
        made_s = whole_or_none(made, most=_MOST_TIME)
        if made_s is not None:
            made = time.strftime("%Y-%m-%d %H:%M", time.localtime(made_s))
        found.append(Founder(environment_id, user, machine, folder, made))
    return found


def foreign_error(founders: list[Founder], root: str, host: str) -> ForeignEnvironmentError:
    """Return the error for an environment that the ledger does not know: who made it, and what to do."""
    if not founders:
        return ForeignEnvironmentError(
            f"the environment {root} ({host}) has no id: an older version of locusts_fab made it, or it is damaged",
            hint="nothing was changed there; finish it with that version, or remove that folder by hand,"
            " or give the target another root in the config",
        )
    return ForeignEnvironmentError(
        f"the environment {root} ({host}) is not known here; it was made by {' and by '.join(map(str, founders))}",
        hint="nothing was changed there; `locusts attach` takes over what it holds;"
        " or give the target another root in the config",
    )


def open_error(said: str, root: str, host: str) -> StateError:
    """Return the error for an environment that others may change: what they put into its plan would run as us.

    :param said: what the script printed: the folder, its owner and its mode, with tabs between.
    """
    folder, owner, mode = (*split_fields(said.strip("\n").rpartition("\n")[2]), "?", "?", "?")[:3]
    what = "is a symlink" if mode == "link" else f"has mode {mode}"
    return StateError(
        f"the environment {root} ({host}) is not ours alone: {folder} belongs to {owner} and {what};"
        " others could put commands there that run as you",
        hint="if all that is in it is yours, `chmod 700` it there; else give the target another root in the config",
    )


def strangers_error(numbers: str, root: str, host: str) -> ForeignEnvironmentError:
    """Return the error for submissions that the ledger does not know.

    :param numbers: theirs, with blanks between.
    """
    which = ", ".join(first_few(numbers.split(), 5))
    return ForeignEnvironmentError(
        f"somebody else has submitted to the environment {root} ({host}): submission {which} is not known here",
        hint="nothing was changed there; `locusts attach` takes over what it holds, then repeat this",
    )
