"""The plan: tasks as the config means them, what is refused, and how tasks are cut into chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import PlanError
from locusts_fab.model.tasks import Chunk, Task
from locusts_fab.plan.tasks import LONGEST_CHUNK, chunk_sizes, make_chunks, make_plan, shared_paths

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.plan.tasks import Plan

ROOT = "/scratch/s"


def swarm_of(folder: Path, **settings: Any) -> Swarm:
    if "command_file" not in settings:
        settings = {"command": "true", **settings}
    return Swarm("s", SwarmSettings.model_validate(settings), "here", Target(mode="local"), folder)


def plan_of(folder: Path, **settings: Any) -> Plan:
    return make_plan(swarm_of(folder, **settings), ROOT)


def refused(folder: Path, **settings: Any) -> PlanError:
    """Plan what cannot be planned."""
    with pytest.raises(PlanError) as caught:
        list(plan_of(folder, **settings).tasks())
    return caught.value


# ---------------------------------------------------------------------------------------------------------------------
# Tasks


def test_tasks_of_files(tmp_path: Path) -> None:
    for name in ("in_1.txt", "in_2 b.txt", "in_10.txt", "ref"):
        (tmp_path / name).touch()
    plan = plan_of(
        tmp_path,
        command="cat in_<id>.txt <shared>sf > out_<id>.txt",
        inputs=["in_<id>.txt", "ref"],
        outputs=["out_<id>.txt", "sub/<id>"],
        shared={"sf": "ref"},
    )
    assert plan.count == 3
    assert list(plan.tasks()) == [
        Task(task_id, command, (f"in_{task_id}.txt", "ref"), (f"out_{task_id}.txt", f"sub/{task_id}"))
        for task_id, command in [
            ("1", "cat in_1.txt /scratch/s/shared/sf/ref > out_1.txt"),
            ("10", "cat in_10.txt /scratch/s/shared/sf/ref > out_10.txt"),
            ("2 b", "cat in_'2 b'.txt /scratch/s/shared/sf/ref > out_'2 b'.txt"),
        ]
    ]


def test_tasks_of_names_with_several_handles(tmp_path: Path) -> None:
    for name in ("r/S1_L 1.fq", "r/S2_L1.fq", "m/S1", "m/S2", "ref"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    plan = plan_of(
        tmp_path,
        command="a r/<s>_<l>.fq m/<s> '<l>' <id>",
        inputs=["r/<s>_<l>.fq", "m/<s>", "ref"],
        outputs=["<s>/<l>"],
    )
    assert list(plan.tasks()) == [
        Task(
            "S1_L 1",
            "a r/S1_'L 1'.fq m/S1 'L 1' 'S1_L 1'",
            ("r/S1_L 1.fq", "m/S1", "ref"),
            ("S1/L 1",),
            (("s", "S1"), ("l", "L 1")),
        ),
        Task(
            "S2_L1",
            "a r/S2_L1.fq m/S2 'L1' S2_L1",
            ("r/S2_L1.fq", "m/S2", "ref"),
            ("S2/L1",),
            (("s", "S2"), ("l", "L1")),
        ),
    ]


def test_ids_that_collide_are_shown_with_their_values(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("x_y-z", "x-y_z", "a-b"):
        (tmp_path / "in" / name).touch()
    error = refused(tmp_path, indir="in", inputs=["<p>-<q>"])
    assert error.message == ("ids that several tasks have:\n  x_y_z: p = 'x', q = 'y_z', and p = 'x_y', q = 'z'")
    assert 'id = "<p>-<q>"' in str(error.hint)
    assert error.task_ids == ("x_y_z",)
    plan = plan_of(tmp_path, indir="in", inputs=["<p>-<q>"], id="<p>-<q>", command="echo <id>")
    assert [(task.id, task.command) for task in plan.tasks()] == [
        ("a-b", "echo a-b"),
        ("x-y_z", "echo x-y_z"),
        ("x_y-z", "echo x_y-z"),
    ]


def test_of_many_ids_that_collide_some_are_shown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "id,x\n" + "".join(f"{number % 20},{number % 40}\n" for number in range(60)), encoding="utf-8"
    )
    error = refused(tmp_path, args_file="t.csv")
    assert "0: id = '0', x = '0', and id = '0', x = '20', and 1 more" in error.message
    assert "and 10 more" in error.message
    assert len(error.task_ids) == 20
    (tmp_path / "t.csv").write_text("id,x\na,1\na,1\n", encoding="utf-8")
    assert "take one of them out" in str(refused(tmp_path, args_file="t.csv").hint)


# ---------------------------------------------------------------------------------------------------------------------
# Absolute inputs


def test_absolute_inputs_are_matched_and_looked_up(tmp_path: Path) -> None:
    far = tmp_path / "far"
    for name in ("S1/L1.fq", "S1/L2.fq", "S2/.L3.fq", "S1.json", "ref", "x/near"):
        (far / name).parent.mkdir(parents=True, exist_ok=True)
        (far / name).touch()
    (tmp_path / "near").touch()
    plan = plan_of(
        tmp_path, command="a <l>.fq", inputs=[f"{far}//<s>/./<l>.fq", f"{far}/<s>.json", f"{far}/ref", "near"]
    )
    assert [(task.id, task.command, task.inputs) for task in plan.tasks(stamped=True)] == [
        (f"S1_{lane}", f"a {lane}.fq", (f"{far}/S1/{lane}.fq", f"{far}/S1.json", f"{far}/ref", "near"))
        for lane in ("L1", "L2")
    ]
    plan = plan_of(tmp_path, indir="nowhere", inputs=[f"{far}/<s>.json"])  # nobody looks into indir
    assert plan.source.ids == ["S1"]


def test_absolute_inputs_of_rows(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    plan = plan_of(tmp_path, args=[["a"], ["b"]], inputs=[f"{tmp_path}/<arg0>"], missing_inputs="skip")
    assert [task.inputs for task in plan.tasks()] == [(f"{tmp_path}/a",)]
    error = refused(tmp_path, args=[["../x"]], inputs=[f"{tmp_path}/<arg0>"])
    assert "`..` would lead out of its folder" in error.message
    assert "it is an absolute path" in refused(tmp_path, args=[[f"{tmp_path}/a"]], inputs=["<arg0>"]).message


def test_a_home_folder_is_put_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "1.x").touch()
    assert [task.inputs for task in plan_of(tmp_path, inputs=["~/<id>.x"]).tasks()] == [(f"{tmp_path}/1.x",)]


@pytest.mark.parametrize(
    ("inputs", "other"),
    [(["{}/a/<id>.x", "{}/b/<id>.x"], "b/1.x"), (["{}/a/<id>.x", "<id>.x"], "1.x"), (["{}/a/d", "d/<id>"], "d/1")],
)
def test_two_inputs_in_one_place_are_refused(tmp_path: Path, inputs: list[str], other: str) -> None:
    for name in ("a/1.x", "b/1.x", "1.x", "a/d", "d/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    error = refused(tmp_path, inputs=[name.format(tmp_path) for name in inputs])
    assert f"task 1: both {tmp_path}/a/" in error.message
    assert f"{other} would be " in error.message


def test_nothing_that_an_absolute_input_matches(tmp_path: Path) -> None:
    (tmp_path / "y").touch()
    assert f"no file in {tmp_path} matches" in refused(tmp_path, inputs=[f"{tmp_path}/<id>.x"]).message
    assert f"there is no folder {tmp_path}/no" in refused(tmp_path, inputs=[f"{tmp_path}/no/<id>.x"]).message
    assert "there is no such file" in refused(tmp_path, inputs=["<id>", f"{tmp_path}/no"]).message


# ---------------------------------------------------------------------------------------------------------------------


def test_tasks_of_arguments(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    plan = plan_of(
        tmp_path, command="run <arg1:raw> <id>", args=[["a", "-x -y"]], inputs=["<arg0>"], outputs=["<id>.<arg0>"]
    )
    values = (("arg0", "a"), ("arg1", "-x -y"))
    assert list(plan.tasks()) == [Task("000001", "run -x -y 000001", ("a",), ("000001.a",), values=values)]


def test_tasks_of_lines(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("echo <id> > out\ncat <shared>sf", encoding="utf-8")
    plan = plan_of(tmp_path, command_file="c.txt", outputs=["out"], shared={"sf": "c.txt"})
    assert [task.command for task in plan.tasks()] == ["echo 000001 > out", "cat /scratch/s/shared/sf/c.txt"]


def test_tasks_can_be_asked_for_twice(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, args=[["a"], ["b"]])
    assert list(plan.tasks()) == list(plan.tasks())


@pytest.mark.parametrize(
    ("command", "program"),
    [("cat <id> > x", "cat"), ("./run <id>", "./run"), ("a | b", ""), ("cd x", ""), ("<arg0> x", ""), ("$x y", "")],
)
def test_a_plain_call_of_a_program_is_noticed(tmp_path: Path, command: str, program: str) -> None:
    assert plan_of(tmp_path, command=command, args=[["a"]]).program == program


def test_a_handle_that_looks_misspelt_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, command="echo <temp> > o.txt", sweep={"temperature": ["1"]})
    assert "<temp> is no handle here" in error.message
    assert "did you mean <temperature>?" in str(error.hint)


# ---------------------------------------------------------------------------------------------------------------------
# Shared files


def test_values_in_arithmetic_are_integers_or_the_task_is_named(tmp_path: Path) -> None:
    command = "echo $((<arg0> + 1))"
    assert [task.command for task in plan_of(tmp_path, command=command, args=[["7"], ["-1"]]).tasks()] == [
        "echo $((7 + 1))",
        "echo $(((-1) + 1))",
    ]
    error = refused(tmp_path, command=command, args=[["7"], ["a[$(x)]"]])
    assert error.message.startswith("task 000002: <arg0> stands in arithmetic")
    assert error.task_ids == ("000002",)
    assert "as octal" in refused(tmp_path, command="echo $((<id>))", args=[[str(n)] for n in range(10)]).message


def test_shared_files_lie_in_indir_or_where_they_are_said_to(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a b").touch()
    (tmp_path / "far").mkdir()
    shared = {"one": "a b", "two": f"{tmp_path}/far/"}
    swarm = swarm_of(tmp_path, indir="in", args=[["x"]], shared=shared)
    assert make_plan(swarm, ROOT).count == 1
    assert shared_paths(swarm, ROOT) == {"one": "/scratch/s/shared/one/a b", "two": "/scratch/s/shared/two/far"}


def test_a_shared_file_that_is_not_there(tmp_path: Path) -> None:
    error = refused(tmp_path, args=[["x"]], shared={"sf": "nowhere"})
    assert str(tmp_path / "nowhere") in error.message
    assert error.message.startswith("shared.sf: ")
    assert error.hint


# ---------------------------------------------------------------------------------------------------------------------
# What is refused


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("logs", "taken"),
        ("..", "taken"),
        ("tasks.tsv", "taken"),
        ("outputs.tsv", "taken"),
        ("batch_007", "taken"),
        ("x" * 252, "251 bytes"),
    ],
)
def test_ids_that_mean_something_else(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"1{name}").touch()
    (tmp_path / "in" / "1fine").touch()
    error = refused(tmp_path, indir="in", inputs=["1<id>"])
    assert why in error.message
    assert error.task_ids == (name,)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("../x", ".."),
        ("a/../../x", ".."),
        ("/etc/x", "absolute"),
        ("", "empty"),
        (".", "`.`"),
        ("..", ".."),
        ("a/", "empty part"),
        ("a//b", "empty part"),
        ("./a", "`.`"),
        ("x" * 256, "at most 255 bytes"),
        ("a/" + "é" * 128, "at most 255 bytes"),
    ],
)
@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_names_that_cannot_be(tmp_path: Path, value: str, why: str, where: str) -> None:
    error = refused(tmp_path, args=[["fine"], [value]], **{where: ["<arg0>"]}, missing_inputs="skip")
    assert why in error.message
    assert "task 000002" in error.message
    assert "task 000001" not in error.message


def test_a_nul_is_refused_wherever_it_comes_from(tmp_path: Path) -> None:
    swarm = swarm_of(tmp_path, command="run <arg0>", args=[["x"]], outputs=["<arg0>"])
    plan = make_plan(swarm, ROOT)
    plan.source.values = lambda _index: {"id": "000001", "arg0": "a\0b"}
    with pytest.raises(PlanError, match="holds a NUL"):
        list(plan.tasks())


def test_of_many_bad_names_some_are_shown_and_can_be_printed(tmp_path: Path) -> None:
    error = refused(tmp_path, args=[[f"/\x1b[31m\udcff{number}"] for number in range(30)], outputs=["<arg0>"])
    assert "and 20 more" in error.message
    assert error.message.isascii()
    assert all(line.isprintable() for line in error.message.splitlines())


def test_outputs_of_one_task_with_one_name(tmp_path: Path) -> None:
    assert "twice" in refused(tmp_path, args=[["x"]], outputs=["out", "out"]).message
    assert "same name" in refused(tmp_path, args=[["a", "b"], ["x", "x"]], outputs=["<arg0>", "<arg1>"]).message


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    settings: dict[str, Any] = {"args": [["a"], ["b"], ["c"]], "inputs": ["<arg0>"]}
    error = refused(tmp_path, **settings)
    assert "2 of 3 tasks lack an input" in error.message
    assert "task 000002: b" in error.message
    assert "missing_inputs" in str(error.hint)
    plan = plan_of(tmp_path, **settings, missing_inputs="skip")
    assert [task.id for task in plan.tasks()] == ["000001"]
    assert "left out" in plan.warnings[-1]


def test_with_rows_id_is_looked_for_in_the_names_of_files(tmp_path: Path) -> None:
    error = refused(tmp_path, sweep={"t": ["1"]}, inputs=["run_<id>.txt"])
    assert "no file in" in error.message


FLAT_CLASHES = [
    ([["1"], ["2"]], ["out"], "would collide"),
    ([["a"], ["a"]], ["<arg0>"], "would collide"),
    ([["tasks.tsv"]], ["<arg0>"], "the tables"),
    ([["outputs.tsv"]], ["<arg0>"], "the tables"),
    ([["logs"]], ["<arg0>"], "the logs"),
    ([["logs/x"]], ["<arg0>"], "the logs"),
    ([["a"], ["a/b"]], ["<arg0>"], "would collide"),  # a file and a folder of one name
    ([["a/b/c"], ["a"]], ["<arg0>"], "would collide"),
    ([["tasks.tsv/x"]], ["<arg0>"], "the tables"),
    ([["x/1", "x"], ["x/2", "y"]], ["<arg0>", "<arg1>"], "x/2 of task 000002 would collide with task 000001"),
]


@pytest.mark.parametrize(("args", "outputs", "message"), FLAT_CLASHES)
def test_outputs_that_would_collide_in_one_folder(
    tmp_path: Path, args: list[list[str]], outputs: list[str], message: str
) -> None:
    assert message in refused(tmp_path, args=args, outputs=outputs, layout="flat").message


@pytest.mark.parametrize(
    ("args", "outputs"),
    [
        ([["1"], ["2"]], ["out_<arg0>", "sub/<arg0>"]),
        ([["a/b"], ["a/c"]], ["<arg0>"]),
        ([["a"]], ["<arg0>", "<arg0>/b"]),  # of one task: a folder, and something in it
        ([["logs.x"], ["x/logs"], ["x/tasks.tsv"]], ["<arg0>"]),
    ],
)
def test_outputs_that_fit_into_one_folder(tmp_path: Path, args: list[list[str]], outputs: list[str]) -> None:
    assert plan_of(tmp_path, args=args, outputs=outputs, layout="flat").count == len(args)


def test_in_folders_of_their_own_outputs_may_have_any_name(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, args=[["logs"], ["logs"], ["tasks.tsv"]], outputs=["<arg0>"])
    assert len(list(plan.tasks())) == 3


# ---------------------------------------------------------------------------------------------------------------------
# Chunks


@settings(deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 10_000))
def test_chunks_hold_every_task_and_fall_to_one(tasks: int, slots: int) -> None:
    sizes = chunk_sizes(tasks, slots)
    assert sum(sizes) == tasks
    assert sizes == sorted(sizes, reverse=True)
    assert all(1 <= size <= LONGEST_CHUNK == 128 for size in sizes)
    assert sizes[-1:] == ([1] if tasks else [])


def test_no_slot_idles_at_the_end() -> None:
    """Whatever is left when a chunk is taken, it is at most half of what a slot would have to do of it."""
    left = 5_000
    for size in chunk_sizes(left, 16):
        assert size <= max(1, left / 32)
        left -= size


def test_chunks_are_few_where_there_is_much_to_do() -> None:
    assert len(chunk_sizes(1_000_000, 64)) < 1_000_000 / 50


def test_chunks_are_numbered_on() -> None:
    assert make_chunks(3, 2, 7) == [Chunk(7, 1), Chunk(8, 1), Chunk(9, 1)]
    assert make_chunks(0, 2, 7) == []
