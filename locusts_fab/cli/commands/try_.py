"""`locusts try`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from locusts_fab.cli.command import command
from locusts_fab.errors import ExitStatus

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    lists=("only",),
    example="locusts try --limit 3",
    limit="Try so many (default: 1).",
    only="Only this task, or those that match this pattern; can be given several times.",
    yes="Go on with all others at once, if these are done.",
)
def try_(
    invocation: Invocation, *, limit: int = 1, only: list[str] | None = None, yes: bool = False
) -> ExitStatus | None:
    """Run the first task, show all of it, and ask to go on.

    It runs where and how the swarm does, and counts: what is done stays done. Tasks that failed before are tried again.
    """
    from locusts_fab.cli import messages
    from locusts_fab.cli.trial import print_trial
    from locusts_fab.operations.submit import submit
    from locusts_fab.operations.trial import try_out
    from locusts_fab.text import counted

    swarm, connection, screen = invocation.swarm, invocation.connection, invocation.screen
    with messages.interruptible(swarm):
        trial = try_out(swarm, connection, limit=limit, only=only or (), screen=screen)
    print_trial(trial)
    if not trial.is_good:
        messages.print_note("fix the cause, then `locusts try` again")
        return ExitStatus.FAILED
    if not trial.left:
        messages.print_note("that was all: every task has ended")
        return None
    if not yes and not _asks_to_go_on(trial.left):
        are, them = ("is", "it") if trial.left == 1 else ("are", "them")
        messages.print_note(f"{counted(trial.left, 'task')} {are} left; `locusts run` runs {them}")
        return None
    messages.print_submitted(submit(swarm, connection, screen=screen))
    messages.print_note("`locusts watch` shows how they get on, `locusts collect --wait` brings what they leave")
    return None


def _asks_to_go_on(left: int) -> bool:
    """Ask a person whether to go on; where there is none, the answer is no."""
    from locusts_fab.text import counted

    if not sys.stdin or not sys.stdin.isatty() or not sys.stderr.isatty():
        return False
    sys.stderr.write(f"run the other {counted(left, 'task')}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
