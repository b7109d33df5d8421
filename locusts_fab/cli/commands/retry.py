"""`locusts retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(example="locusts retry && locusts collect --wait")
def retry(invocation: Invocation) -> None:
    """Submit again what failed or was lost.

    It runs as the config has it now.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.submit import retry as operation

    messages.print_submitted(operation(invocation.swarm, invocation.connection, screen=invocation.screen))
