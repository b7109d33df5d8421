"""Ids of tasks: which are refused, and that the others make names that are free."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.layout import Results
from locusts_fab.plan.ids import why_id_is_unusable

TASKS = Results(Path("/out"), is_flat=False)


@pytest.mark.parametrize(
    ("task_id", "problem"),
    [
        (".", "taken"),
        ("..", "taken"),
        ("logs", "taken"),
        ("tasks.tsv", "taken"),
        ("outputs.tsv", "taken"),
        ("modified.tsv", "taken"),
        ("batch_000", "taken"),
        ("batch_1000", "taken"),
        ("a/b", "file name"),
        ("a\0b", "file name"),
        ("x" * 252, "251 bytes"),
        ("é" * 126, "251 bytes"),
        ("\udcff" * 252, "251 bytes"),
    ],
)
def test_ids_that_cannot_be(task_id: str, problem: str) -> None:
    why = why_id_is_unusable(task_id)
    assert why is not None
    assert problem in why


@pytest.mark.parametrize(
    "task_id", ["1", "...", "log", "logs ", "LOGS", "batch_00", "x" * 251, "é" * 125, "a\nb", "-rf", "\udcff", "$(x)"]
)
def test_ids_that_can_be(task_id: str) -> None:
    assert why_id_is_unusable(task_id) is None


@settings(deadline=None)
@given(st.text(min_size=1, max_size=300))
def test_an_id_that_is_allowed_makes_names_that_are_free(task_id: str) -> None:
    if why_id_is_unusable(task_id) is None:
        place = TASKS.place(task_id, 1, 1)
        assert place not in {"", ".", "..", "logs", TASKS.tasks_table.name, TASKS.outputs_table.name}
        assert len(Path(TASKS.log(task_id)).name.encode()) <= 255
