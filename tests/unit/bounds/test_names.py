"""Names from elsewhere: which are refused, and that all others stay where they are used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.bounds.names import Name, TaskId, UnsafeNameError, why_id_is_unusable, why_not_plain
from locusts_fab.layout import Results

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
        place = TASKS.place(TaskId(task_id), 1, 1)
        assert place not in {"", ".", "..", "logs", TASKS.tasks_table.name, TASKS.outputs_table.name}
        assert len(Path(TASKS.log(TaskId(task_id))).name.encode()) <= 255


# ---- names below a folder ----

LEADING_ELSEWHERE = [
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a/..",
    "a/./b",
    "./a",
    "a/",
    "a//b",
    "a\0b",
    "x" * 256,
    "é" * 128,
    "a/" + "\udcff" * 256,
    "/".join(["x" * 200] * 21),
    "\ud800",
]


@pytest.mark.parametrize("text", LEADING_ELSEWHERE)
def test_names_that_are_refused(text: str) -> None:
    with pytest.raises(UnsafeNameError):
        Name(text)
    with pytest.raises(UnsafeNameError):
        Name("a") / text
    with pytest.raises(UnsafeNameError):
        TaskId(text)


@pytest.mark.parametrize("text", ["a", "...", "..a", "a b/\n", "-rf", "~", "\udcff/x", "x" * 255, "é" * 127, r"a\..\b"])
def test_names_that_are_taken(text: str) -> None:
    assert Name(text) == text
    assert Name("up") / text == f"up/{text}"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", ".", "..", "a", "b", "...", "\0"]), max_size=5).map("/".join))
def test_a_name_leads_to_something_below_its_folder(text: str) -> None:
    """What pathlib makes of it is the reference, but that it tidies up what we refuse."""
    if why_not_plain(text) is None:
        assert str(Path("/folder", text)) == f"/folder/{text}"
        assert Path("/folder", text).resolve().is_relative_to("/folder")
        assert text != ""
