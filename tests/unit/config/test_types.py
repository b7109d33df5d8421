"""Times as people write them; what the other kinds of values refuse is in test_schema.py, in the user's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.load import load
from locusts_fab.config.units import parse_duration
from tests.support.configs import SWARM, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90), (0.5, 0.5), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400),
        ("1h30m", 5400), ("1d 2h", 93600), ("1.5h", 5400), (" 3s ", 3), ("2m1s", 121),
    ],
)  # fmt: skip
def test_times_as_people_write_them(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "90", "0", 0, -1, "0s", "-1", "m", "10 minutes", "1h30", "1m1h", "inf", "9" * 400, "\u0663s",
        float("nan"), float("inf"), 10**400, True, [],
    ],
)  # fmt: skip
def test_no_times(written: object) -> None:
    with pytest.raises(ValueError, match="expected a time such as 90"):
        parse_duration(written)


@pytest.mark.parametrize("name", ["*.csv", "plots/*.png", "**/x", "out?.txt", "run[0-9].txt", "a[!x]", "<id>*"])
def test_an_output_may_be_a_pattern(tmp_path: Path, name: str) -> None:
    swarm = load(write(tmp_path, f"{SWARM}outputs = ['{name}']\n"))
    assert swarm.settings.outputs == [name]
    assert swarm.designated[0].startswith("\0g/")


def test_what_is_optional_and_what_is_not_empty_is_marked(tmp_path: Path) -> None:
    path = write(tmp_path, f"{SWARM}outputs = ['a']\noptional_outputs = ['core.*', 'b']\n")
    assert load(path).designated == ["a", "\0go/core.\0*", "\0o/b"]
    path.write_text(f"{path.read_text()}nonempty = true\n")
    assert load(path).designated == ["\0n/a", "\0gon/core.\0*", "\0on/b"]


@pytest.mark.parametrize(
    ("written", "meant"), [("a[*].csv", "a*.csv"), ("[?]", "?"), ("[[]1].txt", "[1].txt"), ("a]", "a]"), ("[]", "[]")]
)
def test_characters_of_patterns_can_be_meant(tmp_path: Path, written: str, meant: str) -> None:
    assert load(write(tmp_path, f"{SWARM}outputs = ['{written}']\n")).designated == [meant]
