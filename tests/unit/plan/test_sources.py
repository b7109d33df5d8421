"""Sources: which tasks a config means, and what is said when it means none."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import PlanError
from locusts_fab.plan.sources import (
    from_args_file,
    from_command_file,
    from_inputs,
    from_rows,
    from_sweep,
    read_source,
    sort_ids,
)

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
        ([".x", "..x", "x"], ["<id>.x"], ["."]),
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
    with pytest.raises(PlanError, match="there is no folder") as caught:
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
# Rows of arguments


def test_rows() -> None:
    source = from_rows([["1", "a b"], ["2", ""]], "args")
    assert list(source.rows()) == [
        ("000001", {"id": "000001", "arg0": "1", "arg1": "a b"}),
        ("000002", {"id": "000002", "arg0": "2", "arg1": ""}),
    ]
    assert source.handles == {"id", "arg0", "arg1"}
    assert not source.is_from_files


def test_ragged_rows_have_the_handles_that_all_of_them_fill() -> None:
    source = from_rows([["1", "a"], ["2"], ["3", "b", "c"]], "args")
    assert source.handles == {"id", "arg0"}
    assert [values["arg0"] for _, values in source.rows()] == ["1", "2", "3"]
    assert "differ in length" in source.warnings[0]


def test_no_rows() -> None:
    with pytest.raises(PlanError, match="no task"):
        from_rows([], "args")


def test_ids_of_a_swarm_that_grows_stay_the_same() -> None:
    few = from_rows([["x"]] * 3, "args").ids
    many = from_rows([["x"]] * 12_345, "args").ids
    assert many[:3] == few == ["000001", "000002", "000003"]
    assert many[-1] == "012345"
    assert sort_ids(many) == many


def test_a_sweep_is_every_combination() -> None:
    source = from_sweep({"temperature": ["280", "300"], "seed": ["1", "2", "3"]})
    combinations = [(values["temperature"], values["seed"]) for _, values in source.rows()]
    assert combinations == list(itertools.product(["280", "300"], ["1", "2", "3"]))
    assert source.handles == {"id", "arg0", "arg1", "temperature", "seed"}
    assert next(source.rows())[1] == {"id": "000001", "arg0": "280", "arg1": "1", "temperature": "280", "seed": "1"}


BOM = b"\xef\xbb\xbf"
TWO = [{"t": "1", "s": "a"}, {"t": "2", "s": "b"}]


@pytest.mark.parametrize(
    ("name", "data", "rows"),
    [
        ("g.csv", b"t,s\n1,a\n2,b\n", TWO),
        ("g.csv", b"t,s\n1,a\n2,b", TWO),  # no newline at the end
        ("g.csv", BOM + b"t,s\r\n1,a\r\n2,b\r\n", TWO),
        ("g.csv", b"t,s\r1,a\r2,b\r", TWO),  # the line ends of old Macs
        ("g.csv", b"\n".join([b"t,s", b"", b"1,a", b"", b"2,b", b"", b""]), TWO),
        ("g.csv", b" t , s \n1,a\n2,b\n", TWO),
        ("g.tsv", b"t\ts\n1\ta\n2\tb\n", TWO),
        ("g.TSV", b"t\ts\n1\ta\n2\tb\n", TWO),
        ("g.txt", b"t\ts\n1\ta\n2\tb\n", TWO),
        ("g.tab", b"t\n1,a\n", [{"t": "1,a"}]),
        ("g.csv", b't,s\n"1,\n2","say ""hi"""\n', [{"t": "1,\n2", "s": 'say "hi"'}]),
        ("g.csv", b't,s\r\n"1\r\n2",a\r\n', [{"t": "1\n2", "s": "a"}]),
        ("g.csv", b"t,s\n 1 ,\n", [{"t": " 1 ", "s": ""}]),
        ("g.csv", b"t\n1\n", [{"t": "1"}]),
        ("g.csv", b"t,s\n\xff,$(x)\n", [{"t": "\udcff", "s": "$(x)"}]),
        ("g.csv", "größe".encode() + b"\n", None),
        ("g.csv", b"a.b,_c-d\n1,2\n", [{"a.b": "1", "_c-d": "2"}]),
    ],
)
def test_a_table_of_arguments(tmp_path: Path, name: str, data: bytes, rows: list[dict[str, str]] | None) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    if rows is None:
        with pytest.raises(PlanError, match="is no name"):
            from_args_file(path, name)
        return
    source = from_args_file(path, name)
    numbered = [{f"arg{index}": value for index, value in enumerate(row.values())} for row in rows]
    found = [values for _, values in source.rows()]
    assert found == [
        {"id": f"{number:06d}", **row, **more} for number, (row, more) in enumerate(zip(rows, numbered, strict=True), 1)
    ]
    assert source.handles == set(found[0])
    assert source.warnings == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (BOM, "it is empty"),
        (b"t,s\n", "no task"),
        (b"t,s\n1,a\n2\n", "line 3: 1 fields where the header has 2"),
        (b"t,s\n1\n2\n", "and so is 1 more"),
        (b"t,s\n1\n2\n3\n", "and so are 2 more"),
        (b't,s\n"1\n2",a\n3,b,c\n', "line 4: 3 fields"),
        (b"t,t\n1,2\n", "two columns are called 't'"),
        (b"id,s\n1,2\n", "cannot be called 'id'"),
        (b"shared,s\n1,2\n", "cannot be called 'shared'"),
        (b"arg7,s\n1,2\n", "cannot be called 'arg7'"),
        (b"t,\n1,2\n", "'' in the header is no name"),
        (b"t,a b\n1,2\n", "'a b' in the header is no name"),
        (b"280,300\n1,2\n", "'280' in the header is no name"),
        (b't,s\n"1,2\n', "line 2"),
        (b't,s\n"1"2,a\n', "line 2"),
        (b"t\0s\n", "NUL"),
        ("t,s\n1,2\n".encode("utf-16"), "NUL"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "g.csv"
    path.write_bytes(data)
    with pytest.raises(PlanError) as caught:
        from_args_file(path, "my grid.csv")
    assert caught.value.message.startswith("my grid.csv: ")
    assert message in caught.value.message


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(PlanError, match="cannot be read") as caught:
            from_args_file(path, "grid.csv")
        assert caught.value.hint


# ---------------------------------------------------------------------------------------------------------------------
# Lines of commands


@pytest.mark.parametrize(
    ("data", "commands"),
    [
        (b"echo a\necho b\n", ["echo a", "echo b"]),
        (b"echo a\necho b", ["echo a", "echo b"]),
        (BOM + b"echo a\r\necho b\r\n", ["echo a", "echo b"]),
        (b"\n# one\n  # two\n\t\necho a # three\n", ["echo a # three"]),
        (b"  echo a \n", ["  echo a "]),
        (b"cat '\xff' <id>\n", ["cat '\udcff' <id>"]),
        ("echo a\u2028b\x0bc\n".encode(), ["echo a\u2028b\x0bc"]),
    ],
)
def test_a_file_of_commands(tmp_path: Path, data: bytes, commands: list[str]) -> None:
    path = tmp_path / "commands.txt"
    path.write_bytes(data)
    source = from_command_file(path, "commands.txt")
    assert [source.commands[task_id] for task_id in source.ids] == commands
    assert list(source.rows()) == [(f"{number:06d}", {"id": f"{number:06d}"}) for number in range(1, len(commands) + 1)]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n", b" \t\n"])
def test_a_file_without_commands(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "commands.txt"
    path.write_bytes(data)
    with pytest.raises(PlanError, match=r"commands\.txt: there is no command in it"):
        from_command_file(path, "commands.txt")


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
