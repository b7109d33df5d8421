"""Numbers from elsewhere: what is one, what is none, and that nothing else is ever raised."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.bounds.numbers import LATEST_S, MOST, UnfitNumberError, seconds, whole, whole_or_none
from tests.support.forged import NO_NUMBERS, NO_TIMES, texts


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("7", 7), ("000012", 12), ("0" * 19 + "1", 1), ("9" * 18, MOST)]
)
def test_what_is_a_whole_number(text: str, number: int) -> None:
    assert whole(text) == whole_or_none(text) == number


@pytest.mark.parametrize("text", [*NO_NUMBERS, str(10**18), "0" * 21])
def test_what_is_no_whole_number(text: str) -> None:
    assert whole_or_none(text) is None
    with pytest.raises(UnfitNumberError, match=f"expected a whole number from 0 to {MOST}") as caught:
        whole(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["0", "256", "1000"])
def test_a_number_has_bounds(text: str) -> None:
    assert whole_or_none(text, 1, 255) is None
    with pytest.raises(UnfitNumberError, match=f"'{text}': expected a whole number from 1 to 255"):
        whole(text, 1, 255)
    assert (whole("1", 1, 255), whole("255", 1, 255)) == (1, 255)


@given(texts)
def test_any_text_is_a_number_or_none(text: str) -> None:
    number = whole_or_none(text)
    assert number is None or (0 <= number <= MOST and str(number) == text.lstrip("0").rjust(1, "0"))


@given(st.integers(0, MOST))
def test_every_number_of_ours_is_one(number: int) -> None:
    assert whole(str(number)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("1700000000", 1.7e9), ("1.5", 1.5), ("1,25", 1.25), ("1\u066b25", 1.25), ("253402300799", LATEST_S)],
)
def test_what_is_a_time(text: str, number: float) -> None:
    assert seconds(text) == number


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UnfitNumberError, match="expected a time in seconds"):
        seconds(text)


@given(texts)
def test_every_time_can_be_shown(text: str) -> None:
    try:
        number = seconds(text)
    except UnfitNumberError:
        return
    assert math.isfinite(number)
    time.strftime("%Y-%m-%d %H:%M", time.gmtime(number))
