"""The placing of what tasks left: outputs and logs go into the folder of results, and those lost there come again."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import Entry
from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name
from locusts_fab.errors import TransferError
from locusts_fab.model.tasks import TaskState
from locusts_fab.results.own import InTheWayError, Own, mark_of, takes_capitals_for_small
from locusts_fab.results.place import bring
from locusts_fab.results.places import FLAT, Wish, find_taken
from locusts_fab.results.source import NotBroughtError, Sources

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

    from locusts_fab.layout import Environment, Results
    from locusts_fab.model.findings import Fetched, Kept
    from locusts_fab.model.tasks import Outcome
    from locusts_fab.state.own_files import OwnFiles

#: So many paths are looked up at once.
_ASKED_AT_ONCE = 500


def find_lost(
    outcomes: Iterable[Outcome],
    results: Results,
    own_files: OwnFiles | None = None,
    troubles: Container[tuple[int, str]] = (),
) -> Iterator[int]:
    """Yield tasks that came back, but of which something is not under outdir (any more), so that it has to come again.

    :param outcomes: those of `Ledger.placed`.
    :param own_files: whose it is what lies in a folder of all tasks; not given: of whoever came there.
    :param troubles: number of the task and output of what did not come, which is known.
    """
    root = f"{results.outdir}/"
    shared: list[tuple[str, int]] = []
    for outcome in outcomes:
        outputs = [name for name, found in outputs_to_bring(outcome, results) if found]
        names = [f"{outcome.place}/{name}" for name in outputs]
        if has_log_to_bring(outcome, results):
            names.append(results.log(outcome.id))
        if not all(os.path.lexists(root + name) for name in names):
            yield outcome.number
        elif outcome.place == FLAT and own_files is not None:
            shared += [(name, outcome.number) for name in outputs if (outcome.number, name) not in troubles]
            if len(shared) >= _ASKED_AT_ONCE:
                yield from own_files.displaced(shared)
                shared.clear()
    if own_files is not None:
        yield from own_files.displaced(shared)


def outputs_to_bring(outcome: Outcome, results: Results) -> list[tuple[Name, bool]]:
    """Return a task's designated outputs, each with whether it was there when the task ended.

    In a custom environment it is empty: there outputs are part of the tree, and come back with it.
    """
    if results.tree_dir is not None or not results.brings(outcome.id):
        return []
    return [(name, found) for name, found in outcome.designated if not isinstance(name, Entry)]


def has_log_to_bring(outcome: Outcome, results: Results) -> bool:
    """Return whether a task printed something that is to come."""
    return bool(outcome.log) and (results.brings(outcome.id) or outcome.state is not TaskState.DONE)


def wanted_files(outcome: Outcome, environment: Environment, results: Results) -> Iterator[Name]:
    """Yield the files and folders of a task to be brought, relative to the environment."""
    sandbox = environment.sandbox(outcome.claim, outcome.number, outcome.attempt)
    for name, found in outputs_to_bring(outcome, results):
        if found:
            yield sandbox / name
    if has_log_to_bring(outcome, results):
        yield environment.log(outcome.claim, outcome.log)


@dataclass(frozen=True)
class Placed:
    """The result of putting some tasks in place.

    :param places: for each task its number and its folder, relative to outdir.
    :param troubles: the outputs that did not come: number of the task, output, and why; of a log, the output is empty.
    :param files: what is ours under outdir now: path, task and mark of each.
    :param gone: paths of what was ours, and is there no more.
    :param kept: what stays packed: number of the task, output, and its place in the archive.
    """

    places: list[tuple[int, str]] = field(default_factory=list)
    troubles: list[tuple[int, str, str]] = field(default_factory=list)
    files: list[tuple[str, int, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    kept: list[tuple[int, str, Kept]] = field(default_factory=list)


def put_in_place(
    fetched: Fetched,
    outcomes: Iterable[Outcome],
    results: Results,
    total: int,
    own_files: OwnFiles,
    lacking: Collection[tuple[int, str]] = (),
    *,
    overwrite: bool = False,
) -> Placed:
    """Put the outputs and logs of tasks that have ended in their places under outdir.

    What stands there and is not ours stays, and keeps an output from coming.

    :param fetched: what was made reachable on this machine, with all that these tasks left.
    :param total: the number of tasks of the swarm; with many, their folders are spread over batches.
    :param own_files: what is ours under outdir. What is going to be put there is entered at once; the rest of what is
        returned is not.
    :param lacking: number of the task and output of what did not come with what of the same attempts is here; a log has
        no output.
    :param overwrite: replace what is not ours, too.
    :raises TransferError: the folder of results cannot be written.
    """
    placed = Placed()
    with writing_to(results):
        (results.outdir / "logs").mkdir(parents=True, exist_ok=True)
        with Inside(results.outdir) as outdir, Sources(fetched) as sources:
            wanted = [_Wanted(outcome, results, total) for outcome in outcomes]
            taken = find_taken([each.wish for each in wanted], results, own_files)
            for each in wanted if taken else ():
                each.leave(taken)
            earlier = own_files.of_tasks(each.outcome.number for each in wanted if each.outcome.place)
            paths = [path for each in wanted for path in each.paths() if outdir.look(path) is not None]
            marks = own_files.marks(paths)
            for files in earlier.values():
                marks.update(files)
            is_blind = takes_capitals_for_small(outdir, Name("logs"))
            spelled = own_files.spelled_otherwise(set(paths).difference(marks)) if is_blind else None
            own = Own(outdir, marks, overwrites=overwrite, spelled=spelled)
            own_files.expect(
                (path, each.outcome.number) for each in wanted for path in each.paths() if own.is_as_put(path)
            )
            to = _Placing(fetched, sources, results, outdir, own, lacking)
            for each in wanted:
                to.place_task(each, earlier.get(each.outcome.number, ()), placed)
    return placed


@contextlib.contextmanager
def writing_to(results: Results) -> Iterator[None]:
    """Explain what goes wrong where results are written within.

    :raises TransferError: the folder of results cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise TransferError(
            f"results cannot be written to {results.outdir}: {error.strerror or error}",
            hint="fix the cause and collect again; nothing is lost",
        ) from error


