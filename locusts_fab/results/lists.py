"""The two lists of results: tasks.tsv with what became of every task, outputs.tsv with every designated output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from locusts_fab.errors import TransferError
from locusts_fab.fs import write_whole
from locusts_fab.manager.last_words import last_lines, with_words
from locusts_fab.model import TaskReason
from locusts_fab.tsv import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from locusts_fab.layout import Results
    from locusts_fab.model import Outcome

_TAIL_BYTES = 4096


def write_lists(outcomes: Iterable[Outcome], troubles: Mapping[tuple[int, str], str], results: Results) -> None:
    r"""Write tasks.tsv and outputs.tsv: every task, and every designated output of every task.

    Fields hold no tab and no newline: backslash, tab and the ends of lines are written as `\\`, `\t`, `\n`, `\r`.

    :param outcomes: every task.
    :param troubles: why an output could not be brought back, by the number of the task and its name.
    :raises TransferError: they cannot be written.
    """
    tasks = ["task\tstate\texit\tattempts\tnode\tstart\tseconds\treason\n"]
    outputs = ["task\toutput\tstatus\tpath\n"]
    for outcome in outcomes:
        tasks.append(_task_row(outcome, troubles, results))
        outputs.extend(_output_rows(outcome, troubles, results))
    try:
        results.outdir.mkdir(parents=True, exist_ok=True)
        for path, rows in ((results.tasks_table, tasks), (results.outputs_table, outputs)):
            write_whole(path, os.fsencode("".join(rows)), mode=0o666)
    except OSError as error:
        raise TransferError(f"the tables cannot be written: {error}", hint="fix the cause and collect again") from error


def _task_row(outcome: Outcome, troubles: Mapping[tuple[int, str], str], results: Results) -> str:
    state = outcome.state.value if outcome.has_ended else "pending"
    reason = describe(outcome)
    if outcome.has_ended and outcome.log and reason == f"exit {outcome.exit_code}":  # by a manager that adds no words
        reason = with_words(reason, _lines_at_end(results.outdir / results.log(outcome.id)))
    if troubles and outcome.has_ended:
        lost = [(name, troubles.get((outcome.number, name))) for name in outcome.outputs]
        reason = "; ".join(filter(None, [reason, *(f"{name} did not come back: {why}" for name, why in lost if why)]))
    fields = [
        escape(outcome.id),
        state,
        "" if outcome.exit_code is None or not outcome.has_ended else str(outcome.exit_code),
        str(outcome.attempts),
        escape(outcome.node),
        "" if outcome.start_s is None else f"{outcome.start_s:.6f}",
        "" if outcome.seconds is None or not outcome.has_ended else f"{outcome.seconds:.6f}",
        escape(reason),
    ]
    return "\t".join(fields) + "\n"


def describe(outcome: Outcome) -> str:
    """Return in words why a task is in its state; empty for one that is done."""
    if not outcome.has_ended:
        where = f" ({outcome.bad_node})" if outcome.bad_node and outcome.reason.endswith("bad node") else ""
        return f"{outcome.reason}{where}" or "not started"
    absent = [name for name, found in outcome.designated if not found]
    if outcome.cause is TaskReason.MISSING_OUTPUT:
        words = outcome.reason.removeprefix(TaskReason.MISSING_OUTPUT.value)
        return f"missing output: {', '.join(absent)}{words}"
    if outcome.bad_node and not outcome.reason:
        return f"failed on node {outcome.bad_node}, where nearly all did, and was run again"
    return outcome.reason


def _lines_at_end(log: Path) -> list[str]:
    """Return the last lines of what a task printed."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return last_lines(file.read())
    except OSError:
        return []


def _output_rows(outcome: Outcome, troubles: Mapping[tuple[int, str], str], results: Results) -> Iterator[str]:
    place = outcome.place if results.tree_dir is None else results.tree_dir
    is_here = outcome.has_ended and bool(outcome.place)
    for name, there in outcome.designated:
        status, path = "missing", ""
        if outcome.has_ended and (outcome.number, name) in troubles:
            status = "error"
        elif there and is_here:
            status, path = "present", name if place == "." else f"{place}/{name}"
        yield "\t".join((escape(outcome.id), escape(name), status, escape(path))) + "\n"
