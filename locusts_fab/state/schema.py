"""The schema of the ledger's file, and how its rows become data types of the model."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from itertools import chain
from typing import TYPE_CHECKING, Any

from locusts_fab.bounds.entries import outputs_of
from locusts_fab.bounds.names import Name, TaskId, UnsafeNameError, names
from locusts_fab.errors import StateError
from locusts_fab.manager.records import read_found, read_piece, read_task_reason
from locusts_fab.model.tasks import Outcome, PlannedTask, TaskState
from locusts_fab.state.faults import REBUILD, faults_explained
from locusts_fab.tsv import join_fields, split_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from locusts_fab.bounds.entries import Entry
    from locusts_fab.model.tasks import Task, Values

#: How names of files become bytes, as `os.fsencode` and `os.fsdecode` do it.
_AS_NAMES = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
#: Raised when the schema changes.
VERSION = 8
#: Where there were environments in several places, nobody knows any more which of them earlier submits went to.
_OF_UNKNOWN_PLACE = (
    "UPDATE submissions SET place = '' WHERE number < (SELECT max(number) FROM submissions)"
    " AND (SELECT count(*) FROM facts WHERE CAST(name AS TEXT) LIKE 'environment %') > 1"
)
#: What makes a file of an older version one of the next.
_MIGRATIONS = {
    4: ("ALTER TABLE commands ADD COLUMN vals BLOB", "ALTER TABLE commands ADD COLUMN stamp BLOB"),
    5: ("ALTER TABLE tasks ADD COLUMN cpu REAL", "ALTER TABLE tasks ADD COLUMN peak REAL"),
    6: ("ALTER TABLE tasks ADD COLUMN piece TEXT",),  # and the table of what stays packed; see archived.py
    7: ("ALTER TABLE submissions ADD COLUMN place", _OF_UNKNOWN_PLACE),
}

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE tasks (                 -- what has become of each task
    -- its name on the target; never given twice, for the target may still hold something of a task that was forgotten
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,         -- bytes, for file names need not be UTF-8
    state TEXT NOT NULL DEFAULT 'pending',
    submission INTEGER NOT NULL DEFAULT 0,   -- the submit that planned it last
    manager TEXT, claim TEXT, attempt INTEGER, attempts INTEGER NOT NULL DEFAULT 0,
    exit INTEGER, start REAL, seconds REAL, found TEXT NOT NULL DEFAULT '', log INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    collected INTEGER NOT NULL DEFAULT 0,    -- 1: its latest outcome is here; 2: not all of it any more
    place BLOB,                              -- where under outdir; set once something of it came back
    lost INTEGER NOT NULL DEFAULT 0,         -- how often its manager was lost while it ran, over all submits
    planned BLOB,   -- the outputs that it was planned with, where its command is another one by now; else NULL
    since INTEGER NOT NULL DEFAULT 0,        -- the submit that planned it as it is; earlier ones ran another command
    bad_node TEXT NOT NULL DEFAULT '',       -- where it failed, and nearly all did; that does not count
    cpu REAL, peak REAL,                     -- what its latest attempt used: seconds, MiB; NULL: not known
    piece TEXT                               -- of an archive, that holds what it left; NULL: it is not packed
);
CREATE INDEX tasks_by_state ON tasks (state, collected);
CREATE TABLE commands (              -- apart from the above, so that counting tasks reads little
    number INTEGER PRIMARY KEY, command BLOB NOT NULL, inputs BLOB NOT NULL, outputs BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    vals BLOB,                       -- names and values of its handles in turn; NULL: not known
    stamp BLOB                       -- of its inputs, as they were when they were staged last; NULL: not known
);
CREATE TABLE submissions (           -- each submit that started managers
    number INTEGER PRIMARY KEY, first_chunk INTEGER NOT NULL, last_chunk INTEGER NOT NULL,  -- of its part of the plan
    state TEXT NOT NULL, created REAL NOT NULL,
    token TEXT NOT NULL,             -- the name of its job, known before there is one
    job TEXT NOT NULL DEFAULT '',    -- what the scheduler calls it
    boot TEXT NOT NULL DEFAULT '', up REAL NOT NULL DEFAULT 0, -- when its managers were started, by a clock nobody sets
    place                            -- where it went to, as the fact of that name has it; NULL: where the swarm is now
);
CREATE TABLE jobs (id TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;  -- at the last poll
CREATE TABLE managers (
    id TEXT PRIMARY KEY, submission INTEGER NOT NULL, host TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL DEFAULT 0,
    slots INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'unknown', reason TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    offset INTEGER NOT NULL DEFAULT 0,       -- bytes of its cache file that were read
    said INTEGER NOT NULL DEFAULT 0,         -- it said itself that it left: nothing more will come
    beat TEXT NOT NULL DEFAULT '', beat_boot TEXT NOT NULL DEFAULT '', beat_seen REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE attempts (              -- those that began and have not ended
    manager TEXT NOT NULL, number INTEGER NOT NULL, claim TEXT NOT NULL, PRIMARY KEY (manager, number)
) WITHOUT ROWID;
CREATE TABLE troubles (number INTEGER, output BLOB, message TEXT);  -- outputs that could not be brought back
"""
#: What older files lack: what patterns among the outputs matched, of each task that has ended, as place of the pattern
#: and name in turn; and what was heard of it so far of attempts whose end was not.
_MATCHES = """
CREATE TABLE IF NOT EXISTS matches (number INTEGER PRIMARY KEY, names BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS match_parts (
    number INTEGER NOT NULL, claim TEXT NOT NULL, attempt INTEGER NOT NULL, part INTEGER NOT NULL,
    output INTEGER NOT NULL, names BLOB NOT NULL, PRIMARY KEY (number, claim, attempt, part)
) WITHOUT ROWID;
"""

