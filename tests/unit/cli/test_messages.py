"""What the commands print."""

from __future__ import annotations

import pytest

from locusts_fab.cli.messages import print_submitted
from locusts_fab.operations.submit import Submitted


@pytest.mark.parametrize(
    ("submitted", "printed"),
    [
        (Submitted(3, 9), "submitted 3 of 9 tasks\n"),
        (Submitted(0, 9), "nothing to submit: none of the 9 tasks waits\n"),
        (Submitted(0, 9, waiting=4), "4 tasks of an earlier submit are running or wait their turn\n"),
        (
            Submitted(0, 9, notes=["a note"], waiting=4),
            "a note\n4 tasks of an earlier submit are running or wait their turn\n",
        ),
        # whatever a note says, such as the name of a task
        (Submitted(0, 9, notes=["at work"]), "at work\nnothing to submit: none of the 9 tasks waits\n"),
    ],
)
def test_what_a_submit_came_to(capsys: pytest.CaptureFixture[str], submitted: Submitted, printed: str) -> None:
    print_submitted(submitted)
    assert capsys.readouterr().err == printed
