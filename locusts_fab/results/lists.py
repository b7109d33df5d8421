"""The two lists of results: tasks.tsv with what became of every task, outputs.tsv with every designated output."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from itertools import chain
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import Entry, shown
from locusts_fab.errors import StateError, TransferError
from locusts_fab.fs import write_whole
from locusts_fab.manager.last_words import last_lines, with_words
from locusts_fab.model.tasks import TaskReason, TaskState
from locusts_fab.results.own import mark_of_status
from locusts_fab.tsv import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from locusts_fab.layout import Results
    from locusts_fab.model.findings import Kept
    from locusts_fab.model.tasks import Outcome, Values
    from locusts_fab.state.archived import Archived
    from locusts_fab.state.ledger import Ledger
    from locusts_fab.state.own_files import OwnFiles

_TASKS_HEADER = "task\tstate\texit\tattempts\tnode\tstart\tseconds\treason\tcpu_s\tpeak_mb"
#: No value of a task may have the name of one of the columns.
_TAKEN = frozenset(_TASKS_HEADER.split("\t"))
_OUTPUTS_HEADER = "task\toutput\tstatus\tpath"
_ARCHIVE_COLUMNS = "\toffset\tsize"
_START = 5
_ENDED = frozenset({TaskState.DONE.value, TaskState.FAILED.value})
_TAIL_BYTES = 4096


class TableInTheWayError(StateError):
    """A table has a place where one stands that is not ours, or that somebody has changed."""


def write_lists(
    outcomes: Iterable[Outcome],
    troubles: Mapping[tuple[int, str], str],
    results: Results,
    own_files: OwnFiles | None = None,
    archived: Archived | None = None,
    *,
    overwrite: bool = False,
) -> None:
    r"""Write tasks.tsv and outputs.tsv: every task with its values, and every designated output of every task.

    Fields hold no tab and no newline: backslash, tab and the ends of lines are written as `\\`, `\t`, `\n`, `\r`.

    :param outcomes: every task.
    :param troubles: why an output could not be brought back, by the number of the task and its name.
    :param own_files: what is ours under outdir; not given: all that bears these names.
    :param archived: where outputs are in archives, if some stay packed.
    :param overwrite: replace tables that are not ours, too.
    :raises TableInTheWayError: a table that is not ours has one of the names; neither is written.
    :raises TransferError: they cannot be written.
    """
    # as bytes, one behind the other: the rows of a million tasks as texts of their own fill 400 MB
    tasks, outputs, values = io.BytesIO(), io.BytesIO(), _ValueColumns()
    outputs.write(f"{_OUTPUTS_HEADER}{_ARCHIVE_COLUMNS if results.is_archive else ''}\n".encode())
    for outcome in outcomes:
        row = _task_row(outcome, troubles, results) + values.cells(outcome.values)
        tasks.write(os.fsencode(f"{row}\n"))
        listed: Iterable[list[str]] = _output_rows(outcome, troubles, results)
        if results.is_archive and archived is not None:
            is_packed = outcome.is_here and results.is_archive_place(outcome.place)
            listed = _with_places(listed, archived.of(outcome.number) if is_packed else {})
        outputs.writelines(os.fsencode("\t".join(fields) + "\n") for fields in listed)
    if own_files is not None and not overwrite:
        _refuse_other_tables(results, own_files, map(os.fsdecode, _lines(tasks)))
    header = os.fsencode(_TASKS_HEADER + values.names())
    tables: dict[Path, Iterable[bytes | memoryview]] = {
        results.tasks_table: values.whole_rows(chain([header], _lines(tasks))),
        results.outputs_table: [outputs.getbuffer()],
    }
    try:
        results.outdir.mkdir(parents=True, exist_ok=True)
        for path, rows in tables.items():
            with entered(path, own_files):
                write_whole(path, rows, mode=0o666)
    except OSError as error:
        raise TransferError(f"the tables cannot be written: {error}", hint="fix the cause and collect again") from error


def _lines(text: io.BytesIO) -> Iterator[bytes]:
    """Yield the lines of a text without their ends."""
    text.seek(0)
    return (line[:-1] for line in text)


def refuse_tables_of_others(results: Results, ledger: Ledger, *, is_known: bool = True) -> None:
    """Raise an error if a table stands under outdir that never was ours; one of ours may have been changed since.

    :param is_known: whether what the ledger knows of outdir is of this one.
    :raises TableInTheWayError: there is one.
    """
    rows = (_task_row(outcome, {}, results) for outcome in ledger.outcomes())
    _refuse_other_tables(results, ledger.own_files if is_known else None, rows, is_changed_fine=True)


def _refuse_other_tables(
    results: Results, own_files: OwnFiles | None, rows: Iterable[str], *, is_changed_fine: bool = False
) -> None:
    """Raise an error if a table stands under outdir that is not ours: another swarm's, or one that somebody changed.

    After a lost ledger it is ours if it lists done tasks just as we would.

    :param own_files: None: nothing there was put there by us, as far as is known.
    :param rows: of tasks.tsv, as it would be written now.
    :raises TableInTheWayError: there is one.
    """
    tables = [results.tasks_table, results.outputs_table]
    if results.tree_dir is not None:
        tables.append(results.modified_table)
    marks = {} if own_files is None else own_files.marks(path.name for path in tables)
    is_known = functools.cache(lambda: _lists_the_same(results.tasks_table, rows))
    for path in tables:
        try:
            now = mark_of_status(path.lstat())
        except OSError:  # it is not there; else whoever writes it says so
            continue
        mark = marks.get(path.name)
        if mark is None and not is_known():
            raise TableInTheWayError(
                f"{path} is here already, and this swarm has not written it, as far as is known here; it stays",
                hint="give the swarm an outdir of its own, or move that file away;"
                " `locusts run --overwrite`, or `submit --overwrite` and `collect --overwrite`, replace what is there",
            )
        if mark not in {None, "", now} and not is_changed_fine:
            raise TableInTheWayError(
                f"{path} was changed here since it was written, so it stays as it is; all else has come",
                hint="move it away and collect again; `locusts collect --overwrite` replaces it",
            )


def _lists_the_same(table: Path, rows: Iterable[str]) -> bool:
    """Return whether a table of tasks lists ended ones that began when these rows say, and no done one that did not.

    One in which no task has ended is the same if it lists no others than these.
    """
    try:
        header, *lines = os.fsdecode(table.read_bytes()).removesuffix("\n").split("\n")
    except OSError:
        return False
    if header.split("\t")[: _START + 1] != _TASKS_HEADER.split("\t")[: _START + 1]:
        return False
    ours, theirs = _states(rows), _states(lines)
    if not any(state in _ENDED for state, _ in theirs.values()):
        return bool(theirs) and theirs.keys() <= ours.keys()
    shared = [task for task in ours.keys() & theirs.keys() if ours[task][0] in _ENDED and theirs[task][0] in _ENDED]
    differ = [task for task in shared if ours[task] != theirs[task]]
    done = TaskState.DONE.value
    return len(differ) < len(shared) and not any(ours[task][0] == theirs[task][0] == done for task in differ)


def _states(rows: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the tasks in rows of tasks.tsv: of each its state and when it began, as it is written there."""
    fields = (row.split("\t") for row in rows)
    return {each[0]: (each[1], each[_START]) for each in fields if len(each) > _START}


