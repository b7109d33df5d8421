"""Bring back what is done: outputs and logs into the folder of results, and the two tables that list everything."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.errors import TransferError
from locusts_fab.model import TaskReason
from locusts_fab.results.place import NotBroughtError, bring
from locusts_fab.transfer.stage import remove, write_whole
from locusts_fab.tsv import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from locusts_fab.layout import Environment, Results
    from locusts_fab.model import Outcome
    from locusts_fab.state.ledger import Ledger

    Progress = Callable[[int], None]

#: Tasks that are collected between two entries in the ledger.
BATCH = 500
_REASON_LENGTH = 200
_TAIL_BYTES = 4096


@dataclass
class Batch:
    """What collecting some tasks came to: their places, and the outputs that did not come."""

    places: list[tuple[int, str]] = field(default_factory=list)
    troubles: list[tuple[int, str, str]] = field(default_factory=list)


def find_lost(outcomes: Iterable[Outcome], results: Results) -> Iterator[int]:
    """Find tasks that came back, but of which something is not under outdir any more, so that it has to come again.

    :param outcomes: those of `Ledger.placed`.
    """
    root = f"{results.outdir}/"
    for outcome in outcomes:
        names = [f"{outcome.place}/{name}" for name, found in outputs_to_bring(outcome, results) if found]
        if outcome.log:
            names.append(results.log(outcome.id))
        if not all(os.path.lexists(root + name) for name in names):
            yield outcome.number


def outputs_to_bring(outcome: Outcome, results: Results) -> list[tuple[str, bool]]:
    """List a task's designated outputs, each with whether it was there when the task ended.

    In a custom environment it is empty: there outputs are part of the tree, and come back with it.
    """
    return [] if results.tree_dir is not None else list(zip(outcome.outputs, outcome.found, strict=False))


def wanted_files(outcome: Outcome, environment: Environment, results: Results) -> Iterator[str]:
    """Name what of a task is to be brought, relative to the environment."""
    sandbox = environment.sandbox(outcome.claim, outcome.number, outcome.attempt)
    for name, found in outputs_to_bring(outcome, results):
        if found:
            yield f"{sandbox}/{name}"
    if outcome.log:
        yield environment.log(outcome.claim, outcome.log)


def collect_from(
    environment: Environment,
    ledger: Ledger,
    outcomes: list[Outcome],
    results: Results,
    progress: Progress = lambda _count: None,
    *,
    move: bool = False,
) -> None:
    """Put what has ended in place, and enter it into the ledger.

    :param environment: the environment, or a folder of this machine that holds what was brought from it.
    :param move: that folder holds nothing but what is wanted, and nobody else needs it.
    :param progress: called with the number of tasks collected so far.
    :raises TransferError: the folder of results cannot be written.
    """
    total = ledger.counts().total
    try:
        (results.outdir / "logs").mkdir(parents=True, exist_ok=True)
        for start in range(0, len(outcomes), BATCH):
            batch = Batch()
            for outcome in outcomes[start : start + BATCH]:
                place = outcome.place or results.place(outcome.id, outcome.number, total)
                is_moved = (
                    move
                    and not (outcome.place or results.is_flat)
                    and _move_sandbox(outcome, environment, f"{results.outdir}/{place}")
                )
                batch.troubles += _collect_task(outcome, environment, results, place, is_moved=is_moved)
                batch.places.append((outcome.number, place))
            ledger.set_collected(batch.places, batch.troubles)
            progress(start + len(batch.places))
    except OSError as error:
        raise TransferError(
            f"results cannot be written to {results.outdir}: {error.strerror or error}",
            hint="mend the cause and collect again; nothing is lost",
        ) from error


def _move_sandbox(outcome: Outcome, environment: Environment, folder: str) -> bool:
    """Make the sandbox itself the folder of results, if there is none; that costs a fraction of bringing its files."""
    sandbox = environment.absolute(environment.sandbox(outcome.claim, outcome.number, outcome.attempt))
    with contextlib.suppress(OSError):  # nothing came, a folder is there, or another file system: `bring` sees
        try:
            os.rename(sandbox, folder)  # noqa: PTH104 - strings: this runs for a million tasks
        except FileNotFoundError:
            os.makedirs(os.path.dirname(folder), exist_ok=True)  # noqa: PTH103, PTH120 - the same
            os.rename(sandbox, folder)  # noqa: PTH104 - the same
        return True
    return False


def _collect_task(
    outcome: Outcome, environment: Environment, results: Results, place: str, *, is_moved: bool
) -> Iterator[tuple[int, str, str]]:
    """Bring one task's outputs and log.

    :param is_moved: what came of the outputs is in its place already.

    :returns: the outputs that did not come: task, output and why.
    """
    sandbox = environment.absolute(environment.sandbox(outcome.claim, outcome.number, outcome.attempt))
    folder = f"{results.outdir}/{place}"
    for name, found in outputs_to_bring(outcome, results):
        place_of_output = f"{folder}/{name}"
        if found:
            if is_moved and os.path.lexists(place_of_output):
                continue
            try:
                bring(f"{sandbox}/{name}", place_of_output, sandbox)
            except NotBroughtError as error:
                yield outcome.number, name, str(error)
            else:
                continue
        if outcome.place:
            remove(place_of_output)  # from an earlier attempt
    log = f"{results.outdir}/{results.log(outcome.id)}"
    if outcome.log:
        with contextlib.suppress(NotBroughtError):
            bring(environment.absolute(environment.log(outcome.claim, outcome.log)), log)
            return
    if outcome.place:
        remove(log)


# ---------------------------------------------------------------------------------------------------------------------
# The tables


def write_tables(ledger: Ledger, results: Results) -> None:
    r"""Write tasks.tsv and outputs.tsv: every task, and every designated output of every task.

    Fields hold no tab and no newline: backslash, tab and the ends of lines are written as `\\`, `\t`, `\n`, `\r`.

    :raises TransferError: they cannot be written.
    """
    troubles = ledger.troubles()
    tasks = ["task\tstate\texit\tattempts\tnode\tstart\tseconds\treason\n"]
    outputs = ["task\toutput\tstatus\tpath\n"]
    for outcome in ledger.outcomes():
        tasks.append(_task_row(outcome, results))
        outputs.extend(_output_rows(outcome, troubles, results))
    try:
        results.outdir.mkdir(parents=True, exist_ok=True)
        for path, rows in ((results.tasks_table, tasks), (results.outputs_table, outputs)):
            write_whole(path, os.fsencode("".join(rows)))
            path.chmod(0o644)
    except OSError as error:
        raise TransferError(
            f"the tables cannot be written: {error}", hint="mend the cause and collect again"
        ) from error


def _task_row(outcome: Outcome, results: Results) -> str:
    state = outcome.state.value if outcome.has_ended else "pending"
    reason = describe(outcome)
    if outcome.has_ended and outcome.exit_code and outcome.log and outcome.cause is TaskReason.EXIT:
        reason += last_line(results.outdir / results.log(outcome.id))
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
    """Say in words why a task is what it is; nothing of one that is done."""
    if not outcome.has_ended:
        return outcome.reason or "not started"
    absent = [name for name, found in zip(outcome.outputs, outcome.found, strict=False) if not found]
    if outcome.cause is TaskReason.MISSING_OUTPUT:
        return f"missing output: {', '.join(absent)}"
    return outcome.reason


def last_line(log: Path) -> str:
    """Tell the last line of what a task printed, as `: line`, shortened; nothing if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return f": {os.fsdecode(said[-1][:_REASON_LENGTH])}" if said else ""


def _output_rows(outcome: Outcome, troubles: dict[tuple[int, str], str], results: Results) -> Iterator[str]:
    place = outcome.place if results.tree_dir is None else results.tree_dir
    found = outcome.found if outcome.has_ended and outcome.place else ()
    absent = (False,) * len(outcome.outputs)
    # a failed task may have run with more outputs than the config gives it now, or with fewer
    for name, there in zip(outcome.outputs, (*found, *absent), strict=False):
        status, path = "missing", ""
        if (outcome.number, name) in troubles:
            status = "error"
        elif there:
            status, path = "present", name if place == "." else f"{place}/{name}"
        yield "\t".join((escape(outcome.id), escape(name), status, escape(path))) + "\n"
