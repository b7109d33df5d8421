"""The public names: one list, in the package, for type checkers, in dir() and in the docs; and what docstrings say."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import locusts_fab

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "locusts_fab" / "__init__.py"
DOCS = REPOSITORY / "docs" / "python.md"

PUBLIC = {name: getattr(locusts_fab, name) for name in locusts_fab.__all__}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
ERRORS = {name: value for name, value in CLASSES.items() if issubclass(value, locusts_fab.LocustsError)}

#: Parameters of these types mean the same everywhere, so docs/python.md explains them once.
SELF_EXPLAINING = {"Swarm", "fabric.Connection | None", "Screen | Silent | None"}
#: What cannot go wrong, or answers with what is wrong.
RAISES_NOTHING = {"check", "escape_name", "unescape"}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading of docs/python.md, without its header."""
    section = DOCS.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def names(heading: str) -> list[str]:
    """Return the names that a table of docs/python.md lists."""
    return [re.split(r"[`(]", row[0])[1] for row in rows(heading)]


# ---------------------------------------------------------------------------------------------------------------------
# One list


def test_dir_lists_the_public_names_before_they_are_loaded() -> None:
    code = "import locusts_fab; print(*dir(locusts_fab))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, timeout=60, stdout=subprocess.PIPE)
    assert shown.stdout.decode().split() == sorted(locusts_fab.__all__)


def test_every_name_is_exported_once() -> None:
    assert sorted(set(locusts_fab.__all__)) == sorted(locusts_fab.__all__)


def test_type_checkers_see_the_same_names() -> None:
    (block,) = (
        node
        for node in ast.parse(SOURCE.read_text("utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            assert alias.asname == alias.name, "only so do type checkers take it for exported"
            seen[alias.name] = str(statement.module).removeprefix("locusts_fab.")
    assert seen == locusts_fab._MODULES


def test_a_name_comes_from_the_module_that_defines_it() -> None:
    for name, value in {**FUNCTIONS, **CLASSES}.items():
        assert value.__module__ == f"locusts_fab.{locusts_fab._MODULES[name]}"


def test_other_names_are_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="module 'locusts_fab' has no attribute 'sumbit'"):
        locusts_fab.sumbit  # type: ignore[attr-defined]  # noqa: B018 - to ask for it is the test


def test_types_that_public_functions_return_are_public() -> None:
    returned = {inspect.signature(function).return_annotation for function in FUNCTIONS.values()}
    words = {word for annotation in returned for word in re.findall(r"\w+", annotation)}
    assert words - {"BinaryIO", "None", "int", "list", "str"} <= set(CLASSES)


# ---------------------------------------------------------------------------------------------------------------------
# docs/python.md


def test_the_docs_list_every_name() -> None:
    assert sorted(names("Functions")) == sorted(FUNCTIONS)
    assert sorted(names("Errors")) == sorted([*ERRORS, "ExitStatus"])
    assert sorted([*names("Functions"), *names("Objects"), *names("Errors")]) == sorted(PUBLIC)


@pytest.mark.parametrize("row", rows("Functions"), ids=lambda row: row[0])
def test_the_docs_show_functions_as_they_are(row: list[str]) -> None:
    name, _, arguments = row[0].strip("`").partition("(")
    signature = inspect.signature(FUNCTIONS[name])
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    without_types = signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    assert arguments == "…)" or f"({arguments}" == str(without_types)
    assert re.split(r"`", row[2])[1] == signature.return_annotation


@pytest.mark.parametrize("row", rows("Objects"), ids=lambda row: row[0])
def test_the_docs_name_what_objects_hold(row: list[str]) -> None:
    name = row[0].strip("`")
    kind = CLASSES.get(name)
    held = re.findall(r"`(\w+)(?:\(\))?`", row[1])
    if kind is not None and issubclass(kind, Enum):
        assert [word for word in held if word != "str"] == [member.name for member in kind]
    elif dataclasses.is_dataclass(kind):
        known = {*(field.name for field in dataclasses.fields(kind)), *dir(kind)}
        assert set(held) - known - {"None", "check"} == set()


@pytest.mark.parametrize("row", rows("Errors"), ids=lambda row: row[0])
def test_the_docs_give_the_exit_codes_of_errors(row: list[str]) -> None:
    name = row[0].strip("`")
    if name in ERRORS:
        assert row[2] == str(int(ERRORS[name].exit_status))
    else:
        assert re.findall(r"`(\w+)`", row[1]) == [status.name for status in locusts_fab.ExitStatus]


# ---------------------------------------------------------------------------------------------------------------------
# Docstrings


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_everything_public_says_what_it_is(name: str) -> None:
    text = PUBLIC[name].__doc__ or ""
    assert text
    assert not text.startswith(f"{name}("), "that is what a dataclass says that has none of its own"


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_public_functions_say_what_goes_in_and_what_comes_out(function: Callable[..., Any]) -> None:
    text = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    own = [each.name for each in signature.parameters.values() if each.annotation not in SELF_EXPLAINING]
    assert [name for name in own if f":param {name}: " not in text] == []
    assert re.findall(r":param (\w+):", text) == [name for name in signature.parameters if f":param {name}:" in text]
    assert (":returns: " in text) == (signature.return_annotation != "None")
    assert (":raises " in text) == (function.__name__ not in RAISES_NOTHING)
