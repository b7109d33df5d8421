"""`locusts run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locusts_fab.cli.command import Ending, command
from locusts_fab.errors import LocustsError

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation
    from locusts_fab.config.swarm import Swarm


@command(
    lists=("only",),
    example="locusts run --swarm pairs",
    only="Only tasks with this id or pattern; repeatable.",
    limit="Only the first so many tasks.",
    force="Look neither as `check` does, nor at `after`.",
    overwrite="Replace what stands under outdir and was not put there by this swarm, or was changed since.",
)
def run(
    invocation: Invocation,
    *,
    only: list[str] | None = None,
    limit: int | None = None,
    force: bool = False,
    overwrite: bool = False,
) -> Ending:
    """Submit, watch and collect: the main job in one command.

    Without --swarm, all swarms of the config, one after the other: those that come `after` others after them. Safe to
    repeat: tasks that are done stay done. Ctrl-C leaves the swarm running; the same command carries on.
    """
    swarms = invocation.swarms_to_run
    choice: dict[str, Any] = {"only": only or (), "limit": limit, "force": force}
    if len(swarms) == 1:
        return _run(invocation, swarms[0], choice, overwrite=overwrite)
    if only or limit is not None:
        names = ", ".join(swarm.name for swarm in swarms)
        raise LocustsError(f"--only and --limit are about one swarm; choose with --swarm: {names}")
    return _run_all(invocation, swarms, choice, overwrite=overwrite)


def _run_all(invocation: Invocation, swarms: list[Swarm], choice: dict[str, Any], *, overwrite: bool) -> Ending:
    """Run one swarm after the other; what keeps one from running is told in its place. The exit code is the gravest."""
    from locusts_fab.cli import messages
    from locusts_fab.cli.streams import for_person

    worst, words = 0, []
    for number, swarm in enumerate(swarms, 1):
        messages.print_note(f"swarm {swarm.name}, {number} of {len(swarms)}, on {swarm.target_name}:")
        try:
            ending = _run(invocation, swarm, choice, overwrite=overwrite)
        except LocustsError as error:
            messages.print_note(f"swarm {swarm.name} was not run to its end: {error}")
            ending = Ending(int(error.exit_status), f"{swarm.name}: {error}" if invocation.quiet else "")
        worst = max(worst, ending.code)
        words.append(ending.message)
    return Ending(worst, for_person("\n".join(filter(None, words))))


def _run(invocation: Invocation, swarm: Swarm, choice: dict[str, Any], *, overwrite: bool) -> Ending:
    """Submit, watch and collect a swarm."""
    from locusts_fab.cli import messages
    from locusts_fab.errors import StateError
    from locusts_fab.operations.collect import collect
    from locusts_fab.operations.submit import submit
    from locusts_fab.results.lists import TableInTheWayError

    connection, screen = invocation.connection, invocation.screen
    messages.print_submitted(submit(swarm, connection, **choice, overwrite=overwrite, screen=screen))
    try:
        with messages.interruptible(swarm):
            collected = collect(swarm, connection, wait=True, overwrite=overwrite, screen=screen)
            messages.print_collected(collected)
    except TableInTheWayError:  # all else has come
        raise
    except StateError:
        messages.print_note("the results are not collected yet; `locusts collect` brings them")
        raise
    return messages.ending(collected.status, collected.troubles, quiet=invocation.quiet)
