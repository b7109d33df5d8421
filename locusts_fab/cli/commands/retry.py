"""`locusts retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    lists=("only",),
    example="locusts retry && locusts collect --wait",
    only="Only the task with this id, or those that match a pattern such as 28*; can be given several times.",
    limit="No more than so many tasks, the first of them.",
    force="Do not look first whether the target can take it, as `check` does.",
)
def retry(
    invocation: Invocation, *, only: list[str] | None = None, limit: int | None = None, force: bool = False
) -> None:
    """Submit again what failed or was lost.

    It runs as the config has it now.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.submit import retry as operation

    swarm, connection, screen = invocation.swarm, invocation.connection, invocation.screen
    messages.print_submitted(operation(swarm, connection, only=only or (), limit=limit, force=force, screen=screen))
