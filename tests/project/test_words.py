"""Plain words: what modules, packages and imports were once called is not to come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Words of a private vocabulary, each with what to write instead.
INSTEAD = {
    "room": "module",
    "house": "package, layout",
    "furniture": "helper",
    "visitor": "import",
    "mend": "fix",
    "homecoming": "merge",
    "bury": "mark_gone",
}
PATTERN = re.compile(rf"\b({'|'.join(INSTEAD)})(s|ed|ing|y)?\b", re.IGNORECASE)
FOLDERS = ("locusts_fab/**/*.py", "templates/**/*", "docs/*.md", "examples/**/*.md", "*.md", "tasks.py")
FILES = sorted({path for pattern in FOLDERS for path in ROOT.glob(pattern) if path.is_file()})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_plain_words_only(path: Path) -> None:
    lines = enumerate(path.read_text("utf-8").splitlines(), 1)
    found = [
        f"line {number}: {match[0]}: {INSTEAD[match[1].lower()]}"
        for number, line in lines
        for match in PATTERN.finditer(line)
    ]
    assert found == []
