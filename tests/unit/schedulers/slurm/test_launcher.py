"""One job array for each submit, whatever sbatch and squeue say. Here small scripts stand for SLURM's commands.

What the real ones do is in `tests/cluster/test_submit_once.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from locusts_fab.errors import HostError, SchedulerError
from locusts_fab.hosts.local import LocalHost
from locusts_fab.layout import Environment
from locusts_fab.model.swarms import Submission
from locusts_fab.schedulers.slurm import launcher as module
from locusts_fab.schedulers.slurm.launcher import SlurmArray
from locusts_fab.shell.scripts import remote_script
from tests.support.commands import Commands, commands
from tests.support.environments import ID, founded, reserved

__all__ = ["commands"]

DOWN = "echo 'Unable to contact slurm controller' >&2; exit 1"
TIMED_OUT = "echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1"
NAME = "locusts-cafe"
NAMES = {1: NAME, 2: "locusts-beef", 3: "locusts-feed"}


def starter_at(root: Path, nodes: int = 2) -> SlurmArray:
    environment = founded(root)
    reserved(environment, 1, NAME)
    reserved(environment, 2, "locusts-beef")
    return SlurmArray(LocalHost(), environment, nodes)


@pytest.fixture
def launcher(tmp_path: Path, commands: Commands) -> SlurmArray:
    return starter_at(tmp_path / "it's an environment")


def submission(number: int = 1, job: str = "") -> Submission:
    return Submission(number, 9, "starting", 0.0, NAMES.get(number, "locusts-0"), job)


def test_an_array_is_submitted_once(launcher: SlurmArray, commands: Commands) -> None:
    assert [launcher.start(1, NAME, 9) for _ in range(3)] == ["12"] * 3
    (call,) = commands.calls("sbatch")
    for word in (
        "--parsable",
        f"--job-name={NAME}",
        "--array=0-1",
        f"--chdir={Path(launcher.environment.root).resolve()} ",
        "--output=exec/logs/1-%a.out",
        "exec/job.sbatch 1",
    ):
        assert word in call
    assert launcher.find(submission()) == "12"


def test_sites_that_say_more(launcher: SlurmArray, commands: Commands) -> None:
    commands.let(sbatch="echo welcome; echo '12;cluster'; echo 'be nice' >&2")
    assert [launcher.start(1, NAME, 9) for _ in range(2)] == ["12"] * 2
    assert len(commands.calls("sbatch")) == 1


@pytest.mark.parametrize(
    ("nodes", "chunks", "limit", "elements"),
    [(1, 9, "", "0-0"), (4, 3, "", "0-2"), (4, 9, "1001", "0-3"), (4, 9, "3", "0-2"), (4, 9, "(null)", "0-3")],
)
def test_no_more_elements_than_can_be(
    tmp_path: Path, commands: Commands, nodes: int, chunks: int, limit: str, elements: str
) -> None:
    commands.let(scontrol=f"echo 'MaxArraySize            = {limit}'" if limit else DOWN)
    assert starter_at(tmp_path / "s", nodes).start(1, NAME, chunks) == "12"
    assert f"--array={elements} " in commands.calls("sbatch")[0]


@pytest.mark.parametrize("name", ["100%j", "back\\slash"])
def test_a_path_that_slurm_would_read_in_its_own_way(tmp_path: Path, commands: Commands, name: str) -> None:
    assert starter_at(tmp_path / name).start(1, NAME, 9) == "12"
    assert "--output=/dev/null --error=/dev/null" in commands.calls("sbatch")[0]


def test_sbatch_fails_and_the_job_is_there(launcher: SlurmArray, commands: Commands) -> None:
    commands.let(sbatch=TIMED_OUT, squeue="echo 34; echo 34")
    assert [launcher.start(1, NAME, 9) for _ in range(2)] == ["34"] * 2
    assert len(commands.calls("sbatch")) == 1
    assert all(f"-n {NAME}" in call for call in commands.calls("squeue"))


def test_sbatch_fails_and_the_job_shows_up_a_little_later(launcher: SlurmArray, commands: Commands) -> None:
    late = f"[[ -e {commands.folder}/asked ]] && echo 34; touch {commands.folder}/asked"
    commands.let(sbatch=TIMED_OUT, squeue=late)
    assert launcher.start(1, NAME, 9) == "34"
    assert len(commands.calls("sbatch")) == 1


@pytest.mark.parametrize("sbatch", ["true", "echo 'Submitted batch job 34'", "echo 'you have 3 jobs'"])
def test_sbatch_does_not_say_which_job_it_made(launcher: SlurmArray, commands: Commands, sbatch: str) -> None:
    """As where a site puts something around it; the job is found by its name, and noted."""
    commands.let(sbatch=sbatch, squeue="echo 34")
    assert [launcher.start(1, NAME, 9) for _ in range(2)] == ["34"] * 2
    assert launcher.find(submission()) == "34"
    assert len(commands.calls("sbatch")) == 1


def test_sbatch_only_says_something(launcher: SlurmArray, commands: Commands) -> None:
    commands.let(sbatch="echo 'come back tomorrow'")
    with pytest.raises(SchedulerError, match=r"refused the job:\ncome back tomorrow"):
        launcher.start(1, NAME, 9)


#: squeue where the job's partition is hidden: it is shown to who asks for all, or for ids.
HIDDEN = '[[ " $* " == *" -a "* || " $* " == *" -j "* ]] || exit 0; '


def test_a_job_in_a_hidden_partition_is_found(launcher: SlurmArray, commands: Commands) -> None:
    """It was taken for refused, and submitted once more."""
    commands.let(sbatch=TIMED_OUT, squeue=f"{HIDDEN}echo 34")
    assert launcher.start(1, NAME, 9) == "34"
    (Path(launcher.environment.root) / "exec/started.1/job").unlink()
    assert launcher.find(submission()) == "34"
    assert launcher.is_alive(submission())
    assert launcher.start(1, NAME, 9) == "34"
    assert len(commands.calls("sbatch")) == 1


def test_sbatch_refuses(launcher: SlurmArray, commands: Commands) -> None:
    commands.let(sbatch="echo 'sbatch: error: invalid partition specified: nosuch' >&2; exit 1")
    for _ in range(2):
        with pytest.raises(SchedulerError, match="invalid partition specified: nosuch"):
            launcher.start(1, NAME, 9)
    assert launcher.find(submission()) == ""
    assert not launcher.is_alive(submission())
    commands.let(sbatch="echo 12")
    assert launcher.start(1, NAME, 9) == "12"


def test_nobody_knows_whether_there_is_a_job(launcher: SlurmArray, commands: Commands) -> None:
    """As long as the scheduler is silent nothing is submitted again; what it says then decides."""
    commands.let(sbatch=TIMED_OUT, squeue=DOWN)
    for _ in range(2):
        with pytest.raises(SchedulerError, match="does not say whether the job was made"):
            launcher.start(1, NAME, 9)
        assert len(commands.calls("sbatch")) == 1
    assert launcher.find(submission()) == ""
    assert launcher.is_alive(submission()), "it may be"
    commands.let(sbatch="echo 12", squeue="true")
    assert launcher.start(1, NAME, 9) == "12"
    assert len(commands.calls("sbatch")) == 2


def test_killed_before_the_answer_was_noted(launcher: SlurmArray, commands: Commands) -> None:
    Path(launcher.environment.absolute("exec/started.1/once")).mkdir()
    commands.let(squeue="echo 34")
    assert launcher.find(submission()) == "34"
    assert launcher.is_alive(submission())
    assert launcher.start(1, NAME, 9) == "34"
    assert commands.calls("sbatch") == []


def test_killed_while_the_answer_was_noted(launcher: SlurmArray, commands: Commands) -> None:
    """What was noted is not whole; squeue knows."""
    launcher.start(1, NAME, 9)
    (Path(launcher.environment.root) / "exec/started.1/job").write_text("", encoding="utf-8")
    commands.let(squeue="echo 12")
    assert launcher.find(submission()) == "12"
    assert launcher.is_alive(submission())


def test_the_job_is_noted_though_nobody_listens(
    launcher: SlurmArray, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link broke while sbatch was running: what is printed goes nowhere, and ends the script."""
    pipe = commands.folder / "pipe"
    os.mkfifo(pipe)  # which nobody reads any more
    with monkeypatch.context() as patch:
        unheard = f"exec 3<>'{pipe}' 1>'{pipe}' 3<&-\n{remote_script('slurm_start')}"
        patch.setattr(module, "remote_script", {"slurm_start": unheard}.__getitem__)
        with pytest.raises(SchedulerError):
            launcher.start(1, NAME, 9)
    assert launcher.find(submission()) == "12"
    assert commands.calls("squeue") == []


