"""What every operation starts from: what becomes of managers that are held for dead."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.hosts.local import LocalHost
from locusts_fab.manager.times import FENCE_S
from locusts_fab.model.swarms import JobStatus, ManagerState, SwarmState
from locusts_fab.model.tasks import Task
from locusts_fab.operations import cancel as cancelling
from locusts_fab.operations.session import Session, looked_at, opened
from locusts_fab.progress import Silent
from locusts_fab.state import poll as polling
from locusts_fab.state.clock import Reading, read_clock
from locusts_fab.state.ledger import Ledger
from locusts_fab.target import identified, open_site
from tests.support.environments import ID, founded, reserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.model.swarms import Submission

HOST = LocalHost().run('printf %s "${HOSTNAME:-localhost}"').text
STOOD_STILL = "its heartbeat stood still for more than 300 s"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    settings = SwarmSettings.model_validate({"command": "true", "args": [["1"], ["2"]]})
    swarm = Swarm("s", settings, "here", Target(mode="local"), tmp_path)
    site = open_site(swarm)
    site = identified(site, swarm, ID)
    made = founded(site.environment.root)
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.take_plan([Task("a", "true", (), ()), Task("b", "true", (), ())], site.environment.root)
        reserved(made, 1, ledger.begin_submission(1, 1).token)
        ledger.set_submission(1, state="started")
        yield Session(swarm, site, ledger)


def write(session: Session, *records: str, host: str = "another-node", pid: int = 1) -> Path:
    """Let manager 1-0 report something.

    :returns: its cache file.
    """
    folder = Path(session.site.environment.root) / "exec"
    (folder / f"beats/1-0-{ID}").write_text("1\n")
    cache = folder / f"cache/1-0-{ID}.tsv"
    head = f"manager\t1-0-{ID}\t{host}\t{pid}\t1\t9.0\t5.2\t.\n"
    cache.write_text("".join([head, f"began\t000001.1.{ID}\t1\t1\t10.0\t1\t.\n", *records]))
    return cache


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the poll believe that it is later."""
    now = read_clock()
    reading = Reading(now.boot, now.awake_s + seconds, now.up_s + seconds)
    monkeypatch.setattr(polling, "read_clock", lambda: reading)


def test_a_manager_that_was_killed_left_for_that(session: Session) -> None:
    with subprocess.Popen(["true"]) as process:
        pid = process.pid
    write(session, host=HOST, pid=pid)
    session.poll()
    assert session.ledger.manager_reason(f"1-0-{ID}") == "its process was killed"
    status = session.status()
    assert (status.state, status.managers[0].state) == (SwarmState.STALLED, ManagerState.LEFT)
    assert "(its process was killed)" in status.notes[0]


