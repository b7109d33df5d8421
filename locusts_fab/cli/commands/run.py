"""`locusts run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Ending, Invocation


@command(
    lists=("only",),
    example="locusts run --swarm pairs",
    only="Only tasks with this id or pattern; repeatable.",
    limit="Only the first so many tasks.",
    force="Do not look first, as `check` does.",
    overwrite="Replace what stands under outdir and was not put there by this swarm, or was changed since.",
)
def run(
    invocation: Invocation,
    *,
    only: list[str] | None = None,
    limit: int | None = None,
    force: bool = False,
    overwrite: bool = False,
) -> Ending:
    """Submit, watch and collect: the main job in one command.

    Safe to repeat: tasks that are done stay done. Ctrl-C leaves the swarm running; the same command carries on.
    """
    from locusts_fab.cli import messages
    from locusts_fab.errors import StateError
    from locusts_fab.operations.collect import collect
    from locusts_fab.operations.submit import submit
    from locusts_fab.results.lists import TableInTheWayError

    swarm, connection, screen = invocation.swarm, invocation.connection, invocation.screen
    choice: dict[str, Any] = {"only": only or (), "limit": limit}
    messages.print_submitted(submit(swarm, connection, **choice, force=force, overwrite=overwrite, screen=screen))
    try:
        with messages.interruptible(swarm):
            collected = collect(swarm, connection, wait=True, overwrite=overwrite, screen=screen)
            messages.print_collected(collected)
    except TableInTheWayError:  # all else has come
        raise
    except StateError:
        messages.print_note("the results are not collected yet; `locusts collect` brings them")
        raise
    return messages.ending(collected.status, collected.troubles, quiet=invocation.quiet)
