"""What is shown of what tasks printed."""

from __future__ import annotations

import pytest

from locusts_fab.cli.logs import last_lines


@pytest.mark.parametrize(
    ("printed", "count", "shown"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\n\n", 1, b"\n"),
        (b"a\rb\nc\r\n", 2, b"a\rb\nc\r\n"),
        (b"a\n", 9, b"a\n"),
        (b"a\n", 0, b""),
        (b"", 3, b""),
    ],
)
def test_the_last_lines(printed: bytes, count: int, shown: bytes) -> None:
    assert last_lines(printed, count) == shown
