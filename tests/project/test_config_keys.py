"""Every key of locusts.toml says what it means and what holds without it, and something comes of it."""

from __future__ import annotations

import ast
import json
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

import locusts_fab
from locusts_fab.config import schema
from locusts_fab.config.reference import render_reference
from locusts_fab.config.schema import Slurm, SwarmSettings, Table, Target
from locusts_fab.schedulers.slurm.jobs import directives

PACKAGE = Path(locusts_fab.__file__).parent

TABLES = [
    each for each in vars(schema).values() if isinstance(each, type) and issubclass(each, Table) and each is not Table
]
KEYS = [(table, name) for table in TABLES for name in table.model_fields]

REFERENCE = render_reference().splitlines()

#: What variables and attributes that hold a table are called.
HOLDERS: dict[type[Table], set[str]] = {SwarmSettings: {"settings"}, Target: {"target"}}
for parent in TABLES:
    for field_name, field in parent.model_fields.items():
        for held in {field.annotation, *typing.get_args(field.annotation)} & set(TABLES):
            HOLDERS.setdefault(held, set()).add(field_name)

#: Here keys are defined, checked and explained; that is not yet a use.
MODULES_OF_KEYS = {"config/schema.py", "config/types.py", "config/problems.py", "config/reference.py"}


def id_of(value: object) -> str:
    """Name a parameter of a test."""
    return value.__name__ if isinstance(value, type) else str(value)


# ---------------------------------------------------------------------------------------------------------------------
# Said


@pytest.mark.parametrize(("table", "name"), KEYS, ids=id_of)
def test_a_key_is_described_in_sentences(table: type[Table], name: str) -> None:
    text = table.model_fields[name].description or ""
    assert text, f"give {table.__name__}.{name} a description"
    assert text[0].isupper() or text[0] in "`#"
    assert text.rstrip("`").endswith((".", "…", "`.", "]`."))


@pytest.mark.parametrize(("table", "name"), KEYS, ids=id_of)
def test_the_reference_has_its_default(table: type[Table], name: str) -> None:
    found = table.model_fields[name]
    rows = [line for line in REFERENCE if line.startswith(f"| `{found.alias or name}` |")]
    defaults = [row.split(" | ")[2] for row in rows]
    if found.is_required():
        assert "required" in defaults
    elif found.default is PydanticUndefined or isinstance(found.json_schema_extra, dict):
        assert all(defaults)
        assert all("Undefined" not in text and text != "`null`" for text in defaults)
    else:
        assert ("none" if found.default in (None, [], {}) else f"`{json.dumps(found.default)}`") in defaults


def test_every_table_is_in_the_reference() -> None:
    titles = [line for line in REFERENCE if line.startswith("### ")]
    assert len(titles) == len(TABLES)


# ---------------------------------------------------------------------------------------------------------------------
# Used


def trees() -> dict[str, ast.Module]:
    """Parse every module in which a key may be used, by its path."""
    paths = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    return {name: ast.parse(path.read_text("utf-8")) for name, path in paths.items() if name not in MODULES_OF_KEYS}


def reads(tree: ast.AST) -> set[tuple[str, str]]:
    """Return what is read of what: `("target", "nodes")` for `swarm.target.nodes`."""
    return {
        (ast.unparse(node.value).rpartition(".")[2], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }


@cache
def used_pairs() -> set[tuple[str, str]]:
    """Return what is read anywhere, but for members of `Swarm` that nobody asks for."""
    elsewhere = trees()
    swarm = elsewhere.pop("config/swarm.py")
    pairs = set().union(*map(reads, elsewhere.values()))
    asked = {attribute for _, attribute in pairs}
    members = [node for node in ast.walk(swarm) if isinstance(node, ast.FunctionDef)]
    waiting = {member.name: reads(member) for member in members}
    while alive := {name for name in waiting if name in asked}:  # a member may serve another one only
        for name in alive:
            found = waiting.pop(name)
            pairs |= found
            asked |= {attribute for _, attribute in found}
    return pairs


@pytest.mark.parametrize(("table", "name"), [key for key in KEYS if key[0] is not Slurm], ids=id_of)
def test_a_key_is_used(table: type[Table], name: str) -> None:
    wanted = {(holder, name) for holder in HOLDERS[table]}
    shown = " or ".join(f"`{holder}.{name}`" for holder in sorted(HOLDERS[table]))
    assert wanted & used_pairs(), f"nothing reads {shown}; a key that does nothing misleads people"


def sample(annotation: Any) -> Any:
    """Return a value that a key of a type takes."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in {types.UnionType, typing.Union, typing.Annotated}:
        return sample(inner[0])
    if origin is list:
        return ["--option"]
    return {int: 1, bool: True}.get(annotation, "1")


@pytest.mark.parametrize("name", Slurm.model_fields)
def test_a_key_of_slurm_becomes_an_option_of_sbatch(name: str) -> None:
    value = {"mem": "1G", "mem_per_cpu": "1G"}.get(name) or sample(Slurm.model_fields[name].annotation)
    slurm = Slurm.model_validate({name: value})
    assert len(directives(slurm)) == len(directives(Slurm())) + 1
