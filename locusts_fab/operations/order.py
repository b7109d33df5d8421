"""One swarm after another: a swarm is submitted once every task of those that it comes after is done."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError, UnfinishedError
from locusts_fab.model.tasks import TaskState
from locusts_fab.operations.earlier import plan_of
from locusts_fab.operations.look.glance import glanced_at
from locusts_fab.operations.session import ledger_in
from locusts_fab.text import counted, first_few, printable

if TYPE_CHECKING:
    from locusts_fab.config.swarm import Swarm

_SHOWN = 5


def refuse_unfinished(swarm: Swarm) -> None:
    """See that every task of the swarms that this one comes after is done.

    What is known here decides. Only where that is not enough the target is asked, for tasks may have ended since.

    :raises UnfinishedError: some are not; it names them, and what to do.
    """
    problems = {each.name: why for each in swarm.before.values() if (why := _why_unfinished(each))}
    if problems:
        first, told = next(iter(problems)), "; ".join(f"{name}: {why}" for name, why in problems.items())
        raise UnfinishedError(
            f"swarm {swarm.name} comes after {' and '.join(problems)}, of which not every task is done: {told}",
            hint=f"`locusts run --swarm {first}` does what is left of it, `locusts retry --swarm {first}` repeats what"
            " failed; --force goes on with what is done",
        )


def _why_unfinished(swarm: Swarm) -> str:
    """Return what is missing of a swarm, in words; empty if all of it is done."""
    if not (swarm.state_dir / "ledger.sqlite").exists() or _is_unplanned(swarm):
        return "it was never run"
    missing = _missing(swarm)
    if missing and _is_where_config_says(swarm):
        with glanced_at(swarm, None):  # enters what is new
            pass
        missing = _missing(swarm)
    if not missing:
        return ""
    lines = first_few([printable(f"{task} ({what})", keep="") for task, what in missing.items()], _SHOWN)
    return f"{counted(len(missing), 'task')} missing: {', '.join(lines)}"


def _missing(swarm: Swarm) -> dict[str, str]:
    """Return the tasks of a swarm that are not done, each with what it is; those in the config but never run, too."""
    with ledger_in(swarm.state_dir) as ledger:
        states = {str(each.id): each.state for each in ledger.outcomes()}
        planned: list[str] = []
        with contextlib.suppress(PlanError):  # its inputs may be gone by now; then what was run is all of it
            plan = plan_of(swarm, swarm.environment_dir, ledger.memory())
            leaves_out = swarm.settings.missing_inputs == "skip"
            planned = [task.id for task in plan.tasks()] if leaves_out else plan.ids
    ids = dict.fromkeys([*planned, *(each for each in states if not planned)])
    found = {each: states[each].value if each in states else "new" for each in ids}
    return {each: what for each, what in found.items() if what != TaskState.DONE.value}


def _is_unplanned(swarm: Swarm) -> bool:
    """Return whether no submit of a swarm got as far as having a plan."""
    with ledger_in(swarm.state_dir) as ledger:
        return ledger.is_empty()


def _is_where_config_says(swarm: Swarm) -> bool:
    """Return whether a swarm was last on the target that it has now: else nobody there knows of it."""
    with ledger_in(swarm.state_dir) as ledger:
        return ledger.fact("target") == swarm.target_name
