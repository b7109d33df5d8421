"""The table of tasks: what gives way where a terminal is narrow."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import pytest

from locusts_fab.bounds.names import TaskId
from locusts_fab.cli.tables import print_tasks
from locusts_fab.layout import Results
from locusts_fab.model.tasks import Outcome, TaskState

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    ("columns", "reason", "is_whole"),
    [
        (80, "exit 1: no such file or directory: somewhere/else", False),
        (130, "exit 1: a long story" * 9, True),
        (80, "exit 1", True),
    ],
)
def test_reasons_come_before_what_tasks_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, reason: str, *, is_whole: bool
) -> None:
    """All of a reason is shown; CPU time and memory are, if there is room."""
    failed = Outcome(
        1, TaskId("000001"), "x", (), TaskState.FAILED, 1, 1, "node17", 1.0, 2.5, reason, (), 0, "", 1, "",
        cpu_s=1.25, peak_mb=100.4,
    )  # fmt: skip
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, 24)))
    print_tasks([failed], Results(tmp_path, is_flat=False))
    lines = terminal.getvalue().splitlines()
    assert ("cpu_s" in lines[0], "1.25" in lines[1], " 100" in lines[1]) == (is_whole,) * 3
    assert max(map(len, lines)) <= columns
    assert "".join(reason.split()) in "".join("".join(lines[1:]).split())
