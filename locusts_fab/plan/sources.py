"""Where tasks come from: file names that hold an id, rows of arguments, the combinations of a sweep, lines of commands.

Each kind gives a `Source`: ids in order, and for each the values of the handles.
"""

from __future__ import annotations

import functools
import os
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.plan.commands import from_command_file
from locusts_fab.plan.rows import from_args_file, from_rows, from_sweep
from locusts_fab.plan.source import Source
from locusts_fab.shell.template import Template
from locusts_fab.text import first_few

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_SHOWN = 10


def read_source(swarm: Swarm) -> Source:
    """Return the tasks that a config means.

    :raises PlanError: a file is missing or malformed, or there are no tasks.
    """
    settings = swarm.settings
    if settings.args is not None:
        return from_rows(settings.args, "args")
    if settings.args_file is not None:
        return from_args_file(swarm.resolve(settings.args_file), settings.args_file)
    if settings.sweep is not None:
        return from_sweep(settings.sweep)
    if settings.command_file is not None:
        return from_command_file(swarm.resolve(settings.command_file), settings.command_file)
    return from_inputs(swarm.indir, settings.inputs, skip_incomplete=settings.missing_inputs == "skip")


# ---------------------------------------------------------------------------------------------------------------------
# File names


def from_inputs(indir: Path, inputs: Sequence[str], *, skip_incomplete: bool = False) -> Source:
    """Return the tasks whose ids are in the names of the files in `indir`.

    :param inputs: templates such as `in_<id>.txt`; what every one of them matches is an id.
    :param skip_incomplete: leave out ids that lack one of the inputs, with a warning, instead of refusing them.
    """
    if not indir.is_dir():
        found_is = "is no folder" if indir.exists() else "is not there"
        raise PlanError(f"indir: {indir} {found_is}", hint="fix indir in the config; it is the folder with the inputs")
    templates = [Template.name(text, {"id"}) for text in inputs]
    found: dict[str, list[str]] = {}  # an id: the inputs that it has
    list_once = functools.lru_cache(8)(_list)  # most templates look into the same folder
    for template in templates:
        if template.handles:
            for task_id in sorted(find_ids(indir, template, list_once)):
                found.setdefault(task_id, []).append(template.text)
        elif not (indir / template.render({})).exists():
            raise PlanError(
                f"inputs: {template.text}: there is no such file in {indir}",
                hint="put it there, or take it out of inputs; a file that all tasks read may stand in shared, too",
            )
    if not found:
        raise _nothing_matches(indir, [template.text for template in templates if template.handles])
    wanted = [template.text for template in templates if template.handles]
    incomplete = {task_id: has for task_id, has in found.items() if len(has) < len(wanted)}
    warnings = []
    if incomplete:
        lines = [f"{task_id!r} lacks {' and '.join(set(wanted) - set(has))}" for task_id, has in incomplete.items()]
        message = "\n  ".join([f"{len(lines)} of {len(found)} ids lack an input:", *first_few(lines, _SHOWN)])
        if not skip_incomplete or len(incomplete) == len(found):
            hint = 'add the files, or leave those tasks out with missing_inputs = "skip"'
            raise PlanError(message, hint=hint, task_ids=list(incomplete))
        warnings.append(f"left out, as missing_inputs says: {message}")
    ids = sort_ids([task_id for task_id in found if task_id not in incomplete])
    return Source(
        list(ids),
        frozenset({"id"}),
        lambda index: {"id": ids[index]},
        lambda index: (("id", ids[index]),),
        has_own_id=True,
        is_from_files=True,
        warnings=warnings,
    )


def find_ids(indir: Path, template: Template, list_folder: Callable[[Path], list[str]]) -> set[str]:
    """Return every id for which the file that the template names is there.

    A template may name folders too: `<id>/data.csv`. Only folders that can match are looked into. What is hidden, as
    programs hide what is not meant for people, matches only where the template has the dot, too.
    """
    if "/" not in template.text:
        names = [name for name in list_folder(indir) if _may_match(name, template)]
        return {task_id for name in names if (task_id := template.match(name)) is not None}
    parts = [Template.name(part, {"id"}) for part in template.text.split("/")]
    names = [""]
    for depth, part in enumerate(parts):
        if part.handles:
            names = [
                name + entry
                for name in names
                for entry in list_folder(indir / name)
                if _may_match(entry, part) and part.match(entry) is not None
            ]
        else:
            literal = part.render({})
            names = [name + literal for name in names if os.path.lexists(indir / (name + literal))]
        if depth < len(parts) - 1:
            names = [f"{name}/" for name in names]
    return {task_id for name in names if (task_id := template.match(name)) is not None}


def _may_match(name: str, part: Template) -> bool:
    return not name.startswith(".") or part.text.startswith(".")


def _list(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def sort_ids(ids: list[str]) -> list[str]:
    """Return ids sorted as numbers if all are numbers, else as text."""
    if all(_NUMBER.fullmatch(task_id) for task_id in ids):
        return sorted(ids, key=lambda task_id: (Decimal(task_id), task_id))
    return sorted(ids)


def _nothing_matches(indir: Path, wanted: list[str]) -> PlanError:
    there = sorted(_list(indir), key=lambda name: (name.startswith("."), name))[:3]
    lies = f"; what lies there: {', '.join(map(repr, there))}, …" if there else "; the folder is empty"
    return PlanError(
        f"inputs: no file in {indir} matches {' or '.join(map(repr, wanted))}{lies}",
        hint="put <id> where the names of the files differ, and the rest as it is there; or fix indir",
    )
