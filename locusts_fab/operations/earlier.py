"""Inputs that are results of other swarms: what there is of them, by the ledgers of those swarms."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import Entry
from locusts_fab.errors import PlanError, StateError
from locusts_fab.layout import named_swarm
from locusts_fab.model import TaskState
from locusts_fab.operations.session import results_of
from locusts_fab.plan.inputs import Earlier, Origin
from locusts_fab.plan.tasks import Plan, make_plan
from locusts_fab.state.faults import faults_explained
from locusts_fab.state.ledger import Ledger
from locusts_fab.text import counted, first_few, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model import Memory, PlannedTask

_SHOWN = 5
_NOT_YET = "it is not collected"
_LEFT_THERE = 'collect = "final" leaves it on the target'


def plan_of(swarm: Swarm, environment_dir: str, memory: Memory | None = None) -> Plan:
    """Return the tasks that the config means; see `make_plan`.

    :raises PlanError: the inputs do not give a set of tasks that can be run.
    :raises StateError: the local state of a swarm whose results are inputs is damaged.
    """
    return make_plan(swarm, environment_dir, memory, read_earlier(swarm))


def read_earlier(swarm: Swarm) -> dict[str, Earlier]:
    """Return what there is of the swarms whose results are inputs of this one, by name.

    :raises PlanError: one of them was never run.
    :raises StateError: its local state is damaged.
    """
    named = dict.fromkeys(filter(None, map(named_swarm, swarm.settings.inputs)))
    return {name: _read(swarm.before[name]) for name in named}


def _read(swarm: Swarm) -> Earlier:
    """Return the outputs of the done tasks of a swarm, as its ledger knows them."""
    path = swarm.state_dir / "ledger.sqlite"
    if not path.exists():
        raise _never_run(swarm)
    results = results_of(swarm)
    outputs: dict[str, Origin] = {}
    with faults_explained(path), contextlib.closing(Ledger(path)) as ledger:
        if ledger.is_empty():
            raise _never_run(swarm)
        troubles = ledger.troubles()
        waiting = {outcome.number for outcome in ledger.uncollected()}
        for outcome in ledger.outcomes():
            if outcome.state is not TaskState.DONE:
                continue
            is_here = bool(outcome.place) and outcome.number not in waiting
            for name, found in outcome.designated:
                if not found or isinstance(name, Entry):
                    continue
                why = troubles.get((outcome.number, name), "") if is_here else _NOT_YET
                why = why if results.brings(outcome.id) else _LEFT_THERE
                place = "" if why else f"{results.outdir}/{results.output(outcome.place, name)}"
                outputs[f"{outcome.id}/{name}"] = Origin(
                    outcome.id, outcome.claim, outcome.attempt, outcome.start_s, place, why
                )
    return Earlier(swarm.name, outputs)


def _never_run(swarm: Swarm) -> PlanError:
    return PlanError(
        f"inputs: swarm {swarm.name}, whose results they are, was never run here",
        hint=f"`locusts run --swarm {swarm.name}`",
    )


def refuse_absent(plan: Plan, ledger: Ledger | None = None) -> None:
    """See that the results of other swarms which tasks need are on this machine.

    :param ledger: knows which tasks are going to be run; without it, all are.
    :raises StateError: some are not.
    """
    if not plan.earlier:
        return
    absent: dict[str, str] = {}
    for task in plan.tasks():
        for name in filter(named_swarm, task.inputs):
            origin = plan.there.origin(name)
            why = "it is not there" if origin is None else origin.why or _why_gone(origin.path)
            if why and (ledger is None or _will_run(ledger, task.id)):
                absent[name] = why
    if absent:
        swarm = named_swarm(next(iter(absent))) or ""
        lines = first_few([printable(f"{name}: {why}", keep="") for name, why in absent.items()], _SHOWN)
        raise StateError(
            "\n  ".join([f"{counted(len(absent), 'input')} of other swarms cannot be sent from here:", *lines]),
            hint=f"`locusts collect --swarm {swarm}` brings what that swarm left; then repeat this",
        )


def _will_run(ledger: Ledger, task_id: str) -> bool:
    """Return whether a submit may take a task: it was chosen, or waits in an earlier submission."""
    known = ledger.find(task_id)
    return ledger.is_chosen(task_id) or (known is not None and known.state is TaskState.PENDING)


def _why_gone(path: str) -> str:
    return "" if os.path.lexists(path) else f"there is no {path} any more"


def with_sources(plan: Plan, tasks: Iterable[PlannedTask]) -> Iterator[PlannedTask]:
    """Yield tasks with the paths of files in place of inputs that are results of other swarms."""
    if not plan.earlier:
        yield from tasks
        return
    for task in tasks:
        inputs = []
        for name in task.inputs:
            origin = plan.there.origin(name)
            inputs.append(origin.path if origin else name)
        yield replace(task, inputs=tuple(inputs))
