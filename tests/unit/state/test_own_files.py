"""What the ledger remembers of what was put under outdir, and what it makes of ledgers that did not remember it."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import Began, Ended
from locusts_fab.model.findings import Kept
from locusts_fab.model.tasks import Task
from locusts_fab.state.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODD = "a b/new\nline/\udcff"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.sqlite")
    yield made
    made.close()


def test_paths_have_marks(ledger: Ledger) -> None:
    own = ledger.own_files
    own.expect([("a/x", 1), (ODD, 2)])
    assert own.marks(["a/x", ODD, "a/y"]) == {"a/x": "", ODD: ""}
    own.enter([("a/x", 1, "8 1 2"), ("a/z", 1, "8 1 3")])
    assert own.of_tasks([1, 3]) == {1: {"a/x": "8 1 2", "a/z": "8 1 3"}, 3: {}}
    own.enter([("a/x", 2, "8 1 4")])  # what one task has put there, another may replace
    assert own.of_tasks([1, 2]) == {1: {"a/z": "8 1 3"}, 2: {"a/x": "8 1 4", ODD: ""}}
    own.forget(["a/x", "nowhere"])
    assert own.marks(["a/x", "a/z"]) == {"a/z": "8 1 3"}


def test_any_number_of_paths_is_looked_up(ledger: Ledger) -> None:
    rows = [(f"{number}/out", number, f"8 1 {number}") for number in range(2_001)]
    ledger.own_files.enter(rows)
    assert ledger.own_files.marks(path for path, _, _ in rows) == {path: mark for path, _, mark in rows}


def test_what_is_entered_with_an_outcome_is_entered_with_it_or_not_at_all(ledger: Ledger) -> None:
    ledger.own_files.expect([("a/x", 1)])
    with pytest.raises(sqlite3.Error):
        ledger.set_collected([(1, "a")], [], [("a/x", 1, "8 1 2"), ("a/y", 1, None)])  # type: ignore[list-item]
    assert ledger.own_files.marks(["a/x", "a/y"]) == {"a/x": ""}


def test_what_is_of_no_task_any_more_is_still_ours(ledger: Ledger) -> None:
    """After an attach, where numbers mean other tasks; tables are as before."""
    own = ledger.own_files
    files = [("a/x", 1, "8 1 2"), ("tasks.tsv", 0, "8 1 3"), ("archives/000001.tar", 0, "8 1 4"), ("archives0", 2, "8")]
    own.enter(files)
    ledger.take_plan([Task("a", "true", (), ("x",))], "/e")
    ledger.set_collected([(1, "archives/000001.tar")], kept=[(1, "x", Kept(512, 1))])
    assert own.of_no_task("archives") == ["archives/000001.tar"]
    ledger.set_fact("cleaned", "1 0")
    ledger.rebuild([], [])
    assert own.marks(path for path, _, _ in files) == {path: mark for path, _, mark in files}
    assert own.of_tasks([0, 1, 2]) == {0: {"tasks.tsv": "8 1 3"}, 1: {}, 2: {}}
    assert own.of_no_task("archives") == []  # nobody knows what it holds
    assert ledger.archived.of(1) == {}
    assert own.owners(["a/x", "tasks.tsv"]) == {"tasks.tsv": 0}
    assert ledger.fact("cleaned") is None


def test_an_older_ledger_is_read_for_what_was_put_there(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with contextlib.closing(Ledger(path)) as ledger:
        outputs = ("out", "gone", "sub/\udcff")
        ledger.take_plan([Task(name, "true", (), outputs) for name in ("done", "redone", "flat", "never")], "/e")
        number = ledger.begin_submission(1, 1).number
        with ledger.transaction():
            for task in (1, 2, 3):
                record = Ended("1.1", task, 1, "done", 0, 1.0, 2.0, (True, False, True), 7, "")
                ledger.apply(f"{number}-0", [Began("1.1", task, 1, 1.0, 1), record], 0)
        ledger.set_collected([(1, "done"), (2, "batch_000/redone"), (3, ".")])
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE tasks SET found = '', log = 0 WHERE id = ?", (b"redone",))  # as --redo leaves it
        database.execute("DROP TABLE own_files")
        database.commit()
    with contextlib.closing(Ledger(path)) as ledger:
        found = ledger.own_files.of_tasks([0, 1, 2, 3, 4])
    assert {task: set(files) for task, files in found.items()} == {
        0: {"tasks.tsv", "outputs.tsv", "modified.tsv"},
        1: {"done/out", "done/sub/\udcff", "logs/done.log"},
        2: {f"batch_000/redone/{name}" for name in outputs} | {"logs/redone.log"},
        3: {"out", "sub/\udcff", "logs/flat.log"},
        4: set(),
    }
    assert {mark for files in found.values() for mark in files.values()} == {""}
