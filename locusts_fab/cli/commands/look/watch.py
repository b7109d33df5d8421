"""`locusts watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Ending, Invocation


@command(example="locusts watch")
def watch(invocation: Invocation) -> Ending:
    """Show live progress until nothing is left to run.

    Ctrl-C leaves the swarm running.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.look.status import watch as operation

    with messages.interruptible(invocation.swarm):
        found = operation(invocation.swarm, invocation.connection, screen=invocation.screen)
    messages.print_status(found)
    return messages.ending(found, quiet=invocation.quiet)
