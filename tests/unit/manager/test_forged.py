"""Records and plans with any text in any field: they are taken as they are meant, or passed over as damage."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.manager.planfile import ForgedPlanError, parse_plan
from locusts_fab.manager.records import (
    Began,
    Ended,
    Left,
    Manager,
    Matched,
    Record,
    Suspect,
    parse_record,
    parse_records,
)
from locusts_fab.model.swarms import Submission
from locusts_fab.model.tasks import Task
from locusts_fab.state.ledger import Ledger
from tests.support.environments import ID
from tests.support.forged import NO_NUMBERS, NO_TIMES, encoded, texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLAIM = f"000001.1.{ID}"
MANAGER = f"1-0-{ID}"
#: A record of each kind, and where in it are whole numbers and times.
LINES = {
    "manager": (["manager", MANAGER, "node", "12", "2", "1.5", "5.2", "."], [3, 4], [5]),
    "began": (["began", CLAIM, "1", "1", "1.5", "3", "."], [2, 3, 5], [4]),
    "matched": (["matched", CLAIM, "1", "1", "1", "0", "a//b/c", "."], [2, 3, 4, 5], []),
    "ended": (["ended", CLAIM, "1", "1", "done", "0", "1.5", "2.5", "1", "1", "", "."], [2, 3, 5, 9], [6, 7]),
    "suspect": (["suspect", CLAIM, "1", "1", "."], [2, 3], []),
    "left": (["left", "finished", "1.5", "."], [], [2]),
}


def put(fields: list[str], at: int, text: str) -> str:
    """Return a line with another text in one of its fields."""
    return "\t".join([*fields[:at], text, *fields[at + 1 :]])


def test_the_lines_are_records() -> None:
    assert all(parse_record("\t".join(fields)) is not None for fields, _, _ in LINES.values())


@pytest.mark.parametrize("kind", LINES)
def test_a_record_with_a_forged_number_is_passed_over(kind: str) -> None:
    fields, numbers, times = LINES[kind]
    forged = [put(fields, at, text) for at in numbers for text in NO_NUMBERS]
    forged += [put(fields, at, text) for at in times for text in NO_TIMES]
    assert [line for line in forged if parse_record(line) is not None] == []
    data = "".join(f"{line}\n" for line in forged).encode("utf-8", "surrogateescape")
    assert parse_records(data) == ([], len(data))


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (1, f"{'1' * 300}.1.{ID}"),  # no file has such a name
        (1, f"000001.{'1' * 300}.{ID}"),
        (1, f"٣.1.{ID}"),
        (2, "0"),  # tasks and attempts count from 1
        (3, "0"),
        (5, "256"),
        (5, "1000"),
        (8, "2"),
        (8, "٣"),
        (8, "1" * 5000 + " "),
        (8, "1:"),
        (8, "1:0"),
        (8, "1:-1"),
        (8, "1:٣"),
        (8, "1:12345678"),
    ],
)
def test_a_record_of_what_cannot_be_is_passed_over(at: int, text: str) -> None:
    assert parse_record(put(LINES["ended"][0], at, text)) is None


@pytest.mark.parametrize(
    "names",
    [
        "",
        "/etc/passwd",
        "../a",
        "a/..",
        "a//",
        "//a",
        "a////b",
        ".",
        "a\0b",
        "x" * 256,
        "a/./b",
        "\\x2e\\x2e/a",
        "a//../b",
    ],
)
def test_a_record_of_matches_with_what_is_no_name_is_passed_over(names: str) -> None:
    assert parse_record(put(LINES["matched"][0], 6, names)) is None


@pytest.mark.parametrize("code", [0, 1, 128, 255])
def test_every_exit_code_counts(code: int) -> None:
    record = parse_record(put(LINES["ended"][0], 5, str(code)))
    assert isinstance(record, Ended)
    assert record.exit_code == code


def is_sound(record: Record) -> bool:
    """Return whether the ledger can hold, and anybody show, what a record says."""
    if isinstance(record, (Manager, Left)):
        return math.isfinite(record.time_s)
    if isinstance(record, (Suspect, Matched)):
        return record.task > 0 and record.attempt > 0
    if isinstance(record, Began):
        return math.isfinite(record.start_s) and 0 < record.task < 2**63 and 0 < record.attempt < 2**63
    return 0 <= record.exit_code <= 255 and math.isfinite(record.end_s - record.start_s)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path_factory.mktemp("state") / "ledger.sqlite")) as made:
        made.take_plan([Task("a", "true", (), ("out",))], "/e")
        made.begin_submission(1, 1)
        yield made


@settings(deadline=None)
@given(kind=st.sampled_from(sorted(LINES)), data=st.data())
def test_any_text_in_any_field_of_a_record(ledger: Ledger, kind: str, data: st.DataObject) -> None:
    fields = LINES[kind][0]
    line = encoded(put(fields, data.draw(st.integers(0, len(fields) - 1)), data.draw(texts))) + b"\n"
    records, read = parse_records(line)
    assert read == len(line)
    assert all(map(is_sound, records))
    with ledger.transaction():
        ledger.apply(MANAGER, records, read)
    for outcome in ledger.outcomes():
        assert len(outcome.found) in {0, 1}
        assert outcome.exit_code is None or 0 <= outcome.exit_code <= 255


@pytest.mark.parametrize(("kind", "at"), [("left", 1), ("ended", 10), ("manager", 2)])
def test_bytes_that_are_no_text(ledger: Ledger, kind: str, at: int) -> None:
    records, read = parse_records(encoded(put(LINES[kind][0], at, "\udcff\udcb2")) + b"\n")
    with ledger.transaction():
        ledger.apply(MANAGER, records, read)
    assert len(records) == 1


@pytest.mark.parametrize("found", ["", "11", "101", "1" * 5000])
def test_a_record_that_found_more_or_fewer_outputs_than_there_are_is_none(tmp_path: Path, found: str) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger, ledger.transaction():
        pass
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.take_plan([Task("a", "true", (), ("out",))], "/e")
        ledger.begin_submission(1, 1)
        record = parse_record(put(LINES["ended"][0], 8, found))
        assert record is not None
        with ledger.transaction():
            ledger.apply(MANAGER, [record], 0)
        assert [outcome.state.value for outcome in ledger.outcomes()] == ["pending"]


@pytest.mark.parametrize("task", ["2", "999999999999999999"])
def test_a_record_of_a_task_that_does_not_exist_changes_nothing(ledger: Ledger, task: str) -> None:
    before = list(ledger.outcomes())
    records = [parse_record(put(LINES[kind][0], 2, task)) for kind in ("began", "ended", "suspect")]
    with ledger.transaction():
        ledger.apply(f"1-7-{ID}", [record for record in records if record is not None], 0)
    assert list(ledger.outcomes()) == before


# ---------------------------------------------------------------------------------------------------------------------
# Plans

PLAN = ["chunk\t000001", "1\ta\ttrue\tout\t.", f"end\t1\t{ID}\t."]


@settings(deadline=None)
@given(line=st.integers(0, 2), at=st.integers(0, 4), text=texts)
def test_any_text_in_any_field_of_a_plan(
    tmp_path_factory: pytest.TempPathFactory, line: int, at: int, text: str
) -> None:
    lines = [put(each.split("\t"), at, text) if number == line else each for number, each in enumerate(PLAN)]
    plan = encoded("".join(f"{each}\n" for each in lines))
    submissions = [Submission(1, 1, "started", 1.0, "token", "")]
    path = tmp_path_factory.mktemp("state") / "ledger.sqlite"
    with contextlib.closing(Ledger(path)) as ledger, contextlib.suppress(ForgedPlanError):
        ledger.rebuild(parse_plan(plan, ID), submissions)
        assert all(0 < outcome.number < 2**63 for outcome in ledger.outcomes())
        ledger.take_plan([Task("new", "true", (), ("out",))], "/e")  # the next numbers fit, too
        latest = ledger.latest_submission()
        assert latest is not None
        assert latest.last_chunk < 10**9
        ledger.begin_submission(latest.last_chunk + 1, latest.last_chunk + 1)
        assert parse_record(f"began\t{latest.last_chunk + 1:06d}.1.{ID}\t2\t1\t1.5\t1\t.") is not None


@pytest.mark.parametrize("plan", [b"", b"\n", b"chunks\t1\n", b"\tchunk\t1\n"])
def test_a_plan_without_chunks(plan: bytes) -> None:
    assert list(parse_plan(plan, ID)) == []


@pytest.mark.parametrize("number", [*(text for text in NO_NUMBERS if "\n" not in text), "0", "999999999"])
def test_a_chunk_whose_number_does_not_fit_is_passed_over(number: str) -> None:
    plan = "\n".join([f"chunk\t{number}", *PLAN[1:], "chunk\t000002", *PLAN[1:], ""])
    assert [chunk.number for chunk in parse_plan(plan.encode("utf-8", "surrogateescape"), ID)] == [2]