def test_a_manager_that_was_not_heard_left_for_that(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    write(session)
    session.poll()
    assert session.ledger.managers()[0].state is ManagerState.ALIVE
    later(monkeypatch, 301)
    for _ in range(2):
        session.poll()
        assert session.ledger.managers()[0].state is ManagerState.LEFT
        assert session.ledger.manager_reason(f"1-0-{ID}") == STOOD_STILL
    assert f"({STOOD_STILL})" in session.status().notes[0]
    assert session.ledger.counts().pending == 2


def in_queue(session: Session, *jobs: tuple[str, str, str], number: int = 1) -> Submission:
    """Let the swarm have been submitted to SLURM as job 12, of which the queue says this."""
    slurm = Target(mode="local", scheduler="slurm", nodes=2)
    object.__setattr__(session, "swarm", replace(session.swarm, target=slurm))
    session.ledger.set_submission(number, state="started", job="12")
    session.ledger.set_jobs([JobStatus(*job) for job in jobs])
    latest = session.ledger.latest_submission()
    assert latest is not None
    return latest


WAITING = [
    ([("12_0", "PENDING", "Resources")], "1 job waits (Resources)"),
    ([("12_0", "PENDING", "Priority"), ("12_1", "PENDING", "Priority")], "2 jobs wait (Priority)"),
    ([("12_0", "PENDING", "")], "1 job waits (no reason given yet)"),
    ([("12_0", "RUNNING", ""), ("12_1", "PENDING", "(Odd, reason)")], "1 job waits ((Odd, reason))"),
    (
        [("12_0", "PENDING", "A"), ("12_1", "PENDING", "B"), ("12_2", "PENDING", "B")],
        "2 jobs wait (B), 1 job waits (A)",
    ),
    ([("12_0", "RUNNING", "")], ""),
]


@pytest.mark.parametrize(("jobs", "told"), WAITING)
def test_what_jobs_wait_for_is_told(session: Session, jobs: list[tuple[str, str, str]], told: str) -> None:
    in_queue(session, *jobs)
    status = session.status()
    assert (status.state, status.waiting) == (SwarmState.SUBMITTED, told)
    assert status.summary.endswith(told or "2 waiting")
    session.ledger.set_jobs([])
    assert session.status().waiting == ""


def test_what_has_begun_nothing_is_only_what_waits(session: Session) -> None:
    waits, runs, over = ("12_0", "PENDING", "x"), ("12_1", "RUNNING", ""), ("12_1", "COMPLETED", "")
    other = ("11_0", "RUNNING", "")
    for jobs, begun_nothing in (
        ([waits], True),
        ([waits, over], True),
        ([waits, other], True),
        ([waits, runs], False),
        ([runs], False),
        ([over], False),
        ([], False),
        ([("12_0", "REVOKED", "")], False),
    ):
        assert session.has_begun_nothing(in_queue(session, *jobs)) is begun_nothing, jobs
    latest = in_queue(session, waits)
    session.ledger.set_fact("scheduler_silent", "no answer")
    assert not session.has_begun_nothing(latest)
    session.ledger.set_fact("scheduler_silent", None)
    write(session)
    session.poll()
    assert not session.has_begun_nothing(in_queue(session, waits)), "a manager was heard"


@pytest.mark.parametrize(("state", "lives"), [("REVOKED", True), ("OF_TOMORROW", True), ("COMPLETED", False)])
def test_a_job_in_a_state_that_nobody_knows_may_live(session: Session, state: str, *, lives: bool) -> None:
    latest = in_queue(session, ("12_0", state, ""))
    assert session.may_have_jobs(latest) is lives
    assert (session.live_submission() is not None) is lives


def fail_setups(session: Session, *reasons: str) -> None:
    """Let managers 1-0, 1-1, … leave, each for its reason."""
    folder = Path(session.site.environment.root) / "exec"
    for element, reason in enumerate(reasons):
        name = f"1-{element}-{ID}"
        records = f"manager\t{name}\tn{element}\t1\t1\t9.0\t5.2\t.\nleft\t{reason}\t10.0\t.\n"
        (folder / f"cache/{name}.tsv").write_text(records)
        (folder / f"beats/{name}.end").touch()
    session.poll()


LOAD = "setup failed: entry 2, exit code 127 (module load x)"


def test_setups_that_fail_alike_are_told_once(session: Session) -> None:
    fail_setups(session, f"{LOAD}: job 1", f"{LOAD}: job 2", f"{LOAD}: job 3")
    status = session.status()
    assert status.state is SwarmState.STALLED
    told, advice = status.notes
    assert told == f"{LOAD}: job 1 [on n0, n1, n2]"
    assert advice.startswith("fix `setup`")
    assert advice.endswith(f"{session.site.environment.root}/exec/logs/1-0.out")


def test_a_setup_that_fails_on_one_of_several_nodes_is_told_too(session: Session) -> None:
    other = "setup failed: entry 1, ended the shell with exit code 3 (exit 3)"
    fail_setups(session, "finished", LOAD, other)
    told = session.status().notes
    assert told[:2] == [f"{LOAD} [on n1]", f"{other} [on n2]"]
    assert told[2].endswith("/exec/logs/1-1.out")
    assert told[3].startswith("tasks are left, but no manager is running")


def test_a_setup_that_failed_is_told_while_others_run(session: Session) -> None:
    fail_setups(session, LOAD, "finished")
    session.ledger.set_manager(f"1-1-{ID}", ManagerState.ALIVE)
    status = session.status()
    assert (status.state, status.notes[0]) == (SwarmState.RUNNING, f"{LOAD} [on n0]")


def test_what_it_says_itself_meanwhile_stands(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = write(session)
    session.poll()
    later(monkeypatch, 301)
    mark_gone = type(session.site.launcher).mark_gone

    def slow(launcher: object, managers: list[str]) -> None:
        with cache.open("a") as file:
            file.write("left\tsignal USR1\t12.0\t.\n")
        mark_gone(launcher, managers)  # type: ignore[arg-type]

    monkeypatch.setattr(type(session.site.launcher), "mark_gone", slow)
    session.poll()
    assert session.ledger.managers()[0].state is ManagerState.LEFT
    assert session.ledger.manager_reason(f"1-0-{ID}") == "signal USR1"


def test_cancel_sees_what_had_just_begun(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody was heard yet, but before the fence stood a task may have begun; afterwards nothing is begun there."""
    with subprocess.Popen(["true"]) as process:
        pid = process.pid
    waited = []

    def begin(seconds: float) -> None:
        waited.append(seconds)
        write(session, host=HOST, pid=pid)

    monkeypatch.setattr(time, "sleep", begin)
    assert cancelling.stop_managers(session, Silent()) == 0
    assert FENCE_S in waited
    assert session.ledger.manager_reason(f"1-0-{ID}") == "its process was killed"
    latest = session.ledger.latest_submission()
    assert latest is not None
    assert latest.state == "stopped"
    assert cancelling.stop_managers(session, Silent()) == 0
    assert waited.count(FENCE_S) == 1


def test_who_changes_a_swarm_removes_what_killed_commands_left(tmp_path: Path) -> None:
    """Though it fetches nothing itself; who only looks removes nothing, for another command may be at work."""
    settings = SwarmSettings.model_validate({"command": "true", "args": [["1"]]})
    swarm = Swarm("s", settings, "here", Target(mode="local"), tmp_path)
    with opened(swarm, create=True) as session:
        session.ledger.take_plan([Task("a", "true", (), ())], session.site.environment.root)
    left = swarm.state_dir / ".incoming-killed"
    left.mkdir()
    with looked_at(swarm):
        assert left.exists()
    with opened(swarm):
        assert not left.exists()
