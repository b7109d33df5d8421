"""Trial: run a few tasks of a swarm, just as the whole swarm would run them, and look closely at what they do."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import Entry, shown
from locusts_fab.errors import StateError
from locusts_fab.model.tasks import FINAL, TaskState
from locusts_fab.operations.collect import collect
from locusts_fab.operations.look.logs import logs
from locusts_fab.operations.look.status import status, watch
from locusts_fab.operations.look.tasks import choose, planned_tasks, tasks
from locusts_fab.operations.session import ledger_in, results_of
from locusts_fab.operations.submit import submit
from locusts_fab.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import fabric

    from locusts_fab.bounds.names import Name
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Results
    from locusts_fab.model.tasks import Outcome
    from locusts_fab.operations.look.logs import TaskLog
    from locusts_fab.ui.screen import Screen


@dataclass(frozen=True)
class Tried:
    """What became of a task that was tried.

    :param outputs: its designated outputs, and where each is now: itself, the archive that holds it, or the tree that
        has files which a pattern matched; None: it is not here.
    :param absent: why those are not here that are not: `is missing`, say.
    :param packed: how many bytes those have that are in an archive.
    """

    log: TaskLog
    outputs: dict[str, Path | None]
    absent: dict[str, str]
    packed: dict[str, int]


@dataclass(frozen=True)
class Trial:
    """The result of a trial.

    :param left: how many tasks of the swarm have not ended.
    :param notes: what a person should know besides.
    """

    tried: list[Tried]
    left: int
    notes: list[str]

    @property
    def is_good(self) -> bool:
        """Whether each task that was tried is done."""
        return all(each.log.outcome.state is TaskState.DONE for each in self.tried)


def try_out(
    swarm: Swarm,
    connection: fabric.Connection | None = None,
    *,
    limit: int = 1,
    only: Sequence[str] = (),
    screen: Screen | Silent | None = None,
) -> Trial:
    """Run a few tasks that are not done, wait for them, and bring back what they left.

    They run where and how the swarm does; tasks that failed before run again, as the config has them now.

    :param limit: no more than so many.
    :param only: only these ids and patterns; then `limit` counts among them.
    :returns: what became of each; it is theirs for good: a submit afterwards runs the others.
    :raises StateError: the swarm is running, or no task is left to be tried.
    """
    screen = screen or Silent()
    meant = [each.id for each in _first(swarm, connection, limit, only)]
    submitted = submit(swarm, connection, retry=True, only=meant, screen=screen)
    watch(swarm, connection, screen=screen)
    collected = collect(swarm, connection, screen=screen)
    tried = [_look_at(swarm, connection, each) for each in meant]
    counts = collected.status.tasks
    return Trial(tried, counts.pending + counts.running, submitted.notes)


def _first(swarm: Swarm, connection: fabric.Connection | None, limit: int, only: Sequence[str]) -> list[Outcome]:
    """Return the first tasks that are not done.

    :raises StateError: there are none, or the swarm is running.
    """
    if limit < 1:
        raise StateError(f"a limit of {limit} tasks leaves none to be tried", hint="say how many, such as --limit 3")
    planned = planned_tasks(swarm)
    known: dict[str, Outcome] = {}
    if (swarm.state_dir / "ledger.sqlite").exists():
        if not status(swarm, connection).is_over:
            raise StateError(
                f"swarm {swarm.name} is running", hint="`locusts watch` shows it, `locusts logs TASK` what a task does"
            )
        known = {each.id: each for each in tasks(swarm, connection)}
    meant = choose(planned, only, swarm) if only else planned
    if swarm.settings.final is not None:  # it would see nothing
        meant = [each for each in meant if each.id != FINAL]
        if not meant:
            raise StateError(f"{FINAL} runs after all others", hint="try one of these, or `locusts run` all of them")
    waiting = (each for each in meant if each.id not in known or known[each.id].state is not TaskState.DONE)
    found = list(itertools.islice(waiting, limit))
    if not found:
        raise StateError(
            f"no task of swarm {swarm.name} is left to be tried: all are done",
            hint="`locusts submit --redo` runs them again",
        )
    return found


def _look_at(swarm: Swarm, connection: fabric.Connection | None, task_id: str) -> Tried:
    """Return what became of a task, and what it left."""
    log = logs(swarm, task_id, connection)
    outcome, results = log.outcome, results_of(swarm)
    with ledger_in(swarm.state_dir) as ledger:
        kept = ledger.archived.of(outcome.number) if results.is_archive_place(outcome.place) else None
        troubles = ledger.troubles(outcome.number)
    tried = Tried(log, {}, {}, {})
    for name, found in outcome.designated:
        label, trouble = shown(name), troubles.get((outcome.number, name))
        path, why = None, ""
        if trouble is not None:
            why = f"did not come back: {trouble}"
        elif not found:
            why = "is missing"
        elif not results.brings(outcome.id):
            why = 'is on the target, where collect = "final" leaves it'
        elif not outcome.is_here:
            why = "did not come back"
        elif kept is not None:
            path = results.outdir / outcome.place
            tried.packed.update({label: kept[name].size} if name in kept else {})
        else:
            path = _place(swarm, results, outcome, name)
        if path is not None and not os.path.lexists(path):
            path, why = None, f"is not here any more: {path}"
        tried.outputs[label] = path
        tried.absent.update({label: why} if path is None else {})
    return tried


def _place(swarm: Swarm, results: Results, outcome: Outcome, name: Name | Entry) -> Path:
    """Return where an output came to; in a tree nobody knows which files a pattern matched, so that is its folder."""
    if results.tree_dir is None:
        return results.outdir / outcome.place / name
    folder = swarm.local_tree / results.tree_dir.strip("/")
    return folder if isinstance(name, Entry) else folder / name
