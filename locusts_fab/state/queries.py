"""The reading side of a swarm's ledger; `ledger.py` has the side that writes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import GLOB
from locusts_fab.manager.records import read_leave_reason
from locusts_fab.model.swarms import Counts, JobStatus, LeaveReason, ManagerState, ManagerStatus, Submission
from locusts_fab.model.tasks import Memory, TaskState
from locusts_fab.state.archived import BELOW, Archived
from locusts_fab.state.own_files import OwnFiles, look_up
from locusts_fab.state.schema import (
    OUTCOME,
    PLANNED,
    SUBMISSION,
    SUSPECT,
    TOO_OFTEN_LOST_REASON,
    any_text,
    open_database,
    read_outcome,
    read_task,
    read_values,
)
from locusts_fab.state.statements import STRANDED, STRANDED_BUT_CHOSEN
from locusts_fab.state.usage import read_usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from locusts_fab.model.tasks import Outcome, PlannedTask
    from locusts_fab.model.usage import Usage


#: The states of a submission whose managers may be at work: started, or maybe so; told to stop, and not seen to since.
_UNDER_WAY = frozenset({"starting", "started", "told"})


class Queries:
    """The questions that a ledger answers.

    :param path: the file; made if it is not there.
    :ivar own_files: what was put under outdir.
    :ivar archived: where in archives there outputs are.
    :raises StateError: it is no ledger of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = open_database(path)
        self.own_files = OwnFiles(self._db)
        self.archived = Archived(self._db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def fact(self, name: str) -> str | None:
        """Return a fact about the swarm as a whole, such as `target`; None if it is not known."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (any_text(name),)).fetchone()
        return None if row is None else os.fsdecode(row[0])

    # ------------------------------------------------------------------------------------------------------ submissions

    def latest_submission(self) -> Submission | None:
        """Return the latest submit; None if there was none."""
        row = self._db.execute(f"{SUBMISSION} ORDER BY number DESC LIMIT 1").fetchone()
        return None if row is None else Submission(*row)

    def submissions(self) -> list[Submission]:
        """Return all submits, the latest last; of those that went to another place than the latest, no job is told."""
        return [Submission(*row) for row in self._db.execute(f"{SUBMISSION} ORDER BY number")]

    def may_begin_more(self, submission: Submission) -> bool:
        """Return whether tasks of a submission wait, and its managers may still take them, if there are any."""
        query = "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'pending' AND submission = ?)"
        return submission.state in _UNDER_WAY and bool(self._db.execute(query, (submission.number,)).fetchone()[0])

    def tokens(self) -> str:
        """Return `NUMBER:TOKEN` of each submit, with blanks around, as the scripts on targets look for them."""
        return "".join([" ", *(f"{each.number}:{each.token} " for each in self.submissions())])

    def elapsed_s(self, submission: Submission) -> float | None:
        """Return for how long a submit had run when the target was last heard; None if nobody knows."""
        row = self._db.execute("SELECT boot, up FROM submissions WHERE number = ?", (submission.number,)).fetchone()
        boot, _, up = (self.fact("updated_clock") or "").rpartition(" ")
        if row is not None and boot and boot == row[0]:
            return max(0.0, float(up) - float(row[1]))
        updated = self.fact("updated")  # this machine was started anew: there is only the time of day
        if updated is None or float(updated) < submission.created_s:
            return None
        return float(updated) - submission.created_s

    def span_s(self, submission: Submission) -> float | None:
        """Return the time from the start of the first task of a submit to the end of its last; None if none ran."""
        row = self._db.execute(
            "SELECT max(start + seconds) - min(start) FROM tasks WHERE state IN ('done', 'failed') AND submission = ?",
            (submission.number,),
        ).fetchone()
        return None if row[0] is None else max(0.0, float(row[0]))

    def jobs(self) -> list[JobStatus]:
        """Return our jobs, as of the scheduler's last answer."""
        return [JobStatus(*row) for row in self._db.execute("SELECT id, state, reason FROM jobs ORDER BY id")]

    def count_pending(self, *, beyond: int | None = None) -> int:
        """Return how many tasks wait.

        :param beyond: only those that this submission does not hold already.
        """
        (count,) = self._db.execute(
            "SELECT count(*) FROM tasks WHERE state = 'pending' AND submission IS NOT ?", (beyond,)
        ).fetchone()
        return int(count)

    def count_replanned(self, submission: int) -> int:
        """Return how many tasks of a submission wait whose command, inputs or outputs the config has changed since."""
        query = "SELECT count(*) FROM tasks WHERE state = 'pending' AND submission = ? AND planned IS NOT NULL"
        return int(self._db.execute(query, (submission,)).fetchone()[0])

    def count_suspects(self) -> int:
        """Return how many tasks wait that were lost twice with their managers, so that they come last, and alone."""
        query = "SELECT count(*) FROM tasks WHERE state = 'pending' AND lost >= ?"
        return int(self._db.execute(query, (SUSPECT,)).fetchone()[0])

    def planned_tasks(self, submission: int) -> Iterator[PlannedTask]:
        """Yield the waiting tasks of a submission in order, those last that were lost with managers."""
        for row in self._db.execute(
            f"{PLANNED} WHERE submission = ? AND state = 'pending' ORDER BY id IS ?, min(lost, ?), number",
            (submission, self.final_id(), SUSPECT),
        ):
            yield read_task(*row)

    def final_id(self) -> bytes | None:
        """Return the id of the task that comes after all others, as the tables have it; None if there is none."""
        final = self.fact("final")
        return None if final is None else os.fsencode(final)

    def numbers(self) -> Iterator[tuple[int, str]]:
        """Yield number and id of the tasks that the config means, but for the last one; after `take_plan`."""
        for number, task_id in self._db.execute(
            "SELECT t.number, t.id FROM config JOIN tasks t USING (id) WHERE t.id IS NOT ? ORDER BY t.number",
            (self.final_id(),),
        ):
            yield number, os.fsdecode(task_id)

    def memory(self) -> Memory:
        """Return the tasks that are known, for the next plan; they are read when they are asked for."""
        final = self.final_id()  # no row of the config is meant by that
        valued = (
            "SELECT id, vals FROM tasks JOIN commands USING (number) WHERE vals IS NOT NULL AND id IS NOT ?"
            " ORDER BY number"
        )
        unvalued = f"{PLANNED} WHERE vals IS NULL AND id IS NOT ? ORDER BY number"
        return Memory(
            ((os.fsdecode(task_id), read_values(values)) for task_id, values in self._db.execute(valued, (final,))),
            (read_task(*row) for row in self._db.execute(unvalued, (final,))),
            int(self.fact("last_number") or 0),
        )

    # --------------------------------------------------------------------------------------------------------- managers

    def managers(self, submission: int | None = None) -> list[ManagerStatus]:
        """Return the managers, of one submission or all."""
        rows = self._db.execute(
            "SELECT id, host, state, slots, done, failed FROM managers"
            " WHERE :submission IS NULL OR submission = :submission ORDER BY id",
            {"submission": submission},
        )
        return [ManagerStatus(id_, host, ManagerState(state), *numbers) for id_, host, state, *numbers in rows]

    def manager_reason(self, manager: str) -> str:
        """Return why a manager left; empty if that is not known."""
        row = self._db.execute("SELECT reason FROM managers WHERE id = ?", (manager,)).fetchone()
        return str(row[0]) if row else ""

    def has_left_for(self, reason: LeaveReason) -> bool:
        """Return whether a manager of any submit has left for a reason."""
        reasons = self._db.execute("SELECT DISTINCT reason FROM managers WHERE reason != ''")
        return any(read_leave_reason(row[0]) is reason for row in reasons)

    def usage(self) -> Usage:
        """Return what the tasks that have ended used, and how busy the slots of the latest submit were."""
        return read_usage(self._db, self.latest_submission())

    def done_by_node(self) -> dict[str, int]:
        """Return how many tasks went well on each node."""
        rows = self._db.execute("SELECT host, sum(done) FROM managers WHERE host != '' GROUP BY host")
        return {host: int(done) for host, done in rows}

    def bad_nodes(self) -> list[str]:
        """Return the nodes whose managers left because all failed there, while nearly all succeed elsewhere."""
        rows = self._db.execute("SELECT host, reason, done, failed FROM managers WHERE host != ''").fetchall()
        wrong = {LeaveReason.BAD_NODE, LeaveReason.BREAKER}
        accused = sorted({host for host, reason, _, _ in rows if read_leave_reason(reason) in wrong})
        elsewhere = [(done, failed) for host, _, done, failed in rows if host not in accused]
        done, failed = sum(row[0] for row in elsewhere), sum(row[1] for row in elsewhere)
        return accused if done > 0 and failed * 8 <= done else []

    def offsets(self) -> dict[str, int]:
        """Return how many bytes of each manager's cache file were read; -1 where nothing more will come.

        One that was only taken for dead may write more.
        """
        return {
            name: -1 if state == ManagerState.LEFT.value and said else offset
            for name, offset, state, said in self._db.execute("SELECT id, offset, state, said FROM managers")
        }

    def has_patterns(self) -> bool:
        """Return whether the outputs of tasks are patterns; all tasks of a swarm have the same templates."""
        return (
            self._db.execute(
                "SELECT 1 FROM (SELECT outputs FROM commands LIMIT 1) WHERE instr(char(9) || CAST(outputs AS TEXT), ?)",
                (f"\t/{GLOB}",),
            ).fetchone()
            is not None
        )

    def count_read(self) -> int:
        """Return how many bytes of the cache files of all managers were read."""
        return int(self._db.execute("SELECT coalesce(sum(offset), 0) FROM managers").fetchone()[0])

    def count_ended_in(self, submission: int) -> int:
        """Return how many tasks a submission's managers brought to an end."""
        query = "SELECT coalesce(sum(done + failed), 0) FROM managers WHERE submission = ?"
        return int(self._db.execute(query, (submission,)).fetchone()[0])

    # ------------------------------------------------------------------------------------------------------------ tasks

    def count_stranded(self, there: str | None, *, but_chosen: bool = False) -> int:
        """Return how many tasks have something under outdir that cannot be brought again.

        :param there: how the claims of the environment end that is there; None: there is none.
        :param but_chosen: whether to leave out those that `choose` has chosen.
        """
        query = STRANDED_BUT_CHOSEN if but_chosen else STRANDED
        (count,) = self._db.execute(query, {"below": BELOW, "there": there}).fetchone()
        return int(count)

    def is_empty(self) -> bool:
        """Return whether no task was ever planned."""
        return self._db.execute("SELECT 1 FROM tasks LIMIT 1").fetchone() is None

    def counts(self) -> Counts:
        """Return how many tasks are in each state.

        Of a chunk one runs at a time. If more have begun, the others have ended and wait to be packed: they count once
        they are.
        """
        found = dict(self._db.execute("SELECT state, count(*) FROM tasks GROUP BY state").fetchall())
        pending, running = TaskState.PENDING.value, TaskState.RUNNING.value
        if begun := found.get(running, 0):
            query = "SELECT count(DISTINCT claim) FROM tasks WHERE state = ?"
            (found[running],) = self._db.execute(query, (running,)).fetchone()
            found[pending] = found.get(pending, 0) + begun - found[running]
        by_state = [found.get(state.value, 0) for state in TaskState]
        return Counts(sum(by_state), *by_state)

    def count_collected(self) -> int:
        """Return how many tasks have their latest outcome here."""
        query = "SELECT count(*) FROM tasks WHERE state IN ('done', 'failed') AND collected = 1"
        return int(self._db.execute(query).fetchone()[0])

    def _outcomes(self, query: str, *values: object) -> Iterator[Outcome]:
        """Yield the tasks that a query finds, from its WHERE on."""
        for row in self._db.execute(f"{OUTCOME} {query}", values):
            yield read_outcome(row)

    def find(self, task_id: str) -> Outcome | None:
        """Return a task by its id; None if there is none."""
        return next(self._outcomes("WHERE t.id = ?", os.fsencode(task_id)), None)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield every task, in order."""
        return self._outcomes("ORDER BY t.number")

    def ended(self) -> Iterator[Outcome]:
        """Yield the tasks that have ended, in order."""
        return self._outcomes("WHERE t.state IN ('done', 'failed') ORDER BY t.number")

    def judged_here(self) -> Iterator[Outcome]:
        """Yield the tasks that failed by our own judgement, of which nothing is recorded on the target, in order."""
        query = "WHERE t.state = 'failed' AND t.reason = ? ORDER BY t.number"
        return self._outcomes(query, TOO_OFTEN_LOST_REASON)

    def failed(self) -> Iterator[Outcome]:
        """Yield the tasks that failed, in order."""
        return self._outcomes("WHERE t.state = 'failed' ORDER BY t.number")

    def placed(self) -> Iterator[Outcome]:
        """Yield the ended tasks of which something came back at some time, but for those in archives."""
        query = "WHERE t.state IN ('done', 'failed') AND substr(t.place, 1, ?) != ?"
        return self._outcomes(query, len(BELOW), BELOW)

    def packed_in(self, archives: Iterable[str]) -> Iterator[Outcome]:
        """Yield the ended tasks that are in some archives under outdir; all tasks are looked through once for many."""
        query = f"{OUTCOME} WHERE t.state IN ('done', 'failed') AND t.place IN ({{}})"
        return map(read_outcome, look_up(self._db, query, map(os.fsencode, archives)))

    def packed_in_none(self) -> Iterator[Outcome]:
        """Yield the ended tasks that are said to be in archives under outdir, and of which nothing is in there."""
        query = (
            "WHERE t.state IN ('done', 'failed') AND substr(t.place, 1, ?) = ? AND t.piece IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM archived a WHERE a.number = t.number)"
        )
        return self._outcomes(query, len(BELOW), BELOW)

    def failed_beside(self, folder: str) -> list[Outcome]:
        """Return the failed tasks of which something came back, but not to a folder in this one."""
        query = "WHERE t.state = 'failed' AND t.place IS NOT NULL AND substr(t.place, 1, ?) != ?"
        return list(self._outcomes(query, len(folder) + 1, os.fsencode(f"{folder}/")))

    def uncollected(self, limit: int | None = None) -> list[Outcome]:
        """Return the tasks that have ended and whose outcome is not here, or not all of it.

        :param limit: no more than so many.
        """
        query = "WHERE t.state IN ('done', 'failed') AND t.collected IN (0, 2) ORDER BY t.number LIMIT ?"
        return list(self._outcomes(query, -1 if limit is None else limit))

    def troubles(self, task: int | None = None) -> dict[tuple[int, str], str]:
        """Return why outputs could not be brought back of the latest outcomes that came, by task number and output.

        :param task: the number of the task that it is about; None: of all.
        """
        query = (  # in this order, for there are few of them
            "SELECT number, output, message FROM troubles CROSS JOIN tasks USING (number)"
            " WHERE state IN ('done', 'failed') AND collected"
        )
        rows = self._db.execute(query) if task is None else self._db.execute(query + " AND number = ?", (task,))
        told: dict[object, str] = {}  # there may be a million, of few kinds
        return {
            (number, os.fsdecode(output)): told.setdefault(message, os.fsdecode(message))
            for number, output, message in rows
        }
