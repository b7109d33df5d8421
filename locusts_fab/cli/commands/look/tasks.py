"""`locusts tasks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    lists=("only",),
    example="locusts tasks --state failed",
    state="Only tasks that are pending, running, done or failed.",
    only="Only this task, or those that match this pattern; can be given several times.",
    json_="Print one JSON object.",
)
def tasks(
    invocation: Invocation, *, state: str | None = None, only: list[str] | None = None, json_: bool = False
) -> None:
    """List the tasks, and what became of each."""
    from locusts_fab.cli import tables
    from locusts_fab.operations.look.tasks import tasks as operation
    from locusts_fab.operations.session import results_of

    swarm = invocation.swarm
    found = operation(swarm, invocation.connection, state=state, only=only or ())
    if json_:
        tables.print_tasks_json(swarm, found, results_of(swarm))
    else:
        tables.print_tasks(found, results_of(swarm))