class _Wanted:
    """What is to come of one task, and where to.

    :ivar place: the folder of the task, relative to outdir.
    :ivar outputs: the outputs that are to come, each with its path relative to outdir: folders before what is in them.
    :ivar log: the path of its log; None if it has none.
    :ivar taken: the outputs that are not to come, because another task has their places; and why.
    :ivar comes_again: what is there of it is of the same attempt, so that it is worth keeping whatever comes now.
    """

    def __init__(self, outcome: Outcome, results: Results, total: int) -> None:
        self.outcome = outcome
        self.place = _place_of(outcome, results, total)
        names = sorted(name for name, found in outputs_to_bring(outcome, results) if found)
        self.outputs = [(name, results.output(self.place, name)) for name in names]
        self.log = results.log(outcome.id) if has_log_to_bring(outcome, results) else None
        self.taken: dict[Name, str] = {}
        self.comes_again = outcome.is_here and outcome.place == self.place

    def paths(self) -> list[Name]:
        """Return where something is to come to."""
        return [*(path for _, path in self.outputs), *([self.log] if self.log else [])]

    @property
    def wish(self) -> Wish:
        """Where its outputs are to come to."""
        return Wish(self.outcome.number, self.place, [path for _, path in self.outputs])

    def leave(self, taken: Mapping[tuple[int, Name], str]) -> None:
        """Take out the outputs that are not to come; see `find_taken`."""
        number = self.outcome.number
        self.taken = {name: taken[number, path] for name, path in self.outputs if (number, path) in taken}
        self.outputs = [(name, path) for name, path in self.outputs if name not in self.taken]


