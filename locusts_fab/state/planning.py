"""What the config means, entered into a swarm's ledger; and which of its tasks a submit takes."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import outputs_of
from locusts_fab.errors import ExitStatus, LocustsError, StateError
from locusts_fab.model.tasks import Planned, Taken
from locusts_fab.state.reports import Reports
from locusts_fab.state.schema import SUSPECT, write_task
from locusts_fab.state.statements import (
    CHANGED_TASKS,
    CHOOSE,
    GONE_TASKS,
    KEEP_PLANNED,
    RESET_DONE,
    RESET_FAILED,
    RESET_FINAL,
    RESET_OLD_FINAL,
    RUN_OTHERWISE,
    TAKE_COMMANDS,
)
from locusts_fab.text import nearest
from locusts_fab.tsv import split_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.bounds.entries import Entry
    from locusts_fab.bounds.names import Name
    from locusts_fab.model.swarms import Counts
    from locusts_fab.model.tasks import Choice, Outcome, Task

#: What taking tasks changes of those that have ended, or of the last one; `_KEEP` keeps it, `_UNDO` puts it back. What
#: waits is not kept, so this costs a submit that runs nothing again next to nothing.
_KEPT = "state, reason, collected, lost, planned, since, submission"
_KEEP_TASKS = (
    f"INSERT INTO kept SELECT number, stamp, {_KEPT} FROM tasks JOIN commands USING (number)"  # noqa: S608  # our own
    " WHERE state != 'pending' AND (number IN (SELECT number FROM chosen) OR id IS ?)"
)
_KEEP_COMMANDS = (
    "CREATE TEMP TABLE kept_commands AS SELECT c.* FROM commands c JOIN kept USING (number)"
    " JOIN tasks t USING (number) JOIN config n USING (id)"
    " WHERE (c.command, c.inputs, c.outputs, c.fingerprint) != (n.command, n.inputs, n.outputs, n.mark)"
)
_KEEP = ("DROP TABLE IF EXISTS temp.kept", f"CREATE TEMP TABLE kept (number INTEGER PRIMARY KEY, stamp, {_KEPT})")
_UNDO_STAMPS = (
    "UPDATE commands SET stamp = (SELECT stamp FROM kept WHERE kept.number = commands.number)"
    " WHERE number IN (SELECT number FROM kept)"
)
_UNDO_TASKS = (
    f"UPDATE tasks SET ({_KEPT}) = (SELECT {_KEPT} FROM kept WHERE kept.number = tasks.number)"  # noqa: S608  # our own
    " WHERE number IN (SELECT number FROM kept)"
)
_UNDO = ("INSERT OR REPLACE INTO commands SELECT * FROM kept_commands", _UNDO_STAMPS, _UNDO_TASKS)
#: So many ids are compared with one that is unknown, for comparing takes long.
_COMPARED = 2000
#: A task goes with all that is known of it; what it left under outdir stays ours.
_FORGET_TASK = (
    "DELETE FROM troubles WHERE number = ?",
    "DELETE FROM matches WHERE number = ?",
    "DELETE FROM match_parts WHERE number = ?",
    "DELETE FROM archived WHERE number = ?",
    "DELETE FROM commands WHERE number = ?",
    "DELETE FROM tasks WHERE number = ?",
)


class Planning(Reports):
    """The part of a ledger that takes in what the config means now."""

    def take_plan(
        self,
        tasks: Iterable[Task],
        environment_dir: str,
        live: int | None = None,
        last_number: int = 0,
        final: str | None = None,
    ) -> Planned:
        """Enter the tasks that the config means now, and return how they differ from the known ones.

        Pending and failed tasks take over what the config says now; done tasks keep what was run. Tasks that the
        config does not mean any more are forgotten if they wait.

        :param live: the submission whose managers may still be running, so that its tasks are not forgotten.
        :param last_number: the highest number that was ever given to a task as its id.
        :param final: the id of the task that comes after all others, if there is one.
        """
        with self.transaction():
            self.set_fact("final", final)
            self._enter_config(tasks, environment_dir)
            (total,) = self._db.execute("SELECT count(*) FROM config").fetchone()
            self._forget_waiting(live)
            self._db.execute(RESET_OLD_FINAL, (self.final_id(),))
            new = self._db.execute(
                "INSERT INTO tasks (id) SELECT id FROM config WHERE id NOT IN (SELECT id FROM tasks)"
                " ORDER BY config.rowid"
            ).rowcount
            changed = [os.fsdecode(row[0]) for row in self._db.execute(CHANGED_TASKS)]
            gone = [os.fsdecode(row[0]) for row in self._db.execute(GONE_TASKS)]
            self._db.execute(KEEP_PLANNED)
            self._db.execute(TAKE_COMMANDS)
            if last_number:
                self.set_fact("last_number", str(max(last_number, int(self.fact("last_number") or 0))))
        return Planned(total, new, changed, gone)

    def _enter_config(self, tasks: Iterable[Task], environment_dir: str) -> None:
        """Make the table `config`, which only this connection sees, of the tasks that the config means now."""
        self._db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS config (id BLOB PRIMARY KEY, command, inputs, outputs, mark, vals, stamp)"
        )
        self._db.execute("DELETE FROM config")
        self._db.executemany(
            "INSERT INTO config VALUES (?, ?, ?, ?, ?, ?, ?)",
            (write_task(task, environment_dir) for task in tasks),
        )

    def _forget_waiting(self, live: int | None) -> None:
        """Forget the tasks that wait and that the config does not mean any more, but for those of a submission."""
        forgotten = self._db.execute(
            "SELECT number FROM tasks"
            " WHERE state = 'pending' AND submission IS NOT ? AND id NOT IN (SELECT id FROM config)",
            (live,),
        ).fetchall()
        for statement in _FORGET_TASK:
            self._db.executemany(statement, forgotten)

    def reset_failed(self) -> int:
        """Make failed tasks pending again.

        :returns: how many there were.
        """
        return self._db.execute(RESET_FAILED.format(""), (SUSPECT,)).rowcount

    def choose(self, choice: Choice, live: int | None) -> int:
        """Choose the tasks that a submit is to take, of those that the config means now.

        :param live: the submission whose managers may still be running, which has its tasks already.
        :returns: how many there are.
        :raises StateError: there is no task of an id that was named.
        """
        states = {"pending"} | ({"failed"} if choice.failed or choice.ended else set())
        states |= {"done"} if choice.ended else set()
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (number INTEGER PRIMARY KEY)")
        with self.transaction():
            self._db.execute("DELETE FROM wanted")
            if choice.only:
                self._db.executemany("INSERT INTO wanted VALUES (?)", ((each,) for each in self._find_ids(choice.only)))
            self._db.execute("DELETE FROM chosen")
            self._db.execute(
                CHOOSE,
                {
                    "states": " ".join(sorted(states)),
                    "changed": choice.changed,
                    "only": bool(choice.only),
                    "live": live,
                    "limit": -1 if choice.limit is None else choice.limit,
                },
            )
        return self._settle_final(live)[0]

    def _settle_final(self, live: int | None) -> tuple[int, bool]:
        """Choose the task that comes after all others if others are chosen, and leave it out if some are not and wait.

        :param live: the submission whose tasks that wait are going to be taken.
        :returns: how many tasks are chosen now, and whether that one is.
        """
        row = self._db.execute("SELECT number FROM tasks WHERE id IS ?", (self.final_id(),)).fetchone()
        final = -1 if row is None else int(row[0])
        others, has_final = self._db.execute(
            "SELECT coalesce(sum(number != ?), 0), coalesce(max(number = ?), 0) FROM chosen", (final, final)
        ).fetchone()
        if row is None:
            return others, False
        (is_left,) = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM config JOIN tasks t USING (id) WHERE t.number != ?"
            " AND t.number NOT IN (SELECT number FROM chosen)"
            " AND (t.state = 'running' OR (t.state = 'pending' AND t.submission IS NOT ?)))",
            (final, live),
        ).fetchone()
        if is_left:
            self._db.execute("DELETE FROM chosen WHERE number = ?", (final,))
            return others, False
        if others and not has_final:
            self._db.execute("INSERT INTO chosen VALUES (?)", (final,))
        has_final = bool(others or has_final)
        return others + has_final, has_final

    def is_chosen(self, task_id: str) -> bool:
        """Return whether `choose` has chosen a task."""
        query = "SELECT 1 FROM chosen JOIN tasks USING (number) WHERE id = ?"
        return self._db.execute(query, (os.fsencode(task_id),)).fetchone() is not None

    def going_to_run(self, live: int | None) -> Iterator[tuple[str, tuple[Name | Entry, ...]]]:
        """Yield id and outputs of the chosen tasks, and of those of the config that wait in a submission.

        :param live: that submission, if there is one.
        """
        for task_id, outputs in self._db.execute(
            "SELECT n.id, n.outputs FROM config n JOIN tasks t USING (id)"
            " WHERE t.number IN (SELECT number FROM chosen) OR (t.state = 'pending' AND t.submission = ?)",
            (live,),
        ):
            yield os.fsdecode(task_id), outputs_of(split_fields(os.fsdecode(outputs))) if outputs else ()

    def run_otherwise(self, *, gone: bool) -> Iterator[Outcome]:
        """Yield tasks that are done or running, and not as the config has them now, by their outputs.

        What `choose` has chosen is going to run as the config has it. What came to a folder of its own stays there.

        :param gone: those that the config does not mean any more; else those for which it has other outputs.
        """
        is_gone = "IS NULL" if gone else "IS NOT NULL"
        return self._outcomes(f"WHERE t.number IN ({RUN_OTHERWISE} AND n.id {is_gone}) ORDER BY t.number")

    def take_chosen(self, live: int | None) -> Taken:
        """Make the chosen tasks wait, with what a submission held that has been stopped, and return how many they are.

        What waits and is no longer in the config is forgotten.

        :param live: that submission, if there is one.
        :returns: how many wait; and those that come last: what was lost twice with its manager, and `final`.
        """
        with self.transaction():
            self._forget_waiting(None)
            self._db.execute(
                "INSERT OR IGNORE INTO chosen SELECT number FROM tasks WHERE state = 'pending' AND submission = ?",
                (live,),
            )
            chosen, has_final = self._settle_final(None)
            self._keep_chosen()
            self._db.execute(RESET_FAILED.format(" AND number IN (SELECT number FROM chosen)"), (SUSPECT,))
            self._db.execute(RESET_DONE)
            if chosen:  # what there is of it, or is being made, knows nothing of these
                self._db.execute(RESET_FINAL, (self.final_id(),))
            self._db.execute(TAKE_COMMANDS)
            waiting, suspects = self._db.execute(
                "SELECT count(*), coalesce(sum(lost >= ? AND id IS NOT ?), 0) FROM tasks JOIN chosen USING (number)"
                " WHERE state = 'pending'",
                (SUSPECT, self.final_id()),
            ).fetchone()
        return Taken(int(waiting), int(suspects), has_final)

    def _keep_chosen(self) -> None:
        """Keep what is known of tasks that are going to be taken though they have ended, and of the last one."""
        for statement in (*_KEEP, "DROP TABLE IF EXISTS temp.kept_commands"):
            self._db.execute(statement)
        self._db.execute(_KEEP_TASKS, (self.final_id(),))
        self._db.execute(_KEEP_COMMANDS)

    @contextlib.contextmanager
    def given_back_if_refused(self) -> Iterator[None]:
        """Make what `take_chosen` took as it was, if what is done within is refused; what waited waits on."""
        try:
            yield
        except LocustsError as error:
            if error.exit_status is ExitStatus.USAGE:
                with self.transaction():
                    for statement in _UNDO:
                        self._db.execute(statement)
            raise

    def counts_beside_chosen(self) -> Counts:
        """Return how many tasks there are, and how many stay failed, once `take_chosen` has taken what is chosen."""
        counts = self.counts()
        total, failed = self._db.execute(
            "SELECT count(*), coalesce(sum(state = 'failed' AND number NOT IN (SELECT number FROM chosen)"
            " AND NOT (id IS ? AND EXISTS (SELECT 1 FROM chosen))), 0) FROM tasks"
            " WHERE state != 'pending' OR id IN (SELECT id FROM config)",
            (self.final_id(),),
        ).fetchone()
        return replace(counts, total=int(total), failed=int(failed))

    def states_of(self, only: Iterable[str]) -> dict[str, int]:
        """Return how many of the named tasks of the config are in each state.

        :raises StateError: there is no task of an id that was named.
        """
        wanted = self._find_ids(only)
        rows = self._db.execute("SELECT t.id, t.state FROM config JOIN tasks t USING (id)")
        return dict(Counter(str(state) for task_id, state in rows if task_id in wanted))

    def _find_ids(self, only: Iterable[str]) -> set[bytes]:
        """Return the ids of the config that are named, or match a pattern.

        :raises StateError: there is none.
        """
        ids = [os.fsdecode(row[0]) for row in self._db.execute("SELECT id FROM config ORDER BY rowid")]
        known, found = set(ids), set()
        for pattern in only:
            matching = {pattern} & known or {task_id for task_id in ids if fnmatchcase(task_id, pattern)}
            if not matching:
                raise self._no_such(pattern, ids)
            found |= matching
        return {os.fsencode(task_id) for task_id in found}

    def _no_such(self, pattern: str, ids: list[str]) -> StateError:
        """Return the error for an id that no task of the config has."""
        if self._db.execute("SELECT 1 FROM tasks WHERE id = ?", (os.fsencode(pattern),)).fetchone():
            return StateError(f"task {pattern!r} is no longer in the config", hint="what it left stays as it is")
        near = next((task_id for task_id in ids if task_id.lstrip("0") == pattern.lstrip("0")), None)
        near = near or nearest(pattern, ids[:_COMPARED])
        return StateError(
            f"there is no task {pattern!r} in the config",
            hint=f"did you mean {near}?" if near else f"ids are such as {', '.join(ids[:3])}; * stands for any text",
        )
