"""Numbers as ids: whatever becomes of the rows, each keeps its number, and no number gets another meaning."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import PlanError
from locusts_fab.model.tasks import Memory, PlannedTask, Task
from locusts_fab.plan.tasks import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.plan.tasks import Plan


class Known:
    """What the ledger would know: every task that was ever planned."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tasks: dict[str, Task] = {}
        self.last = 0

    def plan(self, **config: Any) -> dict[str, tuple[str, ...]]:
        """Plan a config, and return the values of each task by its id."""
        plan = self.made(**config)
        tasks = list(plan.tasks())
        self.last = plan.last_number
        self.tasks.update((task.id, task) for task in tasks)
        return {task.id: tuple(value for _, value in task.values) for task in tasks}

    def made(self, **config: Any) -> Plan:
        """Return the plan of a config."""
        command = {} if "command_file" in config else {"command": "run <id>"}
        swarm_settings = SwarmSettings.model_validate({**command, **config})
        swarm = Swarm("s", swarm_settings, "here", Target(mode="local"), self.folder)
        return make_plan(
            swarm, "/scratch/s", Memory([(task.id, task.values) for task in self.tasks.values()], (), self.last)
        )


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path)


ROWS = st.lists(st.lists(st.sampled_from("abc"), min_size=2, max_size=2), min_size=1, max_size=8)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_whatever_becomes_of_rows_no_number_changes_its_meaning(tmp_path: Path, configs: list[list[list[str]]]) -> None:
    """The reference: of each set of values, as many tasks are known as ever stood in one config together."""
    known = Known(tmp_path)
    meanings: dict[str, tuple[str, ...]] = {}
    most: Counter[tuple[str, ...]] = Counter()
    for rows in configs:
        ids = known.plan(args=rows)
        assert list(ids.values()) == [tuple(row) for row in rows]
        assert all(meanings.setdefault(task_id, values) == values for task_id, values in ids.items())
        most |= Counter(map(tuple, rows))
        assert Counter(meanings.values()) == most
    assert list(known.plan(args=configs[0])) == [f"{number:06d}" for number in range(1, len(configs[0]) + 1)]


def test_a_sweep_that_grows_in_any_name(known: Known) -> None:
    first = known.plan(sweep={"t": ["1", "2"], "s": ["1", "2"]})
    assert list(first) == ["000001", "000002", "000003", "000004"]
    grown = known.plan(sweep={"t": ["1", "2"], "s": ["0", "1", "2"]})
    assert {task_id: grown[task_id] for task_id in first} == first
    assert {task_id: values for task_id, values in grown.items() if task_id not in first} == {
        "000005": ("1", "0"),
        "000006": ("2", "0"),
    }
    # names in another order are the same tasks
    assert set(known.plan(sweep={"s": ["0", "1", "2"], "t": ["1", "2"]})) == set(grown)
    # one name more, and all are new
    assert not set(known.plan(sweep={"t": ["1", "2"], "s": ["1"], "u": ["1"]}, command="run <t> <s> <u>")) & set(grown)


def table(folder: Path, text: str) -> dict[str, str]:
    (folder / "rows.csv").write_text(text, encoding="utf-8")
    return {"args_file": "rows.csv", "command": "run <t>"}


def test_rows_in_the_middle_of_a_table(known: Known) -> None:
    known.plan(**table(known.folder, "t,s\n1,a\n2,b\n3,c\n"))
    assert known.plan(**table(known.folder, "t,s\n3,c\n1,a\n9,z\n2,b\n")) == {
        "000003": ("3", "c"),
        "000001": ("1", "a"),
        "000004": ("9", "z"),
        "000002": ("2", "b"),
    }
    assert list(known.plan(**table(known.folder, "t,s\n2,b\n"))) == ["000002"]
    assert list(known.plan(**table(known.folder, "s,t\nc,3\n"))) == ["000003"]


def test_a_column_that_nothing_uses_may_come_and_go(known: Known) -> None:
    known.plan(**table(known.folder, "t,s\n1,a\n2,b\n"))
    assert list(known.plan(**table(known.folder, "t,s,note\n2,b,x\n1,a,y\n"))) == ["000002", "000001"]
    assert list(known.plan(**table(known.folder, "t\n1\n3\n"))) == ["000001", "000003"]


def test_where_a_column_stays_and_its_values_change_these_are_other_tasks(known: Known) -> None:
    known.plan(**table(known.folder, "t,s\n1,a\n2,b\n"))
    assert list(known.plan(**table(known.folder, "t,s\n1,b\n2,b\n"))) == ["000003", "000002"]


def test_a_column_that_is_used_makes_other_tasks(known: Known) -> None:
    known.plan(**table(known.folder, "t,s\n1,a\n"))
    config = table(known.folder, "t,s,u\n1,a,x\n")
    assert list(known.plan(**{**config, "command": "run <t> <u>"})) == ["000002"]


def test_lines_of_commands(known: Known) -> None:
    def lines(*commands: str) -> list[str]:
        (known.folder / "c").write_text("\n".join(commands), encoding="utf-8")
        return list(known.plan(command_file="c"))

    assert lines("echo a", "echo b <id>") == ["000001", "000002"]
    assert lines("echo b <id>", "echo x", "echo a", "echo a") == ["000002", "000003", "000001", "000004"]


