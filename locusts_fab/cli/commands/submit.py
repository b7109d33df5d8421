"""`locusts submit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    lists=("only",),
    example="locusts submit --dry-run",
    dry_run="Show the plan; touch nothing.",
    scripts="With --dry-run: print the scripts, too.",
    files="With --dry-run: list the files of a tree, too.",
    redo="Forget results and run all, or the chosen, again.",
    redo_changed="Run done tasks again that have changed since.",
    only="Only tasks with this id or pattern; repeatable.",
    limit="Only the first so many tasks.",
    force="Look neither as `check` does, nor at `after`.",
    overwrite="Go on where tables of another swarm lie.",
)
def submit(
    invocation: Invocation,
    *,
    dry_run: bool = False,
    scripts: bool = False,
    files: bool = False,
    redo: bool = False,
    redo_changed: bool = False,
    only: list[str] | None = None,
    limit: int | None = None,
    force: bool = False,
    overwrite: bool = False,
) -> None:
    """Plan, stage and start what has not ended yet.

    New and lost tasks run; failed ones are left for `retry`, done ones stay.
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
        choice: dict[str, Any] = {"redo": redo, "redo_changed": redo_changed, "only": only or (), "limit": limit}
        choice.update(force=force, overwrite=overwrite, screen=invocation.screen)
        messages.print_submitted(operation(swarm, invocation.connection, **choice))
