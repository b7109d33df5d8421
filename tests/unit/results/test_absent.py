"""What was removed here and does not come again: nothing else that is here of the same attempt goes with it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.outputs import ABSENT, GONE

if TYPE_CHECKING:
    from tests.support.outcomes import Case


def ran(case: Case, claim: str = "000001.1") -> None:
    """Let a task end with two outputs and a log, and collect it."""
    case.plan_all({"a b": ("out", "other")})
    end(case, claim)
    assert case.collect() == 1
    assert case.files() == {"a b/out", "a b/other", "logs/a b.log"}


def end(case: Case, claim: str) -> None:
    for name in ("out", "other"):
        (case.sandbox(1, claim=claim) / name).write_text(f"{name} of {claim}")
    case.end(1, "11", claim=claim, log="hi")


def lose(case: Case) -> None:
    """Lose all that tasks left on the target."""
    shutil.rmtree(Path(case.environment.root, "work"))


def statuses(case: Case) -> list[str]:
    return [row[2] for row in case.outputs()]


# ---------------------------------------------------------------------------------------------------------------------
# The environment is there, and has lost it


@pytest.mark.parametrize("name", ["a b/out", "logs/a b.log"])
def test_what_does_not_come_again_takes_nothing_along(case: Case, name: str) -> None:
    ran(case)
    lose(case)
    (case.outdir / name).unlink()
    for _ in range(2):
        case.collect()
        assert case.files() == {"a b/out", "a b/other", "logs/a b.log"} - {name}
        assert case.ledger.troubles() == ({(1, "out"): GONE} if name.endswith("out") else {})
    assert case.ledger.own_files.marks([name, "a b/other"]).keys() == {"a b/other"}


def test_what_the_user_made_of_a_result_is_nothing_that_is_lacking(case: Case) -> None:
    ran(case)
    (case.outdir / "a b/other").write_text("edited")
    (case.outdir / "a b/out").unlink()
    case.collect()
    assert case.ledger.troubles() == {}
    assert (case.outdir / "a b/out").read_text() == "out of 000001.1"
    assert (case.outdir / "a b/other").read_text() == "edited"


def test_what_stands_in_the_place_of_a_newer_result_is_not_taken_for_it(case: Case) -> None:
    """What was in the way when a newer attempt was collected is none of its results, whatever is collected again."""
    ran(case)
    kept = case.outdir / "kept"
    (case.outdir / "a b/other").rename(kept)
    (case.outdir / "a b/other").write_text("edited")
    case.ledger.forget_results()
    case.ledger.begin_submission(2, 2)
    end(case, "000002.1")
    case.collect()
    assert "was changed here" in case.ledger.troubles()[1, "other"]
    kept.replace(case.outdir / "a b/other")  # as it was brought the first time
    (case.outdir / "a b/out").unlink()
    lose(case)
    case.collect()
    assert case.ledger.troubles() == {(1, "out"): GONE, (1, "other"): GONE}
    assert statuses(case) == ["error", "error"]
    assert case.files() == {"logs/a b.log"}


def test_a_newer_attempt_takes_the_place_of_an_earlier_one_though_something_was_to_come_again(case: Case) -> None:
    ran(case)
    case.ledger.set_uncollected([1])
    case.ledger.forget_results()
    case.ledger.begin_submission(2, 2)
    end(case, "000002.1")
    lose(case)
    case.collect()
    assert case.files() == set()
    assert statuses(case) == ["error", "error"]


def test_what_is_overwritten_stays_if_nothing_comes(case: Case) -> None:
    case.plan(a=("out",))
    (case.outdir / "a").mkdir(parents=True)
    (case.outdir / "a/out").write_text("mine")
    (case.sandbox(1) / "out").touch()
    case.end(1, "1")
    case.collect()
    assert "in the way" in case.ledger.troubles()[1, "out"]
    lose(case)
    for overwrite in (True, False):
        case.collect(overwrite=overwrite)
        assert (case.outdir / "a/out").read_text() == "mine"
        assert statuses(case) == ["error"]


# ---------------------------------------------------------------------------------------------------------------------
# It is gone, or another one is there


@pytest.mark.parametrize("there", [None, ".c0ffee12"])
def test_what_is_lacking_for_good_is_said_of_itself_alone(case: Case, there: str | None) -> None:
    ran(case)
    (case.outdir / "a b/out").rename(case.outdir / "away")
    lose(case)
    for _ in range(2):
        assert case.collect(there=there) == 0
        assert case.files() == {"a b/other", "logs/a b.log", "away"}
        assert case.ledger.troubles() == {(1, "out"): ABSENT}
        assert statuses(case) == ["error", "present"]
        assert f"out did not come back: {ABSENT}" in case.tasks()[0]["reason"]
    (case.outdir / "away").rename(case.outdir / "a b/out")
    assert case.collect(there=there) == 0
    assert case.ledger.troubles() == {}
    assert statuses(case) == ["present", "present"]


def test_a_log_that_is_gone_with_its_environment_is_not_missed(case: Case) -> None:
    ran(case)
    (case.outdir / "logs/a b.log").unlink()
    lose(case)
    assert case.collect(there=None) == 0
    assert case.files() == {"a b/out", "a b/other"}
    assert case.ledger.troubles() == {}


def test_it_comes_again_once_its_environment_is_there_again(case: Case) -> None:
    """As when a target was renamed, and gets its name back."""
    ran(case, "000001.1.c0ffee12")
    (case.outdir / "a b/out").unlink()
    assert case.collect(there=".decade12") == 0
    assert statuses(case) == ["error", "present"]
    assert case.collect(there=".c0ffee12") == 1
    assert statuses(case) == ["present", "present"]


def test_what_was_to_come_again_when_its_environment_went_is_waited_for_no_more(case: Case) -> None:
    ran(case)
    (case.outdir / "a b/out").unlink()
    case.ledger.set_uncollected([1])
    lose(case)
    assert case.ledger.count_collected() == 0
    assert case.collect(there=None) == 0
    assert case.ledger.count_collected() == 1
    assert statuses(case) == ["error", "present"]


def test_what_never_came_is_not_taken_for_what_was_removed(case: Case) -> None:
    ran(case)
    case.ledger.forget_results()
    case.ledger.begin_submission(2, 2)
    end(case, "000002.1.c0ffee12")
    lose(case)
    assert case.collect(there=".decade12") == 1
    assert case.ledger.troubles() == {(1, "out"): GONE, (1, "other"): GONE}
    assert case.files() == set()


# ---------------------------------------------------------------------------------------------------------------------
# Names


def test_why_something_is_lacking_is_told_whatever_its_name(case: Case) -> None:
    names = ["a\udcff", "é", "tab\there", "new\nline"]
    case.plan_all(dict.fromkeys(names, ("out", "other")))
    for number, name in enumerate(names, 1):
        for output in ("out", "other"):
            (case.sandbox(number) / output).touch()
        case.end(number, "11")
        (case.outdir / name).mkdir(parents=True)
        (case.outdir / name / "out").write_text("mine")
    case.collect()
    for number, name in enumerate(names, 1):
        assert case.ledger.troubles()[number, "out"].startswith(f"in the way: {name}/out is here already")
        assert f"in the way: {name}/out" in case.tasks()[number - 1]["reason"]
        (case.outdir / name / "out").unlink()
    for _ in range(2):
        case.collect(there=None)
        whys = list(case.ledger.troubles().values())
        assert len(whys) == len(names)
        assert set(whys) == {ABSENT}
    for name in names:
        (case.outdir / name / "out").touch()
    case.collect(there=None)
    assert case.ledger.troubles() == {}
