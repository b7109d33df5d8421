"""Attach: rebuild the local state of a swarm from its target alone, on another laptop or after a lost disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.errors import StateError
from locusts_fab.manager.planfile import parse_plan
from locusts_fab.operations.session import opened
from locusts_fab.replica.sync import recall_manifest
from locusts_fab.schedulers.registry import scheduler_of
from locusts_fab.shell.scripts import remote_script

if TYPE_CHECKING:
    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model import Status


def attach(swarm: Swarm, connection: fabric.Connection | None = None) -> Status:
    """Rebuild the local state of a swarm from the target alone.

    Nothing counts as collected afterwards; the next collect finds what is here already and moves only the rest.

    :returns: how the swarm stands now.
    :raises StateError: there is no environment of the swarm on the target.
    """
    with opened(swarm, connection, create=True) as session:
        environment = session.site.environment
        result = session.site.host.run(remote_script("read_plan"), environment.root)
        if result.exit_status != 0:
            raise StateError(
                f"there is no environment of swarm {swarm.name} at {environment.root} ({session.site.host.name})",
                hint="see that root and the swarm's name are those it was submitted with",
            )
        head, _, plan = result.stdout.partition(b"\n")
        session.ledger.learn(parse_plan(plan))
        latest, last_chunk, job = head.decode("ascii", "replace").split(" ", 2)
        if latest != "0" and session.ledger.latest_submission() is None:
            submission = session.ledger.begin_submission(1, int(last_chunk), number=int(latest))
            session.ledger.set_submission(submission.number, state="started", job=scheduler_of(swarm).read_job_id(job))
        if swarm.is_custom:
            recall_manifest(swarm, session.site)
        session.poll()
        return session.status()
