"""What a fault of the ledger's file means: no space, no permission, another command at work, or damage."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from locusts_fab.errors import BusyError, LocustsError, StateError, TransferError
from locusts_fab.model.swarms import ManagerState
from locusts_fab.model.tasks import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The way out where the file is of no use.
REBUILD = "move it away, then rebuild it from the target with `locusts attach`"

#: What SQLite calls an error of operation, and is damage all the same.
_DAMAGE = ("no such table", "no such column", "malformed", "not a database", "could not decode", "encrypted")
_BUSY = ("database is locked", "database table is locked")


@contextlib.contextmanager
def faults_explained(path: Path) -> Iterator[None]:
    """Replace within what the ledger's file raises by an error that a person can act on.

    :raises StateError: the file is damaged.
    :raises BusyError: another command writes to it, and has for long.
    :raises TransferError: it cannot be written or read.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if isinstance(error, (sqlite3.ProgrammingError, sqlite3.NotSupportedError)):
            raise  # a fault of ours
        raise _explain(error, path) from error
    except (ValueError, TypeError) as error:  # a row that holds what no row can hold, or a fault of ours
        if _is_sound(path):
            raise
        raise _damaged(error, path) from error


def _explain(error: sqlite3.DatabaseError, path: Path) -> LocustsError:
    text = str(error).lower()
    is_passing = isinstance(error, sqlite3.OperationalError) and not any(word in text for word in _DAMAGE)
    if not is_passing:
        return _damaged(error, path)
    if any(word in text for word in _BUSY):
        return BusyError(
            "another command is writing to the local state of this swarm", hint="wait for it to end, then repeat this"
        )
    return TransferError(
        f"the local state {path.parent} cannot be written: {error}",
        hint="free some space there, or see its permissions; then the same command again carries on",
    )


def _damaged(error: Exception, path: Path) -> StateError:
    return StateError(f"the state file {path} is damaged and cannot be used: {error}", hint=REBUILD)


def _is_sound(path: Path) -> bool:
    """Return whether the file holds nothing that it cannot hold."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
            tasks = {row[0] for row in database.execute("SELECT DISTINCT state FROM tasks")}
            managers = {row[0] for row in database.execute("SELECT DISTINCT state FROM managers")}
    except sqlite3.Error:
        return False
    return said == "ok" and tasks <= {*TaskState} and managers <= {*ManagerState}
