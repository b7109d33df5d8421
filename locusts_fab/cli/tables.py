"""Tasks in rows: for people, and as JSON for programs."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import shown
from locusts_fab.cli.messages import print_note
from locusts_fab.results.lists import described
from locusts_fab.text import printable
from locusts_fab.tsv import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Results
    from locusts_fab.model.tasks import Outcome

_COLUMNS = ("state", "exit", "attempts", "node", "seconds", "cpu_s", "peak_mb", "reason")
_NUMBERS = {"exit", "attempts", "seconds", "cpu_s", "peak_mb"}
_WIDEST = 40
_BETWEEN = "  "
#: A last column narrower than this is not broken into lines: it would be a tower of words.
_NARROWEST = 20
#: Where less is left for reasons than that, the columns before go: what tasks used is in tasks.tsv, too.
_ROOMY = 40
_SPARED = slice(-3, -1)


def print_tasks(found: Sequence[Outcome], results: Results) -> None:
    """Print tasks as a table, with their values; a line each, but where a terminal is too narrow for the reason."""
    names = list(dict.fromkeys(name for each in found for name, _ in each.values))
    header = ["task", *(printable(escape(name), "") for name in names), *_COLUMNS]
    rows = [header, *(_cells(each, names, results) for each in found)]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    if columns and columns - _start(rows) < min(_ROOMY, max(len(row[-1]) for row in rows)):
        for row in rows:
            del row[_SPARED]
    widths, start = _widths(rows), _start(rows)
    space = max(0, columns - start)
    for row in rows:
        cells = [
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for name, cell, width in zip(header, row, widths, strict=True)
        ]
        if _NARROWEST <= space < len(row[-1]):
            cells[-1] = f"\n{' ' * start}".join(textwrap.wrap(row[-1], space))
        print(_BETWEEN.join(cells).rstrip())
    if not found:
        print_note("no such tasks")


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is."""
    return [min(_WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]


def _start(rows: Sequence[Sequence[str]]) -> int:
    """Return where the last column begins."""
    return sum(width + len(_BETWEEN) for width in _widths(rows)[:-1])


def _cells(outcome: Outcome, names: Sequence[str], results: Results) -> list[str]:
    """Return the cells of a task's row, its values under their names."""
    values = dict(outcome.values)
    return [
        printable(escape(outcome.id), ""),
        *(printable(escape(values.get(name, "")), "") for name in names),
        outcome.state.value,
        "" if outcome.exit_code is None else str(outcome.exit_code),
        str(outcome.attempts),
        printable(escape(outcome.node), ""),
        "" if outcome.seconds is None else f"{outcome.seconds:.2f}",
        "" if outcome.cpu_s is None else f"{outcome.cpu_s:.2f}",
        "" if outcome.peak_mb is None else f"{outcome.peak_mb:.0f}",
        printable(escape(described(outcome, results)), ""),
    ]


def print_tasks_json(swarm: Swarm, found: Sequence[Outcome], results: Results) -> None:
    """Print tasks as one JSON object, a line each."""
    print(f'{{"swarm": {json.dumps(swarm.name)}, "target": {json.dumps(swarm.target_name)}, "tasks": [')
    for number, each in enumerate(found, 1):
        values = {
            "id": each.id,
            "values": dict(each.values),
            "state": each.state.value,
            "exit": each.exit_code,
            "attempts": each.attempts,
            "node": each.node,
            "start": each.start_s,
            "seconds": each.seconds,
            "cpu_s": each.cpu_s,
            "peak_mb": each.peak_mb,
            "reason": described(each, results),
            "command": each.command,
            "outputs": list(map(shown, each.outputs)),
        }
        print(json.dumps(values) + ("," if number < len(found) else ""))
    print("]}")