def test_each_submission_has_its_own(launcher: SlurmArray, commands: Commands) -> None:
    assert launcher.start(1, NAME, 9) == "12"
    commands.let(sbatch="echo 13")
    assert launcher.start(2, "locusts-beef", 9) == "13"
    assert [launcher.find(submission(number)) for number in (1, 2)] == ["12", "13"]


def test_an_environment_that_is_not_there(tmp_path: Path, commands: Commands) -> None:
    launcher = SlurmArray(LocalHost(), Environment(str(tmp_path / "nowhere")), 1)
    with pytest.raises(SchedulerError, match="could not be submitted"):
        launcher.start(1, NAME, 9)
    assert commands.calls("sbatch") == []


def test_a_job_that_is_known_is_not_asked_for(launcher: SlurmArray, commands: Commands) -> None:
    assert not launcher.is_alive(submission(job="12"))
    assert commands.calls("squeue") == []


def in_queue(commands: Commands, **jobs: str) -> None:
    """Let squeue know jobs by their names; who asks for others hears nothing."""
    known = " ".join(f"[{name.replace('_', '-')}]={job}" for name, job in jobs.items())
    look = 'IFS=, read -ra names <<<"${names%% *}"; for name in "${names[@]}"; do echo "${known[$name]}"; done'
    commands.let(squeue=f'{HIDDEN}declare -A known=({known}); names="$*"; names=${{names##* -n }}; {look}')


