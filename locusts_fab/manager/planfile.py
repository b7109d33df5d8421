"""The plan of a chunk on the target: how it is written, and how `attach` reads it again.

A line is a task: number, id, command, outputs, with tabs between, escaped as in tsv.py. `read_chunk` in
`templates/manager/slot.sh` and `read_task` in `templates/manager/task.sh` read it on the target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.model import PlannedTask
from locusts_fab.tsv import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LEAST_FIELDS = 3


def plan_text(tasks: Iterable[PlannedTask]) -> str:
    """Return the plan of a chunk, a line for each of its tasks."""
    return "".join(
        "\t".join([str(task.number), escape(task.id), escape(task.command), *map(escape, task.outputs)]) + "\n"
        for task in tasks
    )


def parse_plan(plan: bytes) -> Iterator[PlannedTask]:
    """Yield the tasks of all chunks; lines that are no task are passed over.

    Inputs are not in the plan: the config gives them at the next submit.
    """
    for line in plan.decode("utf-8", "surrogateescape").split("\n"):
        number, *fields = line.split("\t")
        if len(fields) + 1 >= _LEAST_FIELDS and number.isdigit():
            task_id, command, *outputs = map(unescape, fields)
            yield PlannedTask(int(number), task_id, command, (), tuple(outputs))
