"""The task after all others, as the config means it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.errors import ConfigError, PlanError
from locusts_fab.plan.final import needs_links
from tests.unit.plan.test_limits import refused, tasks_of

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.model.tasks import Task

ROWS: dict[str, Any] = {"command": "echo <arg0>", "args": [["a"], ["b"]]}


def final_of(folder: Path, command: str, root: str = "/scratch/s", **more: Any) -> Task:
    *_, final = tasks_of(folder, root, **ROWS, final={"command": command, **more})
    return final


def test_it_is_the_last(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, **ROWS, final={"command": "true", "outputs": ["a", "b/*.csv"]})
    assert [task.id for task in tasks] == ["000001", "000002", "final"]
    assert tasks[-1].outputs == ("a", "/g/b/*.csv")
    assert tasks[-1].inputs == ()


@pytest.mark.parametrize("root", ["/scratch/s", '/a desk\'s "$(touch x)"/é'])
@pytest.mark.parametrize("command", ["printf %s <results>/x", 'printf %s "<results>/x"', "printf %s '<results>/x'"])
def test_the_folder_of_results_stands_as_any_value_does(tmp_path: Path, root: str, command: str) -> None:
    text = final_of(tmp_path, command, root).command
    assert "/work/CLAIM/results" in text  # as the manager looks for it
    printed = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert printed == f"{root}/work/CLAIM/results/x"
    assert not (tmp_path / "x").exists()


def test_shared_files_are_known_to_it(tmp_path: Path) -> None:
    (tmp_path / "ref").touch()
    assert (
        "/scratch/s/shared/r/ref"
        in tasks_of(tmp_path, **ROWS, shared={"r": "ref"}, final={"command": "cat <shared>r"})[-1].command
    )


def test_no_other_task_may_have_its_id(tmp_path: Path) -> None:
    error = refused(tmp_path, command="true <arg0>", args=[["final"]], id="<arg0>", final={"command": "true"})
    assert "two tasks have the id final" in error.message
    assert tasks_of(tmp_path, command="true <arg0>", args=[["final"]], id="<arg0>")


@pytest.mark.parametrize("output", ["../x", "a//b", ".", "x/../../y"])
def test_outputs_that_cannot_be(tmp_path: Path, output: str) -> None:
    with pytest.raises((PlanError, ValueError, ConfigError)):
        final_of(tmp_path, "true", outputs=[output])


def test_a_command_that_is_too_long(tmp_path: Path) -> None:
    assert "final: its command has" in refused(tmp_path, **ROWS, final={"command": "x" * 140_000}).message


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("cut -f 9 <results>/tasks.tsv", False),
        ("cut -f 9 <results>/tasks.tsv; cat <results>/tasks.tsv", False),
        ("cat <results>/*/o", True),
        ("cp <results>/tasks.tsv .; cd <results>", True),
        ("true", False),
    ],
)
def test_links_are_made_for_who_looks_for_them(command: str, *, needs: bool) -> None:
    assert needs_links(command) is needs
