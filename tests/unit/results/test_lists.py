"""The columns of tasks.tsv: the same ones first, then one for each value that makes a task the one that it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.model.tasks import Task
from locusts_fab.results.lists import _ValueColumns
from locusts_fab.tsv import unescape

if TYPE_CHECKING:
    from locusts_fab.model.tasks import Values
    from tests.support.outcomes import Case

FIRST = ["task", "state", "exit", "attempts", "node", "start", "seconds", "reason", "cpu_s", "peak_mb"]


def plan(case: Case, **tasks: Values) -> None:
    case.ledger.take_plan([Task(task_id, task_id, (), (), values) for task_id, values in tasks.items()], "/e")
    case.ledger.begin_submission(1, 1)


def test_each_value_has_a_column(case: Case) -> None:
    plan(case, a=(("temperature", "280"), ("seed", "1")), b=(("temperature", "300"), ("seed", "2")))
    case.end(2, "", "failed", log="no", reason="exit 3")
    case.collect()
    rows = case.tasks()
    assert [list(row) for row in rows] == [[*FIRST, "temperature", "seed"]] * 2
    assert [(row["task"], row["temperature"], row["seed"], row["reason"]) for row in rows] == [
        ("a", "280", "1", "not started"),
        ("b", "300", "2", "exit 3: no"),
    ]


def test_a_name_that_is_taken_gets_a_line_below(case: Case) -> None:
    plan(case, a=(("state", "x"), ("cpu_s", "y"), ("state_", "z"), ("node", "\t"), ("é b", "\n")))
    case.collect()
    (row,) = case.tasks()
    assert list(row)[len(FIRST) :] == ["state_", "cpu_s_", "state__", "node_", "é b"]
    assert list(row.values())[len(FIRST) :] == ["x", "y", "z", "\t", "\n"]


def test_tasks_without_values_have_no_columns(case: Case) -> None:
    plan(case, a=(), b=())
    case.collect()
    assert [list(row) for row in case.tasks()] == [FIRST] * 2


def test_tasks_with_other_values_have_empty_cells(case: Case) -> None:
    """Such as done ones of a sweep that had fewer names."""
    plan(case, a=(("seed", "1"),))
    case.end(1, "")
    case.collect()
    case.ledger.take_plan([Task("b", "b", (), (), (("temperature", "3"), ("seed", "2")))], "/e")
    case.collect()
    rows = [list(row.values())[len(FIRST) :] for row in case.tasks()]
    assert list(case.tasks()[0])[len(FIRST) :] == ["seed", "temperature"]
    assert rows == [["1", ""], ["2", "3"]]


VALUES = st.lists(st.tuples(st.sampled_from(["a", "task", "b", "a_"]), st.text(max_size=3)), unique_by=lambda p: p[0])


@settings(deadline=None)
@given(st.lists(VALUES, max_size=5))
def test_every_row_has_every_column(tasks: list[list[tuple[str, str]]]) -> None:
    columns = _ValueColumns()
    base = "\t" * (len(FIRST) - 1)
    rows = list(map(base.__add__, [columns.cells(tuple(values)) for values in tasks]))
    header, *lines = map(os.fsdecode, columns.whole_rows(map(os.fsencode, [base + columns.names(), *rows])))
    names = [unescape(name) for name in header.rstrip("\n").split("\t")]
    assert len(set(names[len(FIRST) :])) == len(names) - len(FIRST)
    for values, line in zip(tasks, lines, strict=True):
        cells = [unescape(cell) for cell in line.rstrip("\n").split("\t")]
        assert len(cells) == len(names)
        assert sorted(filter(None, cells)) == sorted(value for _, value in values if value)
