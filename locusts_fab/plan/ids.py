"""The names of tasks: those that a template or a column gives, and whether all of them can be used."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from locusts_fab.bounds.names import why_id_is_unusable
from locusts_fab.errors import PlanError
from locusts_fab.shell.template import Template
from locusts_fab.text import first_few, printable

if TYPE_CHECKING:
    from locusts_fab.plan.source import Source

_SHOWN = 10


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


def check_ids(source: Source) -> None:
    """See that each task has an id that can be used, and that no other has.

    :raises PlanError: some have not; they are listed.
    """
    hint = "rename those inputs, or give tasks other names with `id`" if source.is_from_files else "give them other ids"
    bad = [(task_id, why) for task_id in source.ids if (why := why_id_is_unusable(task_id))]
    if bad:
        raise PlanError(
            listing("ids that cannot be used", [f"{task_id}: {why}" for task_id, why in bad]),
            hint=hint,
            task_ids=[task_id for task_id, _ in bad],
        )
    if len(set(source.ids)) < len(source.ids):
        several = {task_id: times for task_id, times in Counter(source.ids).items() if times > 1}
        raise PlanError(
            listing("ids that several tasks have", [f"{task_id}: {times} tasks" for task_id, times in several.items()]),
            hint="put more of what tells the tasks apart into `id`, or into the column id",
            task_ids=list(several),
        )


def listing(title: str, lines: list[str]) -> str:
    """Return a title and the first few of many lines."""
    return "\n  ".join([f"{title}:", *(printable(line, keep="") for line in first_few(lines, _SHOWN))])
