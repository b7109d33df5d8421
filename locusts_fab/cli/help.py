"""What `locusts --help` and `locusts COMMAND --help` print: it fits a screen of 80 columns and 24 lines."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from locusts_fab.cli.registry import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locusts_fab.cli.command import Argument, Command

_WIDEST = 100
_GROUP, _NAME, _OPTION = 14, 10, 24
_VALUES = {
    "config": "FILE",
    "output": "FILE",
    "par": "FILE",
    "swarm": "NAME",
    "target": "NAME",
    "code": "NAME",
    "limit": "N",
    "tail": "N",
    "task": "TASK",
    "only": "PATTERN",
    "state": "STATE",
}
#: The options that every command takes.
OVERALL = ("swarm", "target", "config", "quiet")


def _width() -> int:
    """Return how wide a text may be: as the terminal, within bounds."""
    return max(40, min(_WIDEST, shutil.get_terminal_size().columns) - 1)


def overview() -> str:
    """Return what all commands do, in groups."""
    lines = ["Usage: locusts COMMAND [OPTIONS]      for example: locusts run --help", ""]
    for group, commands in GROUPS.items():
        for head, each in zip([group] + [""] * len(commands), commands, strict=False):
            summary = each.text.partition("\n")[0].rstrip(".")
            left = max(20, _width() - _GROUP - _NAME)
            lines.append(f"{head:<{_GROUP}}{each.name:<{_NAME}}{textwrap.shorten(summary, left, placeholder=' ...')}")
    return "\n".join(
        [
            *lines,
            "",
            *_filled(
                "Every command takes -c, --config FILE (default: locusts.toml), -s, --swarm NAME, -t, --target NAME and"
                " -q, --quiet. Besides: --version; --print-completion SHELL (bash, zsh or fish) writes what completes"
                " commands."
            ),
        ]
    )


def usage(command: Command) -> str:
    """Return how a command is called, in a line."""
    words = [value_name(each) for each in command.arguments if each.is_positional and each.is_needed]
    words += [f"[{value_name(each)}]" for each in command.arguments if each.is_positional and not each.is_needed]
    return " ".join(["locusts", command.name, *words, "[OPTIONS]"])


def explain(command: Command) -> str:
    """Return what a command does, an example, and its options."""
    summary, *more = command.text.split("\n\n")
    lines = [f"Usage: {usage(command)}", "", *_filled(summary)]
    for paragraph in more:
        lines += ["", *_filled(paragraph)]
    if command.example:
        lines += ["", f"Example: {command.example}"]
    own = [each for each in command.arguments if each.name not in OVERALL]
    overall = [each for each in command.arguments if each.name in OVERALL]
    for title, arguments in (("", own), ("Options of every command:", overall)):
        if arguments:
            lines += ["", *([title] if title else []), *_listed(arguments)]
    return "\n".join(lines)


def value_name(argument: Argument) -> str:
    """Return the word that stands for the value of an argument."""
    return _VALUES.get(argument.option, "N" if argument.kind is int else "TEXT")


def _listed(arguments: Sequence[Argument]) -> Iterator[str]:
    """Yield lines that explain arguments."""
    for each in arguments:
        if each.is_positional:
            head = f"  {value_name(each)}"
        else:
            value = "" if each.kind is bool else f" {value_name(each)}"
            letter = f"-{each.letter}, " if each.letter else "    "
            head = f"  {letter}--{each.option}{value}"
        lines = textwrap.wrap(each.help, _width() - _OPTION)
        if len(head) >= _OPTION:
            yield head
            head = ""
        yield f"{head:<{_OPTION}}{lines[0] if lines else ''}".rstrip()
        yield from (f"{'':<{_OPTION}}{line}" for line in lines[1:])


def _filled(paragraph: str) -> list[str]:
    """Break a paragraph into lines, between words."""
    return textwrap.wrap(" ".join(paragraph.split()), _width(), break_long_words=False, break_on_hyphens=False)
