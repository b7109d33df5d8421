"""Tasks of a file of commands: a line is a task, as for xargs, GNU parallel, dSQ or Biowulf's swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.plan.source import Source, first_numbers, read_text

if TYPE_CHECKING:
    from pathlib import Path


def from_command_file(path: Path, where: str) -> Source:
    """Return a task for each line; blank lines and lines that begin with # are passed over."""
    lines = [line for line in read_text(path, where).split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise PlanError(f"{where}: there is no command in it")
    ids = first_numbers(len(lines))
    return Source(
        ids,
        frozenset({"id"}),
        lambda index: {"id": ids[index]},
        lambda index: (("command", lines[index]),),
        lines,
        is_numbered=True,
    )
