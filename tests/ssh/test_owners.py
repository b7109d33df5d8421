"""Two owners of one environment: a client that does not know it changes nothing there, and no results are mixed.

In each mode; without a scheduler, for the client's side is the same with one.
"""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.errors import StateError
from tests.support.environments import listing
from tests.support.laptops import Laptop, laptop_in
from tests.support.managers import at_work, holding
from tests.support.processes import wait_until
from tests.support.sshd import module_sshd, needs_sshd, no_waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = needs_sshd
__all__ = ["module_sshd", "no_waiting"]

MODES = ["local", "remote", "remote-shared"]


@pytest.fixture(params=MODES)
def first(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laptop]:
    """Give the project folder of whoever comes first; in the end nothing runs any more."""
    yield laptop_in(request.param, tmp_path, lambda: request.getfixturevalue("module_sshd"))
    for folder in (tmp_path / "there").glob("**/exec"):
        for number in range(1, 10):
            (folder / f"stop.{number}").touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give the environment."""
    return tmp_path / "there/s"


A = ["a1", "a2", "a3"]
B = ["b1", "b2", "b3", "b4"]


def expected(words: list[str], first: int = 1) -> dict[str, str]:
    return {f"{number:06d}": word for number, word in enumerate(words, first)}


def lose(laptop: Laptop, how: str) -> Laptop:
    """Let somebody else, or somebody who knows nothing any more, have the swarm."""
    ledger = laptop.state / "ledger.sqlite"
    if how == "another project":
        return Laptop(laptop.folder.with_name("second"), laptop.target, laptop.connect)
    for path in laptop.state.glob("ledger.sqlite*"):
        path.unlink()
    if how == "zero bytes":
        ledger.touch()
    return laptop


HOW = ["another project", "ledger lost", "zero bytes"]


@pytest.mark.parametrize("how", HOW)
def test_who_does_not_know_the_environment_changes_nothing_and_may_attach(first: Laptop, root: Path, how: str) -> None:
    first.run(first.swarm(A))
    made_in = first.folder
    second = lose(first, how)
    before = listing(root)
    for action in (locusts_fab.submit, locusts_fab.retry):
        with pytest.raises(StateError, match=r"is not known here; it was made by \S+ on ") as caught:
            action(second.swarm(B), second.connection())
        assert str(made_in) in caught.value.message
        assert "`locusts attach`" in str(caught.value.hint)
        assert "another root" in str(caught.value.hint)
    with pytest.raises(StateError):
        locusts_fab.submit(second.swarm(B), second.connection(), redo=True)
    assert listing(root) == before
    status = locusts_fab.attach(second.swarm(B), second.connection())
    assert (status.tasks.total, status.tasks.done) == (3, 3)
    other_command = second.swarm(A, "printf 'other %s\\n' <arg0> > out.txt")
    submitted = locusts_fab.submit(other_command, second.connection())
    assert (submitted.tasks, len(submitted.changed)) == (0, 3)  # those that ran another command are named
    submitted = locusts_fab.submit(second.swarm(B), second.connection())
    assert (submitted.tasks, len(submitted.changed)) == (4, 0)  # a task is its values, so all of these are new
    locusts_fab.collect(second.swarm(B), second.connection(), wait=True)
    assert second.results() == expected([*A, *B])


def test_an_environment_without_an_id_is_nobodys(first: Laptop, root: Path) -> None:
    first.run(first.swarm(A))
    for path in root.glob("exec/id.*"):
        path.unlink()
    assert_untouched(first, root, "has no id")


def assert_untouched(laptop: Laptop, root: Path, says: str) -> None:
    """See that each command refuses, with these words, and changes nothing on the target."""
    before = listing(root)
    for action in (locusts_fab.submit, locusts_fab.status, locusts_fab.attach):
        with pytest.raises(StateError, match=says):
            action(laptop.swarm(B), laptop.connection())
    assert listing(root) == before


def test_a_ledger_of_another_version_is_told_and_nothing_is_lost(first: Laptop, root: Path) -> None:
    first.run(first.swarm(A))
    with sqlite3.connect(first.state / "ledger.sqlite") as database:
        database.execute("PRAGMA user_version = 3")
    database.close()
    assert_untouched(first, root, "another version")


@pytest.mark.parametrize("way", ["attached", "copied"])
def test_two_that_know_it_may_go_on_in_turns(first: Laptop, root: Path, tmp_path: Path, way: str) -> None:
    """Each gives its new tasks the same numbers; whoever comes second learns those of the other before."""
    first.run(first.swarm(A))
    if way == "copied":
        second = first.copy(tmp_path / "second")
    else:
        second = Laptop(tmp_path / "second", first.target, first.connect)
        locusts_fab.attach(second.swarm(A), second.connection())
    second.run(second.swarm([*A, "s4", "s5"]))
    before = listing(root)
    status = locusts_fab.status(first.swarm(A), first.connection())
    assert (status.tasks.total, status.tasks.done) == (3, 3)
    assert any("attach" in note for note in status.notes)
    for action in (locusts_fab.submit, locusts_fab.retry, locusts_fab.clean):
        with pytest.raises(StateError, match="somebody else has submitted"):
            action(first.swarm([*A, "f4", "f5", "f6"]), first.connection())
    assert listing(root) == before
    locusts_fab.attach(first.swarm(A), first.connection())
    first.run(first.swarm([*A, "s4", "s5", "f6"]))
    assert first.results() == expected([*A, "s4", "s5", "f6"])
    assert second.results() == expected([*A, "s4", "s5"])


def test_it_is_decided_on_the_target_who_submits(
    first: Laptop, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one comes between the look and the submit."""
    first.run(first.swarm(A))
    second = first.copy(tmp_path / "second")
    swarm = first.swarm([*A, "f4"])
    from locusts_fab.operations import submit as module  # noqa: PLC0415 - a function of the same name is the public one

    cut = module._cut
    before: list[object] = []

    def interfering(*words: object) -> object:
        monkeypatch.setattr(module, "_cut", cut)
        second.run(second.swarm([*A, "s4"]))
        before.append(listing(root))
        return cut(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_cut", interfering)
    with pytest.raises(StateError, match="somebody else has submitted"):
        locusts_fab.submit(swarm, first.connection())
    assert listing(root) == before[0]
    assert second.results() == expected([*A, "s4"])
    with pytest.raises(StateError, match="somebody else has submitted"):
        locusts_fab.submit(swarm, first.connection())


@pytest.mark.parametrize("removed", ["environment", "environment and ledger"])
def test_removed_by_hand_while_managers_run_and_made_anew_at_once(
    first: Laptop, root: Path, tmp_path: Path, removed: str
) -> None:
    gates = [tmp_path / "gate 1", tmp_path / "gate 2"]
    for gate in gates:
        gate.mkdir()
    first_command, second_command = (f"{holding(gate)}; printf '%s\\n' <arg0> > out.txt" for gate in gates)
    locusts_fab.submit(first.swarm(A, first_command), first.connection())
    wait_until(lambda: at_work(gates[0]) == 2, "tasks")
    shutil.rmtree(root)
    if removed == "environment and ledger":
        shutil.rmtree(first.state)
    swarm = first.swarm(B, second_command)
    locusts_fab.submit(swarm, first.connection(), retry=True)
    wait_until(lambda: at_work(gates[1]) == 2, "tasks of the second")
    (gates[0] / "go").touch()  # the first manager goes on, where everything has another owner
    (gates[1] / "go").touch()
    collected = locusts_fab.collect(swarm, first.connection(), wait=True)
    assert (collected.status.tasks.done, collected.troubles) == (4, 0)
    assert first.results() == expected(B, 4 if removed == "environment" else 1)  # no number is given twice
    (made,) = root.glob("exec/id.*")
    of_ours = f"{1 if 'ledger' in removed else 2}-0-{made.name[3:]}.tsv"
    # the first manager may have left a file too, under its own name
    assert [path.name for path in root.glob(f"exec/cache/*-{made.name[3:]}.tsv")] == [of_ours]


def test_results_of_an_environment_that_somebody_else_made_anew_can_be_given_up(
    first: Laptop, root: Path, tmp_path: Path
) -> None:
    locusts_fab.submit(first.swarm(A), first.connection())
    locusts_fab.watch(first.swarm(A), first.connection())
    shutil.rmtree(root)
    second = Laptop(tmp_path / "second", first.target, first.connect)
    second.run(second.swarm(B))
    before = listing(root)
    for action in (locusts_fab.status, locusts_fab.collect, locusts_fab.clean, locusts_fab.submit):
        with pytest.raises(StateError, match="is not known here"):
            action(first.swarm(A), first.connection())
    locusts_fab.clean(first.swarm(A), first.connection(), force=True)
    assert listing(root) == before
    elsewhere = Laptop(first.folder, first.target.replace("/there", "/elsewhere"), first.connect)
    elsewhere.run(elsewhere.swarm(A))
    assert elsewhere.results() == expected(A)


def test_attach_reads_a_damaged_plan_as_far_as_it_is_whole(first: Laptop, root: Path) -> None:
    first.run(first.swarm(A))
    damaged = root / "exec/plan/000002"
    damaged.write_bytes(damaged.read_bytes()[:12])
    lose(first, "ledger lost")
    status = locusts_fab.attach(first.swarm(A), first.connection())
    assert (status.tasks.total, status.tasks.done) == (2, 2)
    assert any("damaged" in note for note in status.notes)
    assert locusts_fab.submit(first.swarm(A), first.connection()).tasks == 1
    locusts_fab.collect(first.swarm(A), first.connection(), wait=True)
    assert first.results() == {"000001": "a1", "000003": "a3", "000004": "a2"}  # no number is given twice
