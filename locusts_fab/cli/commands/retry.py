"""`locusts retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    example="locusts retry && locusts collect --wait",
    force="Do not look first whether the target can take it, as `check` does.",
)
def retry(invocation: Invocation, *, force: bool = False) -> None:
    """Submit again what failed or was lost.

    It runs as the config has it now.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.submit import retry as operation

    messages.print_submitted(operation(invocation.swarm, invocation.connection, force=force, screen=invocation.screen))
