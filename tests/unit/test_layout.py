"""Names and places: each file has one, and no two things share it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.bounds.names import TaskId
from locusts_fab.layout import BATCH_ABOVE, Environment, Results, manager_id

TASKS = Results(Path("/out"), is_flat=False)
FLAT = Results(Path("/out"), is_flat=True)


def test_names_in_the_environment() -> None:
    environment = Environment("/scratch/me/it's here")
    assert environment.chunk(12) == "exec/plan/000012"
    assert environment.chunk(12_345_678) == "exec/plan/12345678"
    assert environment.inputs(999) == "inputs/0/999"
    assert environment.inputs(1000) == "inputs/1/1000"
    assert environment.sandbox("000012.1", 7, 1) == "work/000012.1/7"
    assert environment.sandbox("000012.2", 7, 3) == "work/000012.2/7.3"
    assert environment.log("000012.2", 3) == "work/000012.2/log.3"
    assert environment.shared("sf1", "a b") == "shared/sf1/a b"
    assert environment.absolute("exec") == "/scratch/me/it's here/exec"


def test_every_file_lies_in_a_folder_that_is_made() -> None:
    environment = Environment("/e")
    for path in (environment.manager_script, environment.start_script, environment.chunk(1)):
        assert str(Path(path).parent) in Environment.FOLDERS
    for index, folder in enumerate(Environment.FOLDERS):
        assert "/" not in folder or str(Path(folder).parent) in Environment.FOLDERS[:index]


@settings(deadline=None)
@given(st.integers(1, 10**4), st.integers(1, 20), st.integers(1, 10**4), st.integers(1, 20))
def test_no_two_attempts_share_a_sandbox(task: int, attempt: int, other_task: int, other_attempt: int) -> None:
    environment = Environment("/e")
    is_same = (task, attempt) == (other_task, other_attempt)
    one, other = environment.sandbox("1.1", task, attempt), environment.sandbox("1.1", other_task, other_attempt)
    assert (one == other) is is_same
    assert one != environment.log("1.1", other_task)


def test_managers_are_named_after_submission_and_element() -> None:
    assert manager_id(3) == "3-0"
    assert manager_id(3, 12) == "3-12"


@pytest.mark.parametrize(
    ("results", "number", "total", "place"),
    [
        (TASKS, 1, 1, "a"),
        (TASKS, BATCH_ABOVE, BATCH_ABOVE, "a"),
        (TASKS, 1, BATCH_ABOVE + 1, "batch_000/a"),
        (TASKS, 1000, BATCH_ABOVE + 1, "batch_000/a"),
        (TASKS, 1001, BATCH_ABOVE + 1, "batch_001/a"),
        (TASKS, 1_000_001, 2_000_000, "batch_1000/a"),
        (FLAT, 1, 1, "."),
        (FLAT, 1, BATCH_ABOVE + 1, "."),
    ],
)
def test_where_outputs_go(results: Results, number: int, total: int, place: str) -> None:
    assert results.place(TaskId("a"), number, total) == place


def test_logs_and_tables() -> None:
    assert TASKS.log(TaskId("a b")) == "logs/a b.log"
    assert TASKS.tasks_table == Path("/out/tasks.tsv")
    assert TASKS.outputs_table == Path("/out/outputs.tsv")
