"""What tasks used, by what the ledger knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locusts_fab.model.usage import Spread, Usage

if TYPE_CHECKING:
    import sqlite3

    from locusts_fab.model.swarms import Submission

#: Of more tasks than that, every so many are looked at for medians, not all.
_SAMPLE = 100_000
_COUNT = "SELECT count(*) FROM tasks WHERE state IN ('done', 'failed')"
_CPU = "SELECT sum(cpu), sum(seconds) FROM tasks WHERE state IN ('done', 'failed') AND cpu IS NOT NULL"
_KNOWN = "SELECT count(*), max(COLUMN) FROM tasks WHERE state IN ('done', 'failed') AND COLUMN IS NOT NULL"
_SAMPLED = (
    "SELECT COLUMN FROM tasks WHERE state IN ('done', 'failed') AND COLUMN IS NOT NULL AND number % ? = 0"
    " ORDER BY COLUMN"
)
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
    (ended,) = database.execute(_COUNT).fetchone()
    step = max(1, ended // _SAMPLE)
    seconds, cpu_s, peak_mb = [_spread(database, column, step) for column in ("seconds", "cpu", "peak")]
    used_s, took_s = database.execute(_CPU).fetchone()
    usage = Usage(seconds, cpu_s, peak_mb, used_s / took_s if took_s else None)
    return usage if latest is None else _with_slots(usage, database, latest)


def _spread(database: sqlite3.Connection, column: str, step: int) -> Spread | None:
    """Return how the values of a column of tasks differ.

    :param step: take every so many rows for the median.
    """
    count, largest = database.execute(_KNOWN.replace("COLUMN", column)).fetchone()
    rows = database.execute(_SAMPLED.replace("COLUMN", column), (step,)).fetchall()
    if not rows:
        return None
    return Spread(count, rows[len(rows) // 2][0], rows[len(rows) * 95 // 100][0], largest)


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
