"""The local state of one swarm: an SQLite file that holds the plan, what the managers reported, and what was collected.

It is a cache of what the target knows (`attach` rebuilds it from there), so it is written for speed, and every change
that belongs together is one transaction: whenever we are killed, it holds a state that was true.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING

from locusts_fab.manager.records import Began, Ended, Left, Manager, write_found
from locusts_fab.model import JobStatus, ManagerState, Planned, PlannedTask, Submission
from locusts_fab.state.queries import Queries
from locusts_fab.state.schema import SUBMISSION, fingerprint
from locusts_fab.tsv import join_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.manager.records import Record
    from locusts_fab.model import Task


class Ledger(Queries):
    """The state file of a swarm; `Queries` has what can be read from it.

    :param path: the file; made if it is not there.
    :raises StateError: it is no ledger of this version.
    """

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

    # ------------------------------------------------------------------------------------------------------- facts

    def set_fact(self, name: str, value: str | None) -> None:
        """Write a fact; None forgets it."""
        if value is None:
            self._db.execute("DELETE FROM facts WHERE name = ?", (name,))
        else:
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    # -------------------------------------------------------------------------------------------------------- plan

    def take_plan(self, tasks: Iterable[Task], environment_dir: str, live: int | None = None) -> Planned:
        """Enter the tasks that the config means now, and return how they differ from the known ones.

        Pending and failed tasks take over what the config says now; done tasks keep what was run. Tasks that the
        config does not mean any more are forgotten if they wait.

        :param live: the submission whose managers may still be running, so that its tasks are not forgotten.
        """
        with self.transaction():
            self._db.execute(
                "CREATE TEMP TABLE IF NOT EXISTS config (id BLOB PRIMARY KEY, command, inputs, outputs, mark)"
            )
            self._db.execute("DELETE FROM config")
            self._db.executemany(
                "INSERT INTO config VALUES (?, ?, ?, ?, ?)",
                (
                    (
                        os.fsencode(task.id),
                        os.fsencode(task.command),
                        os.fsencode(join_fields(task.inputs)),
                        os.fsencode(join_fields(task.outputs)),
                        fingerprint(task, environment_dir),
                    )
                    for task in tasks
                ),
            )
            (total,) = self._db.execute("SELECT count(*) FROM config").fetchone()
            forgotten = self._db.execute(
                "SELECT number FROM tasks"
                " WHERE state = 'pending' AND submission IS NOT ? AND id NOT IN (SELECT id FROM config)",
                (live,),
            ).fetchall()
            self._db.executemany("DELETE FROM commands WHERE number = ?", forgotten)
            self._db.executemany("DELETE FROM tasks WHERE number = ?", forgotten)
            new = self._db.execute(
                "INSERT INTO tasks (id) SELECT id FROM config WHERE id NOT IN (SELECT id FROM tasks)"
                " ORDER BY config.rowid"
            ).rowcount
            changed = [
                os.fsdecode(row[0])
                for row in self._db.execute(
                    "SELECT t.id FROM tasks t JOIN commands c USING (number) JOIN config n ON n.id = t.id"
                    " WHERE t.state = 'done' AND c.fingerprint != n.mark AND c.fingerprint != x''"
                )
            ]
            self._db.execute(
                "INSERT OR REPLACE INTO commands SELECT t.number, n.command, n.inputs, n.outputs, n.mark"
                " FROM config n JOIN tasks t USING (id) LEFT JOIN commands c USING (number)"
                " WHERE c.number IS NULL OR c.fingerprint = x''"
                " OR (t.state IN ('pending', 'failed') AND c.fingerprint != n.mark)"
            )
        return Planned(total, new, changed)

    def learn(self, tasks: Iterable[PlannedTask]) -> None:
        """Enter tasks from the plan on the target; the next submit compares them with the config.

        A task that was forgotten and came back is there under two numbers; the higher one is its own.
        """
        with self.transaction():
            for task in tasks:
                key = (task.number, os.fsencode(task.id))
                self._db.execute("DELETE FROM tasks WHERE number < ? AND id = ?", key)
                self._db.execute("INSERT OR IGNORE INTO tasks (number, id) VALUES (?, ?)", key)
                self._db.execute(
                    "INSERT OR REPLACE INTO commands SELECT number, ?, ?, ?, x'' FROM tasks"
                    " WHERE number = ? AND id = ?",
                    (
                        os.fsencode(task.command),
                        os.fsencode(join_fields(task.inputs)),
                        os.fsencode(join_fields(task.outputs)),
                        *key,
                    ),
                )
            self._db.execute("DELETE FROM commands WHERE number NOT IN (SELECT number FROM tasks)")

    # -------------------------------------------------------------------------------------------------- submissions

    def begin_submission(self, first_chunk: int, last_chunk: int, *, number: int | None = None) -> Submission:
        """Enter a new submit, and return it: all pending tasks that no manager is running are its tasks."""
        with self.transaction():
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO submissions (number, first_chunk, last_chunk, state, created, token)"
                " VALUES (?, ?, ?, 'staging', ?, ?)",
                (number, first_chunk, last_chunk, time.time(), f"locusts-{secrets.token_hex(6)}"),
            )
            made = number or int(cursor.lastrowid or 0)
            self._db.execute("UPDATE tasks SET submission = ? WHERE state = 'pending'", (made,))
            self.set_fact("cancelled", None)
            row = self._db.execute(f"{SUBMISSION} WHERE number = ?", (made,)).fetchone()
        return Submission(*row)

    def set_submission(self, number: int, *, state: str, job: str = "") -> None:
        """Note how far a submit has got; its time counts from when its managers are started."""
        if state == "starting":
            self._db.execute("UPDATE submissions SET created = ? WHERE number = ?", (time.time(), number))
        self._db.execute(
            "UPDATE submissions SET state = ?, job = coalesce(nullif(?, ''), job) WHERE number = ?",
            (state, job, number),
        )

    def set_jobs(self, jobs: Iterable[JobStatus]) -> None:
        """Enter the scheduler's answer about our jobs."""
        self._db.execute("DELETE FROM jobs")
        self._db.executemany(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", [(job.id, job.state, job.reason) for job in jobs]
        )

    def reset_failed(self) -> int:
        """Make failed tasks pending again.

        :returns: how many there were.
        """
        return self._db.execute(
            "UPDATE tasks SET state = 'pending', reason = 'to be retried', collected = 0 WHERE state = 'failed'"
        ).rowcount

    def give_up_uncollected(self) -> int:
        """Make tasks pending whose results are gone with the environment, and note how many.

        :returns: how many there were.
        """
        with self.transaction():
            count = self._db.execute(
                "UPDATE tasks SET state = 'pending', reason = 'its results were given up', found = '', log = 0"
                " WHERE state IN ('done', 'failed') AND NOT collected"
            ).rowcount
            latest = self.latest_submission()
            self.set_fact("cleaned", f"{latest.number} {count}" if latest else None)
        return count

    def forget_results(self) -> None:
        """Make every task pending, as if nothing had been run; `place` stays, for what lies there is replaced."""
        with self.transaction():
            self._db.execute(
                "UPDATE tasks SET state = 'pending', submission = 0, manager = NULL, claim = NULL, attempt = NULL,"
                " attempts = 0, exit = NULL, start = NULL, seconds = NULL, found = '', log = 0, reason = '',"
                " collected = 0"
            )
            self._db.execute("DELETE FROM managers")
            self._db.execute("DELETE FROM troubles")

    # ---------------------------------------------------------------------------------------------------------- reports

    def apply(self, manager: str, records: Iterable[Record], read: int) -> None:
        """Enter what a manager reported, and that so many more bytes of its file were read; within a transaction."""
        submission = int(manager.split("-", 1)[0])
        self._db.execute("INSERT OR IGNORE INTO managers (id, submission) VALUES (?, ?)", (manager, submission))
        done = failed = 0
        for record in records:
            if isinstance(record, Began):
                self._begin(manager, record)
            elif isinstance(record, Ended):
                changed = self._end(manager, record)
                done += changed and record.state == "done"
                failed += changed and record.state == "failed"
            elif isinstance(record, Manager):
                self._db.execute(
                    "UPDATE managers SET host = ?, pid = ?, slots = ? WHERE id = ?",
                    (record.host, record.pid, record.slots, manager),
                )
            elif isinstance(record, Left):
                self.set_manager(manager, ManagerState.LEFT, record.reason)
        self._db.execute(
            "UPDATE managers SET offset = offset + ?, done = done + ?, failed = failed + ? WHERE id = ?",
            (read, done, failed, manager),
        )

    def _begin(self, manager: str, record: Began) -> None:
        self._db.execute("UPDATE tasks SET attempts = attempts + 1 WHERE number = ?", (record.task,))
        self._db.execute(
            "UPDATE tasks SET state = 'running', manager = ?, claim = ?, attempt = ?, start = ?, log = ?,"
            " reason = 'running'"
            " WHERE number = ? AND state IN ('pending', 'running')",
            (manager, record.claim, record.attempt, record.start_s, record.log, record.task),
        )

    def _end(self, manager: str, record: Ended) -> bool:
        """Enter the end of an attempt. The first done record of a task wins, and a done one wins over a failed one."""
        if record.state == "retry":
            return False
        state = "pending" if record.state == "interrupted" else record.state
        final = "done" if state == "done" else "failed"
        return bool(
            self._db.execute(
                "UPDATE tasks SET state = ?, manager = ?, claim = ?, attempt = ?, exit = ?, start = ?, seconds = ?,"
                " found = ?, log = ?, reason = ?, collected = 0 WHERE number = ? AND state NOT IN ('done', ?)",
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
                    record.task,
                    final,
                ),
            ).rowcount
        )

    def set_manager(self, manager: str, state: ManagerState, reason: str = "") -> None:
        """Enter the state of a manager. If it has ended, what it was running is pending again."""
        self._db.execute("UPDATE managers SET state = ?, reason = ? WHERE id = ?", (state.value, reason, manager))
        if state in {ManagerState.LEFT, ManagerState.GONE}:
            self._db.execute(
                "UPDATE tasks SET state = 'pending', reason = 'lost with its manager', collected = 0"
                " WHERE state = 'running' AND manager = ?",
                (manager,),
            )

    def note_beat(self, manager: str, beat: str, now_s: float) -> float:
        """Enter the present heartbeat of a manager.

        :param now_s: by our own clock.
        :returns: for how many seconds, by our own clock, it has stood still.
        """
        self._db.execute(
            "UPDATE managers SET beat = ?, beat_seen = ? WHERE id = ? AND beat != ?", (beat, now_s, manager, beat)
        )
        row = self._db.execute("SELECT beat_seen FROM managers WHERE id = ?", (manager,)).fetchone()
        return now_s - float(row[0]) if row else 0.0

    # -------------------------------------------------------------------------------------------------------- collected

    def set_collected(self, tasks: Iterable[tuple[int, str]], troubles: Iterable[tuple[int, str, str]] = ()) -> None:
        """Enter that the outcomes of tasks are here, and which outputs did not come.

        :param tasks: number and place under outdir of each.
        :param troubles: number, output, and why it did not come.
        """
        tasks = list(tasks)
        with self.transaction():
            self._db.executemany("DELETE FROM troubles WHERE number = ?", [(number,) for number, _ in tasks])
            self._db.executemany(
                "UPDATE tasks SET collected = 1, place = ? WHERE number = ?",
                [(os.fsencode(place), number) for number, place in tasks],
            )
            self._db.executemany(
                "INSERT INTO troubles VALUES (?, ?, ?)",
                [(number, os.fsencode(output), message) for number, output, message in troubles],
            )

    def set_uncollected(self, numbers: Iterable[int]) -> None:
        """Enter that the outcomes of tasks have to be brought again."""
        with self.transaction():
            self._db.executemany("UPDATE tasks SET collected = 0 WHERE number = ?", [(number,) for number in numbers])
