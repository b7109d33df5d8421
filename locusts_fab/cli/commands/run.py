"""`locusts run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command, whole_number

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command(
    lists=("only",),
    only="Only the task with this id, or those that match a pattern such as 28*; can be given several times.",
    limit="No more than so many tasks, the first of them.",
)
def run(invocation: Invocation, *, only: list[str] | None = None, limit: str | None = None) -> ExitStatus:
    """Submit, watch and collect: the main job in one command.

    Safe to repeat: tasks that are done stay done. Ctrl-C leaves the swarm running; the same command carries on.
    """
    from locusts_fab.cli import messages
    from locusts_fab.errors import StateError
    from locusts_fab.operations.collect import collect
    from locusts_fab.operations.submit import submit

    swarm, connection, screen = invocation.swarm, invocation.connection, invocation.screen
    messages.print_submitted(
        submit(swarm, connection, only=only or (), limit=whole_number("limit", limit), screen=screen)
    )
    try:
        with messages.interruptible(swarm):
            collected = collect(swarm, connection, wait=True, screen=screen)
            messages.print_collected(collected)
    except StateError:
        messages.print_note("the results are not collected yet; `locusts collect` brings them")
        raise
    return messages.exit_status(collected.status, collected.troubles)