SUBMISSIONS = [submission(1, "11"), submission(2), submission(3, "13")]


def test_the_fence_and_jobs_that_wait(launcher: SlurmArray, commands: Commands) -> None:
    """Of all of them, and also of one whose id nobody learned; what is not in the queue any more is left alone."""
    in_queue(commands, locusts_cafe="11", locusts_beef="12")
    launcher.fence(SUBMISSIONS)
    exec_dir = Path(launcher.environment.absolute("exec"))
    assert sorted(path.name for path in exec_dir.glob("stop.*")) == ["stop.1", "stop.2", "stop.3"]
    assert commands.calls("scancel") == [f"--state=PENDING {job}" for job in (11, 12, 13)]
    in_queue(commands)
    launcher.fence([submission(4)])
    assert len(commands.calls("scancel")) == 3


def test_a_fence_that_cannot_be_put_up(launcher: SlurmArray) -> None:
    Path(launcher.environment.absolute("exec/stop.1")).mkdir()
    with pytest.raises(HostError, match="cannot be written"):
        launcher.fence([submission()])


def test_all_jobs_are_cancelled(launcher: SlurmArray, commands: Commands) -> None:
    """Not just the latest: what an earlier submit started may still run."""
    in_queue(commands, locusts_cafe="11", locusts_beef="12", locusts_feed="13")
    launcher.stop(["1-0"], SUBMISSIONS)
    assert commands.calls("scancel") == ["11", "12", "13"]
    launcher.stop([], [])
    assert len(commands.calls("scancel")) == 3


def test_jobs_that_are_long_over_are_not_cancelled(launcher: SlurmArray, commands: Commands) -> None:
    """Their ids may belong to others by now; of the latest it is not known."""
    launcher.stop([], SUBMISSIONS)
    assert commands.calls("scancel") == ["13"]


PURGED = "scancel: error: Kill job error on job id $1: Invalid job id specified"
ENDED = "scancel: error: Kill job error on job id $1: Job/step already completing or completed"
NOISE = "ERROR: ld.so: object 'x' from LD_PRELOAD cannot be preloaded: ignored."


@pytest.mark.parametrize("said", [[PURGED], [ENDED], [PURGED, ENDED], [NOISE, PURGED, "be nice"]])
def test_a_job_that_is_over_needs_no_cancelling(launcher: SlurmArray, commands: Commands, said: list[str]) -> None:
    commands.let(scancel="".join(f'echo "{line}" >&2; ' for line in said) + "exit 1")
    launcher.stop([], [submission(1, "12")])


@pytest.mark.parametrize(
    ("scancel", "why"),
    [
        (DOWN, "Unable to contact"),
        (f'[[ $1 != 12 ]] || {{ {DOWN}; }}; echo "{PURGED}" >&2; exit 1', "Unable to contact"),
        (f'echo "{PURGED}" >&2; echo "scancel: error: Access denied" >&2; exit 1', "Access denied"),
        ("[[ $1 != 12 ]] || exit 124; exit 0", "scancel: no answer within 30 s"),
    ],
)
def test_a_job_that_may_go_on_is_not_hidden_by_others(
    launcher: SlurmArray, commands: Commands, scancel: str, why: str
) -> None:
    in_queue(commands, locusts_cafe="11", locusts_beef="12", locusts_feed="13")
    commands.let(scancel=scancel)
    with pytest.raises(SchedulerError, match=rf"scancel failed:\n(.|\n)*{why}"):
        launcher.stop([], SUBMISSIONS)


def test_a_scheduler_that_is_silent_is_not_asked_for_each_job(launcher: SlurmArray, commands: Commands) -> None:
    in_queue(commands, locusts_cafe="11", locusts_beef="12", locusts_feed="13")
    commands.let(scancel="exit 124")
    with pytest.raises(SchedulerError, match="no answer within 30 s"):
        launcher.stop([], SUBMISSIONS)
    assert commands.calls("scancel") == ["11"]


def test_the_latest_job_is_cancelled_though_the_queue_cannot_be_seen(launcher: SlurmArray, commands: Commands) -> None:
    commands.let(squeue=DOWN)
    with pytest.raises(SchedulerError, match=r"scancel failed:\nUnable to contact"):
        launcher.stop([], SUBMISSIONS)
    assert commands.calls("scancel") == ["13"]


def test_managers_are_marked_as_having_left(launcher: SlurmArray) -> None:
    launcher.mark_gone([f"1-0-{ID}", f"1-1-r2-{ID}"])
    beats = Path(launcher.environment.absolute("exec/beats"))
    assert sorted(path.name for path in beats.iterdir()) == [f"1-0-{ID}.end", f"1-1-r2-{ID}.end"]
