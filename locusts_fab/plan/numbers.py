"""Numbers as ids: a task is its values, so whatever is added, removed or put in another order, each keeps its number.

The rows of a config are looked up among the tasks that are known: first by all their values, then, where these are not
known, by what was run, then, if there are other columns now, by the common ones. Rows that are found nowhere are new,
and get numbers that no task had. Rows that are the same twice are two tasks, in order.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from locusts_fab.plan.source import number_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from locusts_fab.model.tasks import Memory, PlannedTask, Values
    from locusts_fab.plan.source import Source

    #: Command, inputs and outputs of the row at a place, were this its id.
    Text = Callable[[int, str], tuple[str, tuple[str, ...], tuple[str, ...]]]

#: Stands for an id in a text where the id is not known; digits, so that nothing quotes it.
_ANY_ID = "918273645546"
#: The numbers that we give, and those that another key of the config may once have given.
_GIVEN = re.compile(r"[0-9]{6,9}")


@dataclass(frozen=True)
class Rows:
    """The rows of a config, and what they run.

    :param used: the handles that the templates use.
    :param text: a function from the place of a row and an id to command, inputs and outputs, were this its id.
    :param inputs_show: two rows that differ in their inputs differ in commands or outputs too.
    """

    source: Source
    used: frozenset[str]
    text: Text
    inputs_show: bool

    def number(self, memory: Memory) -> int:
        """Give the tasks their numbers.

        :param memory: the tasks that are known.
        :returns: the highest number that was ever given.
        """
        source = self.source
        valued, unvalued = list(memory.valued), list(memory.unvalued)
        ids = {*(task_id for task_id, _ in valued), *(task.id for task in unvalued)}
        last = memory.last_number or max((int(each) for each in ids if _GIVEN.fullmatch(each)), default=0)
        if not ids and not last:  # as they are
            return len(source.ids)
        found: dict[int, str] = {}  # by the places of the rows
        if valued:
            self._find_values(valued, found)
        if unvalued:
            self._find_texts({task.id: task for task in unvalued}, found)
        if valued and len(found) < len(source.ids):
            self._find_common_values(valued, found)
        for index in range(len(source.ids)):
            if index not in found:
                last += 1
                while number_id(last) in ids:
                    last += 1
                found[index] = number_id(last)
        source.ids[:] = [found[index] for index in range(len(source.ids))]
        return last

    def _find_values(
        self, valued: Iterable[tuple[str, Values]], found: dict[int, str], names: Collection[str] | None = None
    ) -> None:
        """Enter into `found` the ids of tasks by their values.

        :param names: only these count.
        """
        waiting: defaultdict[str, deque[str]] = defaultdict(deque)
        for task_id, values in valued:
            waiting[_key(values, names)].append(task_id)
        for index in range(len(self.source.ids)):
            if index not in found and (ids := waiting.get(_key(self.source.own(index), names))):
                found[index] = ids.popleft()

    def _find_common_values(self, valued: Iterable[tuple[str, Values]], found: dict[int, str]) -> None:
        """Enter into `found` the ids of tasks that had other columns: what no template uses may come and go."""
        here = {name for name, _ in self.source.own(0)}
        used = {self.source.aliases.get(name, name) for name in self.used} - {"id"}
        taken = set(found.values())
        by_names: defaultdict[frozenset[str], list[tuple[str, Values]]] = defaultdict(list)
        for task_id, values in valued:
            if task_id not in taken:
                by_names[frozenset([name for name, _ in values])].append((task_id, values))
        for names, tasks in by_names.items():
            if used and names != here and used <= names & here:
                self._find_values(tasks, found, names & here)

    def _find_texts(self, known: dict[str, PlannedTask], found: dict[int, str]) -> None:
        """Enter into `found` the ids of tasks whose values are not known, by what they run.

        They were numbered in the order of their rows, so the task with a row's own number is looked at first.
        """
        places = [index for index in range(len(self.source.ids)) if index not in found]
        for index in places:
            task = known.get(number_id(index + 1))
            if task is not None and self._is_same(task, index):
                found[index] = known.pop(task.id).id
        waiting: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for task in known.values():
            waiting[_without(task.id, task.command, task.outputs)].append(task.id)
        for index in places:
            if index in found or not waiting:
                continue
            command, _, outputs = self.text(index, _ANY_ID)
            ids = waiting.get(_without(_ANY_ID, command, outputs), [])
            same = next((task_id for task_id in ids if self._is_same(known[task_id], index)), None)
            if same is not None:
                ids.remove(same)
                found[index] = same

    def _is_same(self, task: PlannedTask, index: int) -> bool:
        """Return whether a task ran what a row runs, as far as that can be told."""
        command, inputs, outputs = self.text(index, task.id)
        if (task.command, task.outputs) != (command, outputs):
            return False
        return task.inputs == inputs or (not task.inputs and self.inputs_show)


def _key(values: Values, names: Collection[str] | None) -> str:
    """Return values as one text, in whatever order they come.

    :param names: only of these; None: of all.
    """
    return "\0".join(chain.from_iterable(sorted(pair for pair in values if names is None or pair[0] in names)))


def _without(task_id: str, command: str, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a task runs and leaves, without its id."""
    return tuple([part.replace(task_id, "\0") for part in (command, *outputs)])
