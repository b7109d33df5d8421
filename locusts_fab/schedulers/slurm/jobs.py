"""The options that SLURM gets and the parsers of its answers. Pure; `launcher.py` talks to it.

States are spelled as SLURM spells them. Seen with SLURM 22.05; the formats are those of `man squeue` and `man sbatch`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locusts_fab.config.given import full_gres
from locusts_fab.model.swarms import JobStatus
from locusts_fab.schedulers.base import Queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locusts_fab.config.schema import Slurm

#: States in which a job is over. In all others it will run, runs, is just ending, or nobody here knows: another cluster
#: of a federation may have it (`REVOKED`), and newer versions of SLURM have more states.
OVER = frozenset(
    {
        "COMPLETED",
        "CANCELLED",
        "FAILED",
        "TIMEOUT",
        "NODE_FAIL",
        "PREEMPTED",
        "BOOT_FAIL",
        "DEADLINE",
        "OUT_OF_MEMORY",
    }
)
#: States in which it was stopped, and goes on when somebody lets it.
PAUSED = frozenset({"SUSPENDED", "STOPPED"})
#: States in which it has not started, or waits to be started again.
WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"})
#: What squeue prints for a job that has no reason to wait.
_NO_REASON = "None"
#: The fields that `templates/remote/slurm_queue.sh` asks squeue for; the reason comes last, for it is free text.
_FIELDS = 6
#: How the script marks what squeue complained of.
_COMPLAINT = "complaint "
#: How the loader of programs complains, mostly of an LD_PRELOAD that is not there.
_LOADER = "ERROR: ld.so: "
#: The exit status of `timeout` when a command took too long.
TOO_LONG = 124
#: A manager gets a signal so many seconds ahead of its time limit, or a quarter of the limit if that is less.
WARNING_S = 120
_LEAST_WARNING_S = 15
#: The most that SLURM needs, after it was told to end a job, before it kills what is left (KillWait's default).
KILL_WAIT_S = 30

#: No time limit has more digits anywhere; the ids of jobs have 32 bits.
_TIME = re.compile(
    r"(?:(?P<days>[0-9]{1,9})-)?(?P<first>[0-9]{1,9})(?::(?P<second>[0-9]{1,9}))?(?::(?P<third>[0-9]{1,9}))?"
)
_JOB_ID = re.compile(r"([0-9]{1,10})(;\S*)?")
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./\[\]*&|()!-]+")


def directives(slurm: Slurm, bad_nodes: Sequence[str] = (), gpus: int | None = None) -> list[str]:
    """Return the keys of `[targets.X.slurm]` as options of sbatch, for the `#SBATCH` lines of `job.sbatch.j2`.

    :param bad_nodes: nodes to exclude besides; what does not look like the name of one is passed over, for it comes
        from the target.
    :param gpus: the GPUs of a node, which it asks for unless it does already.
    :returns: such as `--partition=short`; values with blanks or quotes are quoted as sbatch reads them.
    """
    lines = []
    for name in type(slurm).model_fields:
        value = getattr(slurm, name)
        if name == "exclude":
            nodes = [*([value] if value else []), *filter(_NODE.fullmatch, bad_nodes)]
            value = ",".join(nodes) or None
        if name == "gres":
            value = full_gres(gpus, value, slurm.extra)
        if name == "extra" or value is None or value is False:
            continue
        option = "--" + name.replace("_", "-")
        lines.append(option if value is True else f"{option}={_quoted(str(value))}")
    return [*lines, *slurm.extra]


def _quoted(value: str) -> str:
    """Return a value quoted as sbatch reads it: in double quotes, in which a backslash guards the next character."""
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_time_s(text: str) -> int | None:
    """Return a time limit in seconds: minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S; None if it is no such time."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    parts = found.group("days", "first", "second", "third")
    days, first, second, third = (int(part) if part else None for part in parts)
    if days is not None:
        return ((days * 24 + (first or 0)) * 60 + (second or 0)) * 60 + (third or 0)
    if third is not None:
        return ((first or 0) * 60 + (second or 0)) * 60 + third
    return (first or 0) * 60 + (second or 0)


def warning_s(time: str | None) -> int:
    """Return how many seconds ahead of its time limit a manager gets a signal.

    :param time: the limit as the config has it; without one the partition's holds, which is hours.
    """
    limit_s = parse_time_s(time) if time else None
    if not limit_s:
        return WARNING_S
    return max(_LEAST_WARNING_S, min(WARNING_S, limit_s // 4))


def parse_squeue(status: int, said: str) -> Queue:
    """Return the answer in what `templates/remote/slurm_queue.sh` printed.

    A job that it does not know any more is an answer: it is over. Any other failure is none.
    """
    jobs, complaints = [], []
    for line in said.splitlines():
        if line.startswith(_COMPLAINT):
            complaints.append(line.removeprefix(_COMPLAINT).strip())
            continue
        fields = line.split("|", _FIELDS - 1)
        if len(fields) == _FIELDS:
            reason = fields[5].strip()
            jobs.append(JobStatus(fields[0].strip(), fields[3].strip(), "" if reason == _NO_REASON else reason))
    known = status == 0 or any("Invalid job id" in complaint for complaint in complaints)
    return Queue(jobs, known, "" if known else _why_silent(status, complaints))


def _why_silent(status: int, complaints: list[str]) -> str:
    """Return in a line why squeue did not answer; what the loader of programs says does no harm, and is not why."""
    if status == TOO_LONG:
        return "no answer within 30 s"
    own = [line for line in complaints if line and not line.startswith(_LOADER)]
    return own[-1] if own else f"exit code {status}"


def parse_job_id(stdout: str) -> str | None:
    """Return the job id that `sbatch --parsable` printed: `123` or `123;cluster`; None if there is none.

    Sites wrap sbatch and print more; the last line that is an id counts.
    """
    for line in reversed(stdout.splitlines()):
        found = _JOB_ID.fullmatch(line.strip())
        if found:
            return found[1]
    return None
