"""`locusts collect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command(
    wait="First watch until nothing is left to run; meanwhile bring what has ended.",
    apply_removals="Custom environment: remove from the local tree what tasks removed from its replica.",
    overwrite="Replace what stands under outdir and was not put there by this swarm, or was changed since.",
)
def collect(
    invocation: Invocation, *, wait: bool = False, apply_removals: bool = False, overwrite: bool = False
) -> ExitStatus:
    """Bring back what is done so far. Safe to repeat; moves only what is new."""
    from locusts_fab.cli import messages
    from locusts_fab.operations.collect import collect as operation

    swarm, connection, screen = invocation.swarm, invocation.connection, invocation.screen
    with messages.interruptible(swarm):
        collected = operation(
            swarm, connection, wait=wait, apply_removals=apply_removals, overwrite=overwrite, screen=screen
        )
        messages.print_collected(collected)
    return messages.exit_status(collected.status, collected.troubles)
