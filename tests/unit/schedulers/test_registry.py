"""Schedulers: each can do what is asked of any, and only its own package knows its words."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest

import locusts_fab
from locusts_fab.config.schema import Target
from locusts_fab.hosts.local import LocalHost
from locusts_fab.layout import Environment
from locusts_fab.model.swarms import JobStatus
from locusts_fab.schedulers.base import Launcher, Scheduler
from locusts_fab.schedulers.registry import SCHEDULERS, scheduler_of
from locusts_fab.shell.scripts import templates_folder
from tests.support.configs import swarm_on

PACKAGE = Path(locusts_fab.__file__).parent
#: Who may know: the original was written for SLURM, and the settings of a scheduler are a table of the config.
KNOWING = ("schedulers/slurm/", "schedulers/registry.py", "legacy/", "config/")
WORDS = re.compile(r"slurm|sbatch|squeue|scancel|scontrol|\bsinfo\b", re.IGNORECASE)


def test_the_config_knows_the_same_names() -> None:
    choices = typing.get_args(Target.model_fields["scheduler"].annotation)
    assert sorted(SCHEDULERS) == sorted(choices)


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_each_can_do_all_that_is_asked_of_one(name: str, tmp_path: Path) -> None:
    scheduler = SCHEDULERS[name]
    assert scheduler_of(swarm_on(tmp_path, mode="local", scheduler=name)) is scheduler
    wanted = {word for word in vars(Scheduler) if not word.startswith("_")}
    assert wanted <= set(dir(scheduler))
    launcher = scheduler.launcher(LocalHost(), Environment("/e"), swarm_on(tmp_path, mode="local", scheduler=name))
    assert {word for word in vars(Launcher) if not word.startswith("_")} <= set(dir(launcher))
    assert (templates_folder() / "manager" / f"{scheduler.manager_part}.sh").is_file()
    assert scheduler.last_call_s(swarm_on(tmp_path, mode="local", scheduler=name)) > 0
    assert scheduler.active_jobs([JobStatus("1", "COMPLETED", "")]) == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_its_own_package_knows_the_words_of_a_scheduler(path: Path) -> None:
    where = path.relative_to(PACKAGE).as_posix()
    known = [line for line in path.read_text(encoding="utf-8").splitlines() if WORDS.search(line)]
    if where == "__init__.py":  # what the package is for
        known = known[1:]
    assert where.startswith(KNOWING) or known == []


@pytest.mark.parametrize("folder", ["manager", "remote"])
def test_only_its_own_scripts_know_them(folder: str) -> None:
    scripts = (templates_folder() / folder).glob("*.sh")
    knowing = {path.name for path in scripts if WORDS.search(path.read_text(encoding="utf-8"))}
    assert {name for name in knowing if not name.startswith("slurm")} == set()