def _place_of(outcome: Outcome, results: Results, total: int) -> str:
    """Return the folder of a task, relative to outdir: where it has one already, that, if it fits the layout."""
    if outcome.state is not TaskState.DONE and results.tree_dir is None:
        return results.failed_place(outcome.id)
    is_good = outcome.place and not results.is_failed_place(outcome.place)
    if is_good and not results.is_archive_place(outcome.place) and (outcome.place == FLAT) == results.is_flat:
        return outcome.place
    return results.place(outcome.id, outcome.number, total)


def set_apart(outcomes: Sequence[Outcome], results: Results, own_files: OwnFiles) -> Placed:
    """Move what failed tasks left from beside good outputs, where earlier versions put it, if it is ours.

    :param outcomes: those of `Ledger.failed_beside`.
    :raises TransferError: the folder of results cannot be written.
    """
    moved = Placed()
    if not outcomes or results.tree_dir is not None or not results.outdir.is_dir():
        return moved
    try:
        with Inside(results.outdir) as outdir:
            for outcome in outcomes:
                files = own_files.of_tasks([outcome.number])[outcome.number]
                files.pop(results.log(outcome.id), None)
                own = Own(outdir, files)
                folder = results.failed_place(outcome.id)
                for path in map(Name, sorted(files)):
                    to = Name(f"{folder}/{path.removeprefix(f'{outcome.place}/')}")
                    if outdir.look(path) is not None and own.is_ours(path) and outdir.look(to) is None:
                        outdir.take(f"{results.outdir}/{path}", to)
                        own.remove(path)  # only what is empty above it
                        moved.files.append((to, outcome.number, mark_of(outdir, to)))
                        moved.gone.append(path)
                moved.places.append((outcome.number, folder))
    except OSError as error:
        raise TransferError(
            f"results cannot be moved in {results.outdir}: {error.strerror or error}",
            hint="fix the cause and collect again; nothing is lost",
        ) from error
    return moved


