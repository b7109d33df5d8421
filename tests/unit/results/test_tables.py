"""What the tables say of what was collected, and of what could not be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import Began
from locusts_fab.model.tasks import Task
from locusts_fab.results.lists import describe

if TYPE_CHECKING:
    from tests.support.outcomes import Case


@pytest.mark.parametrize("outputs", [("x",), ("y",), ("y", "x", "z"), ()])
def test_what_was_found_says_nothing_of_other_outputs(case: Case, outputs: tuple[str, ...]) -> None:
    """After a change of the config a failed task may have more outputs than were looked for, or fewer."""
    case.plan(a=("x", "y"))
    (case.sandbox(1) / "x").touch()
    case.end(1, "10", "failed", reason="missing output")
    case.collect()
    case.ledger.take_plan([Task("a", "true", (), outputs)], "/e")
    case.collect()
    assert [(name, status) for _, name, status, _ in case.outputs()] == [("x", "present"), ("y", "missing")]


def test_the_reason_of_an_error_is_in_the_table_of_tasks(case: Case) -> None:
    case.plan(a=("out", "other", "fine"), b=())
    os.mkfifo(case.sandbox(1) / "out")
    (case.sandbox(1) / "fine").touch()
    case.end(1, "111", "failed", reason="exit 3", log="oh no\n")
    case.end(2, "")
    case.collect()
    first, second = case.tasks()
    assert first["reason"] == (
        "exit 3: oh no; out did not come back: it is neither a file nor a folder;"
        " other did not come back: it is not there any more"
    )
    assert second["reason"] == ""


def test_one_that_cannot_be_read_holds_up_no_other(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk there that fails for one file, for ever, where it has to be copied."""
    case.plan(a=("out",), b=("out",))
    for number in (1, 2):
        (case.sandbox(number) / "out").write_text("x")
        case.end(number, "1")
    bad = (case.sandbox(1) / "out").stat().st_ino
    read = os.read

    def reads(descriptor: int, size: int) -> bytes:
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(5, "Input/output error")
        return read(descriptor, size)

    def refuse(*_paths: object, **_options: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "read", reads)
    for _ in range(2):
        case.collect()
        assert [row[2] for row in case.outputs()] == ["error", "present"]
    monkeypatch.undo()
    assert case.collect() == 1
    assert [row[2] for row in case.outputs()] == ["present", "present"]


def test_only_a_task_that_ended_by_itself_has_its_last_line_in_the_table(case: Case) -> None:
    case.plan(a=(), b=(), c=())
    for number, reason in enumerate(("exit 3", "exited oddly", "signal 9"), 1):
        case.end(number, "", "failed", reason=reason, log="oh no\n")
    case.collect()
    assert [row["reason"] for row in case.tasks()] == ["exit 3: oh no", "exited oddly", "signal 9"]


def test_names_of_missing_outputs_are_the_reason(case: Case) -> None:
    case.plan(a=("x", "y\tz", "w"))
    (case.sandbox(1) / "w").touch()
    case.end(1, "001", "failed", reason="missing output")
    case.collect()
    (outcome,) = case.ledger.outcomes()
    assert describe(outcome) == "missing output: x, y\tz"
    assert case.tasks()[0]["reason"] == "missing output: x, y\tz"


def test_a_running_task_is_pending_in_the_table(case: Case) -> None:
    case.plan(a=("out",))
    with case.ledger.transaction():
        case.ledger.apply("1-0", [Began("000001.1", 1, 1, 10.5, 1)], 0)
    case.collect()
    assert list(case.tasks()[0].values()) == ["a", "pending", "", "1", "", "10.500000", "", "running", "", ""]


def test_a_reason_that_has_the_line_stays_as_it_is(case: Case) -> None:
    case.plan(a=(), b=("x",))
    case.end(1, "", "failed", reason="exit 3: Error: no", log="Error: no\nbye\n")
    case.end(2, "0", "failed", reason="missing output (Error: no)", log="Error: no\nbye\n")
    case.collect()
    assert [row["reason"] for row in case.tasks()] == ["exit 3: Error: no", "missing output: x (Error: no)"]


@pytest.mark.parametrize("log", ["10%\r20%\rfailed", "a\x0bb", "a\x1cb\x85c\u2028d", "\x1b[31mred\x1b[0m", "a\rb\n"])
def test_whatever_a_task_prints_it_has_one_line_in_the_table(case: Case, log: str) -> None:
    case.plan(a=(), b=())
    case.end(1, "", "failed", log=log, reason="exit 3")
    case.end(2, "")
    case.collect()
    with case.results.tasks_table.open(encoding="utf-8") as file:  # a lone carriage return ends a line too
        assert [line.split("\t")[0] for line in file] == ["task", "a", "b"]


def test_tables_can_be_read_by_others_and_are_replaced_whole(case: Case) -> None:
    case.plan(a=("out",))
    case.collect()
    with case.results.tasks_table.open(encoding="utf-8") as reader:
        case.end(1, "0", "failed", reason="missing output")
        case.collect()
        assert "pending" in reader.read()
    for path in (case.results.tasks_table, case.results.outputs_table):
        assert path.stat().st_mode & 0o777 == 0o644
