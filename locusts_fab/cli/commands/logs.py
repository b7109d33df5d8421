"""`locusts logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    example="locusts logs 000007",
    task="The task's id, as in tasks.tsv.",
    raw="Print only what the task printed, byte by byte: for programs, not for terminals.",
)
def logs(invocation: Invocation, task: str, *, raw: bool = False) -> None:
    """Show what became of a task, and what it printed.

    That is its command, its exit code, its node and its log.
    """
    from locusts_fab.cli.messages import print_bytes, print_log
    from locusts_fab.operations.logs import logs as operation

    log = operation(invocation.swarm, task, invocation.connection)
    if raw:
        print_bytes(log)
    else:
        print_log(log)
