"""`locusts logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    positional=("task",),
    example="locusts logs 000007 --tail 20",
    task="The task's id, as in tasks.tsv; with --failed, maybe a pattern.",
    failed="Show every task that failed.",
    tail="Show only so many of the last lines.",
    follow="Go on showing what it prints until it has ended.",
    raw="Print only what the task printed, byte by byte: for programs, not for terminals.",
)
def logs(
    invocation: Invocation,
    task: str | None = None,
    *,
    failed: bool = False,
    tail: int | None = None,
    follow: bool = False,
    raw: bool = False,
) -> None:
    """Show what became of a task, and what it printed.

    That is its command, its exit code, its node and its log.
    """
    from locusts_fab.cli import logs as shown
    from locusts_fab.errors import LocustsError
    from locusts_fab.operations.look.logs import failed_logs
    from locusts_fab.operations.look.logs import follow as followed
    from locusts_fab.operations.look.logs import logs as operation

    swarm, connection = invocation.swarm, invocation.connection
    if (task is None and not failed) or (failed and follow):
        raise LocustsError(
            "say which task", hint="such as: locusts logs 000007; or all that failed: locusts logs --failed"
        )
    if tail is not None and tail < 0:
        raise LocustsError(f"--tail {tail}: there are no lines before the first", hint="say how many of the last lines")
    if failed:
        shown.print_logs(failed_logs(swarm, connection, only=[task] if task else ()), tail, raw=raw)
    elif follow:
        shown.print_growth(followed(swarm, task or "", connection), tail, raw=raw)
    else:
        shown.print_log(operation(swarm, task or "", connection), tail, raw=raw)
