"""`locusts submit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command, whole_number

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    lists=("only",),
    dry_run="Show the plan and the rendered scripts; touch nothing.",
    redo="Forget all earlier results and run every task again; with --only or --limit just those.",
    redo_changed="Run done tasks again whose command, inputs or outputs have changed since.",
    only="Only the task with this id, or those that match a pattern such as 28*; can be given several times.",
    limit="No more than so many tasks, the first of them.",
)
def submit(
    invocation: Invocation,
    *,
    dry_run: bool = False,
    redo: bool = False,
    redo_changed: bool = False,
    only: list[str] | None = None,
    limit: str | None = None,
) -> None:
    """Plan, stage and start what has not ended yet.

    New, lost and interrupted tasks run; failed ones are left for `retry`, done ones stay done.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.scripts import preview
    from locusts_fab.operations.submit import submit as operation

    swarm = invocation.swarm
    if dry_run:
        messages.print_preview(swarm, preview(swarm))
    else:
        submitted = operation(
            swarm,
            invocation.connection,
            redo=redo,
            redo_changed=redo_changed,
            only=only or (),
            limit=whole_number("limit", limit),
            screen=invocation.screen,
        )
        messages.print_submitted(submitted)
