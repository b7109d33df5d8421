"""Failures: which tasks failed, grouped by cause."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from locusts_fab.model import Failures
from locusts_fab.operations.session import looked_at
from locusts_fab.results.causes import find_causes
from locusts_fab.state.faults import faults_explained
from locusts_fab.state.ledger import Ledger

if TYPE_CHECKING:
    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model import Status


def failures(swarm: Swarm, connection: fabric.Connection | None = None) -> Failures:
    """Return why tasks failed, after one look; if another command is working on the swarm, as it was known before.

    :returns: the causes, the most frequent first, each with how many tasks it struck and what to do next.
    :raises LocustsError: nothing is known of the swarm, or the target could not be asked.
    """
    with looked_at(swarm, connection) as session:
        session.poll()
        status = with_causes(session.status(), session.ledger)
    tasks = status.tasks
    return Failures(swarm.name, swarm.target_name, tasks.total, tasks.failed, status.causes, status.notes, status.busy)


def with_causes(status: Status, ledger: Ledger) -> Status:
    """Return a status with why tasks failed."""
    if not status.tasks.failed:
        return status
    return replace(status, causes=find_causes(ledger.failed(), ledger.done_by_node()))


def explained(status: Status, swarm: Swarm) -> Status:
    """Return a status with why tasks failed, by what is known here; nobody is asked.

    :raises StateError: the local state is damaged.
    """
    if not status.tasks.failed:
        return status
    path = swarm.state_dir / "ledger.sqlite"
    with faults_explained(path), contextlib.closing(Ledger(path)) as ledger:
        return with_causes(status, ledger)
