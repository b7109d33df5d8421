"""What main process and slots tell each other through TMPDIR, and what becomes of them where its disk is full."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.manager.records import Began, Suspect
from locusts_fab.shell.scripts import templates_folder
from tests.support.disks import small_disk
from tests.support.managers import BASH, ManualEnvironment, Spec
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIBRARIES = templates_folder() / "manager"


@pytest.fixture
def few_bytes(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "size=256k") as disk:
        yield disk


@pytest.fixture
def few_files(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "size=8m,nr_inodes=200") as disk:
        yield disk


def fill_bytes(disk: Path) -> str:
    """Return a command that leaves no byte."""
    return f'cat /dev/zero > "{disk}/filler" 2>/dev/null || true'


def fill_files(disk: Path) -> str:
    """Return a command after which no file can be made."""
    return f'{{ for i in {{1..400}}; do : > "{disk}/filler.$i" || break; done; }} 2>/dev/null'


# ---- tasks fill the disk of TMPDIR while they run ----


def test_a_task_that_hangs_is_ended(tmp_path: Path, few_bytes: Path) -> None:
    """The main process learns what runs, however many tasks were noted before."""
    with ManualEnvironment(tmp_path, timeout_us=1_000_000, timeout_text="1 s") as env:
        env.plan([fill_bytes(few_bytes), *["true"] * 70, "sleep 1000"])
        env.start(env={"TMPDIR": str(few_bytes)}).wait(40)
        assert env.states() == {**{task: ["done"] for task in range(1, 72)}, 72: ["failed"]}
        assert env.end_of(72).reason == "timeout after 1 s"
        assert env.left() == "finished"


def test_a_manager_that_is_told_to_leave(tmp_path: Path, few_bytes: Path) -> None:
    """It ends its task, which is run again elsewhere, and says why it left."""
    with ManualEnvironment(tmp_path, grace_s=1) as env:
        env.plan([fill_bytes(few_bytes), *["true"] * 70, f': > "{tmp_path}/begun"; sleep 1000', "true"])
        manager = env.start(env={"TMPDIR": str(few_bytes)})
        wait_until((tmp_path / "begun").exists, "the task")
        manager.send(signal.SIGTERM)
        manager.wait(40)
        assert env.states()[72] == ["interrupted"]
        assert 73 not in env.states()
        assert env.left() == "signal TERM"


@pytest.mark.parametrize("kind", ["bytes", "files"])
@pytest.mark.parametrize("pack", [0, 1])
@pytest.mark.parametrize("output", ["a.csv", "/g/*.csv"])
def test_outputs_are_found(tmp_path: Path, few_files: Path, kind: str, pack: int, output: str) -> None:
    """No good task fails because something could not be noted, and what it made stays."""
    fill = {"bytes": fill_bytes, "files": fill_files}[kind](few_files)
    places = [str(tmp_path / "scratch")] if pack else []
    with ManualEnvironment(tmp_path, has_patterns=1, keep="none", pack=pack, scratch=places) as env:
        (tmp_path / "scratch").mkdir()
        env.plan([Spec(f"{fill}; echo x > a.csv", (output,)), *[Spec("echo x > a.csv", (output,))] * 3])
        env.run(env={"TMPDIR": str(few_files)})
        assert env.states() == {task: ["done"] for task in (1, 2, 3, 4)}, env.end_of().reason
        assert env.left() == "finished"
        if not pack:
            assert [env.output("a.csv", task) for task in (1, 2, 3, 4)] == ["x\n"] * 4


def test_it_is_said_why_something_cannot_be_packed(tmp_path: Path, few_bytes: Path) -> None:
    with ManualEnvironment(tmp_path, pack=1, scratch=[str(tmp_path / "scratch")]) as env:
        (tmp_path / "scratch").mkdir()
        spoil = f"{fill_bytes(few_bytes)}; : > out; rm -r ../2; mkdir ../2; : > ../2/out"
        env.plan([Spec(spoil, ["out"]), Spec("rm ../1/out; : > out", ["out"])])
        env.run(env={"TMPDIR": str(few_bytes)})
        assert env.states() == {1: ["failed"], 2: ["done"]}
        assert env.end_of(1).reason.startswith("its outputs could not be packed: tar: 1/out: Cannot stat")


def test_failures_on_a_full_disk_count_for_nothing(tmp_path: Path, few_bytes: Path) -> None:
    """Where not even a failure can be counted, tasks most likely fail for that; the reason names the place."""
    with ManualEnvironment(tmp_path, breaker=20) as env:
        env.plan([fill_bytes(few_bytes), *["false"] * 5])
        env.run(env={"TMPDIR": str(few_bytes)})
        assert env.left() == f"no space is left for the notes of managers in {few_bytes}"
        assert env.states() == {1: ["done"], 2: ["failed"]}
        assert [record.task for record in env.records() if isinstance(record, Suspect)] == [2]


# ---- notes that cannot be written at all ----


def test_no_task_runs_unnoted(tmp_path: Path) -> None:
    """Nobody would end it; so it is interrupted, whatever it is about to do."""
    with ManualEnvironment(tmp_path) as env:
        spoil = f'cd "{env.temp}"/locusts.*/ && rm slot.0 && mkdir slot.0'
        env.plan([spoil, "sleep 1000", "true"])
        env.start().wait(40)
        assert env.states() == {1: ["done"], 2: ["interrupted"]}
        assert env.left() == f"no space is left for the notes of managers in {env.temp}"


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, few_bytes: Path) -> None:
    """Then the notes are in the environment, and go with the manager."""
    subprocess.run(["bash", "-c", fill_bytes(few_bytes)], check=True)
    with ManualEnvironment(tmp_path, slots=3, timeout_us=1_000_000, timeout_text="1 s") as env:
        env.plan(["sleep 1000"], ["true"])
        env.start(env={"TMPDIR": str(few_bytes)}).wait(40)
        assert env.states() == {1: ["failed"], 2: ["done"]}
        assert env.end_of(1).reason == "timeout after 1 s"
        assert not list(env.root.glob("exec/run.*"))
        assert [path.name for path in few_bytes.iterdir()] == ["filler"]


def test_no_room_for_notes_anywhere(tmp_path: Path, few_files: Path) -> None:
    with ManualEnvironment(few_files) as env:
        env.plan(["true"])
        subprocess.run(["bash", "-c", fill_files(few_files)], check=True)
        for path in list(few_files.glob("filler.1*"))[:7]:
            path.unlink()
        env.temp = tmp_path / "there is no such folder"
        assert env.start().wait(40) == 1
        assert not [record for record in env.records() if isinstance(record, Began)]
        assert env.left() == "no space is left for the notes of managers"


def test_a_line_that_is_half_written_is_not_taken(tmp_path: Path) -> None:
    """A slot counts as it was before."""
    lines = ["17 1.5 8 1 26", "17 1.5 8 1 2", "17 1.5 8", "", "170 1.5 8 1 26", "17 1.5 8 1 26 3"]
    for slot, line in enumerate(lines):
        (tmp_path / f"slot.{slot}").write_text(f"{line}\n")
    state = (
        f"SLOTS={len(lines)}; for slot in {{0..5}}; do RUNNING+=('5 1.0 2 3') DONE_BEFORE+=(0) FAILED_BEFORE+=(1); done"
    )
    script = f'. "$1/main.sh"; RUN=$2; {state}; listen; printf "%s\n" "${{RUNNING[@]}}" "$DONE_HERE $FAILED_HERE"'
    done = subprocess.run(
        [BASH, "-uc", script, "bash", LIBRARIES, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["17 1.5 8 1", *["5 1.0 2 3"] * 5, "18 22"]


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


@settings(deadline=None)
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
