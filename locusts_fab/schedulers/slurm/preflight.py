"""The rules for what was seen of SLURM: whether a swarm's jobs will be taken, and can ever start. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locusts_fab.bounds.numbers import MOST_STATUS, whole_or_none
from locusts_fab.errors import ExitStatus
from locusts_fab.model.findings import Finding, FindingState
from locusts_fab.schedulers.slurm.jobs import TOO_LONG, parse_time_s
from locusts_fab.schedulers.slurm.partitions import Partition, parse_memory_mb, parse_sinfo
from locusts_fab.text import counted, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.schedulers.slurm.partitions import Nodes

#: How sbatch begins each line of its own.
_SBATCH = "sbatch: "
#: What sbatch says where nodes are there, but none can be used just now; it takes the job all the same.
_OUT_OF_WORK = "down, drained or reserved"
#: What sbatch says of a job that no node can ever run; but also of nodes that just do not answer, as after a restart.
_NO_SUCH_NODES = "Requested node configuration is not available"
#: What sbatch says where it has not heard from the controller, so that nothing follows from it.
_SILENCE = ("timed out", "Unable to contact", "Zero Bytes were transmitted", "temporarily")
_INFINITE = {"infinite", "unlimited"}


def judge_slurm(swarm: Swarm, facts: Mapping[str, str]) -> Iterator[Finding]:
    """Yield findings on the scheduler, what the config asks of it, and what it says of the job itself."""
    missing = facts.get("slurm_missing", "sbatch, squeue, scancel")
    if missing:
        yield _found("scheduler", "error", f"missing: {missing}", "put SLURM's commands on the PATH of a login there")
        return
    if "slurm_silent" in facts or "partitions" not in facts:
        complaint = facts.get("slurm_silent", "").strip() or "it does not answer"
        advice = "see `scontrol ping` there; try again when it answers"
        yield replace(_found("scheduler", "error", complaint, advice), may_pass=True)
        return
    yield _found("scheduler", "ok", "SLURM answers")
    if unset := facts.get("slurm_unset", "").split():
        advice = "the config alone says what a job is like; put what it needs in [targets.….slurm]"
        yield _found("surroundings", "warning", f"set there, and not used: {', '.join(unset)}", advice)
    yield from _judge_partitions(swarm, parse_sinfo(facts["partitions"]))
    limit = whole_or_none(facts.get("array_limit", "").strip())
    if limit is not None and swarm.target.nodes > limit:
        advice = "the same number of tasks is done, by fewer managers; give each more slots"
        yield _found("array", "warning", f"an array may have {limit} elements, not {swarm.target.nodes}", advice)
    if "sbatch_status" in facts:
        yield _judge_answer(whole_or_none(facts["sbatch_status"], most=MOST_STATUS), facts.get("sbatch", ""))


def _found(what: str, state: FindingState, found: str, advice: str = "") -> Finding:
    return Finding(what, state, found, advice, ExitStatus.SCHEDULER)


def _judge_answer(status: int | None, said: str) -> Finding:
    """Return the finding on what `sbatch --test-only` said of the job, which decides.

    :param status: its exit status; None if what came as that is none.
    """
    if status is None:
        found = "nobody knows how `sbatch --test-only` ended: what came as its exit status is none"
        return _found("test job", "error", found, "see what start-up files and programs print there, and try again")
    lines = said.strip().splitlines()
    # its own lines, if there are any: the loader of programs and what a site puts around sbatch may print others
    lines = [line.removeprefix(_SBATCH) for line in lines if line.startswith(_SBATCH)] or lines
    if status == 0:
        return _found("test job", "ok", lines[-1] if lines else "sbatch would take it")
    if status == TOO_LONG or any(silence in line for line in lines for silence in _SILENCE):
        silent = _found("test job", "error", "\n".join(lines), "try again when the scheduler answers")
        return replace(silent, may_pass=True)
    if any(_OUT_OF_WORK in line for line in lines):
        return _found("test job", "warning", "\n".join(lines), "the job will wait for those nodes")
    advice = "fix [targets.….slurm] in the config"
    refused = "sbatch refuses it: " + "\n".join(lines or ["it does not say why"])
    if any(_NO_SUCH_NODES in line for line in lines):
        advice = f"see with sinfo there whether nodes are down just now; else {advice}"
        return replace(_found("test job", "error", refused, advice), may_pass=True)
    return _found("test job", "error", refused, advice)


def _judge_partitions(swarm: Swarm, known: list[Partition]) -> Iterator[Finding]:
    """Yield findings on the partitions that the jobs will wait in, and whether they can ever start there."""
    asked = swarm.target.slurm.partition
    if asked is None:
        named_elsewhere = any(option.startswith(("-p", "--partition")) for option in swarm.target.slurm.extra)
        chosen = [] if named_elsewhere else [partition for partition in known if partition.is_default]
        if not chosen:
            yield _found("partition", "ok", "none in the config's `partition`, so its limits are not looked at")
            return
    else:
        names = [name.strip() for name in asked.split(",")]
        chosen = [partition for partition in known if partition.name in names]
        for name in names:
            if name not in {partition.name for partition in known}:
                yield _judge_unknown(name, [partition.name for partition in known])
    for partition in chosen:
        yield _judge_availability(partition)
    if chosen:
        yield from _judge_time(swarm.target.slurm.time, chosen)
        yield from _judge_nodes(swarm, [nodes for partition in chosen for nodes in partition.nodes])


def _judge_unknown(name: str, known: list[str]) -> Finding:
    near = nearest(name, known, 0.5)
    advice = (f"did you mean {near}? " if near else "") + f"there are: {', '.join(known) or 'none'}"
    return _found("partition", "error", f"there is no partition {name}", advice)


def _judge_availability(partition: Partition) -> Finding:
    """Return the finding whether a partition takes jobs, and starts them."""
    if partition.availability == "up":
        return _found("partition", "ok", f"{partition.name} is up")
    if partition.availability == "down":
        return _found("partition", "warning", f"{partition.name} is down", "jobs will wait until it is up")
    found = f"{partition.name} takes no jobs ({partition.availability})"
    return _found("partition", "error", found, "choose another partition in the config")


def _judge_time(asked: str | None, chosen: list[Partition]) -> Iterator[Finding]:
    """Yield the finding on the time limit of the jobs against those of the partitions."""
    longest = max(chosen, key=lambda partition: partition.limit_s)
    if asked is None:
        yield _found("time limit", "ok", f"none asked for; {longest.name} allows {longest.limit}")
        return
    asked_s = float("inf") if asked.lower() in _INFINITE else parse_time_s(asked)
    if asked_s is None:
        advice = 'write it as "HH:MM:SS", "D-HH:MM:SS", or minutes'
        yield _found("time limit", "error", f"{asked} is no time as SLURM writes it", advice)
    elif asked_s > longest.limit_s:
        advice = f"ask for {longest.limit} or less, or choose another partition"
        yield _found("time limit", "error", f"{asked} is more than {longest.name} allows: {longest.limit}", advice)
    elif short := [partition.name for partition in chosen if partition.limit_s < asked_s]:
        yield _found("time limit", "warning", f"{asked} is more than {', '.join(short)} allows", "take it out")
    else:
        yield _found("time limit", "ok", f"{asked} of {longest.limit}")


def _judge_nodes(swarm: Swarm, nodes: list[Nodes]) -> Iterator[Finding]:
    """Yield findings on what a job needs of a node against the nodes that there are."""
    cpus, slots = swarm.job_cpus, swarm.slots or 1
    made_of = f"{counted(slots, 'slot')} x {swarm.settings.cpus_per_task} cpus_per_task = {counted(cpus, 'CPU')}"
    if not swarm.slots:
        made_of = f"cpus_per_task = {cpus}, slots as the job's CPUs allow"
    most = max((group.cpus for group in nodes), default=0)
    large = [group for group in nodes if group.cpus >= cpus]
    if not large:
        fewer = most // swarm.settings.cpus_per_task
        advice = f"ask for {counted(fewer, 'slot')} or fewer" if fewer else "ask for fewer cpus_per_task"
        yield _found("CPUs", "error", f"{made_of}, but no node has more than {most}", advice)
        return
    yield _found("CPUs", "ok", f"{made_of}; nodes have up to {most}")
    memory = _memory_mb(swarm, cpus)
    if memory is not None:
        largest = max((group.memory_mb or 0 for group in large), default=0)
        fitting = [group for group in large if group.memory_mb is None or group.memory_mb >= memory]
        if not fitting:
            advice = "ask for less memory, or for fewer slots"
            found = f"{memory:,.0f} MB, but no node that has the CPUs has more than {largest:,}"
            yield _found("memory", "error", found, advice)
            return
        yield _found("memory", "ok", f"{memory:,.0f} MB of up to {largest:,} MB" if largest else f"{memory:,.0f} MB")
        large = fitting
    yield _judge_count(swarm, cpus, large)


def _memory_mb(swarm: Swarm, cpus: int) -> float | None:
    """Return the memory that a job asks for in megabytes; None if it asks for none, or for no amount of memory."""
    slurm = swarm.target.slurm
    if slurm.mem is not None:
        return parse_memory_mb(slurm.mem)
    each = parse_memory_mb(slurm.mem_per_cpu) if slurm.mem_per_cpu is not None else None
    return None if each is None else each * cpus


def _judge_count(swarm: Swarm, cpus: int, fitting: list[Nodes]) -> Finding:
    """Return the finding on how many managers the nodes that fit hold at a time."""
    usable = [group for group in fitting if group.is_usable]
    if not usable:
        states = ", ".join(sorted({group.state for group in fitting}))
        return _found("nodes", "warning", f"all that fit are out of work ({states})", "jobs will wait for them")
    count = sum(group.count for group in usable)
    is_alone = bool(swarm.target.slurm.exclusive)
    capacity = sum(group.count * (1 if is_alone else group.cpus // cpus) for group in usable)
    fit = "fits" if count == 1 else "fit"
    found = f"{counted(swarm.target.nodes, 'manager')}; {counted(count, 'node')} {fit}, for {capacity} at a time"
    if capacity < swarm.target.nodes:
        return _found("nodes", "warning", found, "the others wait until some are done, which is no harm")
    return _found("nodes", "ok", found)
