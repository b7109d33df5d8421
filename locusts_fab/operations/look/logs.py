"""Logs: what became of one task, and what it printed."""

from __future__ import annotations

import contextlib
import io
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.fs import Span
from locusts_fab.model.findings import Packed
from locusts_fab.model.tasks import TaskState
from locusts_fab.operations.look.glance import glanced_at, working_on
from locusts_fab.operations.look.status import status
from locusts_fab.operations.look.tasks import choose, planned_tasks, unknown_task
from locusts_fab.operations.session import busy_note, results_of
from locusts_fab.progress import Silent
from locusts_fab.results.lists import describe
from locusts_fab.results.outdir import where_it_lies
from locusts_fab.results.packed import find_member
from locusts_fab.results.unarchive import open_kept
from locusts_fab.target import poll_pauses_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Outcome
    from locusts_fab.operations.session import Session


@dataclass(frozen=True)
class TaskLog:
    """The answer of `logs` on a task.

    :param description: why the task is in its state, in words.
    :param sandbox: where its sandbox is or was, on the target.
    :param printed: what the task printed, or the end of it; None if that is no longer available.
    :param left_out: how many bytes of it came before that.
    :param notes: what a person should know besides, a line each.
    """

    outcome: Outcome
    description: str
    sandbox: str
    printed: bytes | None
    left_out: int = 0
    notes: list[str] = field(default_factory=list)


#: Of what a task printed, so much is shown, in bytes: the end of it.
_SHOWN_BYTES = 10_000_000
#: The same, where several tasks are shown.
_SHOWN_BYTES_EACH = 100_000
#: While nothing comes, each pause is so many times the one before.
_GROWTH = 1.5


def logs(swarm: Swarm, task_id: str, connection: fabric.Connection | None = None) -> TaskLog:
    """Return what became of a task, and what it printed.

    :param task_id: the task's id, as in tasks.tsv.
    :returns: its outcome, its sandbox, and what it printed.
    :raises StateError: there is no such task.
    """
    return _look(swarm, task_id, connection, _SHOWN_BYTES)


def _look(swarm: Swarm, task_id: str, connection: fabric.Connection | None, most: int) -> TaskLog:
    """Return what became of a task, and no more than so many bytes of what it printed.

    :raises StateError: there is no such task.
    """
    busy = working_on(swarm)
    if busy and not (swarm.state_dir / "ledger.sqlite").exists():  # its first submit has begun just now
        return _planned(swarm, task_id, [busy_note(busy)])
    with glanced_at(swarm, connection) as session:
        outcome = session.ledger.find(task_id)
        if outcome is None:
            if busy or session.busy:  # a submit may be about to plan it
                return _planned(swarm, task_id, session.busy_notes())
            raise unknown_task(
                swarm,
                task_id,
                lambda likely: session.ledger.find(likely) is not None,
                (each.id for each in session.ledger.outcomes()),
            )
        return _log_of(session, outcome, most)


def _planned(swarm: Swarm, task_id: str, notes: list[str]) -> TaskLog:
    """Return what is known of a task that only the config knows of.

    :raises StateError: there is no such task.
    """
    known: dict[str, Outcome] = {each.id: each for each in planned_tasks(swarm)}
    outcome = known.get(task_id)
    if outcome is None:
        raise unknown_task(swarm, task_id, known.__contains__, known)
    return TaskLog(outcome, describe(outcome), "", b"", notes=notes)


def failed_logs(
    swarm: Swarm, connection: fabric.Connection | None = None, *, only: Sequence[str] = ()
) -> Iterator[TaskLog]:
    """Yield what became of each task that failed, and what it printed.

    :param only: only those with one of these ids, or that match one of these patterns.
    :raises StateError: an entry of `only` fits no task.
    """
    with glanced_at(swarm, connection) as session:
        chosen = choose(session.ledger.outcomes(), only, swarm)
        for outcome in chosen:
            if outcome.state is TaskState.FAILED:
                yield _log_of(session, outcome, _SHOWN_BYTES_EACH)


@dataclass(frozen=True)
class Growth:
    """What a task has printed since the last look.

    :param printed: the new bytes; `left_out` more came before them, too many to be read.
    :param is_new: it is another log than before: of another attempt.
    """

    outcome: Outcome
    printed: bytes
    left_out: int
    is_new: bool


