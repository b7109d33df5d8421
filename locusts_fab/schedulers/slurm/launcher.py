"""The launcher of managers on a cluster: one SLURM job array with an element for each node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import SchedulerError
from locusts_fab.schedulers.fence import not_ours, put_up_fence
from locusts_fab.schedulers.slurm.jobs import parse_job_id
from locusts_fab.schedulers.slurm.scripts import apart
from locusts_fab.shell.scripts import RemoteExit, remote_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locusts_fab.hosts.base import Host, Result
    from locusts_fab.layout import Environment
    from locusts_fab.model.swarms import Submission


#: What holds up most scripts here, for messages.
_SLURM = "the scheduler"
#: Longer than all the time-outs in slurm_start.sh together.
_START_S = 400.0
#: The script that sbatch gets, in the environment; `slurm_start.sh` knows it too.
JOB_SCRIPT = "exec/job.sbatch"


@dataclass(frozen=True)
class SlurmArray:
    """Managers in the jobs of an array.

    :param nodes: the managers wanted.
    """

    host: Host
    environment: Environment
    nodes: int

    def start(self, submission: int, token: str, chunks: int) -> str:
        """Submit the array, exactly once.

        :param token: the job's name; no other job has it.
        :param chunks: the chunks there are; more managers than that would find nothing to do.
        :returns: the id of the array.
        :raises SchedulerError: sbatch refused, or it is unknown whether it did.
        """
        elements = min(self.nodes, chunks)
        script = apart(remote_script("slurm_start"))
        arguments = (self.environment.root, self.environment.id, str(submission), str(elements), token)
        result = self.host.run(script, *arguments, quiet_s=_START_S, waits_for=_SLURM)
        said = result.text.strip()
        job = parse_job_id(said) if result.exit_status == 0 else None
        if job is not None:
            return job
        if result.exit_status in {RemoteExit.FOREIGN, RemoteExit.TAKEN}:
            raise not_ours(self.environment, self.host.name)
        if result.exit_status == RemoteExit.NO_ANSWER:
            raise SchedulerError(
                f"{self.host.name}: the scheduler does not say whether the job was made:\n{said}",
                hint="repeat this command when it answers; it looks first, so no job is made twice",
            )
        if result.exit_status == RemoteExit.NOT_STARTED:
            raise SchedulerError(
                f"{self.host.name}: sbatch refused the job:\n{said}",
                hint=f"fix [targets.….slurm] in the config ({self.environment.root}/{JOB_SCRIPT} is what was sent)",
            )
        raise SchedulerError(
            f"{self.host.name}: the job could not be submitted:\n{said or result.stderr.strip()}",
            hint="see that sbatch works there when you log in by hand",
        )

    def fence(self, submissions: Iterable[Submission]) -> None:
        """Let the managers of earlier submissions take no more tasks, and jobs that wait never start."""
        submissions = list(submissions)
        put_up_fence(self.host, self.environment, submissions)
        self._cancel("waiting", submissions)

    def stop(self, _managers: Iterable[str], submissions: Iterable[Submission]) -> None:
        """Cancel the jobs of submissions; SLURM asks the managers in them to leave.

        :raises SchedulerError: some of them may go on.
        """
        result = self._cancel("all", list(submissions))
        if result.exit_status != 0:
            raise SchedulerError(
                f"{self.host.name}: scancel failed:\n{result.text.strip()}",
                hint="managers take no more tasks all the same; repeat this when the scheduler answers",
            )

    def _cancel(self, which: str, submissions: Sequence[Submission]) -> Result:
        """Return how it went to cancel what of some submissions waits, or all."""
        latest = next((each.job for each in reversed(submissions) if each.job), "")
        names = [each.token for each in submissions]
        return self.host.run(apart(remote_script("slurm_cancel")), which, latest, *names, waits_for=_SLURM)

    def mark_gone(self, managers: Iterable[str]) -> None:
        """Mark managers that have ended without a word as having left, so that others take over what they held."""
        self.host.run(remote_script("mark_left"), self.environment.root, self.environment.id, *managers)

    def find(self, submission: Submission) -> str:
        """Return the id of the job of a submission whose start was cut off; empty if there is none, or no answer."""
        result = self._look_for(submission)
        return parse_job_id(result.text) or "" if result.exit_status == 0 else ""

    def is_alive(self, submission: Submission) -> bool:
        """Return whether a submission of which we have no job id may have one all the same."""
        if submission.job:
            return False  # what squeue said of it at the last poll counts
        result = self._look_for(submission)
        return result.exit_status != 0 or parse_job_id(result.text) is not None

    def _look_for(self, submission: Submission) -> Result:
        """Return the result of asking SLURM for the job of a submission; it fails if the scheduler is silent."""
        script = apart(remote_script("slurm_find"))
        arguments = (self.environment.root, str(submission.number), submission.token)
        return self.host.run(script, *arguments, waits_for=_SLURM)
