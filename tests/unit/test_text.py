"""Numbers, times and a status in words; guessing what was meant; any text made safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.model.swarms import Counts, Status, SwarmState
from locusts_fab.text import counted, duration, first_few, fitted, nearest, printable, rate


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
    assert status.summary == line


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


def test_what_is_to_stay_stays() -> None:
    assert printable("a\tb\n\x07", "\n\t") == "a\tb\n\\x07"
    assert printable("a\nb", keep="") == "a\\nb"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("prot", "port"),
        ("PORT", "port"),
        ("cpus-per-task", "cpus_per_task"),
        ("slts", "Slots"),
        ("zzz", None),
        ("", None),
    ],
)
def test_the_word_that_was_meant(word: str, meant: str | None) -> None:
    assert nearest(word, ["port", "cpus_per_task", "Slots"]) == meant


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, []), (2, ["0", "1"]), (3, ["0", "1", "and 1 more"]), (12, ["0", "1", "and 10 more"])],
)
def test_of_many_the_first_few(count: int, shown: list[str]) -> None:
    assert first_few([str(number) for number in range(count)], 2) == shown


@pytest.mark.parametrize(
    ("per_second", "shown"),
    [
        (1234.5, "1,234 tasks a second"),
        (35.2, "35 tasks a second"),
        (7.94, "7.9 tasks a second"),
        (0.5, "30 tasks a minute"),
        (0.01, "36 tasks an hour"),
        (0.0001, "0.36 tasks an hour"),
    ],
)
def test_rates(per_second: float, shown: str) -> None:
    assert rate(per_second) == shown


def test_counted() -> None:
    assert [counted(count, "task") for count in (0, 1, 2, 8312)] == ["0 tasks", "1 task", "2 tasks", "8,312 tasks"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short", "short"),
        ("a line that is broken", "a line that is\n  broken"),
        ("  a hint that is broken", "  a hint that is\n    broken"),
        ("/a/path/that/is/too/long/to/fit and more", "/a/path/that/is/too/long/to/fit\n  and more"),
        ("next: `locusts logs 5` shows", "next:\n  `locusts logs 5`\n  shows"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("", ""),
    ],
)
def test_lines_are_broken_between_words(text: str, shown: str) -> None:
    assert fitted(text, 18) == shown


@given(st.text("ab /`-.", max_size=80), st.integers(10, 40))
def test_no_word_is_lost_or_broken(text: str, width: int) -> None:
    assert fitted(text, width).split() == text.split()
