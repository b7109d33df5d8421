"""What ends half-way: the first submit, `submit --redo`, `clean`. The next command ends it; lost tasks are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import locusts_fab
from locusts_fab.operations import environment as module
from locusts_fab.shell.scripts import remote_script
from locusts_fab.state.ledger import Ledger
from tests.support.laptops import Laptop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORDS = ["a1", "a2", "a3"]
NEW = ["b1", "b2", "b3"]
RESULTS = {"000004": "b1", "000005": "b2", "000006": "b3"}  # a number never gets another meaning


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


def die(*_: Any, **__: Any) -> None:
    raise Killed


def cut_before_removing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "remote_script", die)


def cut_while_removing(patch: pytest.MonkeyPatch) -> None:
    """Of the target, some was removed."""
    text = remote_script("remove")
    patch.setattr(module, "remote_script", lambda _name: text.replace("mv -T", "kill -KILL $BASHPID; mv -T"))


def cut_after_removing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "forget_manifest", die)


def cut_while_forgetting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "forget_results", die)
    patch.setattr(Ledger, "give_up", die)


CUTS = [cut_before_removing, cut_while_removing, cut_after_removing, cut_while_forgetting]


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    made = Laptop(tmp_path / "project", "[targets.here]\nmode = 'local'\nslots = 2")
    made.run(made.swarm(WORDS))
    return made


@pytest.mark.parametrize("command", ["submit", "status", "collect", "redo"])
@pytest.mark.parametrize("cut", CUTS)
def test_a_redo_that_was_cut_off_is_done_by_the_next_command(
    laptop: Laptop, cut: Callable[[pytest.MonkeyPatch], None], command: str
) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises((Killed, locusts_fab.LocustsError)):
        cut(patch)
        locusts_fab.submit(laptop.swarm(NEW), redo=True)
    swarm = laptop.swarm(NEW)
    if command == "status":
        locusts_fab.status(swarm)
    elif command == "collect":
        assert locusts_fab.collect(swarm).status.tasks.done == 0
    submitted = locusts_fab.submit(swarm, redo=command == "redo")
    assert submitted.tasks == 3
    locusts_fab.collect(swarm, wait=True)
    assert laptop.results() == RESULTS


@pytest.mark.parametrize("cut", CUTS)
def test_a_clean_that_was_cut_off_is_done_by_the_next_command(
    laptop: Laptop, cut: Callable[[pytest.MonkeyPatch], None]
) -> None:
    root = laptop.folder / ".locusts/here/s"
    with pytest.MonkeyPatch.context() as patch, pytest.raises((Killed, locusts_fab.LocustsError)):
        cut(patch)
        locusts_fab.clean(laptop.swarm(WORDS))
    status = locusts_fab.status(laptop.swarm(WORDS))
    assert (status.tasks.done, status.collected) == (3, 3)  # what was collected stays
    assert any("was cut off" in note for note in status.notes)  # who only looks does not touch it
    locusts_fab.collect(laptop.swarm(WORDS))
    assert not root.exists()


@pytest.mark.parametrize("command", ["submit", "status", "collect"])
def test_an_environment_is_ours_though_we_were_killed_before_we_heard_that_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    laptop = Laptop(tmp_path / "project", "[targets.here]\nmode = 'local'\nslots = 2")
    swarm = laptop.swarm(WORDS)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, "set_known", die)
        locusts_fab.submit(swarm)
    assert list((laptop.folder / ".locusts/here/s/exec").glob("id.*"))
    if command == "status":
        assert locusts_fab.status(swarm).tasks.pending == 3
    elif command == "collect":
        assert locusts_fab.collect(swarm).status.tasks.pending == 3
    laptop.run(swarm)
    assert laptop.results() == {f"{number:06d}": f"a{number}" for number in (1, 2, 3)}


def test_what_is_given_up_is_not_said_to_be_done(laptop: Laptop) -> None:
    swarm = laptop.swarm([*WORDS, "a4"])
    locusts_fab.submit(swarm)
    locusts_fab.watch(swarm)
    locusts_fab.clean(swarm, force=True)
    status = locusts_fab.status(swarm)
    assert (status.tasks.done, status.collected, status.tasks.pending) == (3, 3, 1)
    laptop.run(swarm)
    assert laptop.results() == {f"{number:06d}": f"a{number}" for number in (1, 2, 3, 4)}


def test_a_task_that_ends_its_manager_is_named_and_all_others_are_done(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "project", "[targets.here]\nmode = 'local'\nslots = 3")
    pids = f"{tmp_path}/project/.locusts/here/s/exec/started.*/pid"
    poison = f"[ <arg0> != bad ] || {{ kill -KILL $(cat {pids}); exec sleep 600; }}"
    swarm = laptop.swarm(["bad", *(f"w{number}" for number in range(12))], f"{poison}; printf '%s\\n' <arg0> > out.txt")
    for _ in range(4):
        locusts_fab.submit(swarm)
        status = locusts_fab.watch(swarm)
        if not status.tasks.pending:
            break
    locusts_fab.collect(swarm)
    assert (status.tasks.done, status.tasks.failed) == (12, 1)
    rows = (laptop.folder / "results/s/tasks.tsv").read_text().splitlines()
    assert [row.split("\t")[7] for row in rows if "\tfailed\t" in row] == ["lost with its manager 3 times"]
