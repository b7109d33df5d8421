"""What main process and slots tell each other through TMPDIR, and what becomes of them where its disk is full."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.shell.scripts import templates_folder
from tests.support.managers import BASH, ManualEnvironment, Spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIBRARIES = templates_folder() / "manager"


def mounted(disk: Path, options: str) -> Iterator[Path]:
    """Mount a small file system, which only root can."""
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted: {done.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture
def few_bytes(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk", "size=256k")


def fill_bytes(disk: Path) -> str:
    """Return a command that leaves no byte."""
    return f'cat /dev/zero > "{disk}/filler" 2>/dev/null || true'


# ---- nothing is read from a file that bash makes by itself ----


@pytest.mark.parametrize("size", [5_000, 100_000])
def test_long_commands_where_tmpdir_is_full(tmp_path: Path, few_bytes: Path, size: int) -> None:
    """Bash could not split such a line of the plan with a here-string: the slot died, again and again."""
    subprocess.run(["bash", "-c", fill_bytes(few_bytes)], check=True)
    with ManualEnvironment(tmp_path, slots=0, scheduler="slurm") as env:
        env.plan([Spec(f": {'x' * size}; : > out; : > 'a\tb'", ["out", "a\tb"]), "echo hi"])
        env.run(env={"TMPDIR": str(few_bytes)})
        assert env.states() == {1: ["done"], 2: ["done"]}
        assert env.end_of(1).found == (True, True)
        assert env.left() == "finished"


@given(text=st.text(alphabet="ab,é\n\t\\*\x01\x7f\udcff", max_size=60), times=st.sampled_from([1, 30, 700]))
def test_split(text: str, times: int) -> None:
    """A text falls into what stands between the marks, whatever else it holds and however long it is."""
    whole = text * times
    tell = """split "$(cat; printf .)" ,; printf '%s\\0' "${PARTS[@]}\""""
    script = f'. "$1/records.sh"; {tell}'
    done = subprocess.run(
        [BASH, "-uc", script, "bash", LIBRARIES],
        input=f"{whole}".encode(errors="surrogateescape"),
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode(errors="surrogateescape").split("\0")[:-1] == f"{whole}.".split(",")
