"""`locusts check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.errors import ExitStatus


@command(example="locusts check --target cluster")
def check(invocation: Invocation) -> ExitStatus:
    """Look whether the target will take the swarm.

    Nothing is sent: login, bash, rsync, scheduler, limits, free space and inodes.

    Exit codes: 0 nothing is wrong; else 3 the way there, 4 the scheduler, 2 the rest, in this order.
    """
    from locusts_fab.cli.messages import print_findings
    from locusts_fab.model import exit_status_of
    from locusts_fab.operations.check import check as operation

    findings = operation(invocation.swarm, invocation.connection)
    print_findings(findings)
    return exit_status_of(findings)
