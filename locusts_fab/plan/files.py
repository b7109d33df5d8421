"""Tasks of file names: what differs in the names of inputs are the values of a task.

Entries that hold all handles are matched with the names of files; the others are looked up with the values that come
of that.
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from locusts_fab.errors import PlanError
from locusts_fab.layout import is_of_indir, named_swarm
from locusts_fab.plan.inputs import Inputs, list_folder
from locusts_fab.plan.source import Source
from locusts_fab.shell.template import Template, handles_of_name
from locusts_fab.text import counted, first_few, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

#: The values of a task, in the order of its handles.
Row: TypeAlias = "tuple[str, ...]"

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_SHOWN = 10
_AMBIGUOUS_SHOWN = 3
_ALIKE = 0.7


def from_inputs(
    indir: Path, inputs: Sequence[str], *, skip_incomplete: bool = False, there: Inputs | None = None
) -> Source:
    """Return the tasks whose values are in the names of the files in `indir`.

    :param inputs: templates such as `in_<id>.txt` or `<sample>_<lane>.fq`; what each that holds all handles matches
        gives the values of a task, and the others are looked up.
    :param skip_incomplete: leave out tasks that lack one of the inputs, with a warning, instead of refusing them.
    :param there: what there is of inputs, if that is more than what is in `indir`.
    :raises PlanError: there are no tasks, or an input is not there.
    """
    there = there or Inputs(indir)
    if not indir.is_dir() and any(map(is_of_indir, inputs)):
        found_is = "is no folder" if indir.exists() else "is not there"
        raise PlanError(f"indir: {indir} {found_is}", hint="fix indir in the config; it is the folder with the inputs")
    templates = [Template.name(text, handles_of_name(text)) for text in inputs]
    whole, partial = _choose_sought(templates)
    for template in templates:
        if not template.handles and not there.is_whole(template.render({})):
            if named_swarm(template.text) is not None:
                raise _nothing_made(there, [template])
            raise PlanError(
                f"inputs: {template.text}: there is no such file in {indir}",
                hint="put it there, or take it out of inputs; a file that all tasks read may stand in shared, too",
            )
    names = whole[0].names
    warnings: list[str] = []
    found = [_in_order(find_values(there, each, warnings), each.names, names) for each in whole]
    every = found[0] if len(found) == 1 else set().union(*found)
    if not every:
        raise _nothing_matches(there, whole)
    has: dict[str, Callable[[Row], bool]] = {
        template.text: rows.__contains__ for template, rows in zip(whole, found, strict=True)
    }
    has |= {template.text: _look_up(there, template, names) for template in partial}
    incomplete = _find_incomplete(every, has)
    if incomplete:
        warnings.append(_tell_incomplete(incomplete, len(every), skip=skip_incomplete))
        every = every - incomplete.keys()
    return _source(names, sort_rows(every), inputs, warnings)


def _source(names: tuple[str, ...], rows: list[Row], inputs: Sequence[str], warnings: list[str]) -> Source:
    """Return the tasks with these values, whose ids are the values joined by `_`."""
    (name, *others) = names
    column = [row[0] for row in rows]  # with one handle all there is, and quicker to get at
    return Source(
        list(map("_".join, rows)) if others else list(column),
        frozenset({"id", *names}),
        (lambda index: dict(zip(names, rows[index], strict=True))) if others else (lambda index: {name: column[index]}),
        (lambda index: tuple(zip(names, rows[index], strict=True)))
        if others
        else (lambda index: ((name, column[index]),)),
        has_own_id="id" in names,
        seen_inputs=frozenset(inputs),
        warnings=warnings,
    )


def _choose_sought(templates: Sequence[Template]) -> tuple[list[Template], list[Template]]:
    """Return the templates that are matched with the names of files, and those that are looked up.

    :raises PlanError: none holds all the handles, or one of them has handles that no name tells apart.
    """
    handles = frozenset[str]().union(*(template.handles for template in templates))
    whole = [template for template in templates if template.handles == handles]
    if not whole:
        raise _no_whole(templates, handles)
    sought = [template for template in whole if not template.run_together]
    if not sought:
        one, other = whole[0].run_together or ("", "")
        raise PlanError(
            f"inputs: {whole[0].text}: nothing stands between <{one}> and <{other}>, so no name tells where one ends",
            hint="put what stands between them in the names, such as _; or make it one handle",
        )
    return sought, [template for template in templates if template.handles and template not in sought]


def _no_whole(templates: Iterable[Template], handles: frozenset[str]) -> PlanError:
    """Return the error for inputs of which none holds all the handles."""
    fewest = [template for template in templates if template.handles]
    words = "; ".join(
        f"{template.text} lacks {', '.join(f'<{each}>' for each in sorted(handles - template.handles))}"
        for template in fewest
    )
    guesses = [
        f"<{name}> be <{near}>"
        for name in sorted(handles)
        if (near := nearest(name, sorted(handles - {name}), _ALIKE)) is not None and near < name
    ]
    rule = "one entry needs all handles, for the names that match it give the tasks; others may have fewer of them"
    return PlanError(
        f"inputs: no entry has all the handles: {words}",
        hint=f"should {guesses[0]}? {rule}" if guesses else rule,
    )


# ---------------------------------------------------------------------------------------------------------------------
# What is there


def find_values(there: Inputs, template: Template, warnings: list[str]) -> set[Row]:
    """Return all the values for which the file that the template names is there.

    A template may name folders too: `<id>/data.csv`. Only folders that can match are looked into. What is hidden, as
    programs hide what is not meant for people, matches only where the template has the dot, too.

    :param warnings: gets one if there are names that can be read in several ways.
    """
    match, names = template.pattern.fullmatch, _find_names(there, template)
    if len(template.names) > 1:
        names = list(filter(match, names))
        warnings += _note_ambiguous(template, names)
    return {found.groups() for name in names if (found := match(name))}


def _find_names(there: Inputs, template: Template) -> list[str]:
    """Return the names of what may match a template."""
    if "/" not in template.text:
        return _may_match(there.list(""), template)
    names = ["/" if template.text.startswith("/") else ""]
    parts = [Template.name(part, template.handles) for part in template.text.removeprefix("/").split("/")]
    for depth, part in enumerate(parts):
        if part.handles:
            match = part.pattern.fullmatch
            names = [name + entry for name in names for entry in _may_match(there.list(name), part) if match(entry)]
        else:
            literal = part.render({})
            names = [name + literal for name in names if there.has(name + literal)]
        if depth < len(parts) - 1:
            names = [f"{name}/" for name in names]
    return names if named_swarm(template.text) is None else list(filter(there.is_whole, names))


def _may_match(names: list[str], part: Template) -> list[str]:
    return names if part.text.startswith(".") else [name for name in names if name[0] != "."]


def _note_ambiguous(template: Template, names: Iterable[str]) -> list[str]:
    """Return a warning of names that can be read in several ways, if there are any."""
    ambiguous = sorted(filter(template.match_otherwise, names))
    if not ambiguous:
        return []
    lines = [
        f"{name!r} is {_tell(template.names, template.match(name))}"
        f", and not {_tell(template.names, template.match_otherwise(name))}"
        for name in ambiguous
    ]
    title = (
        f"inputs: {counted(len(lines), 'name')} can be read in several ways as {template.text};"
        " the first handle takes as much as it can:"
    )
    return ["\n  ".join([title, *first_few(lines, _AMBIGUOUS_SHOWN)])]


def _tell(names: Iterable[str], values: Iterable[str] | None) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in zip(names, values or (), strict=True))


def _in_order(rows: set[Row], names: tuple[str, ...], wanted: tuple[str, ...]) -> set[Row]:
    """Return rows with their values in another order."""
    if names == wanted:
        return rows
    pick = itemgetter(*map(names.index, wanted))
    return set(map(pick, rows))


def _look_up(there: Inputs, template: Template, names: tuple[str, ...]) -> Callable[[Row], bool]:
    """Return a function that tells whether the file that a template with fewer handles names is there for a row."""
    places = [(name, names.index(name)) for name in template.names]
    is_there = functools.cache(there.has if named_swarm(template.text) is None else there.is_whole)
    return lambda row: is_there(template.render({name: row[place] for name, place in places}))


def _find_incomplete(every: set[Row], has: dict[str, Callable[[Row], bool]]) -> dict[Row, list[str]]:
    """Return the rows that lack an input, in order, each with the entries that it lacks."""
    lacking: dict[Row, list[str]] = {}
    if len(has) > 1:
        for text, is_there in has.items():
            for row in every:
                if not is_there(row):
                    lacking.setdefault(row, []).append(text)
    return {row: lacking[row] for row in sort_rows(lacking)}


def _tell_incomplete(incomplete: dict[Row, list[str]], count: int, *, skip: bool) -> str:
    """Return the warning that some tasks are left out.

    :raises PlanError: they are not to be left out, or nothing would be left.
    """
    lines = [f"{'_'.join(row)!r} lacks {' and '.join(lacks)}" for row, lacks in incomplete.items()]
    message = "\n  ".join([f"{len(lines)} of {count} ids lack an input:", *first_few(lines, _SHOWN)])
    if not skip or len(incomplete) == count:
        hint = 'add the files, or leave those tasks out with missing_inputs = "skip"'
        raise PlanError(message, hint=hint, task_ids=list(map("_".join, incomplete)))
    return f"left out, as missing_inputs says: {message}"


# ---------------------------------------------------------------------------------------------------------------------
# The order


def sort_rows(rows: Collection[Row]) -> list[Row]:
    """Return rows sorted by their first value, then the second, and so on; see `sort_ids`."""
    ordered = list(rows)
    width = len(ordered[0]) if ordered else 0
    if width == 1:
        return [(value,) for value in sort_ids([value for (value,) in ordered])]
    for at in reversed(range(width)):  # the last sort decides; those before it stay
        rank = {value: number for number, value in enumerate(sort_ids({row[at] for row in ordered}))}
        ordered.sort(key=lambda row: rank[row[at]])
    return ordered


def sort_ids(ids: Collection[str]) -> list[str]:
    """Return ids sorted as numbers if all are numbers, else as text."""
    ordered = sorted(ids)
    if all(map(_NUMBER.fullmatch, ordered)):
        ordered.sort(key=Decimal)  # of equal numbers, such as 1 and 01, the text decides
    return ordered


def sought_in(template: Template) -> tuple[str, Template]:
    """Return the folder in which the files of an absolute entry are sought, and what their names look like in there."""
    parts = template.text.split("/")
    depth = next((at for at, part in enumerate(parts) if handles_of_name(part)), len(parts) - 1)
    folder = Template.name("/".join(parts[:depth]), ()).render({}) or "/"
    return folder, Template.name("/".join(parts[depth:]), template.handles)


def _nothing_made(there: Inputs, wanted: list[Template]) -> PlanError:
    """Return the error for inputs that are outputs of other swarms, of which none is there."""
    swarm = named_swarm(wanted[0].text) or ""
    names = [f"{task}/{name}" for task in there.list(f"@{swarm}") for name in there.list(f"@{swarm}/{task}")[:1]][:3]
    made = f"; what they made is such as {', '.join(map(repr, names))}" if names else "; none is done"
    return PlanError(
        f"inputs: no done task of swarm {swarm} made {' or '.join(repr(each.text) for each in wanted)}{made}",
        hint=f"write @{swarm}/TASK/OUTPUT, with one of its outputs; `locusts tasks --swarm {swarm}` lists its tasks",
    )


def _nothing_matches(there: Inputs, whole: list[Template]) -> PlanError:
    if made := [template for template in whole if named_swarm(template.text) is not None]:
        return _nothing_made(there, made)
    wanted, indir = [template.text for template in whole], there.indir
    if all(text.startswith("/") for text in wanted):
        indir /= sought_in(whole[0])[0]
        if not indir.is_dir():
            return PlanError(f"inputs: {wanted[0]}: there is no folder {indir}", hint="fix its path in the config")
    found = sorted(list_folder(indir), key=lambda name: (name.startswith("."), name))[:3]
    lies = f"; what lies there: {', '.join(map(repr, found))}, …" if found else "; the folder is empty"
    return PlanError(
        f"inputs: no file in {indir} matches {' or '.join(map(repr, wanted))}{lies}",
        hint="put <id> where the names of the files differ, and the rest as it is there; or fix indir",
    )