#: Many outputs may be lacking, and those of a task are looked up for each that comes.
_TROUBLES_BY_TASK = "CREATE INDEX IF NOT EXISTS troubles_by_task ON troubles (number)"

#: Where what stays packed is in its archive, which is the place of its task; the log of a task has no output.
ARCHIVED = """CREATE TABLE IF NOT EXISTS archived (
    number INTEGER NOT NULL, output BLOB NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL,
    is_folder INTEGER NOT NULL, PRIMARY KEY (number, output)
) WITHOUT ROWID"""

OUTCOME = """SELECT t.number, t.id, c.command, coalesce(t.planned, c.outputs), t.state, t.exit, t.attempts, m.host,
    t.start, t.seconds, t.cpu, t.peak, t.reason, t.found, t.log, t.claim, t.attempt, t.place, t.bad_node, c.vals,
    x.names, t.piece, t.collected FROM tasks t JOIN commands c USING (number) LEFT JOIN managers m ON m.id = t.manager
    LEFT JOIN matches x ON x.number = t.number"""


#: The columns that `read_task` reads.
PLANNED = "SELECT number, id, command, inputs, outputs, vals FROM tasks JOIN commands USING (number)"

#: A task that was lost with its manager so often is suspected of ending it: it runs last and alone. Once more, and it
#: is not run again.
SUSPECT = 2
#: The reasons of a task that was lost, and of one that is not run again for that.
LOST_REASON = "lost with its manager"
TOO_OFTEN_LOST_REASON = f"{LOST_REASON} {SUSPECT + 1} times"
#: The columns of a `Submission`. A job of another place is none here: there another job may have its id.
SUBMISSION = (
    "SELECT number, last_chunk, state, created, token, CASE WHEN place IS NULL"
    " OR place = (SELECT value FROM facts WHERE name = 'place') THEN job ELSE '' END FROM submissions"
)


def open_database(path: Path) -> sqlite3.Connection:
    """Return the open file; a new one gets the schema.

    :raises StateError: it is no ledger of this version.
    """
    with faults_explained(path):
        database = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            version = _make_schema(database)
        except BaseException:
            database.close()  # nothing else closes it
            raise
    if version not in {0, VERSION}:
        database.close()
        raise StateError(
            f"the state file {path} was made by another version of locusts_fab",
            hint="collect with that version what it knows of; or move the file away and give the target another root",
        )
    return database


def _make_schema(database: sqlite3.Connection) -> int:
    """Make the schema if there is none yet, or bring it up to date; return its version, 0 if there was none."""
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    version = _version(database)
    if version == 0:
        database.execute("BEGIN IMMEDIATE")
        if _version(database) == 0:  # else somebody was quicker
            for statement in _statements(f"{SCHEMA}PRAGMA user_version = {VERSION};"):
                database.execute(statement)
        database.execute("COMMIT")
    elif version in _MIGRATIONS:
        version = _migrate(database)
    if version in {0, VERSION}:
        _add_matches(database)
        database.execute(ARCHIVED)
        database.execute(_TROUBLES_BY_TASK)
    return version


def _add_matches(database: sqlite3.Connection) -> None:
    """Make the tables for matches, if there are none yet."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'match_parts'").fetchone():
        for statement in _statements(_MATCHES):
            database.execute(statement)


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _migrate(database: sqlite3.Connection) -> int:
    """Bring the schema up to date, all at once or not at all, and return its version."""
    database.execute("BEGIN IMMEDIATE")
    try:
        version = _version(database)  # another command may have been first
        while version in _MIGRATIONS:
            for statement in _MIGRATIONS[version]:
                database.execute(statement)
            version += 1
        database.execute(f"PRAGMA user_version = {version}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    return version


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script one by one: `executescript` would end the transaction that it is called in."""
    statement = ""
    for line in script.splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def write_task(task: Task, environment_dir: str) -> tuple[bytes, ...]:
    """Return a task of the config as a row of `config` holds it, with a fingerprint.

    That is a hash of what a task runs, the same wherever its environment lies.
    """
    # each text is made once, and turned into bytes by the shortest way: there may be a million tasks
    inputs, outputs = join_fields(task.inputs), join_fields(task.outputs)
    command = task.command.replace(environment_dir, "<environment>")
    text = f"{command}\n{inputs}\n{outputs}" if task.is_strict else f"{command}\n{inputs}\n{outputs}\nloose"
    return (
        task.id.encode(*_AS_NAMES),
        task.command.encode(*_AS_NAMES),
        inputs.encode(*_AS_NAMES),
        outputs.encode(*_AS_NAMES),
        hashlib.blake2b(text.encode(*_AS_NAMES), digest_size=12).digest(),
        write_values(task.values),
        task.stamp,
    )


