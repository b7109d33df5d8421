"""What the commands tell a person: notes and results as lines, and the exit code that they come to."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from locusts_fab.errors import ExitStatus
from locusts_fab.model import SwarmState
from locusts_fab.text import printable, size
from locusts_fab.tsv import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Results
    from locusts_fab.model import Status
    from locusts_fab.operations.collect import Collected
    from locusts_fab.operations.scripts import Preview
    from locusts_fab.operations.submit import Submitted
    from locusts_fab.replica.sync import Brought
    from locusts_fab.replica.walk import Selection


def exit_status(status: Status) -> ExitStatus:
    """Tell the exit code that a look at a swarm comes to."""
    stuck = status.state in {SwarmState.STALLED, SwarmState.CANCELLED}
    return ExitStatus.FAILED if status.tasks.failed or stuck else ExitStatus.DONE


def say(text: str) -> None:
    """Print a line for a person on standard error."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def tell_submitted(submitted: Submitted) -> None:
    """Say what a submit came to."""
    for note in submitted.notes:
        say(note)
    if submitted.tasks:
        say(f"submitted {submitted.tasks} of {submitted.total} tasks")
    elif submitted.waiting:
        say(f"{submitted.waiting} tasks of an earlier submit are at work or wait their turn")
    else:
        say(f"nothing to submit: none of the {submitted.total} tasks waits")


def show_preview(swarm: Swarm, plan: Preview) -> None:
    """Print what a submit would do: the plan, its first tasks, the scripts."""
    chunks = f"{len(plan.chunks)} chunks of at most {max(plan.chunks, default=0)}"
    print(f"swarm {swarm.name} on target {swarm.target_name}: {plan.plan.count} tasks in {chunks}")  # noqa: T201 - the answer
    print(f"environment: {plan.plan.environment_dir}")  # noqa: T201 - the answer
    print(f"results:     {swarm.outdir}")  # noqa: T201 - the answer
    for warning in plan.plan.warnings:
        say(warning)
    if plan.replica is not None:
        show_replica(swarm, plan.replica)
    for task in plan.samples:
        print(f"\ntask {escape(task.id)}: {task.command}")  # noqa: T201 - the answer
        print(f"  inputs:  {'  '.join(map(escape, task.inputs)) or '-'}")  # noqa: T201 - the answer
        print(f"  outputs: {'  '.join(map(escape, task.outputs)) or '-'}")  # noqa: T201 - the answer
    if plan.plan.count > len(plan.samples):
        print(f"\n… and {plan.plan.count - len(plan.samples)} more tasks")  # noqa: T201 - the answer
    for path, text in plan.scripts.items():
        print(f"\n======== {path}\n{text}", end="")  # noqa: T201 - the answer


def show_replica(swarm: Swarm, replica: Selection) -> None:
    """List what of the tree would be replicated, with sizes."""
    root = swarm.local_tree
    folders, files, links = len(replica.folders), len(replica.files), len(replica.links)
    print(f"the tree {root}: {folders} folders, {files} files, {links} links, {size(replica.bytes)}")  # noqa: T201 - the answer
    for name in replica.files:
        print(f"{(root / name).lstat().st_size:>14}  {escape(name)}")  # noqa: T201 - the answer
    for name in replica.links:
        print(f"{'link':>14}  {escape(name)}")  # noqa: T201 - the answer
    for note in replica.unmatched:
        say(note)


def tell_status(status: Status) -> None:
    """Say how a swarm stands, and what a person should do about it."""
    say(status.summary)
    for note in status.notes:
        say(note)


@contextlib.contextmanager
def interruptible(swarm: Swarm) -> Iterator[None]:
    """Say, if a person interrupts the waiting or bringing within, what becomes of the swarm."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"swarm {swarm.name} goes on by itself; `locusts collect --wait` carries on, `locusts cancel` stops it")
        raise


def tell_collected(collected: Collected) -> ExitStatus:
    """Say what a collect came to.

    :returns: the exit code for it.
    """
    tell_status(collected.status)
    new = f"{collected.tasks} tasks collected now; " if collected.tasks else ""
    say(f"{new}results are in {collected.results.outdir}")
    if collected.brought is not None:
        tell_brought(collected.brought, collected.results)
    if collected.troubles:
        say(f"{collected.troubles} outputs could not be brought back; see status error in outputs.tsv")
    if collected.status.tasks.failed:
        say(
            f"what failed and why: {collected.results.tasks_table};"
            " `locusts logs TASK` shows one, `locusts retry` repeats them"
        )
    return ExitStatus.FAILED if collected.troubles else exit_status(collected.status)


def tell_brought(brought: Brought, results: Results) -> None:
    """Say what became of the tree of a custom environment."""
    for note in brought.notes:
        say(note)
    counts: dict[str, int] = {}
    for change in brought.changes:
        counts[change.what] = counts.get(change.what, 0) + 1
    said = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing changed"
    say(f"the tree: {said}; the list is {results.outdir / 'modified.tsv'}")
