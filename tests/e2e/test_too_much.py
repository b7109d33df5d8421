"""Much of everything: what is long comes in parts or by its end, and what has no end is refused."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.errors import HostError
from locusts_fab.operations import attach
from locusts_fab.operations.look import logs
from locusts_fab.state import poll
from tests.support.findings import load
from tests.support.workspace import COPY, HERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workspace import Workspace

TASKS = 30
CONFIG = HERE + COPY.replace("cat f_<id>.txt", "seq 100; cat f_<id>.txt")


@pytest.fixture
def done(workspace: Workspace) -> Workspace:
    """Return a folder in which a swarm was run."""
    workspace.pairs(TASKS)
    workspace.write(CONFIG)
    assert workspace.locusts("run")[0] == 0
    return workspace


def environment(workspace: Workspace) -> Path:
    return next(workspace.folder.glob("**/exec/id.*")).parents[1]


def test_a_plan_comes_in_parts(done: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = len(list((environment(done) / "exec/plan").iterdir()))
    monkeypatch.setattr(attach, "_PART", 200)
    before = done.tasks()
    done.forget()
    parts = []
    whole = attach._read_part

    def read_part(*arguments: object) -> object:
        parts.append(arguments[-1])
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(attach, "_read_part", read_part)
    assert locusts_fab.attach(load(done, CONFIG)).tasks.done == TASKS
    assert len(parts) > chunks / 4
    locusts_fab.collect(load(done, CONFIG))
    assert {task: row["state"] for task, row in done.tasks().items()} == {
        task: row["state"] for task, row in before.items()
    }


@pytest.mark.parametrize("most", [0, 3])
def test_a_plan_that_does_not_end(done: Workspace, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """As if somebody always answered that there is more."""
    whole = attach._read_part

    def read_part(*arguments: object) -> object:
        result = whole(*arguments[:-1], "")  # type: ignore[arg-type,call-arg]
        object.__setattr__(result, "stdout", result.stdout + b"more\n")
        return result

    monkeypatch.setattr(attach, "_read_part", read_part)
    monkeypatch.setattr(attach, "_MOST_PARTS", 5)
    if most:  # parts that are full, as far as their length says
        monkeypatch.setattr(attach, "_PART", most)
    done.forget()
    with pytest.raises(HostError, match=r"the plan in .* does not end"):
        locusts_fab.attach(load(done, CONFIG))


def test_records_that_do_not_end(done: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "MOST_BYTES", 1_000)
    monkeypatch.setattr(poll, "_MOST_RECORDS", 20_000)
    monkeypatch.setattr(poll, "_RECORDS_OF_A_TASK", 100)
    done.forget()
    assert locusts_fab.attach(load(done, CONFIG)).tasks.done == TASKS
    (cache,) = (environment(done) / "exec/cache").glob("*.tsv")
    cache.write_bytes(b"damaged\n" * 10_000)
    done.forget()
    with pytest.raises(HostError, match=r"exec/cache holds more than 23 kB"):
        locusts_fab.attach(load(done, CONFIG))


@pytest.mark.parametrize("is_here", [True, False])
def test_the_end_of_a_long_log(done: Workspace, monkeypatch: pytest.MonkeyPatch, *, is_here: bool) -> None:
    if not is_here:
        shutil.rmtree(done.result(""))
    monkeypatch.setattr(logs, "_SHOWN_BYTES", 7)
    log = locusts_fab.logs(load(done, CONFIG), "3")
    assert log.printed == b"99\n100\n"
    assert log.left_out == len("".join(f"{n}\n" for n in range(1, 99)))
