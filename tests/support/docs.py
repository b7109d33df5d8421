"""What the docs hold: sections, tables, code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def blocks(path: Path, language: str) -> list[str]:
    """List the code blocks of a language."""
    return [code for found, code in FENCED.findall(path.read_text("utf-8")) if found == language]


def prose(path: Path) -> str:
    """Give a document without its code blocks."""
    return FENCED.sub("", path.read_text("utf-8"))


def section(path: Path, heading: str) -> str:
    """Give the part of a document under a heading, up to the next one of the same depth."""
    depth = heading.split(" ", maxsplit=1)[0]
    _, found, rest = path.read_text("utf-8").partition(f"\n{heading}\n")
    assert found, f"{path.name} has no {heading!r}"
    return re.split(rf"^{depth} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table_rows(text: str) -> list[list[str]]:
    """Take the rows out of all Markdown tables of a text, without headers."""
    rows = []
    lines = text.splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        is_row = line.startswith("| ") and not line.startswith("| ---")
        if is_row and above.startswith("| "):
            rows.append([cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def code_of(cell: str) -> str:
    """Take the code out of a table's cell."""
    found = INLINE_CODE.fullmatch(cell)
    return found[2].strip(" ") if found else cell


# ---------------------------------------------------------------------------------------------------------------------
# Links, and the reference
