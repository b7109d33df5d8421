"""What is wrong with the ledger's file is told as what it is, whichever query stumbles over it."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import BusyError, LocustsError, StateError, TransferError
from locusts_fab.state.faults import faults_explained
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a ledger with many tasks in it."""
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        started(ledger, *(f"task {number}" for number in range(3000)))
    return tmp_path / "ledger.sqlite"


def look(path: Path) -> None:
    """Read and write all sorts of things, as commands do."""
    with faults_explained(path), contextlib.closing(Ledger(path)) as ledger:
        ledger.counts()
        ledger.managers()
        list(ledger.outcomes())
        list(ledger.planned_tasks(1))
        ledger.forget_results()


def garbage_inside(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192 : len(data) - 4096] = b"\x5a" * (len(data) - 12288)
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def change(statement: str) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute(statement)
            database.commit()

    return act


@pytest.mark.parametrize(
    "damage",
    [
        garbage_inside,
        cut_off,
        change("DROP TABLE commands"),
        change("ALTER TABLE tasks RENAME COLUMN attempts TO tries"),
        change("UPDATE tasks SET state = 'odd' WHERE number = 7"),
        change("UPDATE tasks SET reason = CAST(x'ff41ff' AS TEXT) WHERE number = 7"),
    ],
)
def test_damage_is_told_with_the_way_out(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    with pytest.raises(StateError, match=r"ledger\.sqlite is damaged and cannot be used") as caught:
        look(path)
    assert caught.value.hint is not None
    assert "move it away" in caught.value.hint
    assert "locusts attach" in caught.value.hint


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (sqlite3.OperationalError("database or disk is full"), TransferError),
        (sqlite3.OperationalError("attempt to write a readonly database"), TransferError),
        (sqlite3.OperationalError("unable to open database file"), TransferError),
        (sqlite3.OperationalError("disk I/O error"), TransferError),
        (sqlite3.OperationalError("database is locked"), BusyError),
        (sqlite3.DatabaseError("database disk image is malformed"), StateError),
        (sqlite3.IntegrityError("UNIQUE constraint failed: tasks.id"), StateError),
        (sqlite3.OperationalError("no such table: tasks"), StateError),
    ],
)
def test_each_fault_is_its_own(path: Path, error: Exception, kind: type[LocustsError]) -> None:
    with pytest.raises(kind) as caught, faults_explained(path):
        raise error
    assert type(caught.value) is kind
    assert caught.value.hint


@pytest.mark.parametrize("error", [ValueError("ours"), TypeError("ours"), sqlite3.ProgrammingError("ours"), KeyError()])
def test_faults_of_ours_stay_what_they_are(path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, faults_explained(path):
        raise error
    assert caught.value is error
