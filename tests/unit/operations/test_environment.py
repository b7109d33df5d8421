"""Where a swarm is: when it may go to another target, and which of its jobs it has there."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import StateError
from locusts_fab.hosts.base import Result
from locusts_fab.hosts.local import LocalHost
from locusts_fab.model.swarms import JobStatus, ManagerState
from locusts_fab.operations.environment import set_known, settle
from locusts_fab.state.ledger import Ledger
from locusts_fab.target import open_site
from tests.support.configs import swarm_on
from tests.support.environments import ID, founded
from tests.support.ledgers import ROOT, began, ended, started, task, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm


class OtherHost(LocalHost):
    """A host that has none of the files of this machine."""

    def __init__(self, name: str, *, is_same: bool = False) -> None:
        self.name, self._is_same = name, is_same

    def run(self, script: str, *args: str, **_: object) -> Result:
        """Run nothing, unless it has the same files."""
        return super().run(script, *args) if self._is_same else Result(1, b"", "")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Yield the ledger of a swarm of which two tasks were submitted to target a."""
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        go(made, tmp_path, "a")
        started(made, "x", "y")
        made.set_submission(1, state="started")
        yield made


def swarm_at(folder: Path, target: str) -> Swarm:
    """Return a swarm on a target, which has a root of its own."""
    return replace(swarm_on(folder, mode="local", root=str(folder / target)), target_name=target)


def go(ledger: Ledger, folder: Path, target: str, host: LocalHost | None = None, root: str = "") -> None:
    """Let the swarm be on a target from now on, if it may go there.

    :param root: the target whose root it has; its own if not given.
    """
    swarm = replace(swarm_at(folder, root or target), target_name=target)
    settle(swarm, replace(open_site(swarm), host=host or LocalHost()), ledger)


def nothing(_: Ledger) -> None:
    """Let nobody have looked since the submit."""


def told(ledger: Ledger) -> None:
    ledger.note_told([1])


def starting(ledger: Ledger) -> None:
    ledger.set_submission(1, state="starting")


def heard(ledger: Ledger) -> None:
    """Let a manager be there that has begun nothing."""
    tell(ledger, "1-0")


def run_one(ledger: Ledger) -> None:
    tell(ledger, "1-0", began(1))


def leave_one(ledger: Ledger) -> None:
    """Let one be done, and not collected; the manager has left."""
    tell(ledger, "1-0", began(1), ended(1, "done"))
    ledger.set_manager("1-0", ManagerState.LEFT, "finished")


def queued(ledger: Ledger) -> None:
    """Let one of two jobs have left, and the other wait."""
    ledger.set_submission(1, state="started", job="12")
    ledger.set_jobs([JobStatus("12_1", "PENDING", "Priority")])
    heard(ledger)
    ledger.set_manager("1-0", ManagerState.LEFT, "setup failed")


def silent(ledger: Ledger) -> None:
    queued(ledger)
    ledger.set_jobs([])
    ledger.set_fact("scheduler_silent", "no answer")


@pytest.mark.parametrize("what", [nothing, told, starting, heard, run_one, leave_one, queued, silent])
def test_it_stays_as_long_as_something_is_left_where_it_is(
    ledger: Ledger, tmp_path: Path, what: Callable[[Ledger], None]
) -> None:
    what(ledger)
    facts = [ledger.fact(name) for name in ("target", "root", "place")]
    with pytest.raises(StateError, match="was submitted to target a") as caught:
        go(ledger, tmp_path, "b")
    assert "`locusts cancel --target a`" in str(caught.value.hint)
    assert [ledger.fact(name) for name in ("target", "root", "place")] == facts
    go(ledger, tmp_path, "a")


def staging(ledger: Ledger) -> None:
    ledger.set_submission(1, state="staging")


def stopped(ledger: Ledger) -> None:
    ledger.set_submission(1, state="stopped")


def stalled(ledger: Ledger) -> None:
    heard(ledger)
    ledger.set_manager("1-0", ManagerState.LEFT, "too many failures")


def over(ledger: Ledger) -> None:
    """Let all be done and collected, though nobody saw the manager leave."""
    tell(ledger, "1-0", began(1), ended(1, "done"), began(2), ended(2, "failed"))
    ledger.set_collected([(1, "x"), (2, "failed/y")])


@pytest.mark.parametrize("what", [staging, stopped, stalled, over])
def test_it_goes_elsewhere_once_nothing_is(ledger: Ledger, tmp_path: Path, what: Callable[[Ledger], None]) -> None:
    what(ledger)
    go(ledger, tmp_path, "b")
    assert (ledger.fact("target"), ledger.fact("root")) == ("b", f"{tmp_path}/b/s")
    assert not [each for each in ledger.managers() if each.state is not ManagerState.LEFT]


def test_a_job_is_known_where_it_is(ledger: Ledger, tmp_path: Path) -> None:
    """Another cluster may have a job with its id, which is somebody else's."""
    ledger.set_submission(1, state="started", job="12")
    over(ledger)
    ledger.set_jobs([JobStatus("12_0", "COMPLETED", "")])
    go(ledger, tmp_path, "b")
    assert ledger.jobs() == []
    ledger.take_plan([task("z")], ROOT)
    ledger.set_submission(ledger.begin_submission(2, 2).number, state="stopped", job="7")
    assert [each.job for each in ledger.submissions()] == ["", "7"]
    go(ledger, tmp_path, "a")
    assert [each.job for each in ledger.submissions()] == ["12", ""]
    go(ledger, tmp_path, "b")
    assert [each.job for each in ledger.submissions()] == ["", "7"]


@pytest.mark.parametrize("is_same", [True, False])
def test_hosts_may_have_other_files_in_folders_of_one_name(ledger: Ledger, tmp_path: Path, *, is_same: bool) -> None:
    founded(tmp_path / "a/s")
    set_known(open_site(swarm_at(tmp_path, "a")), ledger, ID)
    other = OtherHost("cluster", is_same=is_same)
    if is_same:
        go(ledger, tmp_path, "b", other, root="a")
        assert ledger.fact("target") == "b"
    else:
        with pytest.raises(StateError, match="was submitted to target a"):
            go(ledger, tmp_path, "b", other, root="a")
        stopped(ledger)
        go(ledger, tmp_path, "b", other, root="a")
        assert ledger.fact("place") == f"cluster:{tmp_path}/a/s"


def test_a_ledger_of_an_older_version_is_where_it_was(ledger: Ledger, tmp_path: Path) -> None:
    ledger.set_fact("place", None)
    ledger.set_submission(1, state="started", job="12")
    go(ledger, tmp_path, "a", OtherHost("cluster"))
    assert [each.job for each in ledger.submissions()] == ["12"]
    assert ledger.fact("place") == f"cluster:{tmp_path}/a/s"
