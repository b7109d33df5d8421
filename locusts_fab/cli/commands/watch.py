"""`locusts watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command()
def watch(invocation: Invocation) -> ExitStatus:
    """Show live progress until nothing is left to run. Ctrl-C leaves the swarm running."""
    from locusts_fab.cli import messages
    from locusts_fab.operations.status import watch as operation

    with messages.interruptible(invocation.swarm):
        found = operation(invocation.swarm, invocation.connection, screen=invocation.screen)
    messages.print_status(found)
    return messages.exit_status(found)
