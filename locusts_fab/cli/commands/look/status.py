"""`locusts status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.errors import ExitStatus
    from locusts_fab.model.swarms import Status


@command(example="locusts status --json", json_="Print one JSON object.")
def status(invocation: Invocation, *, json_: bool = False) -> ExitStatus:
    """Show how many tasks are done, failed and running.

    Looks once: who is running them, too, and what to do if nobody is. Without --swarm, a line for each swarm of the
    config.
    """
    from locusts_fab.cli import messages
    from locusts_fab.operations.look.status import status as operation

    if len(invocation.swarms) > 1:
        return _status_of_all(invocation, json_=json_)
    found = operation(invocation.swarms[0], invocation.connection)
    if json_:
        messages.print_json(found.to_dict())
    else:
        messages.print_panel(found)
    return messages.exit_status(found)


def _status_of_all(invocation: Invocation, *, json_: bool) -> ExitStatus:
    """Look at each swarm; one that cannot be asked, and why, is told in its place. The exit code is the gravest."""
    from locusts_fab.cli import messages
    from locusts_fab.errors import ExitStatus, LocustsError
    from locusts_fab.operations.look.status import status as operation

    def look(swarm: Swarm) -> Status | LocustsError:
        try:
            return operation(swarm, invocation.connection)
        except LocustsError as error:
            return error

    values, worst = [], ExitStatus.DONE
    for swarm in invocation.swarms:
        found = look(swarm)
        if isinstance(found, LocustsError):
            worst = max(worst, found.exit_status)
            values.append({"swarm": swarm.name, "target": swarm.target_name, "error": found.message})
            if not json_:
                messages.print_note(f"{swarm.name} on {swarm.target_name}: {found}")
        else:
            worst = max(worst, messages.exit_status(found))
            values.append(found.to_dict())
            if not json_:
                messages.print_headline(found)
    if json_:
        messages.print_json({"swarms": values})
    return worst
