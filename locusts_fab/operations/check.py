"""Check: look at a target before anything is sent there, whether it will take the swarm, and if not, why.

One script looks at all that is there (`preflight/probe.py`). What it saw is judged in `preflight/machine.py`, and what
it saw of a scheduler in the scheduler's own package.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from locusts_fab.errors import ExitStatus, HostError, LocustsError
from locusts_fab.model import Finding
from locusts_fab.operations.scripts import render_scripts
from locusts_fab.plan.tasks import make_chunks, make_plan
from locusts_fab.preflight.machine import judge_root, judge_rsync, judge_shell, judge_target, judge_tools
from locusts_fab.preflight.probe import Questions, look
from locusts_fab.preflight.shared_folder import judge_shared_folder, probe_shared_folder
from locusts_fab.preflight.space import estimate_space
from locusts_fab.replica.select import select_replica
from locusts_fab.schedulers.registry import scheduler_of
from locusts_fab.target import open_access

if TYPE_CHECKING:
    from collections.abc import Iterator

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.plan.tasks import Plan
    from locusts_fab.preflight.probe import Seen
    from locusts_fab.preflight.shared_folder import SharedFolderProbe
    from locusts_fab.preflight.space import SpaceNeeded
    from locusts_fab.replica.walk import Selection
    from locusts_fab.target import Access

_PATIENCE_S = 20


def check(swarm: Swarm, connection: fabric.Connection | None = None) -> list[Finding]:
    """Look at the target of a swarm, in one round trip; whatever that makes there is removed again.

    :param connection: an open Fabric connection to use.
    :returns: what was found, good or bad; what is wrong raises nothing.
    """
    access = open_access(swarm, connection)
    findings, plan, needed = _judge_plan(swarm, access)
    with probe_shared_folder(access.mounted) as shared:
        try:
            seen = look(access.host, _questions(swarm, plan, needed, shared))
        except HostError as error:
            return [*findings, _login_failed(error), *_judge_rsync_here(access)]
        answer = shared.answer()
    if not seen.is_whole:
        trouble = HostError(f"{access.host.name}: what looks at it ended half-way", hint="try again")
        return [*findings, _login_failed(trouble)]
    return [
        *findings,
        *_judge_host(swarm, access, seen),
        *judge_root(swarm, seen, needed),
        *judge_shared_folder(swarm, access, seen, shared, answer),
        *judge_target(swarm, seen),
        *scheduler_of(swarm).judge(swarm, seen.facts),
    ]


def _judge_plan(swarm: Swarm, access: Access) -> tuple[list[Finding], Plan | None, SpaceNeeded | None]:
    """Return findings on the plan, the plan if there is one, and the space that it needs."""
    try:
        plan = make_plan(swarm, swarm.environment_dir)
        needed = estimate_space(plan, _tree(swarm), is_linked=not access.needs_rsync and access.mounted is None)
    except LocustsError as error:
        return [Finding("plan", "error", error.message, error.hint or "")], None, None
    if plan.warnings:
        return [Finding("plan", "warning", "\n".join([f"{needed.tasks} tasks", *plan.warnings]))], plan, needed
    if not needed.tasks:
        return [Finding("plan", "warning", "no tasks", "see indir and inputs in the config")], plan, needed
    return [Finding("plan", "ok", f"{needed.tasks} tasks in {needed.chunks} chunks")], plan, needed


def _tree(swarm: Swarm) -> Selection | None:
    """Return what of a custom environment's tree will be replicated; None where tasks run elsewhere, or in the tree."""
    is_replicated = swarm.is_custom and not swarm.is_in_place
    return select_replica(swarm) if is_replicated else None


def _questions(swarm: Swarm, plan: Plan | None, needed: SpaceNeeded | None, shared: SharedFolderProbe) -> Questions:
    """Return what the script shall look at."""
    target, scheduler, job, elements = swarm.target, scheduler_of(swarm), "", 1
    if plan is not None and needed is not None and needed.tasks:
        chunks = make_chunks(needed.tasks, swarm.slots * target.nodes, 1)
        scripts = render_scripts(plan, 1, chunks)
        job = scheduler.job_to_try(scripts)
        elements = min(target.nodes, len(chunks))
    scratch = target.scratch or ""
    return Questions(
        root=swarm.root,
        name=swarm.name,
        scratch=scratch if scratch.startswith("/") else "",
        setup="\n".join(target.setup),
        runtime=target.container.runtime if target.container else "",
        image=target.container.image if target.container else "",
        shared=(shared.name, shared.text),
        scheduler=scheduler.probe_script(),
        job=job,
        elements=elements,
    )


def _login_failed(error: HostError) -> Finding:
    return Finding("login", "error", error.message, error.hint or "", ExitStatus.CONNECTION)


def _judge_host(swarm: Swarm, access: Access, seen: Seen) -> Iterator[Finding]:
    """Yield findings on the machine: the way there, its shell and its programs."""
    if swarm.target.host is not None:
        yield Finding("login", "ok", access.host.name)
        yield from judge_shell(seen)
    yield from judge_tools(swarm, seen)
    if access.needs_rsync:
        yield judge_rsync(access.host.name, seen.facts.get("rsync"), is_here=False)
    yield from _judge_rsync_here(access)


def _judge_rsync_here(access: Access) -> Iterator[Finding]:
    if access.needs_rsync:
        yield judge_rsync("this machine", _rsync_version_here(), is_here=True)


def _rsync_version_here() -> str | None:
    """Return what our own rsync prints as its version.

    :returns: its first line; None if there is none, or it cannot be run.
    """
    try:
        said = subprocess.run(["rsync", "--version"], capture_output=True, check=False, timeout=_PATIENCE_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(said.partition(b"\n")[0])
