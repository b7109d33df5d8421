"""The names of tasks: those that a template or a column gives, and whether all of them can be used."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from locusts_fab.bounds.names import why_id_is_unusable
from locusts_fab.errors import PlanError
from locusts_fab.layout import ARCHIVES
from locusts_fab.shell.template import Template
from locusts_fab.text import first_few, printable

if TYPE_CHECKING:
    from locusts_fab.plan.source import Source

_SHOWN = 10
#: With more handles than that, an example names only those that differ.
_EXAMPLE_HANDLES = 4


def name_tasks(source: Source, text: str) -> None:
    """Give the tasks of a source the ids that a template makes of their values.

    :param text: the template, such as `<temperature>_<seed>`.
    :raises PlanError: it has a handle that is none, or has none.
    """
    template = Template.name(text, source.handles if source.has_own_id else source.handles - {"id"})
    if not template.handles:
        known = ", ".join(f"<{name}>" for name in sorted(source.handles))
        raise PlanError(f"id: {text!r} is the same for every task", hint=f"put in what tells them apart: {known}")
    source.ids[:] = [template.render(source.values(index)) for index in range(len(source.ids))]
    source.is_numbered = False


def check_ids(source: Source, *, has_archives: bool = False) -> None:
    """See that each task has an id that can be used, and that no other has.

    :param has_archives: whether archives come to the folder of results, so that a task cannot have their folder.
    :raises PlanError: some have not; they are listed.
    """
    hint = "rename those inputs, or give tasks other names with `id`" if source.is_from_files else "give them other ids"
    bad = [(task_id, why) for task_id in source.ids if (why := why_id_is_unusable(task_id))]
    if has_archives and ARCHIVES in source.ids:
        bad.append((ARCHIVES, 'with results = "archive" that name is taken under outdir'))
    if bad:
        raise PlanError(
            listing("ids that cannot be used", [f"{task_id}: {why}" for task_id, why in bad]),
            hint=hint,
            task_ids=[task_id for task_id, _ in bad],
        )
    if len(set(source.ids)) < len(source.ids):
        raise _collision(source)


def _collision(source: Source) -> PlanError:
    """Return the error for ids that several tasks have; it shows the values of two of each."""
    several = {task_id for task_id, times in Counter(source.ids).items() if times > 1}
    places: defaultdict[str, list[int]] = defaultdict(list)
    for index, task_id in enumerate(source.ids):
        if task_id in several:
            places[task_id].append(index)
    lines = []
    for task_id, (one, other, *more) in list(places.items())[: _SHOWN + 1]:
        both = f"{_told(source, one)}, and {_told(source, other)}"
        lines.append(f"{task_id}: {both}{f', and {len(more)} more' if more else ''}")
    lines += [""] * (len(places) - len(lines))  # they are only counted
    return PlanError(
        listing("ids that several tasks have", lines),
        hint=_advise(source, *next(iter(places.values()))[:2]),
        task_ids=list(places),
    )


def _advise(source: Source, one: int, other: int) -> str:
    """Return what to do about two tasks with one id."""
    mine, others = dict(source.own(one)), dict(source.own(other))
    if mine == others:
        return "these are the same in all their values; take one of them out"
    names = [name for name in {**mine, **others} if name != "id" or source.has_own_id]
    if len(names) > _EXAMPLE_HANDLES:
        names = [name for name in names if mine.get(name) != others.get(name)]
    example = "-".join(f"<{name}>" for name in names)
    return f'make ids of more of what tells the tasks apart: id = "{example}"'


def _told(source: Source, index: int) -> str:
    """Return the values of a task in words."""
    return ", ".join(f"{name} = {value!r}" for name, value in source.own(index)) or "no values"


def listing(title: str, lines: list[str]) -> str:
    """Return a title and the first few of many lines."""
    return "\n  ".join([f"{title}:", *(printable(line, keep="") for line in first_few(lines, _SHOWN))])
