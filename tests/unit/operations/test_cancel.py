"""Cancel: what is asked of the scheduler, whatever was submitted before."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.model.tasks import Task
from locusts_fab.operations.cancel import stop_managers
from locusts_fab.operations.session import Session
from locusts_fab.progress import Silent
from locusts_fab.state.ledger import Ledger
from locusts_fab.target import identified, open_site
from tests.support.commands import Commands, commands
from tests.support.environments import ID, founded, reserved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["commands"]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Open a swarm that was submitted twice, as job 11 and, with a row more, as job 12."""
    settings = SwarmSettings.model_validate({"command": "true", "args": [["1"], ["2"]]})
    target = Target.model_validate({"mode": "local", "scheduler": "slurm"})
    swarm = Swarm("s", settings, "here", target, tmp_path)
    site = identified(open_site(swarm), swarm, ID)
    environment = founded(site.environment.root)
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        for count, job in enumerate(("11", "12"), 1):
            tasks = [Task(str(number), "true", (), ()) for number in range(count)]
            ledger.take_plan(tasks, site.environment.root)
            made = ledger.begin_submission(count, count)
            reserved(environment, made.number, made.token)
            ledger.set_submission(made.number, state="started", job=job)
        yield Session(swarm, site, ledger)


def test_the_jobs_of_all_submits_are_cancelled(session: Session, commands: Commands) -> None:
    """The first may still run; however often cancel is repeated, it may not be passed over."""
    names = {each.token: each.job for each in session.ledger.submissions()}
    found = "; ".join(f'[[ "$*" != *{name}* ]] || echo {job}' for name, job in names.items())
    commands.let(squeue=f'[[ "$*" == *" -n "* ]] || exit 0; {found}; true')
    for _ in range(2):
        assert stop_managers(session, Silent()) == 0
    cancelled = [call for call in commands.calls("scancel") if "--state" not in call]
    assert cancelled == ["11", "12"] * 2
