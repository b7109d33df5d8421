"""Rows: the tasks of arguments, tables and sweeps, and what is said of a table that cannot be used."""

from __future__ import annotations

import csv
import io
import itertools
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.errors import PlanError
from locusts_fab.plan.files import sort_ids
from locusts_fab.plan.rows import from_args_file, from_rows, from_sweep

if TYPE_CHECKING:
    from pathlib import Path


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
        ("g.csv", b"t,s\n 1 ,\n", [{"t": "1", "s": ""}]),
        ("g.csv", b't , s\n" 1 " , "a, ""b"" "\n', [{"t": " 1 ", "s": 'a, "b" '}]),
        ("g.csv", b't,s\n5" pipe , x y \n7",  z\n', [{"t": '5" pipe', "s": "x y"}, {"t": '7"', "s": "z"}]),
        ("g.tsv", b"t \t s\n 1 \t a b \n", [{"t": "1", "s": "a b"}]),
        ("g.csv", b't,s\n"1 \n 2", a\n', [{"t": "1 \n 2", "s": "a"}]),
        # as spreadsheets leave them
        ("g.csv", b"t,s\n1,a\n,\n , \n2,b\n,\n", TWO),
        ("g.csv", b"t,s,,\n1,a,,\n2,b,,\n,,,\n", TWO),
        ("g.csv", b"t,s\n1,a,\n2,b,,\n", TWO),
        ("g.csv", b't\n""\n', [{"t": ""}]),  # an empty value that is written is one
        # other delimiters
        ("g.csv", b"t;s\n1;a\n2;b\n", TWO),
        ("g.csv", b"t;s\n1,5;a\n", [{"t": "1,5", "s": "a"}]),
        ("g.csv", b"t\ts\n1\ta\n2\tb\n", TWO),
        ("g.tsv", b"t,s\n1,a\n2,b\n", TWO),
        ("g.tsv", b"t;s\n1;a\n2;b\n", TWO),
        # blanks in names
        ("g.csv", b"cell line,a  b c\n1,2\n", [{"cell_line": "1", "a_b_c": "2"}]),
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
        (b"t,s\n1,a\n2\n", "line 3: 1 field where the header has 2"),
        (b"t,s\n1\n2\n", "and so is 1 more"),
        (b"t,s\n1\n2\n3\n", "and so are 2 more"),
        (b't,s\n"1\n2",a\n3,b,c\n', "line 4: 3 fields"),
        (b"t,t\n1,2\n", "two columns are called 't'"),
        (b"shared,s\n1,2\n", "cannot be called 'shared'"),
        (b"arg7,s\n1,2\n", "cannot be called 'arg7'"),
        (b"t,\n1,2\n", "'' in the header is no name"),
        (b"t,a (b)\n1,2\n", "'a_(b)' in the header is no name"),
        (b"a b,a_b\n1,2\n", "two columns are called 'a_b'"),
        (b"t,s,\n1,2,3\n", "'' in the header is no name"),
        (b"280,300\n1,2\n", "'280' in the header is no name"),
        (b't,s\n"1,2\n', "line 2"),
        (b't,s\n"1"2,a\n', "line 2"),
        (b"t\0s\n", "NUL"),
        ("t,s\n1,2\n".encode("utf-16"), "UTF-16"),
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


FIELD = st.text(st.characters(exclude_characters="\0 \t", exclude_categories=["Cs"]) | st.just("\udcff"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FIELD, FIELD, st.text('\udc80é;,"\n\r ', min_size=1)), min_size=1))
def test_every_value_of_a_table_comes_back(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    """Whatever csv.writer writes, in any bytes."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    path = tmp_path / "grid.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "surrogateescape"))
    source = from_args_file(path, "grid.csv")
    found = [dict(source.own(index)) for index in range(len(source.ids))]
    plain = [[field.replace("\r\n", "\n") for field in row] for row in rows]
    assert [list(row.values()) for row in found] == plain


def test_many_rows_need_little_memory(tmp_path: Path) -> None:
    """As lists, these rows alone would take 14 MB."""
    path = tmp_path / "grid.csv"
    path.write_text("a,b,c\n" + "".join(f"{number},x{number},y{number}\n" for number in range(50_000)))
    tracemalloc.start()
    source = from_args_file(path, "grid.csv")
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(source.ids) == 50_000
    assert held < 8_000_000
    assert most < 14_000_000
