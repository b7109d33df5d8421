"""CONTRIBUTING.md is true, and what its lists say of each kind of change holds for what is there already."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from locusts_fab.cli.collection import make_collection
from locusts_fab.config.schema import Target
from locusts_fab.manager import records
from locusts_fab.schedulers.registry import SCHEDULERS
from locusts_fab.shell.scripts import remote_script

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
CODE = sorted(set(re.findall(r"`([^`\n]+)`", TEXT)))

COMMANDS = ROOT / "locusts_fab/cli/commands"


# ---------------------------------------------------------------------------------------------------------------------
# What it names


@pytest.mark.parametrize("path", [word for word in CODE if re.fullmatch(r"[\w./]*(/|\w\.(py|sh|j2|md|toml))", word)])
def test_a_path_that_it_names_exists(path: str) -> None:
    if path != "locusts.toml":  # what users write
        assert list(ROOT.glob(path.replace("NAME", "*").rstrip("/"))), "nothing is there"


@pytest.mark.parametrize("name", [word for word in CODE if "::" in word])
def test_a_test_that_it_names_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert re.search(rf"^def {function}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)


def test_helpers_that_it_names_exist() -> None:
    for name in ("holding", "wait_until"):
        (path,) = re.findall(rf"`{name}`(?: is)? in `([^`]*)`", TEXT)
        assert f"`{name}(" in TEXT
        assert f"\ndef {name}(" in (ROOT / path).read_text("utf-8")


def test_it_names_every_folder_of_tests() -> None:
    named = set(re.findall(r"^\| `tests/(\w+)` \|", TEXT, re.MULTILINE))
    folders = {
        path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith(("_", "."))
    }
    assert named == folders


def test_a_folder_of_unit_tests_mirrors_one_of_the_package() -> None:
    unit = ROOT / "tests/unit"
    folders = {path.relative_to(unit) for path in unit.rglob("*") if path.is_dir() and path.name != "__pycache__"}
    assert [folder for folder in folders if not (ROOT / "locusts_fab" / folder).is_dir()] == []


# ---------------------------------------------------------------------------------------------------------------------
# Commands


def command_modules() -> set[str]:
    """List the modules of commands."""
    return {path.stem.rstrip("_") for path in COMMANDS.rglob("*.py") if path.stem != "__init__"}


def test_a_module_of_a_command_is_registered() -> None:
    assert command_modules() == set(make_collection().task_names)


def called_commands() -> set[object]:
    """List the commands that tests call: the first words that a user's folder is given to start the program with."""
    paths = [path for folder in ("unit", "e2e") for path in (ROOT / "tests" / folder).rglob("test_*.py")]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    starts = [call for call in calls if getattr(call.func, "attr", "") in {"locusts", "start"}]
    return {call.args[0].value for call in starts if call.args and isinstance(call.args[0], ast.Constant)}


def test_a_command_is_called_by_a_test() -> None:
    assert command_modules() - called_commands() == set()


# ---------------------------------------------------------------------------------------------------------------------
# Records


def fields_of_header() -> dict[str, list[str]]:
    """Return the fields of each kind of record, as the header of records.sh names them."""
    text = (ROOT / "templates/manager/records.sh").read_text("utf-8")
    found = re.findall(r"^#   ([a-z]+) +([A-Z]+(?: [A-Z]+)*)(?:   .*)?$", text, re.MULTILINE)
    return {kind: names.split() for kind, names in found}


def test_records_have_the_fields_that_their_header_names() -> None:
    """A reader takes as many as there are; the noun may leave some out."""
    readers = records._READERS
    header = fields_of_header()
    assert {kind: len(names) for kind, names in header.items()} == {
        kind: len(inspect.signature(reader).parameters) for kind, reader in readers.items()
    }
    nouns = {noun.__name__.lower(): noun for noun in typing.get_args(records.Record)}
    assert sorted(nouns) == sorted(header)
    more = {"ended": 3}  # outputs, log and what was used are two each
    assert [kind for kind, noun in nouns.items() if len(noun._fields) > len(header[kind]) + more.get(kind, 0)] == []


def test_the_design_has_as_many_fields_of_records() -> None:
    text = (ROOT / "docs/design.md").read_text("utf-8").partition("| record | fields |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    counts = {kind: len(fields.split(", ")) for kind, fields in rows}
    assert counts == {kind: len(names) for kind, names in fields_of_header().items()}


# ---------------------------------------------------------------------------------------------------------------------
# Schedulers

PACKAGES = sorted(path.parent.name for path in (ROOT / "locusts_fab/schedulers").glob("*/__init__.py"))


def test_a_package_of_a_scheduler_is_registered() -> None:
    assert set(PACKAGES) <= set(SCHEDULERS)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_scheduler_has_its_table(name: str) -> None:
    """Its settings are `[targets.X.NAME]`."""
    assert name in typing.get_args(Target.model_fields["scheduler"].annotation)
    table = Target.model_fields[name].annotation
    assert isinstance(table, type)
    assert issubclass(table, BaseModel)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_scheduler_has_its_scripts(name: str) -> None:
    scheduler = SCHEDULERS[name]
    assert scheduler.manager_part == name
    assert (ROOT / f"templates/manager/{name}.sh").is_file()
    assert scheduler.queue_script().endswith(remote_script(f"{name}_queue"))
    assert scheduler.probe_script().endswith(remote_script(f"{name}_probe"))


@pytest.mark.parametrize("name", PACKAGES)
def test_a_scheduler_has_its_tests(name: str) -> None:
    assert list((ROOT / "tests/unit/schedulers" / name).glob("test_*.py"))
