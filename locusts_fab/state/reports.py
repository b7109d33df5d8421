"""What managers report, entered into a swarm's ledger: records, heartbeats, and which of them are gone."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import Entry, outputs_of
from locusts_fab.bounds.names import names
from locusts_fab.manager.records import (
    Began,
    Ended,
    Left,
    Manager,
    Matched,
    Suspect,
    submission_of,
    write_found,
    write_piece,
)
from locusts_fab.model.swarms import ManagerState
from locusts_fab.state.queries import Queries
from locusts_fab.state.schema import LOST_REASON, SUSPECT, TOO_OFTEN_LOST_REASON, any_text, write_matches
from locusts_fab.tsv import join_fields, split_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from locusts_fab.bounds.names import Name
    from locusts_fab.manager.records import Record
    from locusts_fab.state.clock import Reading


class Reports(Queries):
    """The part of a ledger that takes in what managers report."""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes within one: all of them are kept, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # where the disk is full, SQLite has ended it already
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def set_fact(self, name: str, value: str | None) -> None:
        """Write a fact; None forgets it."""
        if value is None:
            self._db.execute("DELETE FROM facts WHERE name = ?", (any_text(name),))
        else:
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (any_text(name), any_text(value)))

    def apply(self, manager: str, records: Iterable[Record], read: int) -> None:
        """Enter what a manager reported, and that so many more bytes of its file were read; within a transaction."""
        submission = submission_of(manager)
        self._db.execute("INSERT OR IGNORE INTO managers (id, submission) VALUES (?, ?)", (manager, submission))
        attempts = dict(self._db.execute("SELECT number, claim FROM attempts WHERE manager = ?", (manager,)))
        before = dict(attempts)
        done = failed = 0
        left: Left | None = None
        for record in records:
            if isinstance(record, Began):
                if attempts.get(record.task, record.claim) != record.claim:
                    self._count_losses([record.task])  # its slot was lost, and another one took over the chunk
                attempts[record.task] = record.claim
                self._begin(manager, submission, record)
            elif isinstance(record, Ended):
                attempts.pop(record.task, None)
                changed = self._end(manager, submission, record)
                done += changed and record.state == "done"
                failed += changed and record.state == "failed"
            elif isinstance(record, Suspect):
                failed -= self._acquit(manager, record)
            elif isinstance(record, Manager):
                self._db.execute(
                    "UPDATE managers SET host = ?, pid = ?, slots = ? WHERE id = ?",
                    (record.host, record.pid, record.slots, manager),
                )
            elif isinstance(record, Left):
                left = record
            else:
                self._note_matches(record)
        if attempts != before:
            self._db.execute("DELETE FROM attempts WHERE manager = ?", (manager,))
            rows = [(manager, number, claim) for number, claim in attempts.items()]
            self._db.executemany("INSERT INTO attempts VALUES (?, ?, ?)", rows)
        if left is not None:
            self._db.execute("UPDATE managers SET said = 1 WHERE id = ?", (manager,))
            self.set_manager(manager, ManagerState.LEFT, left.reason)
        self._db.execute(
            "UPDATE managers SET offset = offset + ?, done = done + ?, failed = failed + ? WHERE id = ?",
            (read, done, failed, manager),
        )

    def _begin(self, manager: str, submission: int, record: Began) -> None:
        self._db.execute("UPDATE tasks SET attempts = attempts + 1 WHERE number = ?", (record.task,))
        self._db.execute(
            "UPDATE tasks SET state = 'running', manager = ?, claim = ?, attempt = ?, start = ?, log = ?,"
            " piece = NULL, reason = 'running'"
            " WHERE number = ? AND state IN ('pending', 'running') AND since <= ?",
            (manager, record.claim, record.attempt, record.start_s, record.log, record.task, submission),
        )

    def _end(self, manager: str, submission: int, record: Ended) -> bool:
        """Enter the end of an attempt. The first done record of a task wins, and a done one wins over a failed one."""
        matches = self._take_matches(record)
        if record.state == "retry" or matches is None or not self._is_of_plan(submission, record, matches):
            return False
        state = "pending" if record.state == "interrupted" else record.state
        final = "done" if state == "done" else "failed"
        changed = bool(
            self._db.execute(
                "UPDATE tasks SET state = ?, manager = ?, claim = ?, attempt = ?, exit = ?, start = ?, seconds = ?,"
                " found = ?, log = ?, reason = ?, cpu = ?, peak = ?, piece = ?, collected = 0"
                " WHERE number = ? AND state NOT IN ('done', ?)",
                (
                    state,
                    manager,
                    record.claim,
                    record.attempt,
                    record.exit_code,
                    record.start_s,
                    max(0.0, record.end_s - record.start_s),  # a clock may be set back
                    write_found(record.found),
                    record.log,
                    record.reason,
                    record.cpu_s,
                    record.peak_mb,
                    write_piece(record.piece) if record.piece else None,
                    record.task,
                    final,
                ),
            ).rowcount
        )
        if changed and matches:
            row = (record.task, write_matches(matches))
            self._db.execute("INSERT OR REPLACE INTO matches VALUES (?, ?)", row)
        elif changed:
            self._db.execute("DELETE FROM matches WHERE number = ?", (record.task,))
        return changed

    def _note_matches(self, record: Matched) -> None:
        """Enter a part of what an attempt matched; it counts once the end of the attempt is heard of."""
        key = (record.task, record.claim, record.attempt, record.part)
        row = (*key, record.output, os.fsencode(join_fields(record.names)))
        self._db.execute("INSERT OR REPLACE INTO match_parts VALUES (?, ?, ?, ?, ?, ?)", row)

    def _take_matches(self, record: Ended) -> list[tuple[int, Name]] | None:
        """Return what an attempt that has ended matched; None if a part of it is lacking. The parts are forgotten."""
        if not record.parts:
            return []
        of_it = " FROM match_parts WHERE number = ? AND claim = ? AND attempt = ?"
        key = (record.task, record.claim, record.attempt)
        rows = self._db.execute(f"SELECT part, output, names{of_it} ORDER BY part", key).fetchall()
        self._db.execute(f"DELETE{of_it}", key)
        if [part for part, _, _ in rows] != list(range(1, record.parts + 1)):
            return None
        return [(output, name) for _, output, text in rows for name in names(split_fields(os.fsdecode(text)))]

    def _acquit(self, manager: str, record: Suspect) -> bool:
        """Make a task pending again that failed where nearly all do."""
        return bool(
            self._db.execute(
                "UPDATE tasks SET state = 'pending', reason = 'failed on a bad node', collected = 0,"
                " bad_node = coalesce((SELECT host FROM managers WHERE id = ?), '')"
                " WHERE number = ? AND state = 'failed' AND claim = ? AND attempt = ?",
                (manager, record.task, record.claim, record.attempt),
            ).rowcount
        )

    def _is_of_plan(self, submission: int, record: Ended, matches: Sequence[tuple[int, Name]]) -> bool:
        """Return whether a record, and what was matched, is about the task as it was planned.

        If not, it is of a command that was replaced by now, or it was damaged; it is no record then.
        """
        row = self._db.execute(
            "SELECT coalesce(t.planned, c.outputs), t.since FROM tasks t JOIN commands c USING (number)"
            " WHERE t.number = ?",
            (record.task,),
        ).fetchone()
        if row is None or submission < row[1]:
            return False
        if not record.found:
            return record.state != "done" or not row[0]
        outputs = split_fields(os.fsdecode(row[0]))
        return len(record.found) == len(outputs) and (not matches or _are_matched(matches, outputs, record.found))

    def set_manager(self, manager: str, state: ManagerState, reason: str = "", *, is_removed: bool = False) -> None:
        """Enter the state of a manager. If it has ended, what it was running is pending again, and lost once more.

        :param is_removed: it was somebody's doing, so that its tasks are not to blame.
        """
        self._db.execute("UPDATE managers SET state = ?, reason = ? WHERE id = ?", (state.value, reason, manager))
        if state not in {ManagerState.LEFT, ManagerState.GONE}:
            return
        self._db.execute(
            "UPDATE tasks SET state = 'pending', reason = ?, collected = 0 WHERE state = 'running' AND manager = ?",
            (LOST_REASON, manager),
        )
        rows = self._db.execute("SELECT number FROM attempts WHERE manager = ?", (manager,)).fetchall()
        if rows:
            self._db.execute("DELETE FROM attempts WHERE manager = ?", (manager,))
            if not is_removed and self.fact("cancelled") is None:
                self._count_losses([number for (number,) in rows])

    def _count_losses(self, numbers: Iterable[int]) -> None:
        """Count that tasks were lost with what ran them. One that waits, and was lost too often, has failed."""
        for number in numbers:
            self._db.execute("UPDATE tasks SET lost = lost + 1 WHERE number = ?", (number,))
            self._db.execute(
                "UPDATE tasks SET state = 'failed', reason = ?, exit = NULL, seconds = NULL, found = '', piece = NULL,"
                " collected = 0"
                " WHERE number = ? AND lost > ? AND state = 'pending'",
                (TOO_OFTEN_LOST_REASON, number, SUSPECT),
            )

    def note_beat(self, manager: str, beat: str, now: Reading, *, is_paused: bool = False) -> float:
        """Enter the present heartbeat of a manager.

        :param is_paused: it cannot beat, which is no sign that it is gone.
        :returns: for how many seconds, by our own clock, it has stood still.
        """
        self._db.execute(
            "UPDATE managers SET beat = :beat, beat_boot = :boot, beat_seen = :now WHERE id = :id"
            " AND (beat != :beat OR beat_boot != :boot OR beat_seen > :now OR :paused)",
            {"beat": beat, "boot": now.boot, "now": now.awake_s, "id": manager, "paused": is_paused},
        )
        row = self._db.execute("SELECT beat_seen FROM managers WHERE id = ?", (manager,)).fetchone()
        return now.awake_s - float(row[0]) if row else 0.0


def _are_matched(matches: Sequence[tuple[int, Name]], outputs: Sequence[str], found: Sequence[bool]) -> bool:
    """Return whether each name is one that a pattern among the outputs can have matched, which was found."""
    patterns = outputs_of(outputs)
    for at, name in matches:
        pattern = patterns[at] if at < len(patterns) and found[at] else None
        if not isinstance(pattern, Entry) or not pattern.matches(name):
            return False
    return True
