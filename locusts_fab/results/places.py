"""Whose the places under outdir are: nothing of a task comes to where something of another one lies.

Most of that is refused before anything runs. What patterns match is not known then, what layouts were before may have
left something anywhere, and a task of an earlier config may still run: so it is looked at when results come, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from locusts_fab.bounds.entries import Entry
from locusts_fab.errors import PlanError
from locusts_fab.layout import FAILED, Occupied, folders_above
from locusts_fab.model.tasks import TaskState
from locusts_fab.plan.ids import listing
from locusts_fab.results.own import IN_THE_WAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from locusts_fab.bounds.names import Name
    from locusts_fab.layout import Results
    from locusts_fab.model.tasks import Outcome
    from locusts_fab.state.ledger import Ledger
    from locusts_fab.state.own_files import OwnFiles

#: The place of tasks with the layout `flat`.
FLAT = "."
_NOBODY = 0
#: Why a task that ran has what it has, by whether the config means it no more.
_RUN_OTHERWISE = {True: "which the config does not mean any more", False: "as it was run"}
_WAYS_OUT = {
    _RUN_OTHERWISE[True]: 'put <id> into the names of outputs, or choose layout = "tasks": what was run stays as it is;'
    " `locusts submit --redo` forgets it and runs all again",
    _RUN_OTHERWISE[False]: "`locusts submit --redo-changed` runs it again, as the config has it now",
}


class Wish(NamedTuple):
    """Where outputs of a task are to come to.

    :param number: that of the task.
    :param place: its folder, relative to outdir.
    :param paths: those of its outputs, relative to outdir.
    """

    number: int
    place: str
    paths: Sequence[Name]


def find_taken(wishes: Sequence[Wish], results: Results, own_files: OwnFiles) -> dict[tuple[int, Name], str]:
    """Return which outputs are not to come, for another task has their places, or a table, or a folder of ours.

    Who came first stays. With one folder for all tasks that includes who comes first of these.

    :returns: why, by number of the task and path.
    """
    held = _held_by_others(wishes, results, own_files)
    flat = Occupied[int]()
    for path, owner in held.items():
        flat.take(path, owner)
    tables = [results.tasks_table, results.outputs_table, results.modified_table]
    for name in (*(table.name for table in (tables if results.tree_dir is not None else tables[:2])), "logs", FAILED):
        flat.take(name, _NOBODY)
    taken = {}
    for number, place, paths in wishes:
        for path in paths if held or place == FLAT else ():
            if place == FLAT:
                other = flat.other(path, number)
            else:
                other = next((held[at] for at in _on_the_way(path) if held.get(at, number) != number), None)
            if other is not None:
                taken[number, path] = _told(path, place, is_of_task=other != _NOBODY)
            elif place == FLAT:
                flat.take(path, number)
    return taken


def refuse_taken(results: Results, ledger: Ledger, live: int | None) -> None:
    """See that nothing is run whose output would come to where a task has one that was run by an earlier config.

    No two outputs of the config itself have one place: the plan has seen to that.

    :param ledger: has chosen the tasks that are going to run.
    :param live: the submission whose waiting tasks are going to run, too.
    :raises PlanError: something would.
    """
    if not results.is_flat:
        return
    occupied, told = Occupied[str](), dict[str, str]()
    for is_gone, words in _RUN_OTHERWISE.items():
        for outcome in ledger.run_otherwise(gone=is_gone):
            told[outcome.id] = words
            for name in _names_of(outcome, results):
                if name is not None:
                    occupied.take(name, outcome.id)
    lines = dict[str, str]()
    others = set[str]()
    for task_id, outputs in ledger.going_to_run(live) if told else ():
        for output in outputs if results.brings(task_id) else ():
            name = output.name if isinstance(output, Entry) else output
            other = None if name is None else occupied.other(name, task_id)
            if other is not None:
                others.add(told[other])
                lines[task_id] = f"{name} of task {task_id}: task {other} has it, {told[other]}"
    if lines:
        hints = [hint for words, hint in _WAYS_OUT.items() if words in others]
        title = 'layout = "flat": two tasks would have one place'
        raise PlanError(listing(title, list(lines.values())), hint="; ".join(hints), task_ids=list(lines))


def _told(path: Name, place: str, *, is_of_task: bool) -> str:
    whose = "another task has put something there" if is_of_task else "that name is taken there"
    return f"{IN_THE_WAY}: {path}: {whose}" + ('; layout = "tasks" keeps tasks apart' if place == FLAT else "")


def _on_the_way(path: str) -> list[str]:
    """Return a path and the folders that it lies in."""
    return [path, *folders_above(path)]


def _held_by_others(wishes: Iterable[Wish], results: Results, own_files: OwnFiles) -> dict[str, int]:
    """Return which paths, or folders on the way to them, others have than those who wish for them, and who.

    What an earlier outcome of a task has left there is not its own any more if its latest one has no such output.
    """
    ways = [(number, at) for number, _, paths in wishes for path in paths for at in _on_the_way(path)]
    owners = own_files.owners({at for _, at in ways})
    contested: dict[int, set[str]] = {}
    for number, at in ways if owners else ():
        owner = owners.get(at, number)
        if owner != number:
            contested.setdefault(owner, set()).add(at)
    held = dict.fromkeys(contested.pop(_NOBODY, ()), _NOBODY)
    for outcome in own_files.outcomes(contested):
        held.update((at, outcome.number) for at in contested[outcome.number] if _has(outcome, at, results))
    return held


def _has(outcome: Outcome, path: str, results: Results) -> bool:
    """Return whether a task has an output at a path where it has put one, or may yet get it, as it is known now."""
    if outcome.state is TaskState.FAILED:
        return False
    names = _names_of(outcome, results)
    return any(name is None or results.output(outcome.place, name) == path for name in names)


def _names_of(outcome: Outcome, results: Results) -> Iterator[Name | None]:
    """Yield the outputs that a task has, or may yet get; None for what a pattern may match."""
    if not results.brings(outcome.id):
        return
    has_ended = outcome.has_ended
    for output in [name for name, found in outcome.designated if found] if has_ended else outcome.outputs:
        yield output.name if isinstance(output, Entry) else output
