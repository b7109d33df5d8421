"""Tasks of a file of commands: a line is a task, as for xargs, GNU parallel, dSQ or Biowulf's swarm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locusts_fab.config.directives import DIRECTIVE
from locusts_fab.errors import PlanError
from locusts_fab.plan.source import Source, first_numbers, read_text
from locusts_fab.shell.complete import Judge
from locusts_fab.text import counted, first_few, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HANDLE = re.compile(r"\\?<(?:id|shared)(?::raw)?>")
#: A command of more lines is most likely a quote that somebody forgot to close.
_MOST_LINES = 200
_SHOWN = 5
_LINE_SHOWN = 200


def from_command_file(path: Path, where: str) -> Source:
    """Return a task for each command; blank lines and lines that begin with # are passed over.

    A line that is no complete command goes on in the next.

    :param where: the name of the file in messages.
    :raises PlanError: the file cannot be read, or a line is no command.
    """
    lines = read_text(path, where).split("\n")
    found = list(_read_commands(lines, where))
    if not found:
        raise PlanError(f"{where}: there is no command in it", hint="write one command a line; # begins a comment")
    commands = [command for _, command in found]
    ids = first_numbers(len(commands))
    return Source(
        ids,
        frozenset({"id"}),
        lambda index: {"id": ids[index]},
        lambda index: (("command", commands[index]),),
        commands,
        is_numbered=True,
        warnings=[*_note_directives(lines, where), *_note_joined(found, where)],
    )


def _read_commands(lines: list[str], where: str) -> Iterator[tuple[int, str]]:
    """Yield each command, and the place of its first line.

    :raises PlanError: a line is no command.
    """
    judge = Judge()
    at = 0
    while at < len(lines):
        first, text = at, lines[at]
        at += 1
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        judgement = judge.judge(_HANDLE.sub("w", text))
        while judgement.kind == "open" and at < len(lines) and at - first < _MOST_LINES:
            text += "\n" + lines[at]
            at += 1
            judgement = judge.judge(_HANDLE.sub("w", text))
        if judgement.kind != "complete":
            what = "does not end" if judgement.kind == "open" else "is no command that bash can read"
            shown = printable(lines[first][:_LINE_SHOWN], "")
            raise PlanError(
                f"{where}: line {first + 1}: what begins here {what}: {judgement.why}\n    {shown}",
                hint="close quotes and brackets, or write \\' for a quote that is meant",
            )
        yield first, text.removesuffix("\n")


def _note_joined(found: list[tuple[int, str]], where: str) -> list[str]:
    """Return a note on commands that take several lines, if there are any: it may be more than was meant."""
    joined = [f"{first + 1} to {first + 1 + text.count(chr(10))}" for first, text in found if "\n" in text]
    if not joined:
        return []
    return [f"{where}: {counted(len(joined), 'command')} of several lines: {', '.join(first_few(joined, _SHOWN))}"]


def _note_directives(lines: list[str], where: str) -> list[str]:
    """Return a note on lines that tell another program what to do, if there are any."""
    directives = [f"line {at}: {line.strip()}" for at, line in enumerate(lines, 1) if DIRECTIVE.fullmatch(line)]
    if not directives:
        return []
    shown = "; ".join(printable(each, "") for each in first_few(directives, _SHOWN))
    return [f"{where}: not read here, what they ask for belongs in the config: {shown}"]
