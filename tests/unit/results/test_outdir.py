"""Which folder results came to, as the ledger remembers it, and what can come again to another one."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import StateError
from locusts_fab.results.outdir import (
    come_to_outdir,
    is_where_it_was,
    note_outdir,
    refuse_stranded,
    where_it_lies,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.outcomes import Case

THERE = ".c0ffee12"


def end_all(case: Case) -> None:
    """Let three tasks end: of this environment, of another one, and with nothing that would come."""
    case.plan(a=("out",), b=("out",), c=("out",))
    for number, claim in ((1, "000001.1.c0ffee12"), (2, "000001.1.00000000")):
        (case.sandbox(number, claim=claim) / "out").touch()
        case.end(number, "1", claim=claim)
    case.end(3, "0", claim="000001.1.00000000")
    case.collect()


def settle(case: Case, there: str | None = THERE) -> None:
    come_to_outdir(case.results, case.ledger, case.ledger.path.parent, lambda: there)


def turn(case: Case, outdir: Path) -> None:
    case.results, case.outdir = replace(case.results, outdir=outdir), outdir


@pytest.mark.parametrize(("there", "lost"), [(THERE, 1), (None, 2), (".00000000", 1), (".", 2)])
def test_what_cannot_come_again_keeps_all_as_it_is(case: Case, there: str | None, lost: int) -> None:
    settle(case)
    end_all(case)
    before = case.outdir
    turn(case, case.outdir.parent / "other")
    known = case.ledger.own_files.of_tasks([0, 1, 2])
    for check in (come_to_outdir, refuse_stranded):
        with pytest.raises(StateError, match=rf"what {lost} tasks? left was brought to .*the results; it cannot"):
            check(case.results, case.ledger, case.ledger.path.parent, lambda: there)
    assert case.ledger.own_files.of_tasks([0, 1, 2]) == known
    assert case.ledger.count_collected() == 3
    assert where_it_lies(case.results, case.ledger, case.ledger.path.parent).outdir == before


def test_what_runs_again_need_not_come(case: Case) -> None:
    settle(case)
    end_all(case)
    turn(case, case.outdir.parent / "other")
    with case.ledger.transaction():
        case.ledger._db.execute("CREATE TEMP TABLE chosen (number INTEGER PRIMARY KEY)")
        case.ledger._db.execute("INSERT INTO chosen VALUES (2)")
    refuse_stranded(case.results, case.ledger, case.ledger.path.parent, lambda: THERE, but_chosen=True)
    assert case.ledger.count_stranded(THERE) == 1


def test_all_comes_again_and_nothing_there_is_ours(case: Case) -> None:
    case.plan(a=("out",))
    settle(case)
    (case.sandbox(1, claim="000001.1.c0ffee12") / "out").write_text("new")
    case.end(1, "1", claim="000001.1.c0ffee12")
    case.collect()
    first, other = case.outdir, case.outdir.parent / "other"
    (other / "a").mkdir(parents=True)
    (other / "a/out").write_text("mine")
    turn(case, other)
    settle(case)
    assert case.collect() == 1
    assert "in the way: a/out is here already" in case.ledger.troubles()[1, "out"]
    assert [(folder / "a/out").read_text() for folder in (first, other)] == ["new", "mine"]
    turn(case, first)
    case.results.tasks_table.unlink()
    case.results.outputs_table.unlink()
    settle(case)
    assert case.collect() == 1, "and what is the same there already counts as brought"
    assert (case.ledger.troubles(), case.outputs()[0][2]) == ({}, "present")


def test_a_folder_is_known_wherever_it_was_moved(case: Case, tmp_path: Path) -> None:
    settle(case)
    end_all(case)
    for to in (tmp_path / "moved", tmp_path.parent / f"{tmp_path.name} far"):
        case.outdir.rename(to)
        turn(case, to)
        settle(case, None)
        assert case.collect() == 0
    os.utime(case.results.tasks_table, ns=(0, 0))  # as in a copy without its times
    assert is_where_it_was(case.results, case.ledger, tmp_path)
    turn(case, tmp_path / "back")
    to.rename(case.outdir)
    assert not is_where_it_was(case.results, case.ledger, tmp_path)


def test_a_ledger_that_does_not_know_takes_the_present_folder(case: Case) -> None:
    end_all(case)
    assert is_where_it_was(case.results, case.ledger, case.ledger.path.parent)
    note_outdir(case.results, case.ledger, case.ledger.path.parent)
    turn(case, case.outdir.parent / "other")
    note_outdir(case.results, case.ledger, case.ledger.path.parent)
    assert not is_where_it_was(case.results, case.ledger, case.ledger.path.parent)


def test_a_folder_in_the_project_goes_with_it(case: Case, tmp_path: Path) -> None:
    settle(case)
    assert case.ledger.fact("outdir") == "the results"
    turn(case, tmp_path)
    settle(case)
    assert case.ledger.fact("outdir") == "."
    turn(case, tmp_path.parent / f"{tmp_path.name}-other")
    settle(case)
    assert case.ledger.fact("outdir") == os.path.realpath(case.outdir)
