"""Findings: the exit code that they come to."""

from __future__ import annotations

import pytest

from locusts_fab.errors import ExitStatus
from locusts_fab.model.findings import Finding, exit_status_of


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], 0),
        ([2], 2),
        ([2, 4], 4),
        ([4, 3, 2], 3),
    ],
)
def test_the_exit_code_is_that_of_the_first_kind(kinds: list[int], expected: int) -> None:
    fine = [Finding("x", "ok", "", exit_status=ExitStatus.CONNECTION), Finding("y", "warning", "")]
    errors = [Finding("z", "error", "", exit_status=ExitStatus(kind)) for kind in kinds]
    assert exit_status_of([*fine, *errors]) == expected
