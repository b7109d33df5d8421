"""`locusts retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command, whole_number

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    lists=("only",),
    only="Only the task with this id, or those that match a pattern such as 28*; can be given several times.",
    limit="No more than so many tasks, the first of them.",
)
def retry(invocation: Invocation, *, only: list[str] | None = None, limit: str | None = None) -> None:
    """Submit again what failed or was lost, with the config as it is now."""
    from locusts_fab.cli import messages
    from locusts_fab.operations.submit import retry as operation

    messages.print_submitted(
        operation(
            invocation.swarm,
            invocation.connection,
            only=only or (),
            limit=whole_number("limit", limit),
            screen=invocation.screen,
        )
    )
