"""Answers of SLURM with any text where a number belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.model.swarms import JobStatus
from locusts_fab.schedulers.slurm.jobs import parse_job_id, parse_squeue, parse_time_s
from locusts_fab.schedulers.slurm.partitions import parse_sinfo
from locusts_fab.schedulers.slurm.preflight import judge_slurm
from locusts_fab.schedulers.slurm.scheduler import SlurmScheduler
from tests.support.configs import swarm_on
from tests.support.forged import NO_NUMBERS, texts

if TYPE_CHECKING:
    from pathlib import Path

SINFO = "short*|up|1:00:00|2|16|64000|mix"


@pytest.mark.parametrize("text", [text for text in NO_NUMBERS if text != text.strip() or not text.isspace()])
@pytest.mark.parametrize("at", [3, 4])
def test_a_line_of_sinfo_with_a_forged_number_is_left_out(at: int, text: str) -> None:
    if text.strip().isascii() and text.strip().isdecimal() and len(text) < 5:
        return  # blanks around a number are sinfo's own
    fields = SINFO.split("|")
    line = "|".join([*fields[:at], text, *fields[at + 1 :]])
    (partition,) = parse_sinfo(f"{line}\n{SINFO}\n")
    assert len(partition.nodes) == 1


@pytest.mark.parametrize("text", ["²", "٣", "9" * 5000, "-1", "n/a", ""])
def test_a_forged_amount_of_memory_is_none(text: str) -> None:
    (partition,) = parse_sinfo(SINFO.replace("64000", text))
    assert partition.nodes[0].memory_mb is None


@pytest.mark.parametrize("text", ["²", "٣:00", "9" * 5000, "1-" + "9" * 4301, "-1", "1_0", "1:0x0"])
def test_what_is_no_time_limit(text: str) -> None:
    assert parse_time_s(text) is None


@pytest.mark.parametrize("element", ["²", "٣", "9" * 5000, "-1", "", "[1-3]", "1_0"])
def test_a_paused_element_with_a_forged_number_is_passed_over(element: str) -> None:
    jobs = [JobStatus(f"12_{element}", "SUSPENDED", ""), JobStatus("12_3", "SUSPENDED", "")]
    assert SlurmScheduler().paused_elements(jobs) == {("12", 3)}


@pytest.mark.parametrize("said", ["²", "٣", "9" * 11, "9" * 5000, "-1", "1_0", "1.5", ""])
def test_what_is_no_id_of_a_job(said: str) -> None:
    assert parse_job_id(f"{said}\n") is None
    assert parse_job_id(f"12\n{said}\n") == "12"


@pytest.mark.parametrize("status", ["²", "٣", "9" * 5000, "-1", "256", "", "0x0"])
def test_an_exit_status_that_is_none_is_no_consent(tmp_path: Path, status: str) -> None:
    facts = {"slurm_missing": "", "partitions": SINFO, "sbatch_status": status, "sbatch": "fine"}
    found = list(judge_slurm(swarm_on(tmp_path, mode="local"), facts))
    (finding,) = [finding for finding in found if finding.what == "test job"]
    assert finding.state == "error"
    assert "what came as its exit status is none" in finding.found


@pytest.mark.parametrize("limit", ["²", "٣", "9" * 5000, "-1", "1_0"])
def test_a_limit_that_is_none_is_not_looked_at(tmp_path: Path, limit: str) -> None:
    facts = {"slurm_missing": "", "partitions": SINFO, "array_limit": limit}
    found = list(judge_slurm(swarm_on(tmp_path, mode="local"), facts))
    assert "array" not in {finding.what for finding in found}


@given(status=st.integers(0, 255), fields=st.lists(texts, max_size=7), between=st.sampled_from("| \n"))
def test_any_answer_of_squeue_and_sinfo(status: int, fields: list[str], between: str) -> None:
    said = between.join(fields)
    queue = parse_squeue(status, said)
    SlurmScheduler().active_jobs(queue.jobs)
    SlurmScheduler().paused_elements([JobStatus(job.id, "SUSPENDED", "") for job in queue.jobs])
    SlurmScheduler().paused_elements([JobStatus(f"12_{text}", "SUSPENDED", "") for text in fields])
    for partition in parse_sinfo(said):
        assert partition.limit_s >= 0
    parse_job_id(said)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, 6), text=texts, limit=texts, status=texts)
def test_any_text_in_what_was_seen_of_it(tmp_path: Path, at: int, text: str, limit: str, status: str) -> None:
    fields = SINFO.split("|")
    sinfo = "|".join([*fields[:at], text, *fields[at + 1 :]])
    facts = {"slurm_missing": "", "partitions": sinfo, "array_limit": limit, "sbatch_status": status, "sbatch": text}
    assert list(judge_slurm(swarm_on(tmp_path, mode="local"), facts))
