"""What a swarm has put under outdir: a table of its ledger, by path, so that nothing else is ever replaced or removed.

Each entry has a mark, by which it can be told whether somebody has changed the file since; `results/own.py` makes it.
It is empty where the mark is not known: from just before something is put there until that is done, and for what came
before there was this table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locusts_fab.bounds.names import TaskId, UnsafeNameError, small
from locusts_fab.layout import ARCHIVES, Results
from locusts_fab.manager.records import read_found
from locusts_fab.state.schema import OUTCOME, read_outcome
from locusts_fab.tsv import split_fields

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from locusts_fab.model.tasks import Outcome

_SCHEMA = (
    "CREATE TABLE own_files (path BLOB PRIMARY KEY, task INTEGER NOT NULL, mark TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX own_files_by_task ON own_files (task)",
)
#: What came back before there was this table.
_EARLIER = """SELECT t.number, t.id, t.place, coalesce(t.planned, c.outputs), t.found, t.log
    FROM tasks t JOIN commands c USING (number) WHERE t.place IS NOT NULL"""
_OWNERS = (
    "SELECT path, task FROM own_files LEFT JOIN tasks ON number = task"
    " WHERE (task = 0 OR place IS NOT NULL) AND path IN ({})"
)
_AT_ONCE = 500
#: Stands for a task that is known no more; no task has that number, and it is none of a table.
_NOBODY = -1


def look_up(database: sqlite3.Connection, query: str, values: Iterable[object]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query for any number of values, asked for many at once.

    :param query: with `{}` where they go.
    """
    wanted = list(values)
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        yield from database.execute(query.format(",".join("?" * len(part))), part)


class OwnFiles:
    """The paths of what is ours, relative to outdir: outputs, logs, and tables and archives, which are of task 0.

    :param database: the open file of the ledger; an older one is given the table.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'own_files'").fetchone():
            self._make()

    def _make(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'own_files'").fetchone():
                for statement in _SCHEMA:
                    self._db.execute(statement)
                self.enter((path, number, "") for path, number in self._earlier())
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _earlier(self) -> Iterator[tuple[str, int]]:
        """Yield what tasks may have left under outdir, as far as the ledger remembers it."""
        results, number = Results(Path(), is_flat=False), 0
        for number, task_id, place, outputs, found, log in self._db.execute(_EARLIER):
            names = split_fields(os.fsdecode(outputs)) if outputs else []
            there = read_found(found)
            is_known = len(there) == len(names)
            folder = "" if place == b"." else f"{os.fsdecode(place)}/"
            for at, name in enumerate(names):
                if not is_known or there[at]:
                    yield folder + name, number
            try:
                if log or not found:
                    yield results.log(TaskId(os.fsdecode(task_id))), number
            except UnsafeNameError:
                continue  # whoever reads that task says so
        if number:
            for table in (results.tasks_table, results.outputs_table, results.modified_table):
                yield table.name, 0

    def marks(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the marks of those of the paths that are ours."""
        rows = look_up(self._db, "SELECT path, mark FROM own_files WHERE path IN ({})", map(os.fsencode, paths))
        return {os.fsdecode(path): mark for path, mark in rows}

    def owners(self, paths: Iterable[str]) -> dict[str, int]:
        """Return whose those of the paths are that are ours: a task that is known still; 0: that of no task."""
        return {os.fsdecode(path): task for path, task in look_up(self._db, _OWNERS, map(os.fsencode, paths))}

    def displaced(self, files: Sequence[tuple[str, int]]) -> list[int]:
        """Return the tasks of these paths and tasks whose path is that of another one."""
        owners = self.owners(path for path, _ in files)
        return [number for path, number in files if owners.get(path, number) != number]

    def outcomes(self, numbers: Iterable[int]) -> Iterator[Outcome]:
        """Yield tasks by their numbers."""
        return map(read_outcome, look_up(self._db, f"{OUTCOME} WHERE t.number IN ({{}})", numbers))

    def spelled_otherwise(self, paths: Collection[str]) -> dict[str, str]:
        """Return what of ours has the name of one of these paths but for capital and small letters, as `small` has it.

        All that is ours is looked through for it, if there are any paths.
        """
        wanted = set(map(small, paths))
        rows = self._db.execute("SELECT path FROM own_files") if wanted else ()
        return {same: path for path in (os.fsdecode(row[0]) for row in rows) if (same := small(path)) in wanted}

    def of_tasks(self, numbers: Iterable[int]) -> dict[int, dict[str, str]]:
        """Return what is ours of each of these tasks: paths and marks."""
        found: dict[int, dict[str, str]] = {}
        for number in numbers:
            rows = self._db.execute("SELECT path, mark FROM own_files WHERE task = ?", (number,))
            found[number] = {os.fsdecode(path): mark for path, mark in rows}
        return found

    def of_no_task(self, folder: str) -> list[str]:
        """Return the paths of what is ours below a folder and was left by no task."""
        rows = self._db.execute(
            "SELECT path FROM own_files WHERE task = 0 AND path > ? AND path < ?",
            (os.fsencode(f"{folder}/"), os.fsencode(f"{folder}0")),
        )
        return [os.fsdecode(path) for (path,) in rows]

    def expect(self, paths: Iterable[tuple[str, int]]) -> None:
        """Enter, before it is done, what of which task will be put somewhere: it is ours, even if we are killed."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self.enter((path, number, "") for path, number in paths)
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def enter(self, files: Iterable[tuple[str, int, str]]) -> None:
        """Enter what is ours: path, task and mark of each."""
        rows = ((os.fsencode(path), number, mark) for path, number, mark in files)
        self._db.executemany("INSERT OR REPLACE INTO own_files VALUES (?, ?, ?)", rows)

    def forget_tasks(self) -> None:
        """Enter that nobody knows any more which tasks all this is of, what is in archives too; in a transaction."""
        query = "UPDATE own_files SET task = ? WHERE task > 0 OR (path > ? AND path < ?)"
        self._db.execute(query, (_NOBODY, os.fsencode(f"{ARCHIVES}/"), os.fsencode(f"{ARCHIVES}0")))

    def forget(self, paths: Iterable[str]) -> None:
        """Enter that these are ours no more, or gone."""
        self._db.executemany("DELETE FROM own_files WHERE path = ?", ((os.fsencode(path),) for path in paths))
