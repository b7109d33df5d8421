"""Where tasks come from: file names that hold an id, rows of arguments, the combinations of a sweep, lines of commands.

Each kind gives a `Source`: ids in order, and for each the values of the handles.
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import os
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.shell.template import Template
from locusts_fab.text import first_few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SHOWN = 10
#: Numbers that serve as ids are padded to this width, so that a swarm that grows keeps the ids it has.
ID_WIDTH = 6


@dataclass
class Source:
    """A set of tasks, before commands and names are made of it.

    :param ids: the ids, in order.
    :param handles: the names that every task has a value for.
    :param values: a function from the place of a task in `ids` to its values, `id` among them.
    :param commands: with a command file, the command of each id.
    :param is_from_files: the ids were read from the names of inputs, so these are there.
    """

    ids: list[str]
    handles: frozenset[str]
    values: Callable[[int], dict[str, str]]
    commands: dict[str, str] = field(default_factory=dict)
    is_from_files: bool = False
    warnings: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield each id and its values, in order."""
        for index, task_id in enumerate(self.ids):
            yield task_id, self.values(index)


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
        raise PlanError(f"indir: there is no folder {indir}", hint="fix indir in the config")
    templates = [Template.name(text, {"id"}) for text in inputs]
    found: dict[str, list[str]] = {}  # an id: the inputs that it has
    list_once = functools.lru_cache(8)(_list)  # most templates look into the same folder
    for template in templates:
        if template.handles:
            for task_id in sorted(find_ids(indir, template, list_once)):
                found.setdefault(task_id, []).append(template.text)
        elif not (indir / template.render({})).exists():
            raise PlanError(f"inputs: {template.text}: there is no such file in {indir}")
    if not found:
        raise PlanError(_nothing_matches(indir, [template.text for template in templates if template.handles]))
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
    return Source(ids, frozenset({"id"}), lambda index: {"id": ids[index]}, is_from_files=True, warnings=warnings)


def find_ids(indir: Path, template: Template, list_folder: Callable[[Path], list[str]]) -> set[str]:
    """Return every id for which the file that the template names is there.

    A template may name folders too: `<id>/data.csv`. Only folders that can match are looked into.
    """
    if "/" not in template.text:
        return {task_id for name in list_folder(indir) if (task_id := template.match(name)) is not None}
    parts = [Template.name(part, {"id"}) for part in template.text.split("/")]
    names = [""]
    for depth, part in enumerate(parts):
        if part.handles:
            names = [
                name + entry for name in names for entry in list_folder(indir / name) if part.match(entry) is not None
            ]
        else:
            literal = part.render({})
            names = [name + literal for name in names if os.path.lexists(indir / (name + literal))]
        if depth < len(parts) - 1:
            names = [f"{name}/" for name in names]
    return {task_id for name in names if (task_id := template.match(name)) is not None}


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


def _nothing_matches(indir: Path, wanted: list[str]) -> str:
    there = sorted(_list(indir))[:3]
    lies = f"; what lies there: {', '.join(map(repr, there))}, …" if there else "; the folder is empty"
    return f"inputs: no file in {indir} matches {' or '.join(map(repr, wanted))}{lies}"


# ---------------------------------------------------------------------------------------------------------------------
# Rows of arguments


def from_rows(rows: Sequence[Sequence[str]], where: str, columns: Sequence[str] = ()) -> Source:
    """Return a task for each row; `<arg0>`, `<arg1>`, … and the columns' names are its handles.

    :param where: the name of the rows in messages.
    """
    if not rows:
        raise PlanError(f"{where}: there is no row, so there is no task")
    shortest = min(map(len, rows))
    names = [*[f"arg{index}" for index in range(shortest)], *columns]
    warnings = []
    if any(len(row) != shortest for row in rows):
        warnings.append(f"{where}: rows differ in length; only <arg0> to <arg{shortest - 1}> can be used")
    ids = _numbers(len(rows))

    def values(index: int) -> dict[str, str]:
        row = rows[index]
        by_column = zip(columns, row, strict=False)  # with columns, all rows have the same length
        return {"id": ids[index], **dict(zip(names, row, strict=False)), **dict(by_column)}

    return Source(ids, frozenset({"id", *names}), values, warnings=warnings)


def from_args_file(path: Path, where: str) -> Source:
    """Return a task for each row of a CSV or TSV file with a header."""
    text = _read_text(path, where)
    delimiter = "\t" if path.suffix.lower() in {".tsv", ".tab"} or "\t" in text.split("\n", 1)[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        numbered = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise PlanError(f"{where}: line {reader.line_num}: {error}") from error
    _check_header(header, where)
    bad = [(line, row) for line, row in numbered if len(row) != len(header)]
    if bad:
        line, row = bad[0]
        others = len(bad) - 1
        more = f", and so {'is' if others == 1 else 'are'} {others} more" if others else ""
        raise PlanError(f"{where}: line {line}: {len(row)} fields where the header has {len(header)}{more}")
    return from_rows([row for _, row in numbered], where, header)


def _check_header(header: list[str], where: str) -> None:
    if not header:
        raise PlanError(f"{where}: it is empty; its first line must name the columns")
    for name in header:
        if not _COLUMN.fullmatch(name):
            raise PlanError(f"{where}: {name!r} in the header is no name; use letters, digits, _ . and -")
        if name in {"id", "shared"} or re.fullmatch("arg[0-9]+", name):
            raise PlanError(
                f"{where}: a column cannot be called {name!r}, for <{name}> means something else; rename it"
            )
        if header.count(name) > 1:
            raise PlanError(f"{where}: two columns are called {name!r}")


def from_sweep(sweep: dict[str, list[str]]) -> Source:
    """Return a task for every combination; the last name varies fastest."""
    return from_rows(list(itertools.product(*sweep.values())), "sweep", list(sweep))


# ---------------------------------------------------------------------------------------------------------------------
# Lines of commands


def from_command_file(path: Path, where: str) -> Source:
    """Return a task for each line; blank lines and lines that begin with # are passed over."""
    lines = [line for line in _read_text(path, where).split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise PlanError(f"{where}: there is no command in it")
    ids = _numbers(len(lines))
    return Source(ids, frozenset({"id"}), lambda index: {"id": ids[index]}, dict(zip(ids, lines, strict=True)))


def _numbers(count: int) -> list[str]:
    """Return the numbers from 1 on as ids, padded with zeros."""
    width = max(ID_WIDTH, len(str(count)))
    return [f"{number:0{width}d}" for number in range(1, count + 1)]


def _read_text(path: Path, where: str) -> str:
    """Return the text of a file of any bytes, without a byte order mark and the carriage returns of Windows."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(
            f"{where}: {path} cannot be read: {error.strerror}", hint="fix its path in the config"
        ) from error
    if b"\0" in data:
        raise PlanError(f"{where}: {path} holds a NUL byte, so it is no text file")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").replace("\r\n", "\n")