class _Placing:
    """The placing of tasks, one after another.

    :param outdir: the folder of results, below which all goes.
    :param own: what in there is ours.
    :param lacking: see `put_in_place`.
    """

    def __init__(
        self,
        fetched: Fetched,
        sources: Sources,
        results: Results,
        outdir: Inside,
        own: Own,
        lacking: Collection[tuple[int, str]],
    ) -> None:
        self._fetched, self._sources, self._results = fetched, sources, results
        self._outdir, self._own, self._lacking = outdir, own, lacking

    def place_task(self, wanted: _Wanted, earlier: Iterable[str], placed: Placed) -> None:
        """Bring one task's outputs and log.

        :param earlier: the paths of what of it is here already, from an earlier attempt too.
        :param placed: where to note what was done.
        """
        number, known = wanted.outcome.number, len(placed.troubles)
        others = sorted(set(earlier).difference(wanted.paths()), reverse=True)  # what is in a folder before it
        if not wanted.outcome.is_here:
            self._remove(others, placed)
        is_moved = self._may_move(wanted) and self._move_sandbox(wanted)
        placed.troubles.extend((number, name, why) for name, why in wanted.taken.items())
        here = [path for name, path in wanted.outputs if self._place(wanted, name, path, placed, is_moved=is_moved)]
        if wanted.log is not None and self._place(wanted, None, wanted.log, placed):
            here.append(wanted.log)
        if wanted.outcome.is_here and not wanted.comes_again and len(placed.troubles) == known:
            self._remove(others, placed)  # it has another place now, and all of it is there
        placed.files.extend((path, number, mark_of(self._outdir, path)) for path in here)
        placed.places.append((number, wanted.place))

    def _remove(self, paths: Iterable[str], placed: Placed) -> None:
        """Remove what was put somewhere, as far as it is ours."""
        placed.gone.extend(path for path in map(Name, paths) if self._own.remove(path))

    def _place(
        self, wanted: _Wanted, output: Name | None, path: Name, placed: Placed, *, is_moved: bool = False
    ) -> bool:
        """Bring one output, or the log, and return whether it came; if not, note why.

        :param output: its name; None: the log.
        :param is_moved: the whole sandbox came.
        """
        try:
            if output is None:
                self._bring_log(wanted, path)
            elif not is_moved or self._outdir.look(path) is None:
                self._bring_output(wanted, output, path)
        except NotBroughtError as error:
            if not self._has_come(wanted, output, path):
                if output is not None or isinstance(error, InTheWayError):  # else a log is gone
                    placed.troubles.append((wanted.outcome.number, output or "", str(error)))
                self._leave_nothing(path, error, placed)
            return False
        self._own.add(path)
        return True

    def _has_come(self, wanted: _Wanted, output: Name | None, path: Name) -> bool:
        """Return whether something that does not come again is here all the same, of the same attempt.

        :param output: its name; None: the log, which has the same path whatever the place of its task.
        """
        is_same = wanted.outcome.is_here if output is None else wanted.comes_again
        is_lacking = (wanted.outcome.number, output or "") in self._lacking
        return is_same and not is_lacking and self._outdir.look(path) is not None

    def _leave_nothing(self, path: Name, error: NotBroughtError, placed: Placed) -> None:
        """Remove what an earlier attempt left in the place of something that does not come, but nothing else."""
        is_empty = self._outdir.look(path) is None
        is_earlier = not isinstance(error, InTheWayError) and self._own.is_as_put(path)
        if is_empty or (is_earlier and self._own.remove(path)):
            placed.gone.append(path)

    def _may_move(self, wanted: _Wanted) -> bool:
        """Return whether all of a sandbox is wanted, is there for us alone, and nothing of the task is here yet."""
        fetched, outcome = self._fetched, wanted.outcome
        if wanted.place in {outcome.place, "."} or not fetched.is_ours:
            return False
        names = wanted_files(outcome, fetched.environment, self._results)
        return not (fetched.troubles and any(map(fetched.troubles.get, names)))

    def _move_sandbox(self, wanted: _Wanted) -> bool:
        """Make the sandbox itself the folder of results, if there is none; that costs a fraction of bringing its files.

        What is moved keeps the group and the modes that it was made with, so it is not moved to where others are given.

        :returns: whether that was done.
        """
        sandbox, folder = self._fetched.environment.absolute(self._sandbox(wanted)), Name(wanted.place)
        with contextlib.suppress(OSError):  # nothing came, a folder is there, or another file system: `bring` sees
            if self._sources.are_plain and self._outdir.is_plain(folder):
                self._outdir.take(sandbox, folder)
                return True
        return False

    def _sandbox(self, wanted: _Wanted) -> Name:
        outcome = wanted.outcome
        return self._fetched.environment.sandbox(outcome.claim, outcome.number, outcome.attempt)

    def _bring_log(self, wanted: _Wanted, place: Name) -> None:
        outcome = wanted.outcome
        log = self._fetched.environment.log(outcome.claim, outcome.log)
        source = self._sources.find(log, self._sandbox(wanted))
        if self._own.clear_way(source, place):
            bring(source, self._outdir, place)

    def _bring_output(self, task: _Wanted, name: Name, place: Name) -> None:
        """Bring one output.

        :param place: where it shall be, relative to outdir.
        :raises NotBroughtError: it does not come whole, or something that is not ours stands there.
        """
        sandbox = self._sandbox(task)
        wanted = sandbox / name
        if wanted in self._fetched.troubles:
            raise NotBroughtError(self._fetched.troubles[wanted])
        source = self._sources.find(wanted, sandbox)
        if not self._own.clear_way(source, place):
            return
        # tasks may have known the environment by another path, or have run in `scratch`
        roots = {self._fetched.environment.root, *(self._fetched.homes or ())}
        names = {f"{source.folder.root.rstrip('/')}/{source.name}", *(f"{root}/{wanted}" for root in roots)}
        bring(source, self._outdir, place, [*names, wanted.removeprefix("work/")])