def follow(swarm: Swarm, task_id: str, connection: fabric.Connection | None = None) -> Iterator[Growth]:
    """Yield what a task prints, as it comes, until it has ended, or waits and nobody runs the swarm any more.

    :raises StateError: there is no such task.
    """
    shortest, longest = poll_pauses_s(swarm)
    pause = shortest
    seen, known, most = 0, ("", 0), _SHOWN_BYTES
    while True:
        log = _look(swarm, task_id, connection, most)
        now = (log.outcome.claim, log.outcome.log)
        is_new = bool(log.outcome.log) and now != known
        if is_new:
            seen, known = 0, now
        printed, most = log.printed or b"", _SHOWN_BYTES_EACH
        total = max(seen, log.left_out + len(printed))
        fresh = min(total - seen, len(printed))
        yield Growth(log.outcome, printed[len(printed) - fresh :], total - seen - fresh, is_new)
        seen = total
        if log.outcome.has_ended or (log.outcome.state is TaskState.PENDING and status(swarm, connection).is_over):
            return
        pause = shortest if fresh else min(pause * _GROWTH, longest)
        time.sleep(pause)


def _log_of(session: Session, outcome: Outcome, most: int) -> TaskLog:
    """Return what became of a task, and the end of what it printed.

    :param most: no more than so many bytes of that.
    """
    environment = session.site.environment
    if not outcome.claim:
        return TaskLog(outcome, describe(outcome), "", b"", notes=session.busy_notes())
    sandbox = environment.absolute(environment.sandbox(outcome.claim, outcome.number, outcome.attempt))
    notes = session.busy_notes()
    if outcome.piece is not None:
        archive = environment.absolute(environment.packed(outcome.claim))
        sandbox = f"{archive}, in which it is {sandbox.rpartition('/')[2]}"
    elif session.swarm.settings.pack and outcome.state is TaskState.RUNNING:
        sandbox = "in scratch on its node"
        notes.append("what it prints is packed once it has ended; until then it is in scratch on its node")
    printed, left_out = _read_log(session, outcome, most) or (None, 0)
    return TaskLog(outcome, describe(outcome), sandbox, printed, left_out, notes)


def _read_log(session: Session, outcome: Outcome, most: int) -> tuple[bytes, int] | None:
    """Return the end of what a task printed, and how many bytes were before it."""
    if outcome.has_ended and not outcome.log:
        return b"", 0
    if outcome.is_here and (found := _read_here(session, outcome, most)) is not None:
        return found
    if outcome.piece is not None:
        return _read_piece(session, outcome, most)
    return session.site.transfer.read_end(session.site.environment.log(outcome.claim, outcome.log), most)


def _read_here(session: Session, outcome: Outcome, most: int) -> tuple[bytes, int] | None:
    """Return the end of a log that came back, and how many bytes were before it; None if it is not here."""
    results = where_it_lies(results_of(session.swarm), session.ledger, session.swarm.folder)
    log = results.log(outcome.id)
    if (outcome.number, "") in session.ledger.troubles(outcome.number):  # something else stands in its place
        return None
    with contextlib.suppress(OSError):  # somebody removed it, say
        if results.is_archive_place(outcome.place):
            kept = session.ledger.archived.of(outcome.number).get("")
            if kept is None:
                return None
            with open_kept(results.outdir / outcome.place, kept, log) as span:
                return _end_of(io.BufferedReader(span), span.size, most)
        with (results.outdir / log).open("rb") as file:
            return _end_of(file, os.fstat(file.fileno()).st_size, most)
    return None


def _read_piece(session: Session, outcome: Outcome, most: int) -> tuple[bytes, int] | None:
    """Return the end of a log that is packed on the target, and how many bytes were before it; None if it is not."""
    if outcome.piece is None:
        return None
    packed = Packed(outcome.claim, outcome.piece)
    log = session.site.environment.log(outcome.claim, outcome.log)
    with contextlib.suppress(OSError), session.site.transfer.pieces([packed], Silent()) as pieces:  # no archive, say
        piece = pieces[packed]
        span = find_member(piece, log.rpartition("/")[2]) if isinstance(piece, Span) else None
        return None if span is None else _end_of(io.BufferedReader(span), span.size, most)
    return None


def _end_of(file: io.BufferedReader, size: int, most: int) -> tuple[bytes, int]:
    """Return the end of a file of a size, and how many bytes were before it."""
    before = max(0, size - most)
    file.seek(before)
    return file.read(most), before
