"""`locusts clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    example="locusts clean",
    force="Also while tasks run (they are stopped) or results are uncollected (they are lost).",
)
def clean(invocation: Invocation, *, force: bool = False) -> None:
    """Remove the environment from the target.

    What was collected stays.
    """
    from locusts_fab.cli.messages import print_note
    from locusts_fab.operations.clean import clean as operation

    swarm = invocation.swarm
    operation(swarm, invocation.connection, force=force, screen=invocation.screen)
    print_note(f"the environment of swarm {swarm.name} is removed from {swarm.target_name}")
