"""Who starts and stops managers on a cluster: SLURM, as one job array with an element for each node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError, SchedulerError
from locusts_fab.schedulers.detached import FENCE, MARK_AS_LEFT
from locusts_fab.schedulers.slurm.jobs import parse_job_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.hosts.base import Host
    from locusts_fab.layout import Environment
    from locusts_fab.state.schema import Submission

# $1 the environment, $2 the submission, $3 the elements wanted, $4 the job's name, which no other job has.
# Exactly one array comes of this, whatever happens: the folder made first is the token, and whoever finds it made, or
# gets no clear answer, looks for the job by its name before anything is submitted. sbatch may time out, and the job be
# there all the same (seen with SLURM 22.05).
_START = r"""
cd -- "$1" || exit 3
token=exec/started.$2
look() { # set job to what runs, ran or waits under our name; fails if the scheduler does not answer
  job=$(timeout 30 squeue -h -t all -n "$1" -o %F 2>&1) || return 1
  job=${job%%$'\n'*}
}
note() { # first on the disk, for whoever asked may be gone
  printf '%s\n' "$1" >"$token/job"
  printf '%s\n' "$1"
}
if ! complaint=$(mkdir "$token" 2>&1); then
  [[ -d $token ]] || { printf '%s\n' "$complaint"; exit 3; }
  if [[ -s $token/job ]]; then
    cat "$token/job"
    exit 0
  fi
  look "$4" || { printf '%s\n' "$job"; exit 5; }
  if [[ -n $job ]]; then
    note "$job"
    exit 0
  fi
fi
output=exec/logs/$2-%a.out
[[ $1 == *[%\\]* ]] && output=/dev/null # SLURM takes these for its own, wherever they stand in a path
limit=$(timeout 30 scontrol show config 2>/dev/null | sed -n 's/^MaxArraySize *= *//p')
elements=$3
[[ $limit =~ ^[0-9]+$ ]] && ((limit > 0 && elements > limit)) && elements=$limit
said=$(timeout 60 sbatch --parsable --job-name="$4" --array="0-$((elements - 1))" --output="$output" \
  --error="$output" exec/job.sbatch "$2" 2>"$token/complaint" </dev/null)
status=$?
if ((status == 0)); then
  note "$said"
  exit 0
fi
for pause in 0 2 4; do
  sleep "$pause"
  if ! look "$4"; then
    cat "$token/complaint"
    printf '%s\n' "$job"
    exit 5
  fi
  if [[ -n $job ]]; then
    note "$job"
    exit 0
  fi
done
cat "$token/complaint"
rm -rf -- "$token"
exit 4
"""

# The jobs. One that is over already is no failure.
_CANCEL = r"""
for job in "$@"; do
  timeout 30 scancel "$job" || complaint=yes
done 2>&1
[[ -z ${complaint-} ]]
"""

# $1 the environment; then the jobs, of which only what still waits is cancelled.
_CANCEL_WAITING = r"""
for job in "$@"; do
  timeout 30 scancel --state=PENDING "$job"
done
exit 0
"""

# $1 the environment, $2 the submission, $3 the job's name. Whoever started it may have been killed before we heard.
_FIND = r"""
if [[ -s $1/exec/started.$2/job ]]; then
  cat -- "$1/exec/started.$2/job"
else
  timeout 30 squeue -h -t all -n "$3" -o %F
fi
"""


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
        :raises SchedulerError: sbatch refused, or nobody knows whether it did.
        """
        elements = min(self.nodes, chunks)
        result = self.host.run(_START, self.environment.root, str(submission), str(elements), token)
        said = result.text.strip()
        job = parse_job_id(said) if result.exit_status == 0 else None
        if job is not None:
            return job
        if result.exit_status == 5:  # noqa: PLR2004 - what the script says when the scheduler does not answer
            raise SchedulerError(
                f"{self.host.name}: the scheduler does not say whether the job was made:\n{said}",
                hint="repeat this command when it answers; it looks first, so no job is made twice",
            )
        if result.exit_status == 4:  # noqa: PLR2004 - what the script says when sbatch refused
            raise SchedulerError(
                f"{self.host.name}: sbatch refused the job:\n{said}",
                hint=f"mend [targets.….slurm] in the config ({self.environment.root}/exec/job.sbatch is what was sent)",
            )
        raise SchedulerError(
            f"{self.host.name}: the job could not be submitted:\n{said or result.stderr.strip()}",
            hint="see that sbatch works there when you log in by hand",
        )

    def fence(self, submissions: Iterable[Submission]) -> None:
        """Let the managers of earlier submissions take no more tasks, and jobs that wait never start."""
        submissions = list(submissions)
        result = self.host.run(FENCE, self.environment.root, *[str(each.number) for each in submissions])
        if result.exit_status != 0:
            raise HostError(f"{self.host.name}: {self.environment.root} cannot be written", stderr=result.stderr)
        jobs = [each.job for each in submissions if each.job]
        if jobs:
            self.host.run(_CANCEL_WAITING, jobs[-1])

    def stop(self, _managers: Iterable[str], jobs: Iterable[str]) -> None:
        """Cancel the jobs; SLURM asks the managers in them to leave.

        :raises SchedulerError: scancel failed.
        """
        result = self.host.run(_CANCEL, *jobs)
        if result.exit_status != 0 and "Invalid job id" not in result.text:
            raise SchedulerError(
                f"{self.host.name}: scancel failed:\n{result.text.strip()}",
                hint="managers take no more tasks all the same; repeat this when the scheduler answers",
            )

    def bury(self, managers: Iterable[str]) -> None:
        """Mark managers that are no more as having left, so that others take over what they held."""
        self.host.run(MARK_AS_LEFT, self.environment.root, *managers)

    def find(self, submission: Submission) -> str:
        """Ask for the job of a submission whose start was not seen to its end."""
        result = self.host.run(_FIND, self.environment.root, str(submission.number), submission.token)
        return parse_job_id(result.text) or "" if result.exit_status == 0 else ""

    def is_alive(self, submission: Submission) -> bool:
        """Tell whether a submission of which we have no job id may have one all the same."""
        if submission.job:
            return False  # what squeue said of it at the last poll counts
        result = self.host.run(_FIND, self.environment.root, str(submission.number), submission.token)
        return result.exit_status != 0 or bool(result.text.strip())