@contextlib.contextmanager
def entered(path: Path, own_files: OwnFiles | None) -> Iterator[None]:
    """Enter that a table is ours that is written within.

    :param path: the table, right below outdir.
    """
    if own_files is not None:
        own_files.expect([(path.name, 0)])
    yield
    if own_files is not None and path.exists():
        own_files.enter([(path.name, 0, mark_of_status(path.lstat()))])


def _task_row(outcome: Outcome, troubles: Mapping[tuple[int, str], str], results: Results) -> str:
    state = outcome.state.value if outcome.has_ended else "pending"
    reason = describe(outcome) if (outcome.number, "") in troubles else described(outcome, results)
    if troubles and outcome.has_ended:
        came = [name for name, _ in outcome.designated]
        lost = [(name or "its log", troubles.get((outcome.number, name))) for name in (*came, "")]
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
        "" if outcome.cpu_s is None or not outcome.has_ended else f"{outcome.cpu_s:.2f}",
        "" if outcome.peak_mb is None or not outcome.has_ended else f"{outcome.peak_mb:.1f}",
    ]
    return "\t".join(fields)


class _ValueColumns:
    """The columns after all others: one for each handle that gives tasks their values, in the order of their coming."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._names: list[str] = []

    def names(self) -> str:
        """Return the names of the columns, as the header goes on with them."""
        return "".join(f"\t{escape(name)}" for name in self._names)

    def cells(self, values: Values) -> str:
        """Return the values of a task, as its row goes on with them; columns that come later are not among them."""
        for name, _ in values:
            if name not in self._at:
                self._at[name] = len(self._names)
                self._names.append(self._free(name))
        cells = [""] * len(self._names)
        for name, value in values:
            cells[self._at[name]] = escape(value)
        return "".join(f"\t{cell}" for cell in cells)

    def whole_rows(self, rows: Iterable[bytes]) -> Iterator[bytes]:
        """Yield rows with all columns, and their ends."""
        tabs = _TASKS_HEADER.count("\t") + len(self._names)
        for row in rows:
            yield row + b"\t" * (tabs - row.count(b"\t")) + b"\n"

    def _free(self, name: str) -> str:
        """Return a name for a column that no other one has."""
        while name in _TAKEN or name in self._names:
            name += "_"
        return name


def described(outcome: Outcome, results: Results) -> str:
    """Return what `describe` does, and with it the line that tells why, where the manager did not know it yet."""
    reason = describe(outcome)
    if outcome.is_here and outcome.log and reason == f"exit {outcome.exit_code}":  # by a manager that adds no words
        return with_words(reason, _lines_at_end(results.outdir / results.log(outcome.id)))
    return reason


def describe(outcome: Outcome) -> str:
    """Return in words why a task is in its state; empty for one that is done."""
    if not outcome.has_ended:
        where = f" ({outcome.bad_node})" if outcome.bad_node and outcome.reason.endswith("bad node") else ""
        return f"{outcome.reason}{where}" or "not started"
    if outcome.cause in {TaskReason.MISSING_OUTPUT, TaskReason.EMPTY_OUTPUT}:
        words = outcome.reason.removeprefix(outcome.cause.value)
        return f"{outcome.cause.value}: {', '.join(name for _, name in outcome.absent)}{words}"
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


def _with_places(rows: Iterable[list[str]], kept: Mapping[str, Kept]) -> Iterator[list[str]]:
    """Yield rows of outputs with where each is in its archive; what is none has nothing there."""
    places = {escape(name): each for name, each in kept.items()}
    for row in rows:
        each = places.get(row[1])
        yield [*row, *(["", ""] if each is None else map(str, each[:2]))]


def _output_rows(outcome: Outcome, troubles: Mapping[tuple[int, str], str], results: Results) -> Iterator[list[str]]:
    place = outcome.place if results.tree_dir is None else results.tree_dir
    is_here = outcome.has_ended and outcome.is_here
    for name, there in outcome.designated:
        status, path = "missing", ""
        if outcome.has_ended and (outcome.number, name) in troubles:
            status = "error"
        elif there and outcome.has_ended and not results.brings(outcome.id):
            status = "present"  # on the target, where it stays
        elif there and is_here and results.is_archive_place(place):
            status, path = "present", place
        elif there and is_here and not isinstance(name, Entry):
            status, path = "present", name if place == "." else f"{place}/{name}"
        elif there and is_here and results.tree_dir is not None:  # in a tree nobody knows which of its files they are
            status = "present"
        yield [escape(outcome.id), escape(shown(name)), status, escape(path)]
