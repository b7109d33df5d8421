"""Tasks of rows: arguments in the config, the lines of a table, the combinations of a sweep."""

from __future__ import annotations

import csv
import io
import itertools
import re
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.plan.source import Source, first_numbers, read_text
from locusts_fab.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from locusts_fab.model import Values

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def from_rows(rows: Sequence[Sequence[str]], where: str, columns: Sequence[str] = ()) -> Source:
    """Return a task for each row; `<arg0>`, `<arg1>`, … and the columns' names are its handles.

    :param where: the name of the rows in messages.
    """
    if not rows:
        raise PlanError(
            f"{where}: there is no row, so there is no task",
            hint="write a line of values for each task, below the names of the columns"
            if columns
            else "write a row a task",
        )
    shortest = min(map(len, rows))
    names = [*[f"arg{index}" for index in range(shortest)], *columns]
    warnings = []
    if any(len(row) != shortest for row in rows):
        warnings.append(f"{where}: rows differ in length; only <arg0> to <arg{shortest - 1}> can be used")
    ids = first_numbers(len(rows))

    def values(index: int) -> dict[str, str]:
        row = rows[index]
        by_column = zip(columns, row, strict=False)  # with columns, all rows have the same length
        return {"id": ids[index], **dict(zip(names, row, strict=False)), **dict(by_column)}

    def own(index: int) -> Values:
        row = rows[index]
        return tuple(zip(columns, row, strict=True) if columns else [(f"arg{at}", row[at]) for at in range(len(row))])

    aliases = {f"arg{at}": column for at, column in enumerate(columns)}
    has_ids = "id" in columns
    if has_ids:
        ids = [row[columns.index("id")] for row in rows]
    return Source(
        ids,
        frozenset({"id", *names}),
        values,
        own,
        aliases=aliases,
        is_numbered=not has_ids,
        has_own_id=has_ids,
        warnings=warnings,
    )


def from_args_file(path: Path, where: str) -> Source:
    """Return a task for each row of a CSV or TSV file with a header.

    Blanks around names and values are left out unless they stand in quotes; blanks within names become `_`. Rows and
    columns in which nothing stands, as spreadsheets leave them, are passed over.

    :param where: the name of the file in messages.
    :raises PlanError: the file cannot be read, or not as a table.
    """
    text = read_text(path, where)
    delimiter = _find_delimiter(path, text)
    reader = csv.reader(io.StringIO(_tidy(text, delimiter), newline=""), delimiter=delimiter, strict=True)
    try:
        header = ["_".join(name.split()) for name in next(reader, [])]
        rows, lines = [], []
        for row in reader:
            if any(row) or len(row) == 1:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise PlanError(
            f"{where}: line {reader.line_num}: {error}",
            hint="each quote that begins a field needs another at its end; one within a field is written twice",
        ) from error
    width = len(header)
    while width > 1 and not header[width - 1] and not any(any(row[width - 1 :]) for row in rows):
        width -= 1
    header = header[:width]
    _check_header(header, where)
    if any(len(row) > width for row in rows):
        rows = [row if any(row[width:]) else row[:width] for row in rows]
    bad = [(line, row) for line, row in zip(lines, rows, strict=True) if len(row) != width]
    if bad:
        line, row = bad[0]
        others = len(bad) - 1
        more = f", and so {'is' if others == 1 else 'are'} {others} more" if others else ""
        raise PlanError(
            f"{where}: line {line}: {counted(len(row), 'field')} where the header has {width}{more}",
            hint="a field that holds the delimiter needs quotes around it",
        )
    return from_rows(rows, where, header)


def _find_delimiter(path: Path, text: str) -> str:
    """Return what stands between fields: as the file's name says, if its header has that, else what the header has."""
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    usual = "\t," if path.suffix.lower() in {".tsv", ".tab"} else "\t,;"
    present = [char for char in (*usual, ";") if char in header]
    return present[0] if present else usual[0] if usual == "\t," else ","


def _tidy(text: str, delimiter: str) -> str:
    """Return a table without the blanks around fields that stand in no quotes."""
    blank = " " if delimiter == "\t" else r"[ \t]"
    if not re.search(blank, text):
        return text
    ends = rf"{delimiter}|\r|\n|\Z"
    field = rf'{blank}*(?:("(?:[^"]|"")*"){blank}*(?={ends})|([^{delimiter}\r\n]*))({ends})'
    return re.sub(field, lambda found: (found[1] or found[2].rstrip(" \t")) + found[3], text)


def _check_header(header: list[str], where: str) -> None:
    if not header:
        raise PlanError(
            f"{where}: it is empty; its first line must name the columns",
            hint="write the names, such as temperature,seed and below them a line of values for each task",
        )
    for name in header:
        if not _COLUMN.fullmatch(name):
            raise PlanError(
                f"{where}: {name!r} in the header is no name; use letters, digits, _ . and -",
                hint="the first line names the columns, with a comma, a semicolon or a tab between",
            )
        if name == "shared" or re.fullmatch("arg[0-9]+", name):
            raise PlanError(
                f"{where}: a column cannot be called {name!r}, for <{name}> means something else",
                hint="rename it in the first line",
            )
        if header.count(name) > 1:
            raise PlanError(f"{where}: two columns are called {name!r}", hint="rename one of them in the first line")


def from_sweep(sweep: dict[str, list[str]]) -> Source:
    """Return a task for every combination; the last name varies fastest."""
    return from_rows(list(itertools.product(*sweep.values())), "sweep", list(sweep))
