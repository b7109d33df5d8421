"""Words: how numbers, times and a status are said, and how any text is made safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.model import Counts, Status, SwarmState
from locusts_fab.text import duration, printable, summary


def status_of(counts: Counts, state: SwarmState = SwarmState.RUNNING, **more: object) -> Status:
    return Status("pairs", "here", state, counts, 0, **more)  # type: ignore[arg-type]


HALF = Counts(total=10, pending=4, running=1, done=4, failed=1)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (status_of(Counts(3, 3, 0, 0, 0), SwarmState.PLANNED), "pairs on here: planned, 0 of 3 done"),
        (status_of(Counts(3, 0, 0, 3, 0), SwarmState.FINISHED), "pairs on here: finished, 3 of 3 done"),
        (status_of(HALF, started=5.0), "pairs on here: running, 4 of 10 done, 1 failed, 1 running, 4 waiting"),
        (
            status_of(HALF, started=5.0, eta_s=90.0),
            "pairs on here: running, 4 of 10 done, 1 failed, 1 running, 4 waiting, about 90 s left",
        ),
    ],
)
def test_a_status_in_a_line(status: Status, line: str) -> None:
    assert summary(status) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (45, "45 s"),
        (119, "119 s"),
        (119.7, "2 min"),
        (120, "2 min"),
        (3600, "60 min"),
        (7199, "119 min"),
        (7200, "2 h 0 min"),
        (12_000, "3 h 20 min"),
        (100_000, "27 h 46 min"),
    ],
)
def test_a_time_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_shown(text: str) -> None:
    shown = printable(text)
    assert all(char.isprintable() or char == "\n" for char in shown)
    shown.encode()  # no bytes that are no text
    if all(char.isprintable() for char in text):
        assert shown == text


def test_what_cannot_be_shown_becomes_an_escape() -> None:
    assert printable("a\x1b[31mb\tc\udcff\nd") == "a\\x1b[31mb\\tc\\udcff\nd"
