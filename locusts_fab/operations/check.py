"""Check: look at a target before anything is sent there, whether it will take the swarm, and if not, why.

`judgement.py` looks, for submit too; the rules are in `preflight/`, and those of a scheduler in its own package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.errors import ExitStatus, HostError, LocustsError
from locusts_fab.model.findings import Finding
from locusts_fab.operations.judgement import judge_rsync_here, judge_there, questions_on, space_needed
from locusts_fab.operations.scripts import plan_as_known
from locusts_fab.preflight.here import DanglingInputs, judge_outdir, judge_shared
from locusts_fab.preflight.slots import judge_slots
from locusts_fab.target import open_access
from locusts_fab.text import counted

if TYPE_CHECKING:
    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.plan.tasks import Plan
    from locusts_fab.preflight.space import SpaceNeeded
    from locusts_fab.target import Access


def check(swarm: Swarm, connection: fabric.Connection | None = None) -> list[Finding]:
    """Look at the target of a swarm, in one round trip; whatever that makes there is removed again.

    :param connection: an open Fabric connection to use.
    :returns: what was found, good or bad; what is wrong raises nothing.
    """
    access = open_access(swarm, connection)
    findings, plan, needed = _judge_plan(swarm, access)
    findings += [*judge_outdir(swarm), *judge_shared(swarm), *judge_slots(swarm)]
    try:
        return [
            *findings,
            *judge_there(swarm, access, questions_on(swarm, plan, needed.tasks if needed else 0), needed),
        ]
    except HostError as error:
        login = Finding("login", "error", error.message, error.hint or "", ExitStatus.CONNECTION)
        return [*findings, login, *judge_rsync_here(access)]


def _judge_plan(swarm: Swarm, access: Access) -> tuple[list[Finding], Plan | None, SpaceNeeded | None]:
    """Return findings on the plan, the plan if there is one, and the space that it needs."""
    dangling = DanglingInputs(swarm)
    try:
        plan = plan_as_known(swarm)
        needed = space_needed(plan, access, dangling.passing(plan.tasks()))
    except LocustsError as error:
        return [Finding("plan", "error", error.message, error.hint or "")], None, None
    return [_judge_tasks(plan, needed), *dangling.judge()], plan, needed


def _judge_tasks(plan: Plan, needed: SpaceNeeded) -> Finding:
    if plan.warnings:
        return Finding("plan", "warning", "\n".join([counted(needed.tasks, "task"), *plan.warnings]))
    if not needed.tasks:
        return Finding("plan", "warning", "no tasks", "see indir and inputs in the config")
    return Finding("plan", "ok", f"{counted(needed.tasks, 'task')} in {counted(needed.chunks, 'chunk')}")
