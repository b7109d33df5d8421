"""Tasks of files and rows together: every file with every row of `args`, `args_file` or `sweep`.

Their ids are the part of the file and that of the row joined by `_`. A row without a name of its own has a number, and
keeps it with all files: it is looked up by its own values among the tasks that are known, as in numbers.py. So another
file, or another row, gives the new combinations and leaves all others as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.model.tasks import Memory
from locusts_fab.plan.source import Source
from locusts_fab.shell.template import Template, handles_of_name
from locusts_fab.text import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from locusts_fab.model.tasks import Values

_NUMBER = re.compile(r"(?:.*_)?([0-9]{6,9})", re.DOTALL)
_GIVEN = re.compile(r"[0-9]{6,9}")
_ALIKE = 0.7


def sought_inputs(inputs: Sequence[str], rows: Source, named: str | None) -> list[str]:
    """Return the inputs whose names have to give a part of the tasks, with those that all tasks have in common.

    That is, all that have no value of a row in them, if any of them has a handle; else none.

    :param named: the template of ids, if there is one: `<id>` is what that gives, unless it has `<id>` in it.
    :raises PlanError: a handle looks like one of the rows that is misspelt, or stands beside those of rows only.
    """
    has_id = rows.has_own_id or (named is not None and "id" not in handles_of_name(named))
    given = rows.handles if has_id else rows.handles - {"id"}
    handles = [name for text in inputs for name in handles_of_name(text) if name not in given]
    if not handles:
        return []
    for name in handles:
        near = None if name == "id" else nearest(name, sorted(given), _ALIKE)
        if near is not None:
            raise PlanError(
                f"inputs: no row has a value for <{name}>",
                hint=f"did you mean <{near}>? If it stands for what differs in the names of files, give it a name that"
                " is less like that",
            )
    sought = [text for text in inputs if not Template.name(text, {*handles, *given}).handles & given]
    known = {name for text in sought for name in handles_of_name(text)}
    missing = next((name for name in handles if name not in known), None)
    if missing is not None:
        raise PlanError(
            f"inputs: <{missing}> stands only in entries that have values of rows, too",
            hint=f"add an entry without those, such as <{missing}>.txt: its files say what <{missing}> may be",
        )
    return sought


def multiply(files: Source, rows: Source) -> Source:
    """Return a task for every file with every row, those of one file one after the other.

    :raises PlanError: files are called by the numbers of rows, so that it may be meant otherwise.
    """
    if files.handles == {"id"} and rows.is_numbered and set(files.ids) <= set(rows.ids):
        raise PlanError(
            f"inputs: <id> stands for the names of files, and these are called by the numbers of rows ({files.ids[0]})",
            hint="for a task a row, put the names of its files into the row; for every file with every row, call the"
            " handle otherwise, such as <file>",
        )
    width = len(rows.ids)

    def values(index: int) -> dict[str, str]:
        file, row = divmod(index, width)
        return {**rows.values(row), **files.values(file)}

    def own(index: int) -> Values:
        file, row = divmod(index, width)
        return files.own(file) + rows.own(row)

    return Source(
        list(_join(files.ids, rows.ids)),
        files.handles | rows.handles,
        values,
        own,
        aliases=rows.aliases,
        is_numbered=rows.is_numbered,
        has_own_id=files.has_own_id or rows.has_own_id,
        seen_inputs=files.seen_inputs,
        factors=(files, rows),
        warnings=[*files.warnings, *rows.warnings],
    )


def join_again(source: Source) -> None:
    """Give the tasks of a product their ids, once its rows have their numbers."""
    if source.factors:
        files, rows = source.factors
        source.ids[:] = _join(files.ids, rows.ids)


def memory_of_rows(memory: Memory, files: Source) -> Memory:
    """Return what is known of rows: their numbers, and their values without those of the files.

    :param memory: the tasks that are known.
    """
    names = {name for name, _ in files.own(0)}
    rows: dict[tuple[str, Values], None] = {}
    for task_id, values in memory.valued:
        of_file = "_".join([value for name, value in values if name in names])
        if task_id.startswith(f"{of_file}_" if of_file else ""):
            number = task_id[len(of_file) + 1 :] if of_file else task_id
            rows[number, tuple([pair for pair in values if pair[0] not in names])] = None
    last = max([memory.last_number, *_numbers(number for number, _ in rows)])
    last = max([last, *_numbers(task.id for task in memory.unvalued)])  # nobody knows of which row: it gets another
    times = Counter(number for number, _ in rows)  # of several rows: ids that were no numbers of ours
    return Memory(sorted(each for each in rows if _GIVEN.fullmatch(each[0]) and times[each[0]] == 1), (), last)


def _join(files: Sequence[str], rows: Sequence[str]) -> Iterator[str]:
    return (f"{file}_{row}" for file in files for row in rows)


def _numbers(ids: Iterable[str]) -> Iterator[int]:
    return (int(found[1]) for each in ids if (found := _NUMBER.fullmatch(each)))
