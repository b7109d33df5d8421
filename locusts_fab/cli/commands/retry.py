"""`locusts retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    lists=("only",),
    example="locusts retry && locusts collect --wait",
    only="Only tasks with this id or pattern; repeatable.",
    limit="Only the first so many tasks.",
    force="Look neither as `check` does, nor at `after`.",
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
