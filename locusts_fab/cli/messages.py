"""What the commands print: answers on standard output, notes for a person on standard error; and their exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from locusts_fab.errors import ExitStatus
from locusts_fab.model import SwarmState
from locusts_fab.text import LAID_OUT, counted, fitted, printable, size
from locusts_fab.tsv import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Results
    from locusts_fab.model import Failures, Finding, Status
    from locusts_fab.operations.collect import Collected
    from locusts_fab.operations.logs import TaskLog
    from locusts_fab.operations.scripts import Preview
    from locusts_fab.operations.submit import Submitted
    from locusts_fab.replica.merge import Brought
    from locusts_fab.replica.walk import Selection


#: That of a terminal which does not say how wide it is.
_USUAL_WIDTH = 80


def exit_status(status: Status, troubles: int = 0) -> ExitStatus:
    """Return the exit code for the status of a swarm.

    :param troubles: the number of outputs that could not be collected.
    """
    is_stuck = status.state in {SwarmState.STALLED, SwarmState.CANCELLED}
    return ExitStatus.FAILED if status.tasks.failed or is_stuck or troubles else ExitStatus.DONE


def print_note(text: str) -> None:
    """Print a line for a person on standard error."""
    sys.stderr.write(f"{for_person(text)}\n")
    sys.stderr.flush()


def for_person(text: str) -> str:
    """Return a text as standard error shows it: made safe, and broken between words where there is a terminal."""
    if not sys.stderr.isatty():
        return printable(text)
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # it is closed, or says nothing of its size
        width = 0
    return fitted(printable(text), width or _USUAL_WIDTH)


def print_shown(text: str, end: str = "\n") -> None:
    """Print a text on standard output, whatever is in it: a terminal shows it and obeys none of it."""
    print(printable(text, LAID_OUT), end=end)


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


def print_preview(swarm: Swarm, preview: Preview) -> None:
    """Print what a submit would do: the plan, its first tasks, the scripts."""
    plan, chunks = preview.plan, preview.chunks
    print_shown(
        f"swarm {swarm.name} on target {swarm.target_name}: {plan.count} tasks"
        f" in {len(chunks)} chunks of at most {max(chunks, default=0)}"
    )
    print_shown(f"environment: {plan.environment_dir}")
    print_shown(f"results:     {swarm.outdir}")
    for warning in plan.warnings:
        print_note(warning)
    if preview.replica is not None:
        _print_selection(swarm, preview.replica)
    for task in preview.samples:
        print_shown(f"\ntask {escape(task.id)}: {task.command}")
        print_shown(f"  inputs:  {'  '.join(map(escape, task.inputs)) or '-'}")
        print_shown(f"  outputs: {'  '.join(map(escape, task.outputs)) or '-'}")
    if plan.count > len(preview.samples):
        print(f"\n… and {plan.count - len(preview.samples)} more tasks")
    for path, text in preview.scripts.items():
        print_shown(f"\n======== {path}\n{text}", end="")


def _print_selection(swarm: Swarm, selection: Selection) -> None:
    """Print what of the local tree would be replicated, with sizes."""
    root = swarm.local_tree
    folders, files, links = len(selection.folders), len(selection.files), len(selection.links)
    print_shown(f"the tree {root}: {folders} folders, {files} files, {links} links, {size(selection.bytes)}")
    for name in selection.files:
        print_shown(f"{(root / name).lstat().st_size:>14}  {escape(name)}")
    for name in selection.links:
        print_shown(f"{'link':>14}  {escape(name)}")
    for note in selection.unmatched:
        print_note(note)


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
        print_note(f"{collected.troubles} outputs could not be brought back; tasks.tsv says why")
    if status.tasks.failed:
        print_note(f"what failed and why: {results.tasks_table}; `locusts retry` repeats it once the causes are fixed")


def _print_tree_changes(brought: Brought, results: Results) -> None:
    """Print how many changes of each kind a custom environment brought into the local tree."""
    for note in brought.notes:
        print_note(note)
    counts: dict[str, int] = {}
    for change in brought.changes:
        counts[change.what] = counts.get(change.what, 0) + 1
    changes = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing changed"
    print_note(f"the tree: {changes}; the list is {results.outdir / 'modified.tsv'}")


# ---- logs, check ----


def print_log(log: TaskLog) -> None:
    """Print a task's command, exit code and node, and what it printed, as far as a terminal may see it."""
    outcome = log.outcome
    for note in log.notes:
        print_note(note)
    lines = [
        f"task     {outcome.id}: {outcome.state.value}"
        + (f", {log.description}" if log.description not in {"", outcome.state.value} else ""),
        f"command  {outcome.command}",
        f"exit     {'-' if outcome.exit_code is None else outcome.exit_code}, attempts {outcome.attempts}",
        f"node     {outcome.node or '-'}",
    ]
    if log.sandbox:
        lines.append(f"sandbox  {log.sandbox}")
    print_shown("\n".join(lines))
    if log.printed is None:
        print_note("what it printed is no longer available")
    elif not log.printed and not outcome.attempts:
        print_note("it was not started yet")
    elif not log.printed:
        print_note("it printed nothing")
    else:
        text = os.fsdecode(log.printed.replace(b"\r\n", b"\n"))
        shown = printable(text, LAID_OUT)
        print(f"printed:\n{shown}", end="" if text.endswith("\n") else "\n")
        _note_left_out(log)
        if shown != text:
            print_note("what a terminal would obey is shown as \\x1b and the like; `--raw` prints every byte as it is")


def print_bytes(log: TaskLog) -> None:
    """Print what a task printed, byte by byte, and nothing else; a program reads it, not a terminal."""
    if log.printed is None:
        print_note("what it printed is no longer available")
    sys.stdout.buffer.write(log.printed or b"")
    sys.stdout.buffer.flush()
    _note_left_out(log)


def _note_left_out(log: TaskLog) -> None:
    if log.left_out:
        print_note(f"{size(log.left_out)} before that are left out; `locusts collect` brings all of it")


def print_findings(findings: Iterable[Finding]) -> None:
    """Print what a check found, a row each."""
    from locusts_fab.ui.show import show
    from locusts_fab.ui.tables import findings_list, findings_table

    show(findings_list(list(findings)) if sys.stdout.isatty() else findings_table(findings))
