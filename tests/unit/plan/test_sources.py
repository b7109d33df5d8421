"""Sources: which tasks a config means, and what is said when it means none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import PlanError
from locusts_fab.plan.sources import from_inputs, read_source, sort_ids

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, *names: str) -> Path:
    """Make files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


# ---------------------------------------------------------------------------------------------------------------------
# File names


@pytest.mark.parametrize(
    ("files", "inputs", "ids"),
    [
        (["in_1.txt", "in_10.txt", "in_2.txt", "in_.txt", "other"], ["in_<id>.txt"], ["1", "2", "10"]),
        (["a.x", "a.y", "b.x", "b.y"], ["<id>.x", "<id>.y"], ["a", "b"]),
        (["a b.x", "-rf.x", "$(x).x", "é.x", "n\nl.x", "\udcff.x", "'.x"], ["<id>.x"], None),
        ([".hid.x", "._a.x", ".#b.x", "..x", "a.x"], ["<id>.x"], ["a"]),
        ([".a.x", ".b.x", "c.x"], [".<id>.x"], ["a", "b"]),
        ([".git/x", "a/x", "a/.x"], ["<id>/x"], ["a"]),
        (["a/.1.x", "a/2.x"], ["a/<id>.x"], ["2"]),
        (["a/.1", "a/2"], ["a/.<id>"], ["1"]),
        (["1/data.csv", "2/data.csv", "3/other.csv", "4"], ["<id>/data.csv"], ["1", "2"]),
        (["a/1.csv", "a/2.csv", "b/1.csv"], ["a/<id>.csv"], ["1", "2"]),
        (["1/1.csv", "1/2.csv", "2/2.csv"], ["<id>/<id>.csv"], ["1", "2"]),
        (["1_1", "1_2", "12_12"], ["<id>_<id>"], ["1", "12"]),
        (["1.x", "ref.dat"], ["<id>.x", "ref.dat"], ["1"]),
        (["1.x", "<w>.dat"], ["<id>.x", r"\<w>.dat"], ["1"]),
        (["<id>/1.x", "<id>/2.x"], [r"\<id>/<id>.x"], ["1", "2"]),
        (["1.x", "1y"], ["<id>.x"], ["1"]),
        (["1.x", "2.x"], ["<id:raw>.x"], ["1", "2"]),
        (["1/x", "2/x"], ["<id:raw>/x"], ["1", "2"]),
        (["1/x", "2/x"], ["<id>"], ["1", "2"]),
    ],
)
def test_ids_come_from_the_names_of_inputs(
    tmp_path: Path, files: list[str], inputs: list[str], ids: list[str] | None
) -> None:
    source = from_inputs(fill(tmp_path / "in", *files), inputs)
    assert source.ids == (sorted(name.removesuffix(".x") for name in files) if ids is None else ids)
    assert list(source.rows()) == [(task_id, {"id": task_id}) for task_id in source.ids]
    assert source.handles == {"id"}
    assert source.warnings == []
    assert source.is_from_files


def test_a_link_to_nowhere_is_there(tmp_path: Path) -> None:
    (tmp_path / "1.x").symlink_to("nowhere")
    assert from_inputs(tmp_path, ["<id>.x"]).ids == ["1"]


def test_ids_that_lack_an_input_are_listed(tmp_path: Path) -> None:
    fill(tmp_path, "1.x", "1.y", "2.x", "3.y")
    with pytest.raises(PlanError) as caught:
        from_inputs(tmp_path, ["<id>.x", "<id>.y"])
    assert "2 of 3 ids lack an input" in caught.value.message
    assert "'2' lacks <id>.y" in caught.value.message
    assert "'3' lacks <id>.x" in caught.value.message
    assert "missing_inputs" in str(caught.value.hint)
    assert sorted(caught.value.task_ids) == ["2", "3"]


