"""`locusts run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command(force="Do not look first whether the target can take it, as `check` does.")
def run(invocation: Invocation, *, force: bool = False) -> ExitStatus:
    """Submit, watch and collect: the main job in one command.

    Safe to repeat: tasks that are done stay done. Ctrl-C leaves the swarm running; the same command carries on.
    """
    from locusts_fab.cli import messages
    from locusts_fab.errors import StateError
    from locusts_fab.operations.collect import collect
    from locusts_fab.operations.submit import submit

    swarm, connection, screen = invocation.swarm, invocation.connection, invocation.screen
    messages.print_submitted(submit(swarm, connection, force=force, screen=screen))
    try:
        with messages.interruptible(swarm):
            collected = collect(swarm, connection, wait=True, screen=screen)
            messages.print_collected(collected)
    except StateError:
        messages.print_note("the results are not collected yet; `locusts collect` brings them")
        raise
    return messages.exit_status(collected.status, collected.troubles)
