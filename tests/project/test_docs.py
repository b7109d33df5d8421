"""What the docs say holds: links, tables, code that can be run. Nothing here needs a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from invoke.loader import FilesystemLoader

import locusts_fab
from locusts_fab.cli.collection import make_collection
from locusts_fab.config.load import load_config
from locusts_fab.config.reference import render_reference
from locusts_fab.config.schema import Target
from locusts_fab.shell.template import Template

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
USER_DOCS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")]
)
ALL_DOCS = sorted([*USER_DOCS, *ROOT.glob("*.md"), *ROOT.glob("tests/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def name_of(path: Path) -> str:
    """Name a parameter of a test after a file."""
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    """List the code blocks of a language."""
    return [code for found, code in FENCED.findall(path.read_text("utf-8")) if found == language]


def prose(path: Path) -> str:
    """Give a document without its code blocks."""
    return FENCED.sub("", path.read_text("utf-8"))


def section(path: Path, heading: str) -> str:
    """Give the part of a document under a heading, up to the next one of the same depth."""
    depth = heading.split(" ", maxsplit=1)[0]
    _, found, rest = path.read_text("utf-8").partition(f"\n{heading}\n")
    assert found, f"{path.name} has no {heading!r}"
    return re.split(rf"^{depth} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table_rows(text: str) -> list[list[str]]:
    """Take the rows out of all Markdown tables of a text, without headers."""
    rows = []
    lines = text.splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        is_row = line.startswith("| ") and not line.startswith("| ---")
        if is_row and above.startswith("| "):
            rows.append([cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def code_of(cell: str) -> str:
    """Take the code out of a table's cell."""
    found = INLINE_CODE.fullmatch(cell)
    return found[2].strip(" ") if found else cell


# ---------------------------------------------------------------------------------------------------------------------
# Links, and the reference


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
    assert all(callable(getattr(locusts_fab, name)) for name in listed if name not in {"run", "try", "init"})


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


# ---------------------------------------------------------------------------------------------------------------------
# What can be run


def run(*command: str, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a program with ours on the PATH, and with another home; its errors come with its output."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


@dataclass(frozen=True)
class Tried:
    """The quickstart, run: its folder, and what each block printed."""

    folder: Path
    home: Path
    printed: list[str]


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    home = tmp_path_factory.mktemp("home")
    text = section(ROOT / "README.md", "## Quickstart")
    mark = "==the next block=="
    script = [f"printf '%s\\n' '{mark}'\n{code}" for language, code in FENCED.findall(text) if language == "bash"]
    lines = [line for line in "\n".join(script).splitlines() if "pip " not in line and "/activate" not in line]
    result = run("bash", "-c", "\n".join(lines), folder=home, home=home)
    return Tried(home / "means", home, result.stdout.split(f"{mark}\n")[1:])


def test_the_quickstart_runs(quickstart: Tried) -> None:
    dry, first, second = quickstart.printed
    assert "6 tasks" in dry
    assert "run_1.txt > mean_1.txt" in dry
    assert "5 of 6 done, 1 failed" in first
    assert first.count("could not convert string to float: 'n/a\\n'") >= 2  # in the log, and as the reason above it
    assert first.count("could not convert string to float: 'n/a\\\\n'") == 1  # in the table, where it is escaped
    assert "submitted 1 of 6 tasks" in second
    assert "6 of 6 done" in second
    assert len(list((quickstart.folder / "results/means").glob("*/mean_*.txt"))) == 6


def test_python_in_the_readme_runs(quickstart: Tried) -> None:
    interface, tasks, table = blocks(ROOT / "README.md", "python")
    result = run(sys.executable, "-c", interface, folder=quickstart.folder, home=quickstart.home)
    assert "done=6" in result.stdout
    assert "results/means/tasks.tsv" in result.stdout
    (quickstart.folder / "tasks.py").write_text(tasks, "utf-8")
    result = run(sys.executable, "-m", "invoke", "analyse", folder=quickstart.folder, home=quickstart.home)
    assert len(result.stdout.split()) == 6
    result = run(sys.executable, "-m", "invoke", "locusts.status", folder=quickstart.folder, home=quickstart.home)
    assert "finished, 6 of 6 done" in result.stdout
    result = run(sys.executable, "-c", table + "print(rows[1][:2])", folder=quickstart.folder, home=quickstart.home)
    assert result.stdout == "['1', 'done']\n"


def test_tables_have_the_columns_that_the_readme_lists(quickstart: Tried) -> None:
    rows = table_rows(section(ROOT / "README.md", "## What is written where"))
    listed = [code_of(row[0]) for row in rows]
    header = (quickstart.folder / "results/means/tasks.tsv").read_text("utf-8").split("\n")[0].split("\t")
    assert listed[-len(header) :] == header


def test_the_design_names_every_file_of_an_environment(quickstart: Tried) -> None:
    design = section(ROOT / "docs/design.md", "## The files")
    environment = quickstart.folder / ".locusts/here/means"
    written = [*environment.iterdir(), *(environment / "exec").iterdir()]
    plain = (re.sub(r"^id\..*", "id.c0ffee12", path.name) for path in written)
    names = {name if name.startswith("id.") else re.sub(r"[0-9]+", "1", name) for name in plain} - {"exec"}
    assert not [name for name in names if not re.search(rf"(^|[ /]){re.escape(name)}(/| |$)", design, re.MULTILINE)]


def test_the_ising_example_runs(tmp_path: Path) -> None:
    folder = tmp_path / "ising"
    shutil.copytree(ROOT / "examples/ising", folder, ignore=shutil.ignore_patterns("results", ".locusts"))
    config = folder / "locusts.toml"
    small = config.read_text("utf-8").replace("--seed <seed>", "--seed <seed> --size 4 --sweeps 20")
    config.write_text(small, "utf-8")
    assert run("locusts", "run", folder=folder, home=tmp_path).returncode == 0
    summary = run(sys.executable, "summarise.py", folder=folder, home=tmp_path).stdout
    assert "52 of 52 tasks are done" in summary
    assert "the exact transition is at 2.269" in summary
    options = ("--temperature", "1.5", "--seed", "2", "--size", "4", "--sweeps", "20")
    again = run(sys.executable, "ising.py", *options, folder=folder, home=tmp_path).stdout
    assert again == (folder / "results/000002/ising.tsv").read_text("utf-8")
