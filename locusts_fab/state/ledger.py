"""The local state of one swarm: an SQLite file that holds the plan, what the managers reported, and what was collected.

It is a cache of what the target knows (`attach` rebuilds it from there), so it is written for speed, and every change
that belongs together is one transaction: whenever we are killed, it holds a state that was true.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING

from locusts_fab.model.swarms import JobStatus, ManagerState, Submission
from locusts_fab.outputs import ABSENT
from locusts_fab.state.clock import read_clock
from locusts_fab.state.planning import Planning
from locusts_fab.state.schema import SUBMISSION, any_text, write_values
from locusts_fab.state.statements import NOTE_STAMPS, TAKE_CHOSEN, TAKE_PENDING
from locusts_fab.tsv import join_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.manager.planfile import PlannedChunk
    from locusts_fab.model.findings import Kept
    from locusts_fab.model.tasks import PlannedTask

_DELETE_REPORTS = (
    "DELETE FROM managers",
    "DELETE FROM attempts",
    "DELETE FROM troubles",
    "DELETE FROM match_parts",
)
_DELETE_PLAN = (
    "DELETE FROM tasks",
    "DELETE FROM commands",
    "DELETE FROM submissions",
    "DELETE FROM jobs",
    "DELETE FROM matches",
    "DELETE FROM archived",
)
_ABSENT = os.fsencode(ABSENT)
#: Of troubles, what else is known of an output that is said to be absent.
_DELETE_KNOWN = (
    "DELETE FROM troubles WHERE message != ? AND EXISTS (SELECT 1 FROM troubles a"
    " WHERE a.number = troubles.number AND a.output = troubles.output AND a.message = ?)"
)
_GIVEN_UP_REASON = "its results were given up"
#: Tasks wait again whose outcome is not here, or of which an output never came: with another trouble than to be absent.
_GIVE_UP = (
    "UPDATE tasks SET state = 'pending', submission = 0, reason = ?, found = '', log = 0, collected = 0"
    " WHERE state IN ('done', 'failed') AND (collected != 1 OR number IN"
    " (SELECT number FROM troubles WHERE output != x'' AND message != ?))"
)


class Ledger(Planning):
    """The state file of a swarm.

    `Queries` has what can be read from it, `Reports` what managers tell, `Planning` what the config means.

    :param path: the file; made if it is not there.
    :raises StateError: it is no ledger of this version.
    """

    # -------------------------------------------------------------------------------------------------------- plan

    def rebuild(self, chunks: Iterable[PlannedChunk], submissions: Iterable[Submission]) -> int:
        """Enter what the plan on the target says, in place of all that is known; the next submit compares the config.

        A task that was forgotten and came back is there under two numbers; the higher one is its own. What was put
        under outdir stays ours, but is of no task any more: numbers mean other tasks from now on.

        :param submissions: the submits that the target knows of, in order.
        :returns: the number of chunks whose plan is damaged.
        """
        submissions = list(submissions)
        damaged = last_chunk = 0
        with self.transaction():
            for statement in _DELETE_REPORTS + _DELETE_PLAN:
                self._db.execute(statement)
            self.own_files.forget_tasks()
            for name in ("cancelled", "strangers", "scheduler_silent", "removing", "cleaned"):
                self.set_fact(name, None)
            for each in submissions:
                self._db.execute(
                    "INSERT INTO submissions (number, first_chunk, last_chunk, state, created, token, job)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (each.number, 0, each.last_chunk, each.state, each.created_s, each.token, each.job),
                )
            for chunk in chunks:
                damaged += not chunk.is_whole
                last_chunk = max(last_chunk, chunk.number)
                after = (each.number for each in submissions if each.last_chunk >= chunk.number)
                number = next(after, submissions[-1].number if submissions else 0)
                for task in chunk.tasks:
                    self._learn(task, number)
                self._db.executemany(
                    "UPDATE commands SET vals = ? WHERE number = ?",
                    [(write_values(values), task) for task, values in chunk.values.items()],
                )
            self._db.execute("DELETE FROM commands WHERE number NOT IN (SELECT number FROM tasks)")
            self._db.execute(
                "UPDATE submissions SET last_chunk = max(last_chunk, ?)"
                " WHERE number = (SELECT max(number) FROM submissions)",
                (last_chunk,),
            )
        return damaged

    def _learn(self, task: PlannedTask, submission: int) -> None:
        """Enter a task of the plan on the target, as it was planned last."""
        key = (task.number, os.fsencode(task.id))
        command, outputs = os.fsencode(task.command), os.fsencode(join_fields(task.outputs))
        self._db.execute("DELETE FROM tasks WHERE number < ? AND id = ?", key)
        self._db.execute("INSERT OR IGNORE INTO tasks (number, id) VALUES (?, ?)", key)
        known = self._db.execute("SELECT 1 FROM commands WHERE number = ?", key[:1]).fetchone()
        since = 0 if known is None else submission  # its inputs may have been others before
        self._db.execute(
            "UPDATE tasks SET submission = ?, since = max(since, ?) WHERE number = ?", (submission, since, task.number)
        )
        self._db.execute(
            "INSERT OR REPLACE INTO commands SELECT number, ?, ?, ?, x'', NULL, NULL FROM tasks"
            " WHERE number = ? AND id = ?",
            (command, os.fsencode(join_fields(task.inputs)), outputs, *key),
        )

    # -------------------------------------------------------------------------------------------------- submissions

    def begin_submission(self, first_chunk: int, last_chunk: int, *, chosen: bool = False) -> Submission:
        """Enter a new submit, and return it: all pending tasks that no manager is running are its tasks.

        :param chosen: only those that `take_chosen` took.
        """
        with self.transaction():
            cursor = self._db.execute(
                "INSERT INTO submissions (first_chunk, last_chunk, state, created, token)"
                " VALUES (?, ?, 'staging', ?, ?)",
                (first_chunk, last_chunk, time.time(), f"locusts-{secrets.token_hex(6)}"),
            )
            made = int(cursor.lastrowid or 0)
            self._db.execute(TAKE_CHOSEN if chosen else TAKE_PENDING, {"made": made})
            if chosen:
                self._db.execute(NOTE_STAMPS, (made,))
            self.set_fact("cancelled", None)
            row = self._db.execute(f"{SUBMISSION} WHERE number = ?", (made,)).fetchone()
        return Submission(*row)

    def set_submission(self, number: int, *, state: str, job: str = "") -> None:
        """Note how far a submit has got; its time counts from when its managers are started."""
        if state == "starting":
            now = read_clock()
            self._db.execute(
                "UPDATE submissions SET created = ?, boot = ?, up = ? WHERE number = ?",
                (time.time(), now.boot, now.up_s, number),
            )
        self._db.execute(
            "UPDATE submissions SET state = ?, job = coalesce(nullif(?, ''), job) WHERE number = ?",
            (state, job, number),
        )

    def enter_place(self, place: str, *, is_other: bool) -> None:
        """Enter where the swarm is from now on.

        :param place: host and root in one text.
        :param is_other: it was elsewhere, and nothing of it is left to be done there.
        """
        with self.transaction():
            if is_other:
                left = any_text(self.fact("place") or "")
                self._db.execute("UPDATE submissions SET place = ? WHERE place IS NULL", (left,))
                self._db.execute("DELETE FROM jobs")
                self._db.execute(
                    "UPDATE managers SET state = ?, reason = 'the swarm went to another target' WHERE state IN (?, ?)",
                    (ManagerState.LEFT.value, ManagerState.ALIVE.value, ManagerState.UNKNOWN.value),
                )
                self.set_fact("scheduler_silent", None)
            self.set_fact("place", place)

    def note_told(self, numbers: Iterable[int]) -> None:
        """Note submits whose managers were told to take no more tasks, maybe by a command that was killed since."""
        for number in numbers:
            self._db.execute(
                "UPDATE submissions SET state = 'told' WHERE number = ? AND state IN ('starting', 'started')", (number,)
            )

    def drop_submission(self, number: int) -> None:
        """Forget a submit that came to nothing, because the target is not ours."""
        with self.transaction():
            self._db.execute("DELETE FROM submissions WHERE number = ?", (number,))
            self._db.execute("UPDATE tasks SET submission = 0 WHERE submission = ?", (number,))

    def set_jobs(self, jobs: Iterable[JobStatus]) -> None:
        """Enter the scheduler's answer about our jobs."""
        self._db.execute("DELETE FROM jobs")
        self._db.executemany(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", [(job.id, job.state, job.reason) for job in jobs]
        )

    def forget_results(self) -> None:
        """Make every task pending, as if nothing had been run; `place` stays, for what lies there is replaced."""
        with self.transaction():
            self._db.execute(
                "UPDATE tasks SET state = 'pending', submission = 0, manager = NULL, claim = NULL, attempt = NULL,"
                " attempts = 0, exit = NULL, start = NULL, seconds = NULL, found = '', log = 0, reason = '',"
                " cpu = NULL, peak = NULL, piece = NULL, collected = 0, lost = 0, planned = NULL, since = 0,"
                " bad_node = ''"
            )
            for statement in _DELETE_REPORTS:
                self._db.execute(statement)
            self.set_fact("removing", None)

    def give_up(self) -> None:
        """Make every task pending whose outcome is not here, for the environment that had it is ours no more.

        So it is with one that lacks an output, unless that came and was removed here since.
        """
        with self.transaction():
            self._db.execute(_GIVE_UP, (_GIVEN_UP_REASON, _ABSENT))
            self._db.execute("DELETE FROM troubles WHERE message != ?", (_ABSENT,))
            count = "SELECT count(*) FROM tasks WHERE state = 'pending' AND reason = ?"
            (given_up,) = self._db.execute(count, (_GIVEN_UP_REASON,)).fetchone()
            self._db.execute("UPDATE tasks SET state = 'pending', submission = 0 WHERE state = 'running'")
            self._db.execute("DELETE FROM attempts")
            self._db.execute(
                "UPDATE managers SET state = ?, reason = 'the environment was removed' WHERE state IN (?, ?)",
                (ManagerState.LEFT.value, ManagerState.ALIVE.value, ManagerState.UNKNOWN.value),
            )
            latest = self.latest_submission()
            self.set_fact("cleaned", f"{latest.number} {given_up}" if latest else None)
            self.set_fact("removing", None)

    # -------------------------------------------------------------------------------------------------------- collected

    def set_collected(
        self,
        tasks: Iterable[tuple[int, str]],
        troubles: Iterable[tuple[int, str, str]] = (),
        files: Iterable[tuple[str, int, str]] = (),
        gone: Iterable[str] = (),
        kept: Iterable[tuple[int, str, Kept]] = (),
    ) -> None:
        """Enter that the outcomes of tasks are here, and which outputs did not come.

        :param tasks: number and place under outdir of each.
        :param troubles: number, output, and why it did not come.
        :param files: path, task and mark of what was put under outdir.
        :param gone: paths of what is there no more.
        :param kept: number, output and place of what stays packed in an archive.
        """
        tasks = list(tasks)
        with self.transaction():
            self.own_files.forget(gone)
            self.own_files.enter(files)
            self.archived.forget(number for number, _ in tasks)
            self.archived.enter(kept)
            self._db.executemany("DELETE FROM troubles WHERE number = ?", [(number,) for number, _ in tasks])
            self._db.executemany(
                "UPDATE tasks SET collected = 1, place = ? WHERE number = ?",
                [(os.fsencode(place), number) for number, place in tasks],
            )
            self._db.executemany(
                "INSERT INTO troubles VALUES (?, ?, ?)",
                _trouble_rows(troubles),
            )

    def set_places(
        self, tasks: Iterable[tuple[int, str]], files: Iterable[tuple[str, int, str]], gone: Iterable[str]
    ) -> None:
        """Enter that what came back of tasks was moved; see `set_collected`."""
        with self.transaction():
            self.own_files.forget(gone)
            self.own_files.enter(files)
            rows = [(os.fsencode(place), number) for number, place in tasks]
            self._db.executemany("UPDATE tasks SET place = ? WHERE number = ?", rows)

    def set_outdir(self, fact: str, outdir: str, *, is_the_same: bool) -> None:
        """Enter which folder results come to.

        :param fact: the fact that says so.
        :param is_the_same: whether what came before lies there; else nothing there is ours, and all is to come.
        """
        with self.transaction():
            if not is_the_same:
                self._db.execute("DELETE FROM own_files")
                self._db.execute("DELETE FROM archived")
                self._db.execute("UPDATE tasks SET collected = 0, place = NULL WHERE collected OR place IS NOT NULL")
            self.set_fact(fact, outdir)

    def set_uncollected(self, numbers: Iterable[int]) -> None:
        """Enter that the outcomes of tasks have to be brought again; what is here of them stays theirs."""
        again = "UPDATE tasks SET collected = 2 * (collected > 0) WHERE number = ?"
        with self.transaction():
            self._db.executemany(again, [(number,) for number in numbers])

    def set_absent(self, outputs: Iterable[tuple[int, str]], there: str | None) -> None:
        """Enter which outputs are not here any more and cannot come again, in place of what was known of that before.

        :param outputs: number of the task, and output; why they are lacking is `ABSENT`.
        :param there: how claims of the environment end that is there; None: there is none. What is here of tasks that
            ran elsewhere is all that there is of them.
        """
        rows = ((number, os.fsencode(output), _ABSENT) for number, output in outputs)
        with self.transaction():
            self._db.execute("DELETE FROM troubles WHERE message = ?", (_ABSENT,))
            self._db.executemany("INSERT INTO troubles VALUES (?, ?, ?)", rows)
            self._db.execute(_DELETE_KNOWN, (_ABSENT, _ABSENT))
            self._db.execute(
                "UPDATE tasks SET collected = 1 WHERE state IN ('done', 'failed') AND collected = 2"
                " AND (claim LIKE '%' || ?) IS NOT 1",
                (there,),
            )


def _trouble_rows(troubles: Iterable[tuple[int, str, str]]) -> list[tuple[int, bytes, bytes]]:
    """Return rows of troubles: number, output, and why; names of files, which may be no text, are in both."""
    return [(number, os.fsencode(output), os.fsencode(message)) for number, output, message in troubles]
