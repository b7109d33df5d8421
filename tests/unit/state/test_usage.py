"""What tasks used, by a ledger: how it differs from task to task, and how busy slots were."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import Ended, Manager
from locusts_fab.model.tasks import Task
from locusts_fab.model.usage import Spread, Usage
from locusts_fab.state.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Start and end in seconds, CPU time and memory of each task.
Row = tuple[float, float, float | None, float | None]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        yield made


def ran(ledger: Ledger, rows: list[Row], slots: int = 2) -> None:
    """Enter tasks that ended, one after the other, and one that did not."""
    ledger.take_plan([Task(str(number), "x", (), ()) for number in range(len(rows) + 1)], "/e")
    ledger.begin_submission(1, len(rows) + 1)
    records = [
        Ended("1.1", number, 1, "done", 0, start, end, (), 0, "", cpu, peak)
        for number, (start, end, cpu, peak) in enumerate(rows, 1)
    ]
    with ledger.transaction():
        ledger.apply("1-0", [Manager("1-0", "n", 7, slots, 100.0), *records], 0)


def test_nothing_has_ended(ledger: Ledger) -> None:
    ran(ledger, [])
    assert ledger.usage() == Usage(None, None, None)


def test_how_it_differs(ledger: Ledger) -> None:
    ran(ledger, [(100, 100 + number, number / 2, None if number % 2 else number * 10) for number in range(1, 101)])
    usage = ledger.usage()
    assert usage.seconds == Spread(100, 51, 96, 100)
    assert usage.cpu_s == Spread(100, 25.5, 48, 50)
    assert usage.peak_mb == Spread(50, 520, 960, 1000)
    assert usage.cpus == pytest.approx(0.5)


def test_what_is_not_known(ledger: Ledger) -> None:
    ran(ledger, [(100, 110, None, None)] * 3)
    usage = ledger.usage()
    assert (usage.seconds, usage.cpu_s, usage.peak_mb, usage.cpus) == (Spread(3, 10, 10, 10), None, None, None)


def test_how_busy_slots_were(ledger: Ledger) -> None:
    """Two slots: one begins 5 seconds later, one ends 20 seconds sooner, and 10 seconds were lost between tasks."""
    ran(ledger, [(100, 130, 1, 1), (105, 140, 1, 1), (140, 160, 1, 1), (140, 180, 1, 1)])
    usage = ledger.usage()
    assert (usage.slots, usage.slots_each, usage.slot_s, usage.busy_s) == (2, 2, 160, 125)
    assert (usage.start_idle_s, usage.tail_idle_s) == (5, 20)


def test_fewer_tasks_than_slots(ledger: Ledger) -> None:
    ran(ledger, [(100, 110, 1, 1)], slots=4)
    usage = ledger.usage()
    assert (usage.slot_s, usage.busy_s, usage.tail_idle_s) == (40, 10, 30)
