r"""Fields of tab-separated files: any text in one line, with backslash, tab and ends of lines escaped.

Plans, records, the ledger's lists and the files of results are all written so. `unescape` in
`templates/manager/records.sh` undoes the same escapes in bash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_ODD = re.compile(r"[\\\t\n\r]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def escape(field: str) -> str:
    r"""Return a text as a field of a line: backslash, tab and ends of lines become `\\`, `\t`, `\n`, `\r`."""
    return field.translate(_ESCAPES) if _ODD.search(field) else field


def unescape(field: str) -> str:
    """Return the text of a field of a tab-separated line, such as those of tasks.tsv.

    :param field: what stands between two tabs; the line's newline is not part of it.
    :returns: the text that `escape` was given.
    """
    if "\\" not in field:
        return field
    return _ESCAPED.sub(lambda match: {"t": "\t", "n": "\n", "r": "\r"}.get(match[1], match[1]), field)


def join_fields(fields: Iterable[str]) -> str:
    """Return fields of any content as one line, without its newline."""
    return "\t".join(map(escape, fields))


def split_fields(line: str) -> list[str]:
    """Return the fields of a line that `join_fields` made; an empty line has none."""
    return [unescape(field) for field in line.split("\t")] if line else []
