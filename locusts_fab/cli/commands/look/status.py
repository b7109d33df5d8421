"""`locusts status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command(example="locusts status --json", json_="Print one JSON object.")
def status(invocation: Invocation, *, json_: bool = False) -> ExitStatus:
    """Show how many tasks are done, failed and running.

    Looks once: who is running them, too, and what to do if nobody is.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.look.status import status as operation

    found = operation(invocation.swarm, invocation.connection)
    if json_:
        messages.print_json(found.to_dict())
    else:
        messages.print_panel(found)
    return messages.exit_status(found)
