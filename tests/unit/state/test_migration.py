"""Ledgers of an older version: they are read, each task is found again by what it ran, and nothing is lost."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.model.tasks import Planned
from locusts_fab.plan.tasks import make_plan
from locusts_fab.state.ledger import Ledger
from tests.support.ledgers import states

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = "/scratch/s"
COMMAND = "echo <temperature> <seed> <id> > out.txt; [ <seed> != 3 ]"
OLD = {"000001": "280 1", "000002": "280 2", "000003": "280 3", "000004": "300 1", "000005": "300 2", "000006": "300 3"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    path = tmp_path / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(Path(__file__).with_name("ledger_4.sql").read_text(encoding="utf-8"))
    with contextlib.closing(Ledger(path)) as made:
        yield made


def plan(ledger: Ledger, sweep: dict[str, list[str]], command: str = COMMAND) -> tuple[Planned, dict[str, str]]:
    """Plan a sweep; return how it differs from what is known, and the values of each id."""
    settings: dict[str, Any] = {"command": command, "outputs": ["out.txt"], "sweep": sweep}
    swarm = Swarm("s", SwarmSettings.model_validate(settings), "here", Target(mode="local"), ledger.path.parent)
    made = make_plan(swarm, ROOT, ledger.memory())
    tasks = list(made.tasks())
    planned = ledger.take_plan(tasks, ROOT, None, made.last_number)
    return planned, {task.id: " ".join(value for _, value in task.values) for task in tasks}


def test_all_that_it_knew_is_known(ledger: Ledger) -> None:
    assert states(ledger) == "ddfddf"
    assert ledger.count_collected() == 6
    assert [outcome.place for outcome in ledger.outcomes()] == list(OLD)
    assert ledger.latest_submission() is not None
    with contextlib.closing(Ledger(ledger.path)) as again:
        assert list(again.outcomes()) == list(ledger.outcomes())


def test_an_older_ledger_without_change(ledger: Ledger) -> None:
    assert plan(ledger, {"temperature": ["280", "300"], "seed": ["1", "2", "3"]}) == (Planned(6, 0, []), OLD)
    values = {outcome.id: " ".join(value for _, value in outcome.values) for outcome in ledger.outcomes()}
    assert values == OLD  # from now on they are known


@pytest.mark.parametrize(
    ("sweep", "new", "gone"),
    [
        ({"temperature": ["280", "290", "300"], "seed": ["1", "2", "3"]}, ["290 1", "290 2", "290 3"], []),
        ({"temperature": ["280", "300"], "seed": ["0", "1", "2", "3"]}, ["280 0", "300 0"], []),
        ({"temperature": ["300"], "seed": ["3", "1"]}, [], ["000001", "000002", "000003", "000005"]),
        ({"temperature": ["1"], "seed": ["1"]}, ["1 1"], list(OLD)),
    ],
)
def test_an_older_ledger_and_a_sweep_that_has_changed(
    ledger: Ledger, sweep: dict[str, list[str]], new: list[str], gone: list[str]
) -> None:
    planned, ids = plan(ledger, sweep)
    assert (planned.new, planned.changed, planned.gone) == (len(new), [], gone)
    assert {task_id: values for task_id, values in ids.items() if task_id in OLD} == {
        task_id: values for task_id, values in OLD.items() if task_id not in gone
    }
    assert [values for task_id, values in ids.items() if task_id not in OLD] == new


def test_where_an_older_ledger_cannot_tell_what_a_task_was_it_is_run_under_another_number(ledger: Ledger) -> None:
    planned, ids = plan(ledger, {"temperature": ["280"], "seed": ["1"]}, "echo <temperature> <seed>")
    assert (planned.new, planned.gone) == (1, list(OLD))
    assert list(ids) == ["000007"]


@pytest.mark.parametrize(("places", "jobs"), [(1, ["11", "12"]), (2, ["", "12"])])
def test_jobs_of_an_older_ledger_are_known_where_they_can_only_be(tmp_path: Path, places: int, jobs: list[str]) -> None:
    path = tmp_path / "ledger.sqlite"
    with contextlib.closing(Ledger(path)) as made:
        for number in (1, 2):
            made.set_submission(made.begin_submission(number, number).number, state="started", job=f"1{number}")
        for number in range(places):
            made.set_fact(f"environment /scratch/ü{number}", "c0ffee12")
        made.set_fact("place", "host:/scratch/ü1")
    with contextlib.closing(sqlite3.connect(path)) as database:
        columns = "number, first_chunk, last_chunk, state, created, token, job, boot, up"
        database.executescript(
            f"CREATE TABLE older AS SELECT {columns} FROM submissions; DROP TABLE submissions;"  # noqa: S608
            " ALTER TABLE older RENAME TO submissions; PRAGMA user_version = 7"
        )
    with contextlib.closing(Ledger(path)) as made:
        assert [each.job for each in made.submissions()] == jobs
