"""Tasks of rows: arguments in the config, the lines of a table, the combinations of a sweep."""

from __future__ import annotations

import csv
import io
import itertools
import re
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.plan.source import Source, first_numbers, read_text

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
        raise PlanError(f"{where}: there is no row, so there is no task")
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
    """Return a task for each row of a CSV or TSV file with a header."""
    text = read_text(path, where)
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
        if name == "shared" or re.fullmatch("arg[0-9]+", name):
            raise PlanError(
                f"{where}: a column cannot be called {name!r}, for <{name}> means something else; rename it"
            )
        if header.count(name) > 1:
            raise PlanError(f"{where}: two columns are called {name!r}")


def from_sweep(sweep: dict[str, list[str]]) -> Source:
    """Return a task for every combination; the last name varies fastest."""
    return from_rows(list(itertools.product(*sweep.values())), "sweep", list(sweep))
