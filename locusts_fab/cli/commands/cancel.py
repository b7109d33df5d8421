"""`locusts cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command
from locusts_fab.errors import ExitStatus

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(example="locusts cancel")
def cancel(invocation: Invocation) -> ExitStatus:
    """Stop managers and jobs; what is done stays.

    `locusts submit` carries on.
    """
    from locusts_fab.cli.messages import print_note
    from locusts_fab.operations.cancel import cancel as operation
    from locusts_fab.text import counted

    swarm = invocation.swarm
    left = operation(swarm, invocation.connection, screen=invocation.screen)
    if left:
        were, have = ("was", "has") if left == 1 else ("were", "have")
        told = f"{counted(left, 'manager')} {were} told to stop and {have} not been seen to"
        print_note(f"{told}; `locusts status` looks again")
        return ExitStatus.FAILED
    print_note(f"swarm {swarm.name} is stopped; what is done stays, `locusts submit` carries on")
    return ExitStatus.DONE
