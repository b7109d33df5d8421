r"""Fields of tab-separated files: any text in one line, with what ends or breaks lines and what terminals obey escaped.

Plans, records, the ledger's lists and the files of results are all written so. The escapes are bash's own, too:
`printf '%b'` undoes them, and so `unescape` in `templates/manager/records.sh` does.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
#: What a terminal would obey, or what makes a text look other than it is: C0 and C1 (as single bytes of no UTF-8 too),
#: what joins, hides and turns text round (the format characters of Unicode 15), and its own ends of lines.
_TAB = "\t"
_OBEYED_BESIDES_TAB = (
    "\x00-\x08\x0a-\x1f\x7f-\x9f\udc80-\udc9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
_ODD = re.compile(rf"[\\{_TAB}{_OBEYED_BESIDES_TAB}]")
_ODD_BESIDES_TAB = re.compile(rf"[\\{_OBEYED_BESIDES_TAB}]")
_ESCAPED = re.compile(r"\\(?:x[0-9a-f]{2})(?:\\x[0-9a-f]{2})*|\\(.)", re.DOTALL)


def escape(field: str) -> str:
    r"""Return a text as a field of a line: backslash, tab and ends of lines become `\\`, `\t`, `\n`, `\r`.

    Each byte of other control characters, and of those that hide text or turn it round, becomes `\xHH`.
    """
    return _ODD.sub(_escaped, field) if _ODD.search(field) else field


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    return _ESCAPES.get(char) or "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))


def unescape(field: str) -> str:
    """Return the text of a field of a tab-separated line, such as those of tasks.tsv.

    :param field: what stands between two tabs; the line's newline is not part of it.
    :returns: the text that `escape` was given.
    """
    if "\\" not in field:
        return field
    return _ESCAPED.sub(_unescaped, field)


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is None:
        return os.fsdecode(bytes.fromhex(found[0].replace("\\x", "")))
    return {"t": "\t", "n": "\n", "r": "\r"}.get(found[1], found[1])


def join_fields(fields: Iterable[str]) -> str:
    """Return fields of any content as one line, without its newline."""
    fields = tuple(fields)
    line = _TAB.join(fields)
    if line.count(_TAB) == len(fields) - 1 and not _ODD_BESIDES_TAB.search(line):  # nearly always: one look at all
        return line
    return _TAB.join(map(escape, fields))


def split_fields(line: str) -> list[str]:
    """Return the fields of a line that `join_fields` made; an empty line has none."""
    return [unescape(field) for field in line.split("\t")] if line else []