def test_a_task_that_was_forgotten_does_not_give_its_number_away(known: Known) -> None:
    known.plan(args=[["a"], ["b"]])
    del known.tasks["000002"]
    assert known.plan(args=[["a"], ["c"]]) == {"000001": ("a",), "000003": ("c",)}


def test_ids_get_more_digits_only_where_they_need_them(known: Known) -> None:
    known.plan(args=[["a"]])
    known.last = 999_999
    assert list(known.plan(args=[["a"], ["b"]])) == ["000001", "1000000"]


@pytest.mark.parametrize(
    ("config", "inputs", "same"),
    [
        ({"command": "run <arg0> <id>"}, ("x",), True),
        ({"command": "run *.txt", "inputs": ["<arg0>"]}, (), False),  # `attach` knows no inputs; a may be b
        ({"command": "run <arg0>", "inputs": ["<arg0>"]}, (), True),
        ({"command": "run *.txt", "inputs": ["<arg0>"]}, ("a",), True),
        ({"command": "run *.txt", "inputs": ["<arg0>"]}, ("b",), False),
    ],
)
def test_tasks_without_values_are_known_by_what_they_run(
    tmp_path: Path, config: dict[str, Any], inputs: tuple[str, ...], *, same: bool
) -> None:
    (tmp_path / "a").touch()
    inputs = inputs if "inputs" in config else ()
    swarm_settings = SwarmSettings.model_validate({"args": [["a"]], **config})
    swarm = Swarm("s", swarm_settings, "here", Target(mode="local"), tmp_path)
    command = next(make_plan(swarm, "/e").tasks()).command
    for task_id in ("000001", "000007"):
        ran = command.replace("000001", task_id)
        memory = Memory((), [PlannedTask(7, task_id, ran, inputs, ())])
        assert [task.id == task_id for task in make_plan(swarm, "/e", memory).tasks()] == [same]


def test_values_that_look_like_ids(tmp_path: Path) -> None:
    """In an older ledger only the commands say which row a task was."""
    config = {"command": "run <arg0> <id>", "args": [["000002"], ["000001"], ["1"]]}
    swarm = Swarm("s", SwarmSettings.model_validate(config), "here", Target(mode="local"), tmp_path)
    old = [PlannedTask(n, f"{n:06d}", f"run {v} {n:06d}", (), ()) for n, v in enumerate(["000002", "000001", "1"], 1)]
    assert [task.id for task in make_plan(swarm, "/e", Memory((), old)).tasks()] == ["000001", "000002", "000003"]
    assert len({task.command for task in make_plan(swarm, "/e", Memory((), old[1:])).tasks()}) == 3


# ---- names that the config gives ----


def test_names_of_a_template(known: Known) -> None:
    sweep = {"t": ["1", "2"], "s": ["a b"]}
    assert known.plan(sweep=sweep, id="<t>_<s>") == {"1_a b": ("1", "a b"), "2_a b": ("2", "a b")}
    assert [task.command for task in known.made(sweep=sweep, id="<t>_<s>").tasks()] == ["run '1_a b'", "run '2_a b'"]


def test_names_of_a_template_for_files(known: Known) -> None:
    for name in ("in_1", "in_2"):
        (known.folder / name).touch()
    config = {"inputs": ["in_<id>"], "id": "sample-<id>", "command": "cat in_<id>"}
    assert known.plan(**config) == {"sample-1": ("1",), "sample-2": ("2",)}
    assert [task.command for task in known.made(**config).tasks()] == ["cat in_1", "cat in_2"]


def test_names_of_a_column(known: Known) -> None:
    (known.folder / "t.csv").write_text("id,t\nx,1\ny,2\n", encoding="utf-8")
    assert [(task.id, task.command) for task in known.made(args_file="t.csv").tasks()] == [
        ("x", "run x"),
        ("y", "run y"),
    ]
    assert list(known.plan(args_file="t.csv", id="<t>-<id>")) == ["1-x", "2-y"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"sweep": {"t": ["1"], "s": ["1", "2"]}, "id": "<t>"},
            "ids that several tasks have:\n  1: t = '1', s = '1', and t = '1', s = '2'",
        ),
        ({"args": [["a/b"]], "id": "<arg0>"}, "a/b: it cannot be a file name"),
        ({"args": [["a"]], "id": "x"}, "id: 'x' is the same for every task"),
        ({"args": [["a"]], "id": "<id>"}, "<id> is no handle here"),
        ({"sweep": {"temperature": ["1"]}, "id": "<temprature>"}, "<temprature> is no handle here"),
    ],
)
def test_names_that_cannot_be(known: Known, config: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError) as caught:
        known.made(**config)
    assert message in caught.value.message, json.dumps(caught.value.message)
    assert caught.value.hint


def test_a_column_id_that_says_the_same_twice(known: Known) -> None:
    (known.folder / "t.csv").write_text("id,t\nx,1\nx,2\ny,2\n", encoding="utf-8")
    with pytest.raises(PlanError, match="x: id = 'x', t = '1', and id = 'x', t = '2'") as caught:
        known.made(args_file="t.csv")
    assert caught.value.task_ids == ("x",)
