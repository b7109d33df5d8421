"""Whose environment it is, in words; what a target says of it may be anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.state.identity import Founder, foreign_error, read_notes, write_note
from locusts_fab.tsv import join_fields
from tests.support.configs import swarm_on
from tests.support.environments import ID, OTHER_ID
from tests.support.forged import NO_NUMBERS, NO_TIMES, texts

if TYPE_CHECKING:
    from pathlib import Path


def test_who_makes_an_environment_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "it's a\tproject\n"
    (founder,) = read_notes([f"{ID}\t{write_note(swarm_on(folder, mode='local'))}"])
    assert (founder.id, founder.folder) == (ID, str(folder))
    assert all([founder.user, founder.machine])
    assert founder.made.startswith("20")


@pytest.mark.parametrize(
    "note",
    ["", "me", "a\tb\tc\td\te", "me\thost\t/x\tyesterday", "me\thost\t/x\t99999999999999999999", "\udcff\t\t\t-1"]
    + [f"me\thost\t/x\t{text}" for text in (*NO_NUMBERS, *NO_TIMES)],
)
def test_a_note_may_be_anything(note: str) -> None:
    (founder,) = read_notes([f"{ID}\t{note}"])
    assert founder.id == ID
    assert ID not in str(founder)


@given(fields=st.lists(texts, max_size=5))
def test_any_text_in_a_note(fields: list[str]) -> None:
    for founder in read_notes([join_fields([ID, *fields]), "\t".join([ID, *fields])]):
        assert str(founder)


@pytest.mark.parametrize("line", ["", "x", "c0ffee1\tme\th\t/x\t1", "C0FFEE12\tme\th\t/x\t1", "$(touch x)"])
def test_what_is_no_id_is_passed_over(line: str) -> None:
    assert read_notes([line]) == []


def test_the_error_names_who_and_what_to_do() -> None:
    both = [Founder(ID, "ann", "laptop", "/home/ann/p", "2026-01-01 12:00"), Founder(OTHER_ID, "bob", "pc", "/p", "?")]
    error = foreign_error(both, "/root/s", "cluster")
    assert "ann on laptop in /home/ann/p on 2026-01-01 12:00 and by bob on pc in /p" in error.message
    assert "/root/s (cluster)" in error.message
    assert "`locusts attach`" in str(error.hint)
    assert "no id" in foreign_error([], "/root/s", "cluster").message
