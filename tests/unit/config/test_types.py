"""Times as people write them; what the other kinds of values refuse is in test_schema.py, in the user's words."""

from __future__ import annotations

import pytest

from locusts_fab.config.types import parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90), (0.5, 0.5), ("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400),
        ("1h30m", 5400), ("1d 2h", 93600), ("1.5h", 5400), (" 3s ", 3), ("2m1s", 121),
    ],
)  # fmt: skip
def test_times_as_people_write_them(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "0", 0, -1, "0s", "-1", "m", "10 minutes", "1h30", "1m1h", "inf", "9" * 400, "\u0663s",
        float("nan"), float("inf"), 10**400, True, [],
    ],
)  # fmt: skip
def test_no_times(written: object) -> None:
    with pytest.raises(ValueError, match="expected a time such as 90"):
        parse_duration(written)
