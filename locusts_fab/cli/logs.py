"""What tasks printed, for people and for programs."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import TYPE_CHECKING, BinaryIO

from locusts_fab.cli.messages import print_note, print_shown
from locusts_fab.model.tasks import TaskState
from locusts_fab.text import LAID_OUT, printable, size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.operations.look.logs import Growth, TaskLog

#: How many characters are made safe to show at once.
_PIECE = 1 << 16


def print_logs(logs: Iterable[TaskLog], tail: int | None, *, raw: bool) -> None:
    """Print what became of several tasks."""
    count = 0
    for count, log in enumerate(logs, 1):
        if count > 1 and not raw:
            print()
        print_log(log, tail, raw=raw)
    if not count:
        print_note("no such task has failed")


def print_log(log: TaskLog, tail: int | None = None, *, raw: bool = False) -> None:
    """Print a task's command, exit code and node, and what it printed, as far as a terminal may see it.

    :param tail: only so many lines of what it printed, the last ones; None: all.
    :param raw: print only what it printed, byte by byte; a program reads it, not a terminal.
    """
    for note in log.notes:
        print_note(note)
    printed = log.printed if log.printed is None or tail is None else last_lines(log.printed, tail)
    if raw:
        if printed is None:
            print_note(_unavailable(log))
        print_bytes(printed or b"")
    else:
        print_shown("\n".join(_head(log)))
        _print_text(log, printed)
    if log.left_out and (tail is None or printed == log.printed):
        print_note(f"{size(log.left_out)} before that are left out; `locusts collect` brings all of it")


def _head(log: TaskLog) -> list[str]:
    """Return the lines that say what became of a task."""
    outcome = log.outcome
    lines = [
        f"task     {outcome.id}: {outcome.state.value}" + (f", {log.description}" if log.description else ""),
        f"command  {outcome.command}",
        f"exit     {'-' if outcome.exit_code is None else outcome.exit_code}, attempts {outcome.attempts}",
        f"node     {outcome.node or '-'}",
    ]
    return [*lines, *([f"sandbox  {log.sandbox}"] if log.sandbox else [])]


def _unavailable(log: TaskLog) -> str:
    """Return in words that nobody can say what a task printed."""
    return (
        f"what it printed is {'not available yet' if log.outcome.state is TaskState.RUNNING else 'no longer available'}"
    )


def _print_text(log: TaskLog, printed: bytes | None) -> None:
    """Print what a task printed, so that a terminal obeys none of it."""
    if printed is None:
        print_note(_unavailable(log))
    elif not log.printed and not log.outcome.attempts:
        print_note("it was not started yet")
    elif not log.printed:
        print_note("it printed nothing")
    else:
        text = os.fsdecode(printed.replace(b"\r\n", b"\n"))
        print("printed:")
        is_as_it_is = True
        for at in range(0, len(text), _PIECE):  # each character may become ten
            piece = text[at : at + _PIECE]
            shown = printable(piece, LAID_OUT)
            is_as_it_is = is_as_it_is and shown == piece
            print(shown, end="")
        print(end="" if text.endswith("\n") else "\n")
        if not is_as_it_is:
            print_note("what a terminal would obey is shown as \\x1b and the like; `--raw` prints every byte as it is")


def print_growth(growth: Iterable[Growth], tail: int | None, *, raw: bool) -> None:
    """Print what a task prints, as it comes.

    :param tail: of what it printed before the first look, only so many lines.
    """
    is_first, is_told = True, False
    for each in growth:
        if not each.outcome.claim and not is_told:
            print_note(f"task {each.outcome.id} has not begun; what it prints comes here")
            is_told = True
        if each.is_new and not is_first:
            print_note(f"task {each.outcome.id}: attempt {each.outcome.attempt}")
        if each.left_out and tail is None:
            print_note(f"{size(each.left_out)} are left out")
        printed = last_lines(each.printed, tail) if is_first and tail is not None else each.printed
        if raw:
            print_bytes(printed)
        else:
            print(printable(os.fsdecode(printed.replace(b"\r\n", b"\n")), LAID_OUT), end="")
            sys.stdout.flush()
        is_first = is_first and not each.printed
        last = each.outcome
    print_note(f"task {last.id}: {last.state.value}" + (f", {last.reason}" if last.reason else ""))


def print_bytes(printed: bytes) -> None:
    """Print bytes as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(printed)
    sys.stdout.buffer.flush()


def print_stream(file: BinaryIO) -> None:
    """Print all that a file holds, byte by byte."""
    sys.stdout.flush()
    shutil.copyfileobj(file, sys.stdout.buffer, _PIECE)
    sys.stdout.buffer.flush()


def last_lines(printed: bytes, count: int) -> bytes:
    """Return the last lines of a text."""
    lines = io.BytesIO(printed).readlines()
    return b"".join(lines[max(0, len(lines) - count) :])
