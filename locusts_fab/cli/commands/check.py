"""`locusts check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command(example="locusts check --target cluster", json_="Print one JSON object.")
def check(invocation: Invocation, *, json_: bool = False) -> ExitStatus:
    """Look whether the target will take the swarm.

    Nothing is sent: login, bash, rsync, scheduler, limits, free space and inodes.

    Exit codes: 0 nothing is wrong; else 3 the way there, 4 the scheduler, 2 the rest, in this order.
    """
    from locusts_fab.cli import messages
    from locusts_fab.model.findings import exit_status_of
    from locusts_fab.operations.check import check as operation

    findings = operation(invocation.swarm, invocation.connection)
    code = exit_status_of(findings)
    if json_:
        kept = ("what", "state", "found", "advice")
        found = [{name: getattr(finding, name) for name in kept} for finding in findings]
        messages.print_json({"exit_status": int(code), "findings": found})
    else:
        messages.print_findings(findings)
    return code
