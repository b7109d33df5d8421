"""What is said to SLURM, and what it answers."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.config.schema import Slurm
from locusts_fab.model.swarms import JobStatus
from locusts_fab.schedulers.slurm.jobs import (
    KILL_WAIT_S,
    OVER,
    WARNING_S,
    directives,
    parse_job_id,
    parse_squeue,
    parse_time_s,
    warning_s,
)
from locusts_fab.schedulers.slurm.scheduler import SlurmScheduler
from locusts_fab.shell.scripts import remote_script


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, []),
        ({"partition": "short,long"}, ["--partition=short,long"]),
        ({"time": "1-02:03:04", "mem": "8G"}, ["--time=1-02:03:04", "--mem=8G"]),
        ({"mem_per_cpu": "500"}, ["--mem-per-cpu=500"]),
        ({"mem": 8000}, ["--mem=8000"]),
        ({"exclusive": True}, ["--exclusive"]),
        ({"exclusive": False}, []),
        ({"exclusive": "user"}, ["--exclusive=user"]),
        (
            {"gres": "gpu:a100:2", "constraint": "[rack1|rack2]&fast"},
            ["--constraint=[rack1|rack2]&fast", "--gres=gpu:a100:2"],
        ),
        (
            {"mail_user": "me@example.org", "mail_type": "END,FAIL"},
            ["--mail-user=me@example.org", "--mail-type=END,FAIL"],
        ),
        ({"ntasks_per_core": 1}, ["--ntasks-per-core=1"]),
        ({"account": "a b"}, ['--account="a b"']),
        ({"account": 'say "x"'}, ['--account="say \\"x\\""']),
        ({"account": "back\\slash"}, ['--account="back\\\\slash"']),
        ({"account": "it's"}, ['--account="it\'s"']),
        ({"account": "#"}, ['--account="#"']),
        ({"extra": ["--hint=nomultithread", "--comment='a b'"]}, ["--hint=nomultithread", "--comment='a b'"]),
    ],
)
def test_options_of_sbatch(keys: dict[str, Any], expected: list[str]) -> None:
    assert directives(Slurm.model_validate(keys)) == expected


def test_what_the_user_adds_comes_last() -> None:
    assert directives(Slurm(partition="short", extra=["--partition=long"])) == ["--partition=short", "--partition=long"]


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1).filter(lambda text: text == text.strip()))
def test_a_value_stays_one_value(value: str) -> None:
    """In double quotes, sbatch and shlex agree on what a backslash does."""
    (line,) = directives(Slurm.model_construct(account=value))
    assert shlex.split(line) == [f"--account={value}"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", 60),
        ("90", 5400),
        ("0", 0),
        ("1:30", 90),
        ("01:02:03", 3723),
        ("1-0", 86_400),
        ("2-12", 216_000),
        ("1-01:30", 91_800),
        ("1-01:30:15", 91_815),
        ("7-00:00:00", 604_800),
        (" 5 ", 300),
        ("", None),
        ("infinite", None),
        ("UNLIMITED", None),
        ("4h", None),
        ("-5", None),
        ("1:2:3:4", None),
    ],
)
def test_time_limits(text: str, seconds: int | None) -> None:
    assert parse_time_s(text) == seconds


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, 120), ("04:00:00", 120), ("8", 120), ("4", 60), ("1", 15), ("0:10", 15), ("0", 120), ("infinite", 120)],
)
def test_word_ahead_of_the_time_limit(limit: str | None, expected: int) -> None:
    assert warning_s(limit) == expected


def test_there_is_time_between_the_word_and_the_kill() -> None:
    assert WARNING_S > KILL_WAIT_S


#: As SLURM 22.05 prints it, with -r.
QUEUE = """\
12_0|12|0|RUNNING|n1|None
12_1|12|1|PENDING||Resources
12_2|12|2|COMPLETED|n2|None
13|13|N/A|PENDING||(ReqNodeNotAvail, UnavailableNodes:n[1-3]) | odd
"""


def test_the_queue() -> None:
    queue = parse_squeue(0, QUEUE)
    assert queue.jobs == [
        JobStatus("12_0", "RUNNING", ""),
        JobStatus("12_1", "PENDING", "Resources"),
        JobStatus("12_2", "COMPLETED", ""),
        JobStatus("13", "PENDING", "(ReqNodeNotAvail, UnavailableNodes:n[1-3]) | odd"),
    ]
    assert (queue.answered, queue.complaint) == (True, "")
    assert SlurmScheduler().active_jobs(queue.jobs) == {"12", "13"}
    assert [job.id for job in SlurmScheduler().waiting_jobs(queue.jobs)] == ["12_1", "13"]
    asked = re.search(r"-o '(.*)'", remote_script("slurm_queue"))
    assert asked is not None
    assert len(QUEUE.splitlines()[0].split("|")) == len(asked[1].split("|"))


@pytest.mark.parametrize(
    ("status", "said", "answered", "complaint"),
    [
        (0, "", True, ""),
        (1, "slurm_load_jobs error: Invalid job id specified\n", True, ""),
        (
            1,
            "squeue: error: a first line\nslurm_load_jobs error: Unable to contact slurm controller\n",
            False,
            "slurm_load_jobs error: Unable to contact slurm controller",
        ),
        (124, "", False, "no answer within 30 s"),
        (127, "bash: squeue: command not found\n", False, "bash: squeue: command not found"),
    ],
)
def test_no_jobs_or_no_answer(status: int, said: str, *, answered: bool, complaint: str) -> None:
    queue = parse_squeue(status, "".join(f"complaint {line}\n" for line in said.splitlines()))
    assert (queue.jobs, queue.answered, queue.complaint) == ([], answered, complaint)


def test_warnings_between_the_jobs() -> None:
    said = "squeue: warning: something | odd\n" + QUEUE
    assert parse_squeue(0, said).jobs == parse_squeue(0, QUEUE).jobs


@pytest.mark.parametrize(
    ("status", "complaints", "why"),
    [
        (1, ["ERROR: ld.so: object 'x' cannot be preloaded: ignored.", "squeue: error: down"], "squeue: error: down"),
        (1, ["squeue: error: down", "ERROR: ld.so: object 'x' cannot be preloaded: ignored."], "squeue: error: down"),
        (1, ["ERROR: ld.so: object 'x' cannot be preloaded: ignored."], "exit code 1"),
        (124, ["ERROR: ld.so: object 'x' cannot be preloaded: ignored."], "no answer within 30 s"),
    ],
)
def test_the_loader_of_programs_is_not_why_it_is_silent(status: int, complaints: list[str], why: str) -> None:
    said = "".join(f"complaint {line}\n" for line in complaints)
    assert parse_squeue(status, said).complaint == why


def test_a_complaint_is_no_job() -> None:
    assert parse_squeue(0, "complaint 1_0|1|0|RUNNING|n1|None\n").jobs == []


#: All that squeue of SLURM 26.05 can print of a job that is over, and of others; and what a later one may print.
ENDED = [
    "COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY",
]  # fmt: skip
OTHERS = [
    "PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "STAGE_OUT", "CONFIGURING", "EXPEDITING", "RESIZING", "REQUEUED",
    "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "STOPPED", "REVOKED", "RESV_DEL_HOLD", "SIGNALING", "?",
    "OF_TOMORROW",
]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "is_active"), [*((each, False) for each in ENDED), *((each, True) for each in OTHERS)]
)
def test_a_job_is_over_in_states_that_say_so(state: str, *, is_active: bool) -> None:
    """A state that nobody here knows is none of them: what is taken for over is submitted again."""
    assert (state not in OVER) is is_active
    jobs = parse_squeue(0, f"1_0|1|0|{state}|n1|None\n").jobs
    assert SlurmScheduler().active_jobs(jobs) == ({"1"} if is_active else set())


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETING", "REVOKED", "EXPEDITING", "OF_TOMORROW", "COMPLETED"])
def test_a_state_that_nobody_knows_is_no_waiting(state: str) -> None:
    """What waits may be replaced by a submit with another config."""
    jobs = parse_squeue(0, f"1_0|1|0|{state}|n1|None\n").jobs
    assert SlurmScheduler().waiting_jobs(jobs) == []
    assert SlurmScheduler().paused_elements(jobs) == set()


@pytest.mark.parametrize(
    ("said", "job"),
    [
        ("123\n", "123"),
        ("123", "123"),
        ("123;cluster\n", "123"),
        ("sbatch: lua: you are a good user\n123\n", "123"),
        ("123\nthank you\n", "123"),
        ("2 jobs are ahead of you\n  123  \n\n", "123"),
        ("41\n42\n", "42"),
        ("", None),
        ("Submitted batch job 123\n", None),
        ("-5\n", None),
        ("sbatch: error: invalid partition specified: nosuch\n", None),
    ],
)
def test_the_id_of_a_job(said: str, job: str | None) -> None:
    assert parse_job_id(said) == job
