"""SLURM in the form that `schedulers/base.py` asks of any scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from locusts_fab.bounds.numbers import whole_or_none
from locusts_fab.manager.render import render
from locusts_fab.manager.times import GRACE_S
from locusts_fab.schedulers.slurm.advice import advise_slurm
from locusts_fab.schedulers.slurm.jobs import (
    KILL_WAIT_S,
    OVER,
    PAUSED,
    WAITING,
    directives,
    parse_job_id,
    parse_squeue,
    warning_s,
)
from locusts_fab.schedulers.slurm.launcher import JOB_SCRIPT, SlurmArray
from locusts_fab.schedulers.slurm.preflight import judge_slurm
from locusts_fab.schedulers.slurm.scripts import apart
from locusts_fab.shell.scripts import remote_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.hosts.base import Host
    from locusts_fab.layout import Environment
    from locusts_fab.model.findings import Finding
    from locusts_fab.model.swarms import JobStatus
    from locusts_fab.model.usage import Usage
    from locusts_fab.schedulers.base import Queue


@dataclass(frozen=True)
class SlurmScheduler:
    """SLURM; see `Scheduler`."""

    name: ClassVar[str] = "slurm"
    manager_part: ClassVar[str] = "slurm"

    def launcher(self, host: Host, environment: Environment, swarm: Swarm) -> SlurmArray:
        """See `Scheduler.launcher`."""
        return SlurmArray(host, environment, swarm.target.nodes)

    def start_scripts(self, swarm: Swarm, environment: Environment, bad_nodes: Sequence[str]) -> dict[str, str]:
        """See `Scheduler.start_scripts`: the job script, whose #SBATCH lines are made in `jobs.py`."""
        values = {
            "setup": swarm.target.setup,
            "manager": environment.absolute(environment.manager_script),
            "logs": environment.absolute(environment.logs_folder),
            "directives": directives(swarm.target.slurm, bad_nodes, swarm.target.gpus),
            "cpus": swarm.job_cpus,
            "warning_s": warning_s(swarm.target.slurm.time),
        }
        return {JOB_SCRIPT: render("job.sbatch.j2", values)}

    def last_call_s(self, swarm: Swarm) -> int:
        """See `Scheduler.last_call_s`."""
        return max(GRACE_S, warning_s(swarm.target.slurm.time) - KILL_WAIT_S)

    def queue_script(self) -> str:
        """See `Scheduler.queue_script`."""
        return apart(remote_script("slurm_queue"))

    def read_queue(self, status: int, answer: str) -> Queue:
        """See `Scheduler.read_queue`."""
        return parse_squeue(status, answer)

    def active_jobs(self, jobs: Iterable[JobStatus]) -> set[str]:
        """See `Scheduler.active_jobs`. An element of an array, `12_3`, belongs to the job 12."""
        return {job.id.partition("_")[0] for job in jobs if job.state not in OVER}

    def waiting_jobs(self, jobs: Iterable[JobStatus]) -> list[JobStatus]:
        """See `Scheduler.waiting_jobs`."""
        return [job for job in jobs if job.state in WAITING]

    def paused_elements(self, jobs: Iterable[JobStatus]) -> set[tuple[str, int]]:
        """See `Scheduler.paused_elements`."""
        parts = [job.id.partition("_") for job in jobs if job.state in PAUSED]
        numbered = [(job, whole_or_none(element)) for job, _, element in parts]
        return {(job, element) for job, element in numbered if element is not None}

    def read_job_id(self, answer: str) -> str:
        """See `Scheduler.read_job_id`."""
        return parse_job_id(answer) or ""

    def advise(self, swarm: Swarm, usage: Usage) -> Iterator[str]:
        """See `Scheduler.advise`."""
        return advise_slurm(swarm, usage)

    def probe_script(self) -> str:
        """See `Scheduler.probe_script`."""
        return apart(remote_script("slurm_probe"))

    def job_to_try(self, scripts: Mapping[str, str]) -> str:
        """See `Scheduler.job_to_try`."""
        return scripts[JOB_SCRIPT]

    def judge(self, swarm: Swarm, facts: Mapping[str, str]) -> Iterator[Finding]:
        """See `Scheduler.judge`."""
        return judge_slurm(swarm, facts)
