"""What is too long to be run is refused when the plan is made, and what is not, runs."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.bounds.names import LONGEST_PATH_BYTES
from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import PlanError
from locusts_fab.plan.limits import LONGEST_ARGUMENT_BYTES, LONGEST_ARGUMENTS_BYTES, Limits
from locusts_fab.plan.tasks import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.model.tasks import Task

ROOT = "/scratch/s"


def tasks_of(folder: Path, root: str = ROOT, **settings: Any) -> list[Task]:
    if "command_file" not in settings:
        settings = {"command": "true", **settings}
    swarm = Swarm("s", SwarmSettings.model_validate(settings), "here", Target(mode="local"), folder)
    return list(make_plan(swarm, root).tasks())


def refused(folder: Path, **settings: Any) -> PlanError:
    with pytest.raises(PlanError) as caught:
        tasks_of(folder, **settings)
    assert caught.value.hint is not None
    return caught.value


# ---- commands ----


def runs(command: str) -> bool:
    try:
        return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], check=False).returncode == 0
    except OSError as error:
        assert "too long" in str(error)
        return False


def test_the_limit_is_that_of_the_kernel() -> None:
    assert runs("true " + "x" * (LONGEST_ARGUMENT_BYTES - 5))
    assert not runs("true " + "x" * (LONGEST_ARGUMENT_BYTES - 4))


@pytest.mark.parametrize("letter", ["x", "é", "\udcff", "\U0001f99f"])
@pytest.mark.parametrize("more", [0, 1, 70_000])
def test_a_command_of_as_many_bytes_as_can_be_run_is_the_longest(tmp_path: Path, letter: str, more: int) -> None:
    """Bytes count, not characters; `#` begins a comment, so nothing is quoted."""
    width = len(os.fsencode(letter))
    value = letter * ((LONGEST_ARGUMENT_BYTES - len("true ")) // width)
    value += "x" * (LONGEST_ARGUMENT_BYTES - len("true ") - len(os.fsencode(value)) + more)
    if not more:
        (task,) = tasks_of(tmp_path, command="true <arg0:raw>", args=[[value]])
        assert len(os.fsencode(task.command)) == LONGEST_ARGUMENT_BYTES
        return
    error = refused(tmp_path, command="true <arg0:raw>", args=[["fine"], [value]])
    assert f"task 2: its command has {LONGEST_ARGUMENT_BYTES + more} bytes" in error.message.replace("00000", "")
    assert str(LONGEST_ARGUMENT_BYTES) in error.message
    assert "task 000001" not in error.message
    assert error.hint == "put what is long into a file, an input or a shared one, and let the command read it"


def test_a_line_of_a_file_of_commands_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "commands").write_text(f"echo {'x' * LONGEST_ARGUMENT_BYTES}\ntrue\n")
    assert "task 000001: its command has 131076 bytes" in refused(tmp_path, command_file="commands").message


def test_what_makes_a_command_long_is_what_is_put_in(tmp_path: Path) -> None:
    """Quotes around values, and paths of shared files, count as they come out."""
    (tmp_path / "sf").touch()
    value = "'" * (LONGEST_ARGUMENT_BYTES // 2 + 1)
    assert "its command has" in refused(tmp_path, command="true <arg0>", args=[[value]]).message
    many = " ".join(["<shared>sf"] * 5000)
    settings: dict[str, Any] = {"command": f"true {many}", "args": [["1"]], "shared": {"sf": "sf"}}
    assert tasks_of(tmp_path, **settings)
    with pytest.raises(PlanError, match="its command has"):
        tasks_of(tmp_path, root="/scratch/a/longer/one", **settings)


def test_of_many_that_are_too_long_some_are_shown(tmp_path: Path) -> None:
    error = refused(tmp_path, command="true <arg0>", args=[["x" * 140_000]] * 30)
    assert "and 20 more" in error.message
    assert len(error.message) < 2000


# ---- variables ----


def test_a_variable_that_no_program_can_be_given(tmp_path: Path) -> None:
    most = LONGEST_ARGUMENT_BYTES - len("V=")
    assert tasks_of(tmp_path, args=[["1"]], env={"V": "x" * most})
    assert (
        "env.V: with its name it has 131072 bytes"
        in refused(tmp_path, args=[["1"]], env={"V": "x" * (most + 1)}).message
    )


def test_variables_that_leave_no_room_for_a_command(tmp_path: Path) -> None:
    env = {f"V{number}": "x" * 100_000 for number in range(20)}
    error = refused(tmp_path, args=[["1"]], env=env)
    assert error.message.startswith("env: its variables have 2000")
    few = dict(list(env.items())[:16])
    assert tasks_of(tmp_path, args=[["1"]], env=few)
    longest = "x" * (LONGEST_ARGUMENT_BYTES - 5)
    words = ["bash", "-c", f"true {longest}"]
    assert subprocess.run(words, env={**os.environ, **few}, check=False).returncode == 0
    assert sum(map(len, env.values())) + len(longest) > LONGEST_ARGUMENTS_BYTES


# ---- paths ----


def deep(size: int) -> str:
    """Make a relative path of so many bytes, each name of it short."""
    return "/".join(["d" * 99] * (size // 100)) + "/" + "x" * (size - size // 100 * 100)


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_a_path_that_no_system_call_takes(tmp_path: Path, where: str) -> None:
    error = refused(tmp_path, args=[["1"]], missing_inputs="skip", **{where: [deep(3990)]})
    assert "has 3990 bytes" in error.message
    assert str(LONGEST_PATH_BYTES) in error.message
    if where == "outputs":
        assert tasks_of(tmp_path, args=[["1"]], outputs=[deep(3550)])


def test_what_is_accepted_can_be_made(tmp_path: Path) -> None:
    """Where the sandbox lies as deep as it may."""
    limits = Limits.of(str(tmp_path), str(tmp_path))
    for prefix in ("work/123456.9.01234567/9999999.99", "batch_999/1", "inputs/999999/999999999"):
        name = deep(limits.name_bytes - 1)
        assert limits.why_too_long("1", "true", (name,)) is None
        (tmp_path / prefix / name).parent.mkdir(parents=True)
        (tmp_path / prefix / name).parent.joinpath(".locusts-0123456789abcdef").touch()


def test_a_root_that_leaves_no_room(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="leaves no space"):
        tasks_of(tmp_path, root=f"/{deep(4050)}", args=[["1"]])


def test_a_shared_file_that_cannot_lie_there(tmp_path: Path) -> None:
    (tmp_path / "sf").touch()
    assert tasks_of(tmp_path, args=[["1"]], shared={"k" * 100: "sf"})
    with pytest.raises(PlanError, match=r"shared\.sf: its path on the target"):
        tasks_of(tmp_path, root=f"/{deep(3995)}", args=[["1"]], shared={"sf": "sf"})