def write_values(values: Values) -> bytes:
    """Return the values of a task as a row of commands holds them; `read_values` reads it."""
    return join_fields(tuple(chain.from_iterable(values))).encode(*_AS_NAMES)


def read_values(text: bytes | None) -> Values:
    """Return the values in a row of commands; none if they are not known."""
    fields = split_fields(os.fsdecode(text)) if text else []
    return tuple(zip(fields[::2], fields[1::2], strict=False))


def any_text(text: str) -> str | bytes:
    """Return a text as SQLite can hold it: a path may hold bytes that are no text."""
    return text if text.isascii() else os.fsencode(text)


def read_task(
    number: int, task_id: bytes, command: bytes, inputs: bytes, outputs: bytes, values: bytes | None
) -> PlannedTask:
    """Return a row of tasks and commands as a planned task.

    :raises StateError: it holds a name that no task can have.
    """
    try:
        text, known = command.decode(*_AS_NAMES), values.decode(*_AS_NAMES) if values else ""
        return PlannedTask(number, _id(task_id), text, _inputs(inputs), _outputs(outputs), known)
    except UnsafeNameError as error:  # no `with`: it would take as long as all the rest
        raise _not_ours(error) from error


def _not_ours(error: UnsafeNameError) -> StateError:
    """Return, for a name that no row of ours holds, an error that a person can act on."""
    return StateError(f"the local state holds a name that no task of ours has: {error}", hint=REBUILD)


def _id(text: bytes) -> TaskId:
    return TaskId(text.decode(*_AS_NAMES))


def _inputs(text: bytes) -> tuple[str, ...]:
    if not text.startswith(b"/") and b"\t/" not in text:
        return _names(text)
    return tuple(
        [f"/{Name(name[1:])}" if name.startswith("/") else Name(name) for name in split_fields(os.fsdecode(text))]
    )


def _names(text: bytes) -> tuple[Name, ...]:
    return names(split_fields(os.fsdecode(text))) if text else ()


def _outputs(text: bytes) -> tuple[Name | Entry, ...]:
    return outputs_of(split_fields(os.fsdecode(text))) if text else ()


def write_matches(matches: Iterable[tuple[int, Name]]) -> bytes:
    """Return what patterns matched as a row of matches holds it; `read_matches` reads it."""
    return os.fsencode(join_fields(chain.from_iterable((str(at), name) for at, name in matches)))


def read_matches(text: bytes | None) -> tuple[tuple[int, Name], ...]:
    """Return what patterns matched, in a row of matches.

    :raises UnsafeNameError: it holds what is no name.
    """
    fields = split_fields(os.fsdecode(text)) if text else []
    return tuple(zip(map(int, fields[::2]), names(fields[1::2]), strict=False)) if fields else ()


def _place(text: bytes | None) -> str:
    """Return a folder under outdir: a name, or `.` for outdir itself; empty if nothing came back yet."""
    place = os.fsdecode(text or b"")
    return place if place in {"", "."} else Name(place)


def read_outcome(row: tuple[Any, ...]) -> Outcome:
    """Return a row of `OUTCOME` as an outcome.

    :raises StateError: it holds a name that no task can have.
    """
    try:
        return _read_outcome(row)
    except UnsafeNameError as error:
        raise _not_ours(error) from error


def _read_outcome(row: tuple[Any, ...]) -> Outcome:
    number, task_id, command, outputs, state, *middle, place, bad_node, values, matches, piece, collected = row
    exit_code, attempts, host, start_s, seconds, cpu_s, peak_mb, reason, found, log, claim, attempt = middle
    return Outcome(
        number=number,
        id=_id(task_id),
        command=os.fsdecode(command),
        outputs=_outputs(outputs),
        state=TaskState(state),
        exit_code=exit_code,
        attempts=attempts,
        node=host or "",
        start_s=start_s,
        seconds=seconds,
        reason=reason,
        found=read_found(found),
        log=log,
        claim=Name(claim) if claim else "",
        attempt=attempt or 0,
        place=_place(place),
        cause=read_task_reason(reason),
        bad_node=bad_node,
        values=read_values(values),
        matches=read_matches(matches) if matches else (),
        cpu_s=cpu_s,
        peak_mb=peak_mb,
        piece=read_piece(piece) if piece else None,
        is_here=bool(collected),
    )
