"""What the commands tell a person."""

from __future__ import annotations

import pytest

from locusts_fab.cli.messages import tell_submitted
from locusts_fab.operations.submit import Submitted


@pytest.mark.parametrize(
    ("submitted", "told"),
    [
        (Submitted(3, 9), "submitted 3 of 9 tasks\n"),
        (Submitted(0, 9), "nothing to submit: none of the 9 tasks waits\n"),
        (Submitted(0, 9, waiting=4), "4 tasks of an earlier submit are at work or wait their turn\n"),
        (
            Submitted(0, 9, notes=["a note"], waiting=4),
            "a note\n4 tasks of an earlier submit are at work or wait their turn\n",
        ),
        # whatever a note says, such as the name of a task
        (Submitted(0, 9, notes=["at work"]), "at work\nnothing to submit: none of the 9 tasks waits\n"),
    ],
)
def test_what_a_submit_came_to(capsys: pytest.CaptureFixture[str], submitted: Submitted, told: str) -> None:
    tell_submitted(submitted)
    assert capsys.readouterr().err == told
