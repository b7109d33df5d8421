"""What tasks used, by what the ledger knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locusts_fab.model.usage import Spread, Usage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from locusts_fab.model.swarms import Submission

#: Of more tasks than that, every so many are looked at for medians, not all.
_SAMPLE = 100_000
_ALL = (
    "SELECT count(*), count(seconds), max(seconds), count(cpu), max(cpu), count(peak), max(peak),"
    " sum(cpu), sum(CASE WHEN cpu IS NOT NULL THEN seconds END) FROM tasks WHERE state IN ('done', 'failed')"
)
_SOME = "SELECT seconds, cpu, peak FROM tasks WHERE state IN ('done', 'failed') AND number % ? = 0"
_SLOTS = "SELECT sum(slots), max(slots) FROM managers WHERE submission = ?"
#: Of the tasks of a submission that have run.
_SPAN = (
    "SELECT min(start), max(start + seconds), sum(seconds) FROM tasks"
    " WHERE state IN ('done', 'failed') AND submission = ? AND seconds IS NOT NULL"
)
_STARTS = _SPAN.replace("min(start), max(start + seconds), sum(seconds)", "start") + " ORDER BY start LIMIT ?"
_ENDS = _STARTS.replace("SELECT start", "SELECT start + seconds AS stop").replace("BY start", "BY stop DESC")


def read_usage(database: sqlite3.Connection, latest: Submission | None) -> Usage:
    """Return what the tasks that have ended used, and how busy the slots of the latest submit were."""
    ended, *known, used_s, took_s = database.execute(_ALL).fetchone()
    columns = list(zip(*database.execute(_SOME, (max(1, ended // _SAMPLE),)), strict=True)) or [()] * 3
    seconds, cpu_s, peak_mb = [
        _spread(column, count, largest) for column, count, largest in zip(columns, known[::2], known[1::2], strict=True)
    ]
    usage = Usage(seconds, cpu_s, peak_mb, used_s / took_s if took_s else None)
    return usage if latest is None else _with_slots(usage, database, latest)


def _spread(column: Iterable[float | None], count: int, largest: float) -> Spread | None:
    """Return how an amount differs from task to task.

    :param column: a sample of it; None where it is not known.
    :param count: of how many tasks it is known.
    """
    sample = sorted(value for value in column if value is not None)
    if not sample:
        return None
    return Spread(count, sample[len(sample) // 2], sample[len(sample) * 95 // 100], largest)


def _with_slots(usage: Usage, database: sqlite3.Connection, latest: Submission) -> Usage:
    """Return it with what the slots of a submit did; attempts that were not the last of their tasks are left out."""
    first, last, busy_s = database.execute(_SPAN, (latest.number,)).fetchone()
    slots, slots_each = database.execute(_SLOTS, (latest.number,)).fetchone()
    if first is None or not slots:
        return usage
    starts = database.execute(_STARTS, (latest.number, slots)).fetchall()
    ends = database.execute(_ENDS, (latest.number, slots)).fetchall()
    return replace(
        usage,
        slots=slots,
        slots_each=slots_each,
        slot_s=slots * (last - first),
        busy_s=busy_s,
        start_idle_s=sum(start - first for (start,) in starts),
        tail_idle_s=sum(last - end for (end,) in ends) + (slots - len(ends)) * (last - first),
        waited_s=max(0.0, first - latest.created_s),
    )
