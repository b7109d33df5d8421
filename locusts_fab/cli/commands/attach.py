"""`locusts attach`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command(example="locusts attach --target cluster")
def attach(invocation: Invocation) -> ExitStatus:
    """Find a swarm again from its target alone.

    Rebuilds what was known here: on another laptop, after a lost disk.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.attach import attach as operation

    found = operation(invocation.swarm, invocation.connection)
    messages.print_status(found)
    return messages.exit_status(found)
