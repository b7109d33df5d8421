"""`locusts failures`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command(example="locusts failures", json_="Print one JSON object.")
def failures(invocation: Invocation, *, json_: bool = False) -> ExitStatus:
    """Show why tasks failed, grouped by cause.

    How many, which, and what to type next.
    """
    from locusts_fab.cli import messages
    from locusts_fab.errors import ExitStatus
    from locusts_fab.operations.look.failures import failures as operation

    found = operation(invocation.swarm, invocation.connection)
    if json_:
        messages.print_json(found.to_dict())
    else:
        messages.print_failures(found)
    return ExitStatus.FAILED if found.failed else ExitStatus.DONE
