"""The scripts of a submission, rendered; and a preview of what a submit would do."""

from __future__ import annotations

import hashlib
import os
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.layout import Environment
from locusts_fab.manager.render import render
from locusts_fab.manager.times import BEAT_S, GRACE_S, STALE_S
from locusts_fab.model.tasks import Chunk
from locusts_fab.operations.earlier import plan_of
from locusts_fab.operations.session import ledger_in
from locusts_fab.plan.final import needs_links
from locusts_fab.plan.tasks import make_chunks
from locusts_fab.replica.select import select_replica, workdir
from locusts_fab.replica.sync import tree_dir
from locusts_fab.schedulers.registry import scheduler_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Task
    from locusts_fab.plan.tasks import Plan
    from locusts_fab.replica.walk import Selection

_SHOWN = 5
#: Where sandboxes are that are packed, if the config does not say.
PACK_SCRATCH = ("$TMPDIR", "/tmp")  # noqa: S108  # a folder of its own is made there, 0700
#: Stands for the id of an environment that is not made.
NO_ID = "00000000"


def render_scripts(
    plan: Plan,
    submission: int,
    chunks: list[Chunk],
    environment_id: str = NO_ID,
    alone_from: int | None = None,
    *,
    bad_nodes: Sequence[str] = (),
    max_failures: int = 0,
    has_final: bool = False,
) -> dict[str, str]:
    """Return the scripts of a submission, rendered.

    :param environment_id: the environment that they are for; not given: only to look at them.
    :param alone_from: the number of the first chunk that runs alone, if there is one.
    :param bad_nodes: nodes to leave out.
    :param max_failures: after so many failures no more tasks are taken; 0: never.
    :param has_final: whether the last chunk holds the task that comes after all others.
    :returns: the scripts by their paths in the environment.
    """
    swarm, settings, environment = plan.swarm, plan.swarm.settings, Environment(plan.environment_dir)
    target, container = swarm.target, swarm.target.container
    scheduler = scheduler_of(swarm)
    final = settings.final
    final_timeout_s = final.timeout_s if final is not None else None
    values = {
        "root": environment.root,
        "environment_id": environment_id,
        "submission": submission,
        "first_chunk": chunks[0].number,
        "last_chunk": chunks[-1].number - has_final,
        "alone_from": chunks[-1].number + 1 if alone_from is None else alone_from,
        "final_chunk": chunks[-1].number if has_final else 0,
        "final_needs_done": int(final is not None and final.when == "done"),
        "final_links": int(final is not None and needs_links(final.command)),
        "final_timeout_us": round((final_timeout_s or 0) * 1_000_000),
        "final_timeout_text": f"{final_timeout_s or 0:g} s",
        "swarm": swarm.name,
        "cpus_per_task": settings.cpus_per_task,
        "gpus": target.gpus or 0,
        "pin": int(settings.pin),
        "gpus_per_task": settings.gpus_per_task,
        "slots": swarm.slots,
        "has_patterns": int(any(output[:1] == "\0" for output in (*swarm.designated, *swarm.designated_of_final))),
        "tree": posixpath.join(tree_dir(swarm, environment.root), workdir(swarm)) if swarm.is_custom else "",
        "has_inputs": int(bool(settings.inputs)),
        "program": plan.program,
        "strict": int(settings.strict),
        "retries": settings.retries,
        "timeout_us": round((settings.timeout_s or 0) * 1_000_000),
        "timeout_text": f"{settings.timeout_s or 0:g} s",
        "keep": settings.keep,
        "breaker": settings.breaker,
        "max_failures": max_failures,
        "beat_s": BEAT_S,
        "stale_s": STALE_S,
        "grace_s": GRACE_S,
        "last_call_s": scheduler.last_call_s(swarm),
        "pack": int(settings.pack),
        "scratch": target.scratch or (PACK_SCRATCH if settings.pack else ()),
        "container": [container.runtime, "exec", *container.options, container.image] if container else [],
        "env": sorted(settings.env.items()),
        "scheduler": scheduler.manager_part,
    }
    manager = {environment.manager_script: render("manager.sh.j2", values)}
    return {**manager, **scheduler.start_scripts(swarm, environment, bad_nodes)}


def what_is_asked(plan: Plan) -> str:
    """Return a hash of what the config asks for: the scripts, but for what differs from submit to submit, and nodes."""
    scripts = render_scripts(plan, 1, [Chunk(1, 1)])
    words = [str(plan.swarm.target.nodes), *(word for script in sorted(scripts.items()) for word in script)]
    return hashlib.blake2b(os.fsencode("\0".join(words)), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Preview:
    """The preview of a submit.

    :param samples: the first few tasks.
    :param chunks: the sizes of the chunks, were all tasks to run.
    :param scripts: the rendered scripts, by their paths in the environment.
    :param replica: what of the tree would be replicated, in a custom environment.
    """

    plan: Plan
    samples: list[Task]
    chunks: list[int]
    scripts: dict[str, str]
    replica: Selection | None = None


def preview(swarm: Swarm) -> Preview:
    """Return what a submit of all tasks would do; nothing is touched.

    :raises LocustsError: as `submit` would.
    """
    plan = plan_as_known(swarm)
    samples = []
    total = 0
    for total, task in enumerate(plan.tasks(), 1):
        if total <= _SHOWN:
            samples.append(task)
    has_final = plan.final is not None
    chunks = make_chunks(total - has_final, swarm.all_slots, 1)
    chunks += [Chunk(len(chunks) + 1, 1)] * has_final
    scripts = render_scripts(plan, 1, chunks, has_final=has_final) if total else {}
    replica = select_replica(swarm) if swarm.is_custom else None
    return Preview(plan, samples, [chunk.size for chunk in chunks], scripts, replica)


def plan_as_known(swarm: Swarm) -> Plan:
    """Return the plan, in which tasks that are known keep their numbers.

    :raises PlanError: no plan can be made.
    :raises StateError: the local state is damaged.
    """
    if not (swarm.state_dir / "ledger.sqlite").exists():
        return plan_of(swarm, swarm.environment_dir)
    with ledger_in(swarm.state_dir) as ledger:
        return plan_of(swarm, swarm.environment_dir, ledger.memory())
