"""What failed tasks left comes apart from good outputs, in either layout, and goes when the task is done."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from locusts_fab.bounds.names import TaskId, UnsafeNameError
from locusts_fab.errors import PlanError
from locusts_fab.plan.tasks import make_plan
from locusts_fab.state.ledger import Ledger
from tests.support.outcomes import Case
from tests.unit.plan.test_tasks import swarm_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=[False, True], ids=["tasks", "flat"])
def case(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Case]:
    made = Case(tmp_path, is_flat=request.param)
    yield made
    made.ledger.close()


def place(case: Case, task: str) -> str:
    """Return how the paths of a done task begin."""
    return "" if case.results.is_flat else f"{task}/"


def end(case: Case, state: str, submission: int = 1) -> None:
    """Let task a end with two outputs, one of them a folder."""
    claim = f"00000{submission}.1"
    sandbox = case.sandbox(1, claim=claim)
    (sandbox / "tree/sub").mkdir(parents=True)
    for path in (sandbox / "out_a", sandbox / "tree/sub/x"):
        path.write_text(f"{state} {submission}")
    case.end(1, "11", state, claim=claim, reason="" if state == "done" else "exit 3")


def again(case: Case, *, redo: bool) -> None:
    if redo:
        case.ledger.forget_results()
    else:
        case.ledger.reset_failed()
    case.ledger.begin_submission(2, 2)


def test_failed_ones_come_apart_and_go_when_the_task_is_done(case: Case) -> None:
    case.plan(a=("out_a", "tree"), b=("out_b",))
    (case.sandbox(2) / "out_b").write_text("good")
    case.end(2, "1")
    end(case, "failed")
    case.collect()
    good = place(case, "b") + "out_b"
    assert case.files() == {good, "failed/a/out_a", "failed/a/tree/sub/x"}
    assert [row[2:] for row in case.outputs()] == [
        ("present", "failed/a/out_a"), ("present", "failed/a/tree"), ("present", good)
    ]  # fmt: skip
    again(case, redo=False)
    case.collect()
    assert case.files() == {good, "failed/a/out_a", "failed/a/tree/sub/x"}  # until something new is known
    end(case, "done", 2)
    case.collect()
    at = place(case, "a")
    assert case.files() == {good, f"{at}out_a", f"{at}tree/sub/x"}
    assert not (case.outdir / "failed").exists()
    assert (case.outdir / at / "out_a").read_text() == "done 2"
    assert [row[3] for row in case.outputs()] == [f"{at}out_a", f"{at}tree", good]


def test_good_ones_go_when_the_task_fails_the_next_time(case: Case) -> None:
    case.plan(a=("out_a", "tree"))
    end(case, "done")
    case.collect()
    again(case, redo=True)
    end(case, "failed", 2)
    case.collect()
    assert case.files() == {"failed/a/out_a", "failed/a/tree/sub/x"}
    again(case, redo=True)
    end(case, "done", 3)
    case.collect()
    at = place(case, "a")
    assert case.files() == {f"{at}out_a", f"{at}tree/sub/x"}


def test_a_failed_output_that_the_user_has_changed_stays(case: Case) -> None:
    case.plan(a=("out_a", "tree"))
    end(case, "failed")
    case.collect()
    (case.outdir / "failed/a/out_a").write_text("my notes on it")
    (case.outdir / "failed/a/more").write_text("and more")
    again(case, redo=False)
    end(case, "done", 2)
    case.collect()
    at = place(case, "a")
    assert case.files() == {f"{at}out_a", f"{at}tree/sub/x", "failed/a/out_a", "failed/a/more"}
    assert case.ledger.troubles() == {}


@pytest.mark.parametrize("is_target_there", [True, False])
def test_what_earlier_versions_put_beside_good_ones_is_set_apart(case: Case, *, is_target_there: bool) -> None:
    case.plan(a=("out_a", "tree", "gone"), b=("out_b",))
    sandbox = case.sandbox(1)
    (sandbox / "tree").mkdir()
    (sandbox / "out_a").write_text("half")
    (sandbox / "tree/x").write_text("half")
    case.end(1, "110", "failed", reason="exit 3", log="oh")
    case.collect()
    at = place(case, "a")
    for name in ("out_a", "tree"):
        (case.outdir / at).mkdir(exist_ok=True)
        (case.outdir / "failed/a" / name).rename(case.outdir / at / name)
    (case.outdir / "failed/a").rmdir()
    (case.outdir / "failed").rmdir()
    (case.outdir / at / "mine").write_text("mine")
    with contextlib.closing(sqlite3.connect(case.ledger.path)) as database:
        database.execute("DROP TABLE own_files")
        database.execute("UPDATE tasks SET place = ? WHERE id = ?", (b"." if at == "" else b"a", b"a"))
        database.commit()
    case.ledger.close()
    case.ledger = Ledger(case.ledger.path)
    if not is_target_there:
        sandbox.rename(case.outdir.parent / "away")
    assert case.collect() == 0
    assert case.files() == {"failed/a/out_a", "failed/a/tree/x", f"{at}mine", "logs/a.log"}
    assert [row[3] for row in case.outputs()][:2] == ["failed/a/out_a", "failed/a/tree"]
    assert case.collect() == 0


def test_no_task_and_no_flat_output_is_called_failed(tmp_path: Path) -> None:
    with pytest.raises(UnsafeNameError, match="taken under outdir"):
        TaskId("failed")
    (tmp_path / "failed.txt").touch()
    with pytest.raises(PlanError, match="failed: that name is taken under outdir"):
        make_plan(swarm_of(tmp_path, inputs=["<id>.txt"]), "/e")
    for output in ("failed", "failed/<id>"):
        with pytest.raises(PlanError, match="would collide with the outputs of failed tasks"):
            make_plan(swarm_of(tmp_path, args=[["1"]], outputs=[output], layout="flat"), "/e")


def test_an_input_where_failed_outputs_would_come_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "failed/000001").mkdir(parents=True)
    (tmp_path / "failed/000001/out").touch()
    with pytest.raises(PlanError, match=r"should it fail, would land on the input failed/000001/out"):
        make_plan(swarm_of(tmp_path, args=[["1"]], inputs=["failed/000001/out"], outputs=["out"], outdir="."), "/e")
