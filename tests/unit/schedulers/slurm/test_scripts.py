"""What the surroundings of a login say to SLURM's programs does not reach them, and what stderr holds is no answer."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import SchedulerError
from locusts_fab.hosts.local import LocalHost
from locusts_fab.model.swarms import Submission
from locusts_fab.preflight.probe import Questions, look
from locusts_fab.schedulers.slurm.launcher import SlurmArray
from locusts_fab.schedulers.slurm.scheduler import SlurmScheduler
from locusts_fab.shell.scripts import remote_script, templates_folder
from tests.support.commands import Commands, commands
from tests.support.environments import ID, founded, reserved

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["commands"]

NAME = "locusts-cafe"
#: What an outer job, or a start-up file, may have set: options, filters, formats.
UNWANTED = {
    "SBATCH_TIMELIMIT": "1",
    "SBATCH_PARTITION": "other",
    "SBATCH_CLUSTERS": "c3",
    "SQUEUE_ACCOUNT": "lab",
    "SQUEUE_FORMAT": "%i",
    "SQUEUE_STATES": "PENDING",
    "SINFO_PARTITION": "other",
    "SCANCEL_STATE": "PENDING",
    "SCONTROL_ALL": "1",
    "SALLOC_PARTITION": "other",
    "SLURM_MEM_PER_NODE": "1",
    "SLURM_JOB_ID": "7",
    "SLURM_RESTART_COUNT": "3",
    "SLURM_TIME_FORMAT": "relative",
    "SLURM_HINT": "nomultithread",
    "SLURMD_NODENAME": "n1",
    "_SLURM_SPANK_OPTION_x": "1",
}
#: What says where the scheduler is.
WANTED = {"SLURM_CONF": "/etc/slurm.conf", "SLURM_CLUSTERS": "c2", "SLURM_JWT": "token", "SLURM_CONF_SERVER": "head"}
TELLING = (
    "env | grep -E '^(_?SLURM|SBATCH|SQUEUE|SINFO|SCANCEL|SCONTROL|SALLOC|SRUN)' >\"{folder}/env.${{0##*/}}\"; {does}"
)
NOISE = "ERROR: ld.so: object 'libx.so' from LD_PRELOAD cannot be preloaded: ignored."


@pytest.fixture
def launcher(tmp_path: Path, commands: Commands) -> SlurmArray:
    for name, does in {"sbatch": "echo 12", "squeue": "true", "scancel": "true", "scontrol": "true"}.items():
        commands.let(**{name: TELLING.format(folder=tmp_path, does=does)})
    commands.let(sinfo=TELLING.format(folder=tmp_path, does="true"), sleep="true")
    environment = founded(tmp_path / "it's an environment")
    reserved(environment, 1, NAME)
    return SlurmArray(LocalHost(), environment, 2)


def surround(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {**UNWANTED, **WANTED}.items():
        monkeypatch.setenv(key, value)


def heard(tmp_path: Path, command: str) -> dict[str, str]:
    """Return what a command found of such variables."""
    lines = (tmp_path / f"env.{command}").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def queue(tmp_path: Path) -> str:
    script = SlurmScheduler().queue_script()
    where = (str(tmp_path / "it's an environment"), ID, f" 1:{NAME} ")
    return LocalHost().run(remote_script("poll"), *where, "M", "9", "x", script, "12").text


# ---------------------------------------------------------------------------------------------------------------------
# Surroundings


def test_sbatch_and_the_job_find_nothing_of_them(
    launcher: SlurmArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surround(monkeypatch)
    assert launcher.start(1, NAME, 9) == "12"
    assert heard(tmp_path, "sbatch") == WANTED
    assert heard(tmp_path, "scontrol") == WANTED


def test_squeue_finds_nothing_of_them(launcher: SlurmArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch)
    queue(tmp_path)
    assert heard(tmp_path, "squeue") == WANTED
    (tmp_path / "env.squeue").unlink()
    launcher.find(Submission(1, 9, "starting", 0.0, NAME, ""))
    assert heard(tmp_path, "squeue") == WANTED


def test_scancel_finds_nothing_of_them(launcher: SlurmArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch)
    launcher.stop([], [Submission(1, 9, "started", 0.0, NAME, "12")])
    assert heard(tmp_path, "scancel") == WANTED
    (tmp_path / "env.scancel").unlink()
    launcher.fence([Submission(1, 9, "started", 0.0, NAME, "12")])
    assert heard(tmp_path, "scancel") == WANTED


@pytest.mark.usefixtures("launcher")
def test_check_finds_nothing_of_them_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch)
    scheduler = SlurmScheduler()
    questions = Questions(str(tmp_path / "root"), "s", scheduler=scheduler.probe_script(), job="#!/bin/bash\n")
    facts = look(LocalHost(), questions).facts
    for command in ("sbatch", "squeue", "sinfo", "scontrol"):
        assert heard(tmp_path, command) == WANTED
    settings = SwarmSettings.model_validate({"command": "true", "args": [["1"]]})
    target = Target.model_validate({"mode": "local", "scheduler": "slurm"})
    found = {each.what: each for each in scheduler.judge(Swarm("s", settings, "t", target, tmp_path), facts)}
    assert found["surroundings"].state == "warning"
    assert found["surroundings"].found.endswith("SBATCH_CLUSTERS, SBATCH_PARTITION, SBATCH_TIMELIMIT")


@pytest.mark.parametrize("clusters", ["c1,c2", "all", "ALL", "c1,"])
def test_of_several_clusters_none_is_chosen(
    launcher: SlurmArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clusters: str
) -> None:
    """The id of a job that one of them has is that of another job in the others, which would be cancelled too."""
    monkeypatch.setenv("SLURM_CLUSTERS", clusters)
    launcher.start(1, NAME, 9)
    launcher.stop([], [Submission(1, 9, "started", 0.0, NAME, "12")])
    assert "SLURM_CLUSTERS" not in heard(tmp_path, "sbatch") | heard(tmp_path, "scancel")
    facts = look(LocalHost(), Questions(str(tmp_path / "root"), "s", scheduler=SlurmScheduler().probe_script())).facts
    assert facts["slurm_unset"].split() == ["SLURM_CLUSTERS"]


def test_what_the_user_exports_besides_stays(
    launcher: SlurmArray, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROJECT", "mine")
    commands.let(sbatch=f'printf %s "$PROJECT" >"{commands.folder}/project"; echo 12')
    launcher.start(1, NAME, 9)
    assert (commands.folder / "project").read_text() == "mine"


def test_there_is_one_list_and_every_script_gets_it() -> None:
    """What asks a program of SLURM is sent with the script that clears the surroundings; no script has its own list."""
    package = templates_folder().parent / "locusts_fab"
    for path in (templates_folder() / "remote").glob("slurm_*.sh"):
        if path.stem != "slurm_surroundings":
            assert "unset" not in path.read_text().replace("my_unset", "").replace("slurm_unset", "")
    calls = "".join(path.read_text() for path in package.rglob("*.py"))
    sent = re.findall(r'(apart\()?remote_script\(["\'](slurm_\w+)["\']\)', calls)
    assert [name for guard, name in sent if not guard and name != "slurm_surroundings"] == []


def test_every_question_is_about_hidden_partitions_too() -> None:
    """Without `-a` squeue shows nothing of them, unless it is asked for ids; nor does sinfo."""
    scripts = "".join(path.read_text() for path in templates_folder().rglob("*.sh"))
    questions = re.findall(r"^(?! *#).*\b((?:squeue|sinfo) -.*)", scripts, re.MULTILINE)
    assert len(questions) >= 6
    assert [each for each in questions if not re.search(r" -[aj] ", each)] == []


def test_a_variable_that_cannot_be_taken_away_does_no_harm() -> None:
    script = f"readonly SQUEUE_SORT=x\n{remote_script('slurm_surroundings')}\necho on"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "on\n"


# ---------------------------------------------------------------------------------------------------------------------
# Two streams


def noisy(does: str) -> str:
    """Return what a command does whose loader complains first, and last."""
    return f'echo "{NOISE}" >&2; {does}; status=$?; echo "{NOISE}" >&2; exit $status'


def test_noise_does_not_hide_why_sbatch_refused(launcher: SlurmArray, commands: Commands) -> None:
    commands.let(sbatch=noisy("echo 'sbatch: error: invalid account' >&2; false"), squeue=noisy("true"))
    with pytest.raises(SchedulerError, match=r"refused the job:(.|\n)*invalid account"):
        launcher.start(1, NAME, 9)


def test_noise_is_no_job(launcher: SlurmArray, commands: Commands) -> None:
    commands.let(sbatch=noisy("false"), squeue=noisy("echo 34"))
    assert launcher.start(1, NAME, 9) == "34"
    launcher.start(1, NAME, 9)
    assert launcher.find(Submission(1, 9, "starting", 0.0, NAME, "")) == "34"


def test_the_name_of_a_cluster_is_no_job(launcher: SlurmArray, commands: Commands) -> None:
    commands.let(sbatch="false", squeue="echo 'CLUSTER: c2'")
    with pytest.raises(SchedulerError, match="refused the job"):
        launcher.start(1, NAME, 9)
    assert not launcher.is_alive(Submission(1, 9, "starting", 0.0, NAME, ""))


@pytest.mark.usefixtures("launcher")
def test_noise_is_neither_a_job_nor_why_the_queue_is_silent(tmp_path: Path, commands: Commands) -> None:
    commands.let(squeue=noisy("echo '12_0|12|0|RUNNING|n1|None'"))
    _, _, status, *said = queue(tmp_path).splitlines()
    answer = SlurmScheduler().read_queue(int(status), "\n".join(said))
    assert ([job.id for job in answer.jobs], answer.answered) == (["12_0"], True)
    commands.let(squeue=noisy("echo 'squeue: error: it is down' >&2; false"))
    _, _, status, *said = queue(tmp_path).splitlines()
    answer = SlurmScheduler().read_queue(int(status), "\n".join(said))
    assert (answer.jobs, answer.answered, answer.complaint) == ([], False, "squeue: error: it is down")


def test_noise_is_nothing_that_check_finds(tmp_path: Path, commands: Commands, launcher: SlurmArray) -> None:
    real = {"mkdir": "/bin/mkdir", "mktemp": "/usr/bin/mktemp", "cat": "/bin/cat"}
    commands.let(rsync=noisy("echo 'rsync  version 3.2.7  protocol version 31'"))  # not every machine has one
    commands.let(**{name: noisy(f'{path} "$@"') for name, path in real.items()})
    commands.let(bash=f'#!/bin/bash\necho "{NOISE}" >&2; exec /bin/bash "$@"')
    commands.let(sbatch=noisy("echo 'sbatch: Job 5 to start at once' >&2"), squeue=noisy("true"))
    questions = Questions(
        str(tmp_path / "new root"), "s", setup="true", scheduler=SlurmScheduler().probe_script(), job="#!/bin/bash\n"
    )
    facts = look(LocalHost(), questions).facts
    assert "root_complaint" not in facts
    assert facts["setup_complaint"] == ""
    assert not facts["rsync"].startswith("ERROR")
    assert not (tmp_path / "new root").exists()
    settings = SwarmSettings.model_validate({"command": "true", "args": [["1"]]})
    target = Target.model_validate({"mode": "local", "scheduler": "slurm"})
    found = {each.what: each for each in SlurmScheduler().judge(Swarm("s", settings, "t", target, tmp_path), facts)}
    assert (found["test job"].state, found["test job"].found) == ("ok", "Job 5 to start at once")
