"""The plan of a chunk on the target: how it is written, and how `attach` reads it again.

A line is a task: number, id, command, outputs, and a dot, with tabs between, escaped as in tsv.py. Where outputs are
patterns, its inputs follow, each after `/i/`, for they are not among what a pattern matches. The last line of a
chunk says how many tasks there are, and whose plan it is: so a file that was cut short is recognised, and nothing of
it is run. On the target it is read by `read_chunk` in `templates/manager/slot.sh` and `read_task` in
`templates/manager/task.sh`.

Beside the plan, for `attach` only, lie the values of the tasks, so that the next submit finds each row of the config
again: a line is number, then name and value in turn, and a dot. A file has those of many chunks, and the name of the
last of them.

And where a task comes after all others, for that one, a list of these: a line is number and id, and a dot, in the order
of the numbers. It is read by `gather` in `templates/manager/final.sh`. All three end with such a last line.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import GLOB, INPUT, outputs_of
from locusts_fab.bounds.names import TaskId, UnsafeNameError
from locusts_fab.bounds.numbers import MOST_OF_OURS, whole_or_none
from locusts_fab.errors import HostError
from locusts_fab.layout import VALUES, input_place
from locusts_fab.manager.records import END
from locusts_fab.model.tasks import PlannedTask
from locusts_fab.tsv import escape, join_fields, unescape

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from locusts_fab.layout import Environment
    from locusts_fab.model.tasks import Chunk, Values

#: Before the number of each chunk.
_CHUNK = re.compile(rb"^chunk\t", re.MULTILINE)
_LEAST_FIELDS = 4
_LAST_LINE = "end"
#: What a pattern among the outputs begins with.
_PATTERN = f"/{GLOB}"
#: A file of values is full with so many characters.
_FULL = 1_000_000


@dataclass(frozen=True)
class PlannedChunk:
    """The plan of one chunk, as `attach` finds it.

    :param tasks: those whose lines are whole.
    :param is_whole: whether all of them are there.
    :param values: what is known of the values of tasks, of this chunk or of those before it, by their numbers.
    """

    number: int
    tasks: list[PlannedTask]
    is_whole: bool
    values: dict[int, Values] = field(default_factory=dict)


class ForgedPlanError(HostError):
    """A plan holds what we never write."""


def plan_text(tasks: Collection[PlannedTask], environment_id: str) -> str:
    """Return the plan of a chunk: a line for each of its tasks, and one that says that these are all.

    :param environment_id: the environment that the plan is for.
    """
    lines = [f"{task.number}\t{join_fields((task.id, task.command, *_outputs(task)))}\t.\n" for task in tasks]
    return _with_end(lines, environment_id)


def tasks_list(tasks: Iterable[tuple[int, str]], environment_id: str) -> str:
    """Return the list of all tasks but the one that comes after them.

    :param tasks: number and id of each, in the order of the numbers.
    :param environment_id: the environment that it is for.
    """
    return _with_end([f"{number}\t{escape(task_id)}\t.\n" for number, task_id in tasks], environment_id)


def _with_end(lines: Sequence[str], environment_id: str) -> str:
    """Return lines, and the last one, which says that these are all."""
    return "".join([*lines, f"{_LAST_LINE}\t{len(lines)}\t{environment_id}\t.\n"])


def _outputs(task: PlannedTask) -> Sequence[str]:
    """Return the outputs of a task as its line has them, with its inputs if there is a pattern among them."""
    if any(output[:2] == _PATTERN for output in task.outputs):
        return [*task.outputs, *(f"{INPUT}{input_place(name)}" for name in (*task.inputs, *task.taken))]
    return task.outputs


class ValuesFiles:
    """Makes the files with the values of tasks, each when enough has come together."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._lines: list[str] = []
        self._size = 0

    def add(self, tasks: Iterable[PlannedTask], chunk: Chunk, *, is_last: bool) -> tuple[str, bytes] | None:
        """Take in the tasks of a chunk.

        :returns: the name of a file in the environment and what is to be in it, if there is to be one now.
        """
        for task in tasks:
            if task.values:
                line = f"{task.number}\t{task.values}\t.\n"
                self._lines.append(line)
                self._size += len(line)
        if not self._lines or (self._size < _FULL and not is_last):
            return None
        text = _with_end(self._lines, self._environment.id)
        self._lines, self._size = [], 0
        return self._environment.values(chunk.number), os.fsencode(text)


def parse_plan(plan: bytes, environment_id: str) -> Iterator[PlannedChunk]:
    """Yield the chunks of a plan, as far as they are whole and were made for this environment.

    Inputs are not in the plan: the config gives them at the next submit.

    :param plan: what `templates/remote/read_plan.sh` prints of it: `chunk` and its number before the lines of each.
    :raises ForgedPlanError: a task has an id or an output that no plan of ours holds.
    """
    begins = [found.end() for found in _CHUNK.finditer(plan)]
    for begin, end in pairwise([*begins, len(plan)]):  # one at a time, for all may be large
        first, *lines = plan[begin:end].decode("utf-8", "surrogateescape").split("\n")
        number = whole_or_none(first.removesuffix(VALUES), 1, MOST_OF_OURS)
        if number:
            parse = _parse_values if first.endswith(VALUES) else _parse_chunk
            yield parse(number, lines, environment_id)


def _parse_values(number: int, lines: list[str], environment_id: str) -> PlannedChunk:
    """Return the values in these lines, if all of them are there and they were made for this environment."""
    values: dict[int, Values] = {}
    last: list[str] = []
    for line in lines:
        first, *fields = line.split("\t")
        if fields[-1:] != END:
            continue
        if first == _LAST_LINE:
            last = fields[:-1]
        elif len(fields) % 2 == 1 and "\0" not in line:
            pairs = list(map(unescape, fields[:-1]))
            if task := whole_or_none(first, 1, MOST_OF_OURS):
                values[task] = tuple(zip(pairs[::2], pairs[1::2], strict=True))
    return PlannedChunk(number, [], is_whole=True, values=values if last == [str(len(values)), environment_id] else {})


def _parse_chunk(number: int, lines: list[str], environment_id: str) -> PlannedChunk:
    """Return a chunk in its lines. Those of another environment, or without the mark at its end, are no tasks."""
    tasks: list[PlannedTask] = []
    last: list[str] = []
    for line in lines:
        first, *fields = line.split("\t")
        if fields[-1:] != END:
            continue
        if first == _LAST_LINE:
            last = fields[:-1]
        elif len(fields) + 1 >= _LEAST_FIELDS and "\0" not in line and (task := whole_or_none(first, 1)):
            task_id, command, *outputs = map(unescape, fields[:-1])
            outputs = [output for output in outputs if not output.startswith(INPUT)]
            try:
                tasks.append(PlannedTask(task, TaskId(task_id), command, (), outputs_of(outputs)))
            except UnsafeNameError as error:
                raise ForgedPlanError(
                    f"the plan of chunk {number} holds a name that no task of ours has: {error}",
                    hint="somebody else wrote to the environment, or its files are damaged; nothing was taken from it",
                ) from error
    if last and last[-1] != environment_id:
        return PlannedChunk(number, [], is_whole=False)
    return PlannedChunk(number, tasks, is_whole=last == [str(len(tasks)), environment_id])
