"""Outputs: one of what a task left and came back, whether it lies there as a file or in an archive."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from typing import TYPE_CHECKING, BinaryIO, cast

from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name, UnsafeNameError
from locusts_fab.errors import StateError
from locusts_fab.layout import folders_above
from locusts_fab.operations.look.tasks import unknown_task
from locusts_fab.operations.session import ledger_in, results_of
from locusts_fab.results.outdir import where_it_lies
from locusts_fab.results.packed import find_member
from locusts_fab.results.unarchive import open_kept
from locusts_fab.text import first_few

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.fs import Span
    from locusts_fab.model.findings import Kept
    from locusts_fab.model.tasks import Outcome

_SHOWN = 5


def open_output(swarm: Swarm, task: str, output: str) -> BinaryIO:
    """Open an output that came back.

    :param task: the id of the task, as in tasks.tsv.
    :param output: the output, as in outputs.tsv; or a file in one that is a folder.
    :returns: it, to be read, byte by byte; to be closed by whoever asked for it.
    :raises StateError: there is no such task, or no such output of it here; or it is a folder.
    """
    if not (swarm.state_dir / "ledger.sqlite").exists():
        raise StateError(f"swarm {swarm.name} was never run here", hint=f"`locusts run --swarm {swarm.name}`")
    with ledger_in(swarm.state_dir) as ledger:
        outcome = ledger.find(task)
        if outcome is None:
            ids = (each.id for each in ledger.outcomes())
            raise unknown_task(swarm, task, lambda likely: ledger.find(likely) is not None, ids)
        results = where_it_lies(results_of(swarm), ledger, swarm.folder)
        kept = ledger.archived.of(outcome.number)
        trouble = ledger.troubles(outcome.number).get((outcome.number, output))
    _refuse_absent(outcome, output, trouble)
    try:
        if results.is_archive_place(outcome.place):
            return _from_archive(results.outdir / outcome.place, outcome, output, kept)
        folder = swarm.local_tree if results.tree_dir is not None else results.outdir
        place = (results.tree_dir or outcome.place).strip("/")
        return _from_folder(folder, results.output(place, Name(output)))
    except FileNotFoundError as error:
        if not results.brings(outcome.id):
            raise StateError(
                f"task {task}: {output} stays on the target",
                hint='`collect = "final"` is why; without that in the config, `locusts collect` brings it',
            ) from error
        raise StateError(
            f"task {task}: {output} is not where it was put, {error.filename or results.outdir}",
            hint="`locusts collect` brings it again",
        ) from error
    except (OSError, UnsafeNameError) as error:
        raise StateError(
            f"task {task}: {output} cannot be read: {error}",
            hint="see its permissions; if it was changed, remove it, and `locusts collect` brings it again",
        ) from error


def _refuse_absent(outcome: Outcome, output: str, trouble: str | None) -> None:
    """See that a task has left an output, and that it came back.

    :raises StateError: it has not, or it did not.
    """
    there = [str(name) for name, found in outcome.designated if found]
    if outcome.has_ended and not {output, *folders_above(output)}.intersection(there):
        names = ", ".join(first_few(there, _SHOWN)) or "none"
        raise StateError(f"task {outcome.id} has left no output {output!r}", hint=f"what it left: {names}")
    if not outcome.has_ended or not outcome.is_here:  # what lies there is of an earlier attempt, if anything does
        state = outcome.state.value if not outcome.has_ended else "not collected yet"
        raise StateError(f"task {outcome.id} is {state}", hint="`locusts collect --wait` brings what it leaves")
    if trouble is not None:
        raise StateError(f"task {outcome.id}: {output} did not come back: {trouble}", hint="see outputs.tsv")


def _from_archive(path: Path, outcome: Outcome, output: str, kept: Mapping[str, Kept]) -> BinaryIO:
    """Open an output in an archive."""
    name = next((each for each in (output, *folders_above(output)) if each in kept), None)
    if name is None:
        raise FileNotFoundError(2, "it is in no archive", str(path))
    place = kept[name]
    span: Span | None = open_kept(path, place, f"{outcome.id}/{name}")
    if place.is_folder:
        folder, span = cast("Span", span), None
        if name != output:
            span = find_member(folder, f"{outcome.id}/{output}")
        if span is None:
            with tarfile.open(fileobj=folder, mode="r:", errors="surrogateescape") as archive:
                inner = [each.name.partition("/")[2] for each in archive if each.isreg()]
            folder.close()
            raise _is_folder(outcome.id, output, inner)
    return io.BufferedReader(cast("io.RawIOBase", span))


def _from_folder(folder: Path, place: Name) -> BinaryIO:
    """Open an output below a folder."""
    with Inside(folder) as inside:
        status = inside.stat(place)
        if stat.S_ISDIR(status.st_mode):
            raise _is_folder("", place, [f"{place}/{name}" for name, kind in inside.list(place) if kind == "f"])
        return os.fdopen(inside.open(place), "rb")


def _is_folder(task: str, output: str, inner: list[str]) -> StateError:
    where = f"task {task}: " if task else ""
    names = ", ".join(first_few(inner, _SHOWN)) or "nothing"
    return StateError(f"{where}{output} is a folder, or not in it", hint=f"name a file in it; there is {names}")
