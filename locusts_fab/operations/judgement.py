"""The judgement of a target that `check` and `submit` share: one shows all of it, the other refuses what cannot be.

All that is on another machine, or belongs to a scheduler, is looked at in one round trip. A submit does that once; it
looks again only if something has changed since it was last content. Where tasks run on this machine it needs no script.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import astuple, dataclass, field, replace
from typing import TYPE_CHECKING

from locusts_fab.bounds.numbers import whole_or_none
from locusts_fab.errors import ExitStatus, HostError, LocustsError, SchedulerError, StateError
from locusts_fab.model.findings import Finding, exit_status_of
from locusts_fab.model.tasks import TaskState
from locusts_fab.operations.scripts import render_scripts
from locusts_fab.plan.tasks import make_chunks
from locusts_fab.preflight.here import judge_here, judge_outdir, judge_shared
from locusts_fab.preflight.machine import judge_quota, judge_root, judge_rsync, judge_shell, judge_target, judge_tools
from locusts_fab.preflight.probe import Questions, look
from locusts_fab.preflight.shared_folder import judge_shared_folder, probe_shared_folder
from locusts_fab.preflight.slots import judge_cpus, judge_slots
from locusts_fab.preflight.space import estimate_space
from locusts_fab.replica.select import select_replica
from locusts_fab.schedulers.registry import scheduler_of
from locusts_fab.target import open_access

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Choice, Task
    from locusts_fab.operations.session import Session
    from locusts_fab.plan.tasks import Plan
    from locusts_fab.preflight.here import DanglingInputs
    from locusts_fab.preflight.probe import Seen
    from locusts_fab.preflight.space import SpaceNeeded
    from locusts_fab.target import Access

_PATIENCE_S = 20
#: The fact of the ledger that says what was looked at before the last submit, and was found to be good.
_JUDGED = "judged"


# ---- what both see


def judge_there(swarm: Swarm, access: Access, questions: Questions, needed: SpaceNeeded | None) -> list[Finding]:
    """Look at a target in one round trip, and return what was found; what is made there is removed again.

    :param needed: the space that the swarm needs, if that is known.
    :raises HostError: the target cannot be reached, or what looks at it ended half-way.
    """
    with probe_shared_folder(access.mounted) as shared:
        seen = look(access.host, replace(questions, shared=(shared.name, shared.text)))
        answer = shared.answer()
    if not seen.is_whole:
        raise HostError(f"{access.host.name}: what looks at it ended half-way", hint="try again")
    return [
        *_judge_host(swarm, access, seen),
        *judge_root(swarm, seen, needed),
        *judge_quota(seen, needed),
        *judge_shared_folder(swarm, access, seen, shared, answer),
        *judge_target(swarm, seen),
        *_judge_cpus(swarm, seen),
        *scheduler_of(swarm).judge(swarm, seen.facts),
    ]


def space_needed(plan: Plan, access: Access, tasks: Iterable[Task] | None = None) -> SpaceNeeded:
    """Return the space that a plan needs on its target.

    :param tasks: see `estimate_space`.
    :raises LocustsError: the plan has a fault.
    """
    swarm = plan.swarm
    is_replicated = swarm.is_custom and not swarm.is_in_place
    tree = select_replica(swarm) if is_replicated else None
    is_linked = not access.needs_rsync and access.mounted is None
    return estimate_space(plan, tree, is_linked=is_linked, tasks=tasks)


def questions_on(swarm: Swarm, plan: Plan | None, tasks: int) -> Questions:
    """Return what the script shall look at, but for what this machine leaves for it.

    :param tasks: how many of the plan's are to run.
    """
    target, scheduler, job, elements = swarm.target, scheduler_of(swarm), "", 1
    if plan is not None and tasks:
        chunks = make_chunks(tasks, swarm.all_slots, 1)
        job = scheduler.job_to_try(render_scripts(plan, 1, chunks))
        elements = min(target.nodes, len(chunks))
    scratch = target.scratch[0] if target.scratch else ""
    is_known_there = scratch.startswith("/") or (scratch.startswith("$") and not swarm.has_scheduler)
    return Questions(
        root=swarm.root,
        name=swarm.name,
        scratch=scratch if is_known_there else "",
        setup="\n".join(target.setup),
        runtime=target.container.runtime if target.container else "",
        image=target.container.image if target.container else "",
        scheduler=scheduler.probe_script(),
        job=job,
        elements=elements,
    )


def _judge_cpus(swarm: Swarm, seen: Seen) -> Iterator[Finding]:
    """Yield findings on the CPUs of a target, where tasks run on the machine that was looked at."""
    if not swarm.has_scheduler:
        yield from judge_cpus(swarm, whole_or_none(seen.facts.get("cpus", "")), has_taskset="taskset" in seen.facts)


def _judge_host(swarm: Swarm, access: Access, seen: Seen) -> Iterator[Finding]:
    """Yield findings on the machine: the way there, its shell and its programs."""
    if swarm.target.host is not None:
        yield Finding("login", "ok", access.host.name)
        yield from judge_shell(seen)
    yield from judge_tools(swarm, seen)
    if access.needs_rsync:
        # while the environment is new, tar does it all
        may_pass = "tar" in seen.facts
        there = judge_rsync(access.host.name, seen.facts.get("rsync"), is_here=False)
        yield from (replace(finding, may_pass=may_pass) for finding in (there, *judge_rsync_here(access)))


def judge_rsync_here(access: Access) -> Iterator[Finding]:
    """Yield the finding on our own rsync, if files travel by it."""
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


# ---- what a submit makes of it


@dataclass(frozen=True)
class Judged:
    """The judgement of a submit that may go on.

    :param notes: what may be wrong, for a person.
    :param mark: stands for all that was looked at; see `remember`.
    """

    notes: list[str] = field(default_factory=list)
    mark: str = ""


def judge_submit(
    session: Session,
    connection: fabric.Connection | None,
    plan: Plan,
    dangling: DanglingInputs,
    choice: Choice,
    *,
    is_there: bool,
) -> Judged:
    """Refuse a submit that cannot come to anything, before anything is sent.

    :param dangling: the inputs that were seen to be links to nothing.
    :param choice: which tasks are going to be run.
    :param is_there: whether the environment is there.
    :returns: what may be wrong.
    :raises LocustsError: it cannot come to anything; the exit code is that of `check`.
    """
    swarm, ledger = session.swarm, session.ledger

    runs = {TaskState.PENDING}
    runs |= {TaskState.FAILED} if choice.failed or choice.ended else set()
    runs |= {TaskState.DONE} if choice.changed or choice.ended else set()

    def will_run(task_id: str) -> bool:
        known = ledger.find(task_id)
        return known is not None and known.state in runs and (not choice.is_partial or ledger.is_chosen(task_id))

    tasks = ledger.counts().of(runs)
    if not tasks:
        return Judged()
    found = [*judge_outdir(swarm), *judge_shared(swarm), *judge_slots(swarm), *dangling.judge(will_run)]
    mark = ""
    if swarm.is_here:
        found += judge_here(swarm)
    else:
        questions = questions_on(swarm, plan, tasks)
        mark = _mark(swarm, questions)
        if not (is_there and ledger.fact(_JUDGED) == mark):
            access = replace(open_access(swarm, connection), host=session.site.host)
            # of what is there already nobody knows how much has come
            needed = None if is_there else space_needed(plan, access)
            found += judge_there(swarm, access, questions, needed)
    _refuse(swarm, found)
    return Judged([_as_note(each) for each in found if each.state == "warning" and _is_of_swarm(each)], mark)


def remember(session: Session, judged: Judged) -> None:
    """Enter that a submit has worked with what was looked at before it, so that the next one need not look again."""
    if judged.mark:
        session.ledger.set_fact(_JUDGED, judged.mark)


def _mark(swarm: Swarm, questions: Questions) -> str:
    """Return what stands for a target and all that is asked of it."""
    parts = (swarm.target_name, repr(swarm.target), *map(str, astuple(questions)))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _is_of_swarm(finding: Finding) -> bool:
    """Return whether a finding says something of this swarm, not of the age of a program, say."""
    return not finding.what.startswith("rsync")


def _as_note(finding: Finding) -> str:
    found = finding.found.replace("\n", "\n  ")
    return f"{finding.what}: {found}" + (f"; {finding.advice}" if finding.advice else "")


def _refuse(swarm: Swarm, found: Iterable[Finding]) -> None:
    """Raise an error with all that makes a submit impossible, if there is anything."""
    errors = [finding for finding in found if finding.state == "error" and not finding.may_pass]
    if not errors:
        return
    kinds: dict[ExitStatus, type[LocustsError]] = {
        ExitStatus.CONNECTION: HostError,
        ExitStatus.SCHEDULER: SchedulerError,
    }
    lines = "\n".join(f"  {_as_note(finding)}" for finding in errors)
    raise kinds.get(exit_status_of(errors), StateError)(
        f"swarm {swarm.name} cannot run on target {swarm.target_name} as the config is:\n{lines}",
        hint="nothing was sent; `locusts check` shows all that was looked at, `--force` submits all the same",
    )
