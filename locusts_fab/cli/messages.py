"""What the commands print: answers on standard output, notes for a person on standard error; and their exit codes."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING

from locusts_fab.cli.command import Ending
from locusts_fab.cli.streams import for_person
from locusts_fab.errors import ExitStatus
from locusts_fab.model.swarms import SwarmState
from locusts_fab.text import LAID_OUT, counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Results
    from locusts_fab.model.findings import Finding
    from locusts_fab.model.swarms import Failures, Status
    from locusts_fab.operations.collect import Collected
    from locusts_fab.operations.submit import Submitted
    from locusts_fab.replica.merge import Brought


def exit_status(status: Status, troubles: int = 0) -> ExitStatus:
    """Return the exit code for the status of a swarm.

    :param troubles: the number of outputs that could not be collected.
    """
    is_stuck = status.state in {SwarmState.STALLED, SwarmState.CANCELLED}
    return ExitStatus.FAILED if status.tasks.failed or is_stuck or troubles else ExitStatus.DONE


def ending(status: Status, troubles: int = 0, *, quiet: bool) -> Ending:
    """Return how a command ends that has told all of this already, unless it was to be quiet.

    :param troubles: as in `exit_status`.
    """
    code = exit_status(status, troubles)
    told = [status.summary, *status.notes]
    if troubles:
        told.append(f"{counted(troubles, 'output')} could not be brought back")
    return Ending(code, printable("\n".join(told)) if quiet and code else "")


def print_note(text: str) -> None:
    """Print a line for a person on standard error."""
    sys.stderr.write(f"{for_person(text)}\n")
    sys.stderr.flush()


def print_shown(text: str, end: str = "\n") -> None:
    """Print a text on standard output, whatever is in it: a terminal shows it and obeys none of it."""
    print(printable(text, LAID_OUT), end=end)


def print_json(values: object) -> None:
    """Print values as JSON, which is all that standard output then holds."""
    print(json.dumps(values, indent=2))


@contextlib.contextmanager
def interruptible(swarm: Swarm) -> Iterator[None]:
    """Print what becomes of the swarm, if a person presses Ctrl-C meanwhile."""
    try:
        yield
    except KeyboardInterrupt:
        print_note(
            f"swarm {swarm.name} goes on by itself; `locusts collect --wait` carries on, `locusts cancel` stops it"
        )
        raise


# ---- submit ----


def print_submitted(submitted: Submitted) -> None:
    """Print how many tasks a submit started."""
    for note in submitted.notes:
        print_note(note)
    if submitted.tasks:
        print_note(f"submitted {submitted.tasks:,} of {counted(submitted.total, 'task')}")
    elif submitted.waiting:
        are = "is running or waits its" if submitted.waiting == 1 else "are running or wait their"
        print_note(f"{counted(submitted.waiting, 'task')} of an earlier submit {are} turn")
    else:
        print_note(f"nothing to submit: none of the {counted(submitted.total, 'task')} waits")


# ---- status, watch, attach ----


def print_status(status: Status) -> None:
    """Print the status of a swarm, why tasks failed, and what a person should do about it."""
    from locusts_fab.ui.show import show
    from locusts_fab.ui.tables import ending_panel

    show(ending_panel(status), sys.stderr)


def print_panel(status: Status) -> None:
    """Print the status of a swarm as `locusts status` shows it, with its managers and jobs."""
    from locusts_fab.ui.show import show
    from locusts_fab.ui.tables import status_panel

    show(status_panel(status))


def print_headline(status: Status) -> None:
    """Print the status of a swarm in a line, and what a person should do about it."""
    from locusts_fab.ui.show import show
    from locusts_fab.ui.tables import headline, note_text

    show(headline(status))
    for note in status.notes:
        show(note_text(note))


def print_failures(failures: Failures) -> None:
    """Print why tasks failed, and what a person should know besides."""
    from locusts_fab.ui.show import show
    from locusts_fab.ui.tables import cause_list

    for note in failures.notes:
        print_note(note)
    if not failures.failed:
        print_shown(f"none of {counted(failures.total, 'task')} failed")
        return
    show(cause_list(failures.failed, failures.causes))
    print_shown("`locusts retry` runs them again, once the causes are fixed")


# ---- collect ----


def print_collected(collected: Collected) -> None:
    """Print what a collect brought, and the status after it."""
    status, results = collected.status, collected.results
    print_status(status)
    new = f"{counted(collected.tasks, 'task')} collected now; " if collected.tasks else ""
    print_note(f"{new}results are in {results.outdir}")
    if collected.brought is not None:
        _print_tree_changes(collected.brought, results)
    if collected.troubles:
        print_note(f"{counted(collected.troubles, 'output')} could not be brought back; tasks.tsv says why")
    if collected.in_the_way:
        print_note("what is in the way stays: move it away and collect again, or replace it with `collect --overwrite`")
    if status.tasks.failed:
        print_note(f"what failed and why: {results.tasks_table}; `locusts retry` repeats it once the causes are fixed")


def collected_values(collected: Collected) -> dict[str, object]:
    """Return what a collect brought as plain values, for JSON."""
    results = collected.results
    return {
        "tasks": collected.tasks,
        "troubles": collected.troubles,
        "outdir": str(results.outdir),
        "tasks_table": str(results.tasks_table),
        "outputs_table": str(results.outputs_table),
        "status": collected.status.to_dict(),
    }


def _print_tree_changes(brought: Brought, results: Results) -> None:
    """Print how many changes of each kind a custom environment brought into the local tree."""
    for note in brought.notes:
        print_note(note)
    counts: dict[str, int] = {}
    for change in brought.changes:
        counts[change.what] = counts.get(change.what, 0) + 1
    changes = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing changed"
    print_note(f"the tree: {changes}; the list is {results.outdir / 'modified.tsv'}")


# ---- check ----


def print_findings(findings: Iterable[Finding]) -> None:
    """Print what a check found, a row each."""
    from locusts_fab.ui.show import show
    from locusts_fab.ui.tables import findings_list, findings_table

    show(findings_list(list(findings)) if sys.stdout.isatty() else findings_table(findings))
