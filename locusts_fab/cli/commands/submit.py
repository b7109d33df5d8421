"""`locusts submit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    example="locusts submit --dry-run",
    dry_run="Show the plan; touch nothing.",
    scripts="With --dry-run: print the scripts that would run there.",
    files="With --dry-run: list every file of a tree that would be sent.",
    redo="Forget all earlier results and run every task again.",
)
def submit(
    invocation: Invocation, *, dry_run: bool = False, scripts: bool = False, files: bool = False, redo: bool = False
) -> None:
    """Plan, stage and start what has not ended yet.

    New, lost and interrupted tasks run; failed ones are left for `retry`, done ones stay done.
    """
    from locusts_fab.cli import messages
    from locusts_fab.cli.preview import print_preview
    from locusts_fab.errors import LocustsError
    from locusts_fab.operations.scripts import preview
    from locusts_fab.operations.submit import submit as operation

    swarm = invocation.swarm
    if dry_run:
        print_preview(swarm, preview(swarm), scripts=scripts, files=files)
    elif scripts or files:
        raise LocustsError("--scripts and --files go with --dry-run", hint="nothing was submitted")
    else:
        messages.print_submitted(operation(swarm, invocation.connection, redo=redo, screen=invocation.screen))
