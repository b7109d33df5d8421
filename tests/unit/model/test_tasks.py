"""Tasks: what they know of themselves."""

from __future__ import annotations

import pytest

from locusts_fab.bounds.names import TaskId
from locusts_fab.model.tasks import Outcome, TaskState


def outcome(state: TaskState) -> Outcome:
    return Outcome(
        1, TaskId("a"), "true", (), state, None, 0, "", None, None, "", (), log=0, claim="", attempt=0, place=""
    )


@pytest.mark.parametrize(
    ("state", "ended"),
    [(TaskState.PENDING, False), (TaskState.RUNNING, False), (TaskState.DONE, True), (TaskState.FAILED, True)],
)
def test_a_task_has_ended_when_it_is_done_or_failed(state: TaskState, *, ended: bool) -> None:
    assert outcome(state).has_ended is ended


def test_the_words_that_scripts_rely_on() -> None:
    assert [state.value for state in TaskState] == ["pending", "running", "done", "failed"]
