"""File names: the tasks that they give, and what is said when they give none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import PlanError
from locusts_fab.plan.files import from_inputs, sort_ids

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, *names: str) -> Path:
    """Make files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


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
        (["1.x"], ["<arg0>.x"], "<arg0> is no handle here"),
        (["1.x", "1.y"], ["<id>.x", "<ID>.y"], "should <id> be <ID>?"),
        (["1.x", "1.y"], ["<a>.x", "<b>.y"], "<a>.x lacks <b>; <b>.y lacks <a>"),
        (["1.x", "1.y"], ["<a>_<b>.x", "<b>_<c>.y"], "<a>_<b>.x lacks <c>; <b>_<c>.y lacks <a>"),
        (["12.x"], ["<a><b>.x"], "nothing stands between <a> and <b>"),
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
# Several handles

ODD = ["a b", "-rf", "$(x)", "'\"", "n\nl", "\udcff", "*?[", "é", "<id>", "\\"]


@pytest.mark.parametrize(
    ("files", "inputs", "rows"),
    [
        (["r/S1_L1.fq", "r/S2_L1.fq", "r/S10_L2.fq", "r/x"], ["r/<s>_<l>.fq"], ["S1 L1", "S10 L2", "S2 L1"]),
        (["10_2.x", "9_10.x", "9_2.x"], ["<a>_<b>.x"], ["9 2", "9 10", "10 2"]),
        (["S1/L1/r.fq", "S1/L2/r.fq", "S2/L1/r.fq", "S2/r.fq", "S3"], ["<s>/<l>/r.fq"], ["S1 L1", "S1 L2", "S2 L1"]),
        (["S1/S1_L1", "S1/S2_L1", "S2/S2_L2"], ["<s>/<s>_<l>"], ["S1 L1", "S2 L2"]),
        (["a_b_c/a.x", "a_b/a_b.x"], ["<p>_<q>/<p>.x"], ["a b_c"]),
        ([".a_b.x", "a_.b.x", "c_d.x"], ["<a>_<b>.x"], ["a .b", "c d"]),
        ([".a_b.x", "c_d.x"], [".<a>_<b>.x"], ["a b"]),
        (["d/.S1/L1", "d/S1/.L1", "d/S2/L2"], ["d/<s>/<l>"], ["S2 L2"]),
        (["1_a.x", "a-1.y", "2_b.x", "b-2.y"], ["<n>_<c>.x", "<c>-<n>.y"], ["1 a", "2 b"]),
        (
            ["S1_L1.x", "S1_L2.x", "S2_L1.x", "m/S1", "m/S2", "m/S3"],
            ["m/<s>", "<s>_<l>.x"],
            ["S1 L1", "S1 L2", "S2 L1"],
        ),
        (["S1_L1.x", "L1.cfg", "all"], ["<l>.cfg", "<s>_<l>.x", "all"], ["S1 L1"]),
        (["a_b_c.x", "m/a_b"], ["<p>_<q>.x", "m/<p>"], ["a_b c"]),
        (["a_b_c.x", "m/a_bc"], ["<p>_<q>.x", "m/<p><q>"], ["a_b c"]),
    ],
)
def test_several_handles(tmp_path: Path, files: list[str], inputs: list[str], rows: list[str]) -> None:
    source = from_inputs(fill(tmp_path / "in", *files), inputs)
    assert [" ".join(value for _, value in source.own(index)) for index in range(len(source.ids))] == rows
    assert source.ids == [row.replace(" ", "_") for row in rows]
    assert [tuple(source.values(index).items()) for index in range(len(rows))] == [
        source.own(index) for index in range(len(rows))
    ]


def test_values_may_be_anything(tmp_path: Path) -> None:
    fill(tmp_path, *[f"{one}={other}.x" for one in ODD for other in ODD], *[f"m/{one}" for one in ODD])
    source = from_inputs(tmp_path, ["<p>=<q>.x", "m/<p>"])
    assert {source.own(index) for index in range(len(source.ids))} == {
        (("p", one), ("q", other)) for one in ODD for other in ODD
    }
    assert not source.warnings


def test_handles_are_those_of_the_names_and_id_is_one_only_if_it_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "a_b")
    source = from_inputs(tmp_path, ["<s>_<l>"])
    assert source.handles == {"id", "s", "l"}
    assert not source.has_own_id
    source = from_inputs(tmp_path, ["<id>_<l>"])
    assert source.handles == {"id", "l"}
    assert source.has_own_id
    assert source.ids == ["a_b"]
    assert source.values(0) == {"id": "a", "l": "b"}


def test_what_is_looked_up_and_not_there_is_listed_or_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "S1_L1.fq", "S1_L2.fq", "S2_L1.fq", "S3_L1.fq", "S3_L1.bai", "S1_L1.bai", "m/S1.json")
    inputs = ["<s>_<l>.fq", "<s>_<l>.bai", "m/<s>.json"]
    with pytest.raises(PlanError) as caught:
        from_inputs(tmp_path, inputs)
    assert caught.value.message.splitlines() == [
        "3 of 4 ids lack an input:",
        "  'S1_L2' lacks <s>_<l>.bai",
        "  'S2_L1' lacks <s>_<l>.bai and m/<s>.json",
        "  'S3_L1' lacks m/<s>.json",
    ]
    assert caught.value.task_ids == ("S1_L2", "S2_L1", "S3_L1")
    source = from_inputs(tmp_path, inputs, skip_incomplete=True)
    assert source.ids == ["S1_L1"]
    assert "left out, as missing_inputs says: 3 of 4 ids" in source.warnings[0]


def test_names_that_can_be_read_in_several_ways_are_told(tmp_path: Path) -> None:
    fill(tmp_path, "x_y_z.txt", "a_b.txt")
    source = from_inputs(tmp_path, ["<a>_<b>.txt"])
    assert source.own(1) == (("a", "x_y"), ("b", "z"))
    (warning,) = source.warnings
    assert warning == (
        "inputs: 1 name can be read in several ways as <a>_<b>.txt; the first handle takes as much as it can:\n"
        "  'x_y_z.txt' is a = 'x_y', b = 'z', and not a = 'x', b = 'y_z'"
    )
