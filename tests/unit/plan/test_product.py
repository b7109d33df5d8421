"""Every file with every row: which tasks there are, what they are called, and what they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import PlanError
from locusts_fab.model.tasks import Memory, PlannedTask
from locusts_fab.plan.tasks import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.plan.tasks import Plan


def plan_of(folder: Path, files: list[str], memory: Memory | None = None, **settings: Any) -> Plan:
    """Plan with just these files."""
    indir = folder / "in"
    for path in indir.glob("*"):
        path.unlink()
    indir.mkdir(exist_ok=True)
    for name in files:
        (indir / name).touch()
    settings = {"command": "run", "indir": "in", **settings}
    swarm = Swarm("s", SwarmSettings.model_validate(settings), "here", Target(mode="local"), folder)
    return make_plan(swarm, "/scratch/s", memory)


def learn(plan: Plan, *others: Plan) -> Memory:
    """Return what a ledger knows after some plans."""
    known = {task.id: task.values for each in (*others, plan) for task in each.tasks()}
    return Memory(list(known.items()), (), plan.last_number)


def tasks_of(plan: Plan) -> dict[str, str]:
    """Return what each task runs, by its id."""
    return {task.id: task.command for task in plan.tasks()}


def test_every_file_with_every_row(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        ["S1.pdb", "S2.pdb", "all"],
        command="run <s>.pdb -t <t> <arg0> <id>",
        inputs=["<s>.pdb", "all"],
        outputs=["<s>.<t>"],
        sweep={"t": ["280", "300"]},
    )
    assert [(task.id, task.command, task.inputs, task.outputs, task.values) for task in plan.tasks()] == [
        (
            f"{s}_00000{number}",
            f"run {s}.pdb -t {t} {t} {s}_00000{number}",
            (f"{s}.pdb", "all"),
            (f"{s}.{t}",),
            (("s", s), ("t", t)),
        )
        for s in ("S1", "S2")
        for number, t in [(1, "280"), (2, "300")]
    ]
    assert plan.last_number == 2


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ({"args": [["x", "1"], ["y", "2"]]}, ["a_000001", "a_000002", "b_000001", "b_000002"]),
        ({"args_file": "t.csv"}, ["a_000001", "a_000002", "b_000001", "b_000002"]),
        ({"args_file": "named.csv", "inputs": ["<file>.x"]}, ["a_one", "a_two", "b_one", "b_two"]),
        ({"sweep": {"t": [1], "u": [1, 2]}}, ["a_000001", "a_000002", "b_000001", "b_000002"]),
        ({"sweep": {"t": [1, 2]}, "id": "<id>-<t>"}, ["a-1", "a-2", "b-1", "b-2"]),
        ({"sweep": {"t": [1, 2]}, "inputs": ["<f>.x"], "id": "<f><t>"}, ["a1", "a2", "b1", "b2"]),
        ({"sweep": {"t": [1]}, "inputs": ["<f>.<g>"]}, ["a_x_000001", "b_x_000001"]),
    ],
)
def test_what_they_are_called(tmp_path: Path, rows: dict[str, Any], ids: list[str]) -> None:
    (tmp_path / "t.csv").write_text("t\n1\n2\n", encoding="utf-8")
    (tmp_path / "named.csv").write_text("id,t\none,1\ntwo,2\n", encoding="utf-8")
    plan = plan_of(tmp_path, ["a.x", "b.x"], **{"inputs": ["<id>.x"], **rows})
    assert plan.source.ids == ids
    assert [task.id for task in plan.tasks()] == ids


def test_id_is_the_part_of_the_file_where_that_is_called_so(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["a.x"], command="run <id>.x", inputs=["<id>.x"], sweep={"t": [1]})
    assert tasks_of(plan) == {"a_000001": "run a.x"}


def test_with_a_template_of_rows_alone_id_is_what_that_gives(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["1.x", "2.x"], command="run <id>", inputs=["<id>.x"], sweep={"t": [1, 2]}, id="<t>")
    assert [(task.id, task.inputs) for task in plan.tasks()] == [("1", ("1.x",)), ("2", ("2.x",))]


def test_entries_with_values_of_both_are_looked_up(tmp_path: Path) -> None:
    config: dict[str, Any] = {"inputs": ["<f>.x", "<f>-<t>.y", "<t>.z"], "sweep": {"t": [1, 2]}}
    files = ["a.x", "b.x", "a-1.y", "a-2.y", "b-1.y", "1.z", "2.z", "c-1.y"]
    with pytest.raises(PlanError) as caught:
        list(plan_of(tmp_path, files, **config).tasks())
    assert "1 of 4 tasks lacks an input" in caught.value.message
    assert "task b_000002: b-2.y" in caught.value.message
    plan = plan_of(tmp_path, files, **config, missing_inputs="skip")
    assert [task.id for task in plan.tasks()] == ["a_000001", "a_000002", "b_000001"]


def test_files_that_lack_another_are_refused_or_left_out(tmp_path: Path) -> None:
    config: dict[str, Any] = {"inputs": ["<f>.x", "<f>.y"], "sweep": {"t": [1, 2]}}
    with pytest.raises(PlanError, match="1 of 2 ids lack an input"):
        plan_of(tmp_path, ["a.x", "a.y", "b.x"], **config)
    assert plan_of(tmp_path, ["a.x", "a.y", "b.x"], **config, missing_inputs="skip").count == 2


# ---------------------------------------------------------------------------------------------------------------------
# A task is its values

CONFIG: dict[str, Any] = {"command": "run <f> <t>", "inputs": ["<f>.x"]}


def test_another_value_or_file_gives_the_new_combinations_alone(tmp_path: Path) -> None:
    first = plan_of(tmp_path, ["b.x"], **CONFIG, sweep={"t": [2, 4]})
    assert tasks_of(first) == {"b_000001": "run b 2", "b_000002": "run b 4"}
    known = tasks_of(first)
    more = plan_of(tmp_path, ["a.x", "b.x"], learn(first), **CONFIG, sweep={"t": [1, 4, 2]})
    assert tasks_of(more).items() >= known.items()
    assert tasks_of(more) == {
        **known,
        "b_000003": "run b 1",
        "a_000001": "run a 2",
        "a_000002": "run a 4",
        "a_000003": "run a 1",
    }
    assert more.last_number == 3
    fewer = plan_of(tmp_path, ["a.x"], learn(more, first), **CONFIG, sweep={"t": [9, 4]})
    assert tasks_of(fewer) == {"a_000004": "run a 9", "a_000002": "run a 4"}


def test_rows_that_are_the_same_twice_are_two(tmp_path: Path) -> None:
    first = plan_of(tmp_path, ["a.x", "b.x"], **CONFIG | {"command": "run"}, args=[["1"], ["1"]])
    assert first.source.ids == ["a_000001", "a_000002", "b_000001", "b_000002"]
    again = plan_of(tmp_path, ["a.x", "b.x"], learn(first), **CONFIG | {"command": "run"}, args=[["0"], ["1"], ["1"]])
    assert again.source.ids == [f"{file}_{number:06d}" for file in "ab" for number in (3, 1, 2)]


def test_rows_that_were_there_before_the_files_keep_their_numbers(tmp_path: Path) -> None:
    alone = plan_of(tmp_path, [], command="run <t>", sweep={"t": [1, 2]})
    both = plan_of(tmp_path, ["a.x"], learn(alone), **CONFIG, sweep={"t": [2, 3]})
    assert tasks_of(both) == {"a_000002": "run a 2", "a_000003": "run a 3"}


@pytest.mark.parametrize(
    "memory",
    [
        Memory([("a_000001", (("f", "a"), ("t", "1"))), ("b_000001", (("f", "b"), ("t", "2")))]),  # by a template
        Memory((), [PlannedTask(1, "a_000001", "run", ("a.x",), ())]),
    ],
)
def test_a_number_of_which_nobody_knows_whose_it_is_is_given_to_no_row(tmp_path: Path, memory: Memory) -> None:
    plan = plan_of(tmp_path, ["a.x", "b.x"], memory, **CONFIG, sweep={"t": [1, 2]})
    assert plan.source.ids == [f"{file}_{number:06d}" for file in "ab" for number in (2, 3)]


def test_ids_that_collide_show_both_with_all_their_values(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(tmp_path, ["x_y-z", "x-y_z"], inputs=["<p>-<q>"], sweep={"t": [1]})
    assert "x_y_z_000001: p = 'x', q = 'y_z', t = '1', and p = 'x_y', q = 'z', t = '1'" in caught.value.message
    assert 'id = "<p>-<q>-<t>"' in str(caught.value.hint)


def test_results_that_would_be_taken_for_files_of_the_next_submit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="the next submit would make a task of it"):
        plan_of(
            tmp_path,
            ["a.x"],
            inputs=["<f>.x"],
            outputs=["<f>-<t>.x"],
            sweep={"t": [1]},
            outdir="in",
            layout="flat",
        )
