"""Names in a ledger of an earlier version, or that somebody else wrote to: nothing is done with those that lead out."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import StateError
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import task
from tests.support.outcomes import Case

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tasks.id", "../../home/.ssh"),
        ("tasks.id", "tasks.tsv"),
        ("tasks.place", "../../elsewhere"),
        ("tasks.place", "/elsewhere"),
        ("tasks.claim", "../.."),
        ("commands.outputs", "fine\t../x"),
        ("commands.outputs", "/x"),
        ("commands.outputs", "a//x"),
    ],
)
def test_a_name_that_leads_out_is_damage(tmp_path: Path, column: str, value: str) -> None:
    case = Case(tmp_path)
    with contextlib.closing(case.ledger):
        case.plan(a=("out",))
        (case.sandbox(1) / "out").touch()
        case.end(1, "1", log="x")
        case.collect()
    table, name = column.split(".")
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database, database:
        text = value if name == "claim" else os.fsencode(value)
        database.execute(f"UPDATE {table} SET {name} = ?", (text,))  # noqa: S608 - names of ours
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*") if "ledger" not in path.name}
    case.ledger = Ledger(tmp_path / "ledger.sqlite")
    with contextlib.closing(case.ledger), pytest.raises(StateError, match="holds a name that no task of ours has"):
        case.collect()
    assert before == {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*") if "ledger" not in path.name}


def test_an_input_that_leads_out_is_never_staged(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.take_plan([task("a")], "/e")
        ledger.begin_submission(1, 1)
        with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database, database:
            database.execute("UPDATE commands SET inputs = ?", (b"../../x",))
        with pytest.raises(StateError, match="holds a name"):
            list(ledger.planned_tasks(1))