def test_of_many_only_some_are_shown(tmp_path: Path) -> None:
    fill(tmp_path, "0.y", *[f"{number}.x" for number in range(100)])
    with pytest.raises(PlanError) as caught:
        from_inputs(tmp_path, ["<id>.x", "<id>.y"])
    assert "99 of 100" in caught.value.message
    assert "and 89 more" in caught.value.message
    assert len(caught.value.message.splitlines()) == 12
    assert len(caught.value.task_ids) == 99


def test_ids_that_lack_an_input_are_left_out_if_that_is_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, "1.x", "1.y", "2.x")
    source = from_inputs(tmp_path, ["<id>.x", "<id>.y"], skip_incomplete=True)
    assert source.ids == ["1"]
    (warning,) = source.warnings
    assert "left out" in warning
    assert "'2' lacks <id>.y" in warning


@pytest.mark.parametrize(
    ("files", "inputs", "message"),
    [
        (["1.x", "2.y"], ["<id>.x", "<id>.y"], "2 of 2 ids lack"),  # nothing would be left
        (["a.txt"], ["<id>.csv"], "'a.txt'"),
        ([".keep"], ["in_<id>"], "no file in"),
        (["1.x"], ["<id>.x", "ref.dat"], "ref.dat: there is no such file"),
        (["1.x"], ["<ID>.x"], "did you mean <id>"),
    ],
)
def test_no_tasks_from_files(tmp_path: Path, files: list[str], inputs: list[str], message: str) -> None:
    fill(tmp_path, *files)
    with pytest.raises(PlanError) as caught:
        from_inputs(tmp_path, inputs, skip_incomplete=True)
    assert message in str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="nowhere is not there") as caught:
        from_inputs(tmp_path / "nowhere", ["<id>.x"])
    assert caught.value.hint


@settings(deadline=None)
@given(st.lists(st.integers(-(10**12), 10**15), unique=True))
def test_ids_sort_as_numbers(numbers: list[int]) -> None:
    assert sort_ids([str(number) for number in numbers]) == [str(number) for number in sorted(numbers)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["10", "9", "1"], ["1", "9", "10"]),
        (["0.5", "0.25", "10.0", "-1"], ["-1", "0.25", "0.5", "10.0"]),
        (["010", "9", "08"], ["08", "9", "010"]),
        (["1", "01", "001"], ["001", "01", "1"]),  # equal numbers in one order always
        (["10", "9", "x"], ["10", "9", "x"]),
        (["b", "B", "a"], ["B", "a", "b"]),
        (["10000000000000000", "9999999999999999"], ["9999999999999999", "10000000000000000"]),
        (["1e3", "20"], ["1e3", "20"]),
        ([], []),
    ],
)
def test_order_of_ids(ids: list[str], expected: list[str]) -> None:
    assert sort_ids(ids) == expected


# ---------------------------------------------------------------------------------------------------------------------
# Which of them it is


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({"args": [["x"], ["y"]]}, ["000001", "000002"]),
        ({"args_file": "g.csv"}, ["000001"]),
        ({"sweep": {"a": ["1", "2"], "b": ["1", "2"]}}, ["000001", "000002", "000003", "000004"]),
        ({"command_file": "c.txt"}, ["000001", "000002"]),
        ({"indir": "in", "inputs": ["<id>.x"]}, ["7"]),
        ({"indir": "in", "inputs": ["<id>.x", "<id>.y"], "missing_inputs": "skip"}, ["7"]),
    ],
)
def test_each_kind_of_config(tmp_path: Path, settings: dict[str, Any], ids: list[str]) -> None:
    (tmp_path / "g.csv").write_text("t\n1\n", encoding="utf-8")
    (tmp_path / "c.txt").write_text("true\nfalse\n", encoding="utf-8")
    fill(tmp_path / "in", "7.x", "7.y", *(["8.x"] if "missing_inputs" in settings else []))
    made = SwarmSettings.model_validate(settings if "command_file" in settings else {"command": "true", **settings})
    source = read_source(Swarm("s", made, "here", Target(mode="local"), tmp_path))
    assert source.ids == ids
