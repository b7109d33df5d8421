"""Where in the archives under outdir the outputs are that stay packed: a table of the ledger."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from locusts_fab.layout import ARCHIVES
from locusts_fab.model.findings import Kept

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

#: What the path of an archive begins with, relative to outdir.
BELOW = os.fsencode(f"{ARCHIVES}/")


class Archived:
    """The outputs and logs in archives. Which archive it is, the place of the task says.

    :param database: the open file of the ledger.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def of(self, number: int) -> dict[str, Kept]:
        """Return where the outputs of a task are; its log is under the empty name."""
        rows = self._db.execute("SELECT output, offset, size, is_folder FROM archived WHERE number = ?", (number,))
        return {os.fsdecode(name): Kept(offset, size, bool(is_folder)) for name, offset, size, is_folder in rows}

    def enter(self, rows: Iterable[tuple[int, str, Kept]]) -> None:
        """Enter where outputs are: number of the task, output, and place in the archive."""
        self._db.executemany(
            "INSERT OR REPLACE INTO archived VALUES (?, ?, ?, ?, ?)",
            ((number, os.fsencode(name), *kept) for number, name, kept in rows),
        )

    def forget(self, numbers: Iterable[int]) -> None:
        """Enter that nothing of these tasks is in an archive any more."""
        self._db.executemany("DELETE FROM archived WHERE number = ?", ((number,) for number in numbers))

    def unused(self, archives: Iterable[str]) -> list[str]:
        """Return those of these archives, paths relative to outdir, in which nothing is that counts.

        All tasks are looked through for it, if there are any archives.
        """
        archives = list(archives)
        used = set(self.places()) if archives else set()
        return [name for name in archives if name not in used]

    def places(self) -> list[str]:
        """Return the archives in which tasks are. All tasks are looked through for it."""
        query = "SELECT DISTINCT place FROM tasks WHERE substr(place, 1, ?) = ?"
        return [os.fsdecode(place) for (place,) in self._db.execute(query, (len(BELOW), BELOW))]
