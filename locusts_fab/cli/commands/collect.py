"""`locusts collect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Ending, Invocation


@command(
    example="locusts collect --wait",
    wait="First watch until nothing is left to run; meanwhile bring what has ended.",
    json_="Print one JSON object.",
    apply_removals="Custom environment: remove from the local tree what tasks removed from its replica.",
    overwrite="Replace what stands under outdir and was not put there by this swarm, or was changed since.",
)
def collect(
    invocation: Invocation,
    *,
    wait: bool = False,
    apply_removals: bool = False,
    overwrite: bool = False,
    json_: bool = False,
) -> Ending:
    """Bring back what has ended so far.

    Safe to repeat; moves only what is new.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.collect import collect as operation

    swarm, connection, screen = invocation.swarm, invocation.connection, invocation.screen
    with messages.interruptible(swarm):
        collected = operation(
            swarm, connection, wait=wait, apply_removals=apply_removals, overwrite=overwrite, screen=screen
        )
        messages.print_collected(collected)
    if json_:
        messages.print_json(messages.collected_values(collected))
    return messages.ending(collected.status, collected.troubles, quiet=invocation.quiet)
