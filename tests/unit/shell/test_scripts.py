"""What is made of the complaints of scripts."""

from __future__ import annotations

import pytest

from locusts_fab.shell.scripts import lacks_gnu_find


@pytest.mark.parametrize(
    ("complaint", "lacks"),
    [
        ("bash: line 3: find: command not found", True),
        ("bash: line 12: find: No such file or directory", True),  # with an empty PATH
        ("sh: 1: find: not found\nmore", True),
        ("find: unrecognized: -printf", True),  # busybox
        ("find: -printf: unknown primary or operator", True),  # BSD
        ("find: unknown predicate `-ignore_readdir_race'", True),
        ("find: './a': Permission denied", False),
        ("find: './a': No such file or directory", False),
        ("bash: line 9: cd: /gone: No such file or directory", False),
        ("", False),
    ],
)
def test_whether_find_is_what_is_missing(complaint: str, *, lacks: bool) -> None:
    assert lacks_gnu_find(complaint) is lacks
