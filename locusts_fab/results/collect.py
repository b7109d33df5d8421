"""The placing of what tasks left: outputs and logs go into the folder of results, and those lost there come again."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name
from locusts_fab.errors import TransferError
from locusts_fab.results.place import bring
from locusts_fab.results.source import NotBroughtError, Sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.layout import Environment, Results
    from locusts_fab.model import Fetched, Outcome


def find_lost(outcomes: Iterable[Outcome], results: Results) -> Iterator[int]:
    """Yield tasks that came back, but of which something is not under outdir (any more), so that it has to come again.

    :param outcomes: those of `Ledger.placed`.
    """
    root = f"{results.outdir}/"
    for outcome in outcomes:
        names = [f"{outcome.place}/{name}" for name, found in outputs_to_bring(outcome, results) if found]
        if outcome.log:
            names.append(results.log(outcome.id))
        if not all(os.path.lexists(root + name) for name in names):
            yield outcome.number


def outputs_to_bring(outcome: Outcome, results: Results) -> list[tuple[Name, bool]]:
    """Return a task's designated outputs, each with whether it was there when the task ended.

    In a custom environment it is empty: there outputs are part of the tree, and come back with it.
    """
    return [] if results.tree_dir is not None else outcome.designated


def wanted_files(outcome: Outcome, environment: Environment, results: Results) -> Iterator[Name]:
    """Yield the files and folders of a task to be brought, relative to the environment."""
    sandbox = environment.sandbox(outcome.claim, outcome.number, outcome.attempt)
    for name, found in outputs_to_bring(outcome, results):
        if found:
            yield sandbox / name
    if outcome.log:
        yield environment.log(outcome.claim, outcome.log)


@dataclass(frozen=True)
class Placed:
    """The result of putting some tasks in place.

    :param places: for each task its number and its folder, relative to outdir.
    :param troubles: the outputs that did not come: number of the task, output, and why.
    """

    places: list[tuple[int, str]]
    troubles: list[tuple[int, str, str]]


def put_in_place(fetched: Fetched, outcomes: Iterable[Outcome], results: Results, total: int) -> Placed:
    """Put the outputs and logs of tasks that have ended in their places under outdir.

    :param fetched: what was made reachable on this machine, with all that these tasks left.
    :param total: the number of tasks of the swarm; with many, their folders are spread over batches.
    :raises TransferError: the folder of results cannot be written.
    """
    placed = Placed([], [])
    try:
        (results.outdir / "logs").mkdir(parents=True, exist_ok=True)
        with Inside(results.outdir) as outdir, Sources(fetched) as sources:
            to = _Placing(fetched, sources, results, outdir)
            for outcome in outcomes:
                place = outcome.place or results.place(outcome.id, outcome.number, total)
                is_moved = to.may_move(outcome) and to.move_sandbox(outcome, Name(place))
                placed.troubles.extend(to.place_task(outcome, place, is_moved=is_moved))
                placed.places.append((outcome.number, place))
    except OSError as error:
        raise TransferError(
            f"results cannot be written to {results.outdir}: {error.strerror or error}",
            hint="fix the cause and collect again; nothing is lost",
        ) from error
    return placed


class _Placing:
    """The placing of tasks, one after another.

    :param outdir: the folder of results, below which all goes.
    """

    def __init__(self, fetched: Fetched, sources: Sources, results: Results, outdir: Inside) -> None:
        self._fetched, self._sources, self._results, self._outdir = fetched, sources, results, outdir

    def may_move(self, outcome: Outcome) -> bool:
        """Return whether all of a sandbox is wanted, is there for us alone, and nothing of the task is here yet."""
        fetched, results = self._fetched, self._results
        if outcome.place or results.is_flat or not fetched.is_ours:
            return False
        return not (
            fetched.troubles and any(map(fetched.troubles.get, wanted_files(outcome, fetched.environment, results)))
        )

    def move_sandbox(self, outcome: Outcome, folder: Name) -> bool:
        """Make the sandbox itself the folder of results, if there is none; that costs a fraction of bringing its files.

        What is moved keeps the group and the modes that it was made with, so it is not moved to where others are given.

        :returns: whether that was done.
        """
        environment = self._fetched.environment
        sandbox = environment.absolute(environment.sandbox(outcome.claim, outcome.number, outcome.attempt))
        with contextlib.suppress(OSError):  # nothing came, a folder is there, or another file system: `bring` sees
            if self._sources.are_plain and self._outdir.is_plain(folder):
                self._outdir.take(sandbox, folder)
                return True
        return False

    def place_task(self, outcome: Outcome, place: str, *, is_moved: bool) -> Iterator[tuple[int, str, str]]:
        """Bring one task's outputs and log, and yield the outputs that did not come.

        :param place: the folder of the task, relative to outdir.
        :param is_moved: what came of the outputs is in its place already.
        :returns: number of the task, output, and why it did not come.
        """
        results, outdir, environment = self._results, self._outdir, self._fetched.environment
        sandbox = environment.sandbox(outcome.claim, outcome.number, outcome.attempt)
        for name, found in sorted(outputs_to_bring(outcome, results)):  # a folder before what is named in it
            place_of_output = results.output(place, name)
            if found:
                if is_moved and outdir.look(place_of_output) is not None:
                    continue
                try:
                    self._bring_output(sandbox, name, place_of_output)
                except NotBroughtError as error:
                    yield outcome.number, name, str(error)
                else:
                    continue
            if outcome.place:
                outdir.remove(place_of_output)  # from an earlier attempt
        log = results.log(outcome.id)
        if outcome.log:
            with contextlib.suppress(NotBroughtError):
                bring(self._sources.find(environment.log(outcome.claim, outcome.log), sandbox), outdir, log)
                return
        if outcome.place:
            outdir.remove(log)

    def _bring_output(self, sandbox: Name, name: Name, place: Name) -> None:
        """Bring one output.

        :param sandbox: relative to the environment.
        :param place: where it shall be, relative to outdir.
        :raises NotBroughtError: it does not come whole.
        """
        wanted = sandbox / name
        if wanted in self._fetched.troubles:
            raise NotBroughtError(self._fetched.troubles[wanted])
        source = self._sources.find(wanted, sandbox)
        # tasks may have known the environment by another path, or have run in `scratch`
        roots = {self._fetched.environment.root, *(self._fetched.homes or ())}
        names = {f"{source.folder.root.rstrip('/')}/{source.name}", *(f"{root}/{wanted}" for root in roots)}
        bring(source, self._outdir, place, [*names, wanted.removeprefix("work/")])
