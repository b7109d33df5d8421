"""What the docs say can be run, runs and prints what they say. Nothing here needs a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.docs import FENCED, blocks, code_of, section, table_rows
from tests.support.workspace import REPOSITORY as ROOT


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
