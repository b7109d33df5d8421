"""Failures: which tasks failed, grouped by cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.model.swarms import Failures
from locusts_fab.operations.look.status import status

if TYPE_CHECKING:
    import fabric

    from locusts_fab.config.swarm import Swarm


def failures(swarm: Swarm, connection: fabric.Connection | None = None) -> Failures:
    """Return why tasks failed, after one look; if another command is working on the swarm, as it was known before.

    :returns: the causes, the most frequent first, each with how many tasks it struck and what to do next.
    :raises LocustsError: the target could not be asked.
    """
    found = status(swarm, connection)
    tasks = found.tasks
    return Failures(found.swarm, found.target, tasks.total, tasks.failed, found.causes, found.notes, found.busy)
