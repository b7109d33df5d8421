"""Tasks of rows: arguments in the config, the lines of a table, the combinations of a sweep."""

from __future__ import annotations

import csv
import itertools
import re
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from locusts_fab.errors import PlanError
from locusts_fab.plan.source import Source, first_numbers, read_text
from locusts_fab.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from locusts_fab.model.tasks import Values

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


class _Packed(Sequence[list[str]]):
    """Rows of texts without NUL, in the memory that a file of them takes: as lists, a million of them fill 400 MB.

    :param rows: the rows; none is without any field.
    """

    def __init__(self, rows: Iterable[Sequence[str]] = ()) -> None:
        self._data, self._ends = bytearray(), array("Q")
        self._latest: tuple[int, list[str]] = (-1, [])  # a row is asked for several times in a row
        for row in rows:
            self.append(row)

    def append(self, row: Sequence[str]) -> None:
        """Add a row."""
        self._data += "\0".join(row).encode("utf-8", "surrogateescape")
        self._ends.append(len(self._data))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> list[str]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[str]]: ...
    def __getitem__(self, index: int | slice) -> list[str] | list[list[str]]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if index == self._latest[0]:
            return self._latest[1]
        end = self._ends[index]  # this is what raises IndexError
        index %= len(self._ends)
        begin = self._ends[index - 1] if index else 0
        row = self._data[begin:end].decode("utf-8", "surrogateescape").split("\0")
        self._latest = (index, row)
        return row


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
    shortest = len(columns) or min(map(len, rows))  # with columns, all rows have the same length
    names = [*[f"arg{index}" for index in range(shortest)], *columns]
    warnings = []
    if not columns and any(len(row) != shortest for row in rows):
        warnings.append(f"{where}: rows differ in length; only <arg0> to <arg{shortest - 1}> can be used")
    has_ids = "id" in columns
    ids = first_numbers(len(rows))

    def values(index: int) -> dict[str, str]:
        row = rows[index]
        known = dict(zip(names, [*row, *row] if columns else row, strict=False))  # by its number and by its name
        return known if has_ids else {"id": ids[index], **known}

    def own(index: int) -> Values:
        row = rows[index]
        return tuple(zip(columns, row, strict=True) if columns else [(f"arg{at}", row[at]) for at in range(len(row))])

    aliases = {f"arg{at}": column for at, column in enumerate(columns)}
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
    reader = csv.reader(_lines_of(_tidy(text, delimiter)), delimiter=delimiter, strict=True)
    rows, lines, widths, used = _Packed(), array("Q"), set(), 0
    try:
        header = ["_".join(name.split()) for name in next(reader, [])]
        for row in reader:
            if any(row) or len(row) == 1:
                rows.append(row)
                lines.append(reader.line_num)
                widths.add(len(row))
                used = max(used, len(row) if row[-1] else _used(row))
    except csv.Error as error:
        raise PlanError(
            f"{where}: line {reader.line_num}: {error}",
            hint="each quote that begins a field needs another at its end; one within a field is written twice",
        ) from error
    width = len(header)
    while width > max(used, 1) and not header[width - 1]:
        width -= 1
    header = header[:width]
    _check_header(header, where)
    if widths - {width}:
        rows = _Packed(row if any(row[width:]) else row[:width] for row in rows)
        _check_widths(rows, lines, width, where)
    return from_rows(rows, where, header)


def _lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends, one at a time."""
    return (found[0] for found in _LINE.finditer(text))


def _used(row: Sequence[str]) -> int:
    """Return the number of fields up to the last one in which something stands."""
    return max((at for at, field in enumerate(row, 1) if field), default=0)


def _check_widths(rows: Sequence[Sequence[str]], lines: Sequence[int], width: int, where: str) -> None:
    """Raise a PlanError unless all rows have as many fields as the header."""
    bad = [(line, len(row)) for line, row in zip(lines, rows, strict=True) if len(row) != width]
    if bad:
        line, found = bad[0]
        others = len(bad) - 1
        more = f", and so {'is' if others == 1 else 'are'} {others} more" if others else ""
        raise PlanError(
            f"{where}: line {line}: {counted(found, 'field')} where the header has {width}{more}",
            hint="a field that holds the delimiter needs quotes around it",
        )


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
