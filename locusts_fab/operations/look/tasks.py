"""Tasks: every task of a swarm, and what has become of it; and which tasks somebody means."""

from __future__ import annotations

import fnmatch
import itertools
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import outputs_of
from locusts_fab.bounds.names import TaskId
from locusts_fab.errors import StateError
from locusts_fab.model.tasks import Outcome, TaskState
from locusts_fab.operations.scripts import plan_as_known
from locusts_fab.operations.session import looked_at
from locusts_fab.text import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import fabric

    from locusts_fab.config.swarm import Swarm

#: Among no more names than that, the most similar one is looked for.
_MOST_COMPARED = 10_000


def tasks(
    swarm: Swarm,
    connection: fabric.Connection | None = None,
    *,
    state: TaskState | str | None = None,
    only: Sequence[str] = (),
) -> list[Outcome]:
    """Return the tasks of a swarm, after one look; before the first submit, those that the config means.

    :param state: only those in this state: pending, running, done or failed.
    :param only: only those with one of these ids, or that match one of these patterns (`*`, `?`, `[…]`).
    :returns: what has become of each.
    :raises StateError: there is no such state, or an entry of `only` fits no task.
    """
    wanted = _read_state(state)
    if (swarm.state_dir / "ledger.sqlite").exists():
        with looked_at(swarm, connection) as session:
            session.poll()
            found = list(session.ledger.outcomes())
    else:
        found = list(planned_tasks(swarm))
    chosen = choose(found, only, swarm)
    return [each for each in chosen if wanted is None or each.state is wanted]


def _read_state(state: TaskState | str | None) -> TaskState | None:
    """Return a state by its name.

    :raises StateError: there is none of that name.
    """
    if state is None or isinstance(state, TaskState):
        return state
    names = [each.value for each in TaskState]
    if state not in names:
        likely = nearest(state, names)
        guess = f"did you mean {likely}?" if likely else f"say {', '.join(names[:-1])} or {names[-1]}"
        raise StateError(f"no task can be {state}", hint=guess)
    return TaskState(state)


def planned_tasks(swarm: Swarm) -> Iterator[Outcome]:
    """Yield the tasks that the config means, as if none was submitted; those that are known have the ids they have.

    :raises PlanError: no plan can be made.
    """
    for number, task in enumerate(plan_as_known(swarm).tasks(), 1):
        yield Outcome(
            number=number,
            id=TaskId(task.id),
            command=task.command,
            outputs=outputs_of(task.outputs),
            state=TaskState.PENDING,
            exit_code=None,
            attempts=0,
            node="",
            start_s=None,
            seconds=None,
            reason="",
            found=(),
            log=0,
            claim="",
            attempt=0,
            place="",
        )


def choose(found: Iterable[Outcome], only: Sequence[str], swarm: Swarm) -> list[Outcome]:
    """Return the tasks that are meant.

    :param only: ids and patterns; none: all tasks.
    :raises StateError: one of them fits no task.
    """
    found = list(found)
    if not only:
        return found
    ids = {each.id for each in found}
    fitting = [({entry} if entry in ids else set(fnmatch.filter(ids, entry))) for entry in only]
    for entry, fit in zip(only, fitting, strict=True):
        if not fit:
            raise unknown_task(swarm, entry, ids.__contains__, ids)
    meant = set().union(*fitting)
    return [each for each in found if each.id in meant]


def unknown_task(swarm: Swarm, entry: str, is_known: Callable[[str], bool], ids: Iterable[str]) -> StateError:
    """Return the error for a task that is none, with the one that was probably meant.

    :param is_known: whether there is a task of an id.
    """
    likely = next(filter(is_known, _respelt(entry)), None)
    if likely is None:
        compared = list(itertools.islice(ids, _MOST_COMPARED + 1))
        likely = nearest(entry, compared) if len(compared) <= _MOST_COMPARED else None
    hint = f"did you mean {likely}?" if likely else "`locusts tasks` lists them"
    return StateError(f"swarm {swarm.name} has no task {entry!r}", hint=hint)


def _respelt(entry: str) -> Iterator[str]:
    """Yield other ways to write a number: 7, 07, 007, …."""
    if entry.isascii() and entry.isdigit():
        bare = entry.lstrip("0") or "0"
        yield from (bare.zfill(width) for width in range(len(bare), 13))
