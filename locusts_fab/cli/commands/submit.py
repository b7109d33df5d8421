"""`locusts submit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    example="locusts submit --dry-run",
    dry_run="Show the plan and the rendered scripts; touch nothing.",
    redo="Forget all earlier results and run every task again.",
    force="Do not look first whether the target can take it, as `check` does.",
)
def submit(invocation: Invocation, *, dry_run: bool = False, redo: bool = False, force: bool = False) -> None:
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
        messages.print_submitted(
            operation(swarm, invocation.connection, redo=redo, force=force, screen=invocation.screen)
        )
