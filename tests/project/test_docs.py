"""What the docs say holds: links, tables, code that can be run. Nothing here needs a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import pytest
from invoke.loader import FilesystemLoader

import locusts_fab
from locusts_fab.cli.collection import make_collection
from locusts_fab.config.load import load_config
from locusts_fab.config.reference import render_reference
from locusts_fab.config.schema import Target
from locusts_fab.shell.template import Template
from tests.support.docs import FENCED, INLINE_CODE, blocks, code_of, prose, section, table_rows
from tests.support.workspace import REPOSITORY as ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

USER_DOCS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")]
)
ALL_DOCS = sorted([*USER_DOCS, *ROOT.glob("*.md"), *ROOT.glob("tests/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])


def name_of(path: Path) -> str:
    """Name a parameter of a test after a file."""
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """Make the anchors of a document's headings as GitHub does."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", ALL_DOCS, ids=name_of)
def test_links_hold(path: Path) -> None:
    text = INLINE_CODE.sub("", prose(path))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        there = path if not file else path.parent / file
        assert there.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(there), f"{target}: no such heading"


@pytest.mark.parametrize("page", ["README.md", "docs/ssh.md", "docs/design.md"])
def test_who_is_trusted_is_linked_where_people_look(page: str) -> None:
    path = ROOT / page
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", prose(path))
    assert ROOT / "SECURITY.md" in {(path.parent / target).resolve() for target in targets}


def test_who_is_trusted_is_said_of_each_mode() -> None:
    text = section(ROOT / "SECURITY.md", "## What depends on the mode")
    assert all(f"`{mode}`" in text for mode in get_args(Target.model_fields["mode"].annotation))


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    waiting = list(reached)
    while waiting:
        path = waiting.pop()
        for target in re.findall(r"\]\(([^)\s#]+\.md)[^)]*\)", path.read_text("utf-8")):
            there = (path.parent / target).resolve()
            if there not in reached:
                reached.add(there)
                waiting.append(there)
    assert not [name_of(path) for path in ROOT.glob("docs/*.md") if path not in reached]


def test_the_reference_is_in_step() -> None:
    page = (ROOT / "docs/config.md").read_text("utf-8")
    assert tasks_of_the_repository().with_reference(page) == page, "run `invoke dev.docs`"


def test_the_table_of_ssh_is_in_step() -> None:
    page = (ROOT / "docs/ssh.md").read_text("utf-8")
    assert tasks_of_the_repository().with_cases(page) == page, "run `invoke dev.docs`"


def test_the_reference_replaces_what_stands_in_its_place_alone() -> None:
    module = tasks_of_the_repository()
    page = module.with_reference(f"above\n{module.BEGIN}what was true once\n{module.END}below\n")
    assert page == f"above\n{module.BEGIN}\n{render_reference()}\n{module.END}below\n"


# ---------------------------------------------------------------------------------------------------------------------
# Configs


@pytest.mark.parametrize("path", [ROOT / "locusts.toml", *sorted(ROOT.glob("examples/*/locusts.toml"))], ids=name_of)
def test_configs_of_the_examples_load(path: Path) -> None:
    assert load_config(path).swarms


def test_configs_in_the_docs_load(tmp_path: Path) -> None:
    config = tmp_path / "locusts.toml"
    found = [code for path in USER_DOCS for code in blocks(path, "toml") if "[swarms." in code]
    for code in found:
        config.write_text(code, "utf-8")
        assert load_config(config).swarms
    assert found


# ---------------------------------------------------------------------------------------------------------------------
# Commands, exit codes, objects and files


def tasks_of_the_repository() -> ModuleType:
    """Load the tasks.py of this repository, as `invoke` does."""
    module, _ = FilesystemLoader(start=str(ROOT)).load("tasks")
    return module


def commands_of_the_repository() -> set[str]:
    """Name what `invoke` finds here."""
    return {*tasks_of_the_repository().namespace.task_names, *make_collection().task_names}


@pytest.mark.parametrize("path", USER_DOCS, ids=name_of)
def test_commands_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    indented = re.findall(r"^    .*$", text, re.MULTILINE)
    code = "\n".join([*(code for _, code in FENCED.findall(text)), *indented])
    code = "\n".join([code, *(found for _, found in INLINE_CODE.findall(prose(path)))])
    own = {"analyse", "locusts.status"}  # of the tasks.py that the README shows
    named = set(re.findall(r"(?<!from )(?<![\w.-])(?:locusts|invoke) ([a-z][a-z.]*)", code))
    assert named - own <= commands_of_the_repository()


def test_the_readme_lists_every_command_and_function() -> None:
    listed = [code_of(row[0]).split()[1] for row in table_rows(section(ROOT / "README.md", "## Commands"))]
    assert sorted(listed) == sorted(make_collection().task_names)
    assert all(callable(getattr(locusts_fab, name)) for name in listed if name not in {"run", "try", "init", "cat"})


def test_the_docs_list_every_exit_code() -> None:
    listed = [row[0] for row in table_rows(section(ROOT / "docs/failures.md", "## Exit codes"))]
    assert listed == [str(int(code)) for code in locusts_fab.ExitStatus]


def test_the_objects_are_where_the_design_says() -> None:
    rows = table_rows(section(ROOT / "docs/design.md", "## The objects"))
    for objects, module, _ in rows:
        source = (ROOT / "locusts_fab" / code_of(module)).read_text("utf-8")
        for name in re.findall(r"`(\w+)`", objects):
            assert re.search(rf"^(class )?{name}\b", source, re.MULTILINE), f"{name} is not in {module}"
    assert rows


def test_the_rooms_that_the_design_names_are_there() -> None:
    named = re.findall(r"`(\w+\.py)`", (ROOT / "docs/design.md").read_text("utf-8"))
    assert not [name for name in named if not (ROOT / "locusts_fab" / name).exists()]


# ---------------------------------------------------------------------------------------------------------------------
# Quoting


def quoting_rows() -> list[list[str]]:
    """List the examples of docs/quoting.md: template, value, and what bash gets."""
    rows = table_rows(section(ROOT / "docs/quoting.md", "## In commands"))
    return [[code_of(cell) for cell in row] for row in rows]


@pytest.mark.parametrize("row", [row for row in quoting_rows() if row[2].startswith(row[0].split()[0])], ids=str)
def test_values_are_quoted_as_the_docs_say(row: list[str]) -> None:
    template, value, command = row
    if "here-doc" not in template:
        assert Template.command(template, {"id"}).render({"id": value}) == command


def test_places_are_refused_as_the_docs_say() -> None:
    refused = [row for row in quoting_rows() if "<id>" in row[1] and not row[1].startswith("a `<id>`")]
    for _, like, instead in refused:
        with pytest.raises(locusts_fab.PlanError):
            Template.command(like, {"id"}).render({"id": "x"})
        Template.command(instead, {"id"})
    assert len(refused) > 5
