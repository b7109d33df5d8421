"""Which archives under outdir nothing uses any more."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from locusts_fab.model.findings import Kept
from locusts_fab.model.tasks import Piece
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import ended, started, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        yield made


def place(ledger: Ledger, *places: str | None) -> None:
    """Enter tasks that came to these places."""
    rows = [(f"t{at}".encode(), None if each is None else os.fsencode(each)) for at, each in enumerate(places)]
    ledger._db.executemany("INSERT INTO tasks (id, place) VALUES (?, ?)", rows)


def test_those_that_no_task_is_in_are_unused(ledger: Ledger) -> None:
    place(ledger, "archives/000001.tar", "archives/000003.tar", None, "t7", "archives", "archives/000003.tar")
    archives = [f"archives/00000{number}.tar" for number in (1, 2, 3, 4)]
    assert ledger.archived.unused(archives) == ["archives/000002.tar", "archives/000004.tar"]
    assert ledger.archived.unused([]) == []


def test_all_tasks_are_looked_through_once(ledger: Ledger) -> None:
    """However many archives there are; each of its own took hours of a swarm of a million tasks."""
    place(ledger, *(f"archives/{number:06d}.tar" for number in range(100)))
    said: list[str] = []
    ledger._db.set_trace_callback(said.append)
    assert ledger.archived.unused([f"archives/{number:06d}.tar" for number in range(101)]) == ["archives/000100.tar"]
    assert len(said) == 1


def test_those_in_archives_are_found_at_once(ledger: Ledger) -> None:
    """By one question, however many there are, and however many lack something."""
    started(ledger, *"abcdef")
    tell(ledger, "1-0", *(ended(number, "done")._replace(piece=Piece(0, 1, 2)) for number in range(1, 6)))
    ledger.set_collected(
        [(number, "archives/000001.tar" if number < 5 else "e") for number in range(1, 6)],
        kept=[(1, "out", Kept(512, 3)), (3, "", Kept(1024, 3))],
    )
    said: list[str] = []
    ledger._db.set_trace_callback(said.append)
    archives = [f"archives/{number:06d}.tar" for number in range(1, 101)]
    assert [each.id for each in ledger.packed_in(archives)] == list("abcd")
    assert [each.id for each in ledger.packed_in_none()] == list("bd")
    assert len(said) == 2
    assert list(ledger.packed_in(archives[1:])) == list(ledger.packed_in([])) == []
