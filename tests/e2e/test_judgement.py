"""A submit refuses what cannot come to anything before anything is sent, and looks at a target once."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.preflight.here import TOOLS
from locusts_fab.shell.scripts import remote_script
from tests.support.findings import SLURM
from tests.support.workspace import COPY, HERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.workspace import Workspace


@pytest.fixture(autouse=True)
def _inputs(workspace: Workspace) -> None:
    workspace.pairs(3)


def refused(workspace: Workspace, config: str, *words: str, command: str = "run") -> str:
    """Submit a config, see that it is refused and nothing was sent, and return what was printed."""
    workspace.write(config)
    code, text = workspace.locusts(command, *words)
    assert code == 2, text
    assert "cannot run on target here as the config is" in text
    assert "nothing was sent" in text
    assert "--force" in text
    assert not list(workspace.folder.glob(".locusts/here/*"))
    return text


# ---- what is on this machine


@pytest.mark.parametrize("command", ["run", "submit", "retry"])
def test_an_outdir_that_cannot_be_made(workspace: Workspace, command: str) -> None:
    (workspace.folder / "file").write_text("in the way")
    text = refused(workspace, HERE + COPY + "outdir = 'file/results'\n", command=command)
    assert re.search(r"outdir: .*/file/results cannot be made or written: Not a directory", text)


@pytest.mark.parametrize("outdir", ["file", "link", "/proc/results"])
def test_an_outdir_in_the_place_of_something_else(workspace: Workspace, outdir: str) -> None:
    (workspace.folder / "file").write_text("in the way")
    (workspace.folder / "link").symlink_to("nowhere")
    assert "outdir: " in refused(workspace, HERE + COPY + f"outdir = '{outdir}'\n")
    assert not (workspace.folder / "nowhere").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_outdir_that_may_not_be_written(workspace: Workspace) -> None:
    (workspace.folder / "shut").mkdir(mode=0o500)
    assert "Permission denied" in refused(workspace, HERE + COPY + "outdir = 'shut'\n")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/data/gone.txt", "task 1: f_1.txt is a link to /data/gone.txt, where nothing is"),
        ("f_1.txt", "task 1: f_1.txt is a link to f_1.txt, where nothing is"),  # to itself
        ("f_0.txt/below", "task 1: f_1.txt is a link to f_0.txt/below, where nothing is"),
    ],
)
def test_a_dangling_input(workspace: Workspace, target: str, words: str) -> None:
    link = workspace.folder / "in" / "f_1.txt"
    link.unlink()
    link.symlink_to(target)
    text = refused(workspace, HERE + COPY)
    assert words in text
    assert "task 0:" not in text
    code, text = workspace.locusts("check")
    assert code == 2
    assert words in text


def test_a_dangling_input_of_a_done_task_holds_nothing_up(workspace: Workspace) -> None:
    workspace.write(HERE + COPY)
    assert workspace.locusts("run")[0] == 0
    link = workspace.folder / "in" / "f_1.txt"
    link.unlink()
    link.symlink_to("gone")
    (workspace.folder / "in" / "f_7.txt").write_text("7\n")
    code, text = workspace.locusts("run")
    assert code == 0, text
    code, text = workspace.locusts("submit", "--redo")
    assert code == 2, text
    assert "task 1: f_1.txt is a link to gone" in text
    assert workspace.locusts("status")[0] == 0
    assert {row["state"] for row in workspace.tasks().values()} == {"done"}  # nothing was forgotten


def test_force_goes_on(workspace: Workspace) -> None:
    link = workspace.folder / "in" / "f_1.txt"
    link.unlink()
    link.symlink_to("gone")
    workspace.write(HERE + COPY)
    code, text = workspace.locusts("run", "--force")
    assert code == 1, text
    assert {row["task"]: row["state"] for row in workspace.table("tasks.tsv")} == {
        "0": "done",
        "1": "failed",
        "2": "done",
    }


@pytest.mark.parametrize("scratch", ["$NO_SUCH_PLACE", "${NO_SUCH_PLACE}/deep", "$EMPTY/x"])
def test_a_scratch_that_is_not_set(workspace: Workspace, scratch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    text = refused(workspace, f"{HERE}scratch = '{scratch}'\n{COPY}")
    assert "is not set there" in text
    assert "as scratch in the config" in text
    code, text = workspace.locusts("check")
    assert code == 2
    assert "is not set there" in text


def test_a_scratch_that_setup_may_set_is_a_warning(workspace: Workspace, tmp_path: Path) -> None:
    workspace.write(f"{HERE}scratch = '$LATER'\nsetup = ['export LATER={tmp_path}/later']\n{COPY}")
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert "LATER is not set there; no harm if setup exports it" in text


def test_a_scratch_that_cannot_be_made(workspace: Workspace) -> None:
    place = workspace.folder.parent / "file"
    place.write_text("in the way")
    assert "Not a directory" in refused(workspace, f"{HERE}scratch = '{place}/x'\n{COPY}")


def programs(folder: Path, *without: str) -> str:
    """Make a folder of all programs but some."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).iterdir() if Path(place).is_dir() else []:
            if program.name not in without and not os.path.lexists(folder / program.name):
                (folder / program.name).symlink_to(program)
    return str(folder)


@pytest.mark.parametrize("missing", ["timeout", "mktemp", "rmdir"])
def test_a_missing_program(workspace: Workspace, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", programs(workspace.folder.parent / "bin", missing))
    assert f"programs: missing: {missing}; put them on the PATH" in refused(workspace, HERE + COPY)


def test_a_container_that_is_not_there(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", programs(workspace.folder.parent / "bin", "apptainer"))
    text = refused(workspace, f"{HERE}container = {{ image = '/no/such/image.sif' }}\n{COPY}")
    assert "there is no apptainer" in text
    assert "there is no /no/such/image.sif" in text


def test_the_script_looks_for_the_same_programs() -> None:
    assert f"for tool in {' '.join(TOOLS)}; do" in remote_script("probe")


# ---- what is elsewhere, or a scheduler's: here a few scripts that answer as SLURM's programs do

_FAKES = {
    "squeue": "exit 0",
    "scancel": "exit 0",
    "scontrol": "echo 'MaxArraySize = 1001'",
    "sinfo": 'echo sinfo >>"$FAKES/calls"; echo "short*|up|1-00:00:00|3|2|4000|idle"',
    "sbatch": """
if [[ " $* " == *" --test-only "* ]]; then
  cat "$FAKES/said" >&2
  exit "$(<"$FAKES/status")"
fi
echo sbatch >>"$FAKES/calls"
echo "sbatch: error: no" >&2
exit 1
""",
}


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Put programs on the PATH that answer as SLURM's do; a call of it says what was asked."""
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    (fakes / "calls").touch()
    (fakes / "said").write_text("sbatch: Job 7 to start at 2030-01-01T00:00:00")
    (fakes / "status").write_text("0")
    for name, text in _FAKES.items():
        (fakes / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (fakes / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{fakes}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKES", str(fakes))

    def made() -> list[str]:
        text = (fakes / "calls").read_text().split()
        (fakes / "calls").write_text("")
        return text

    return made


@pytest.mark.parametrize(
    ("slurm", "words"),
    [
        ("", "CPUs: 4 slots x 1 cpus_per_task = 4 CPUs, but no node has more than 2; ask for 2 slots or fewer"),
        ("partition = 'shrot'\n", "partition: there is no partition shrot; did you mean short?"),
        ("time = '3-00:00:00'\n", "time limit: 3-00:00:00 is more than short allows"),
    ],
)
def test_what_no_node_has(workspace: Workspace, calls: Callable[[], list[str]], slurm: str, words: str) -> None:
    workspace.write(SLURM + slurm + COPY)
    code, text = workspace.locusts("run")
    assert code == 4, text
    assert words in text
    assert calls() == ["sinfo"]  # no job was made
    assert not list(workspace.folder.glob(".locusts/far/*"))


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: Invalid qos specification",
        "sbatch: error: invalid account",
        "sbatch: error: Memory specification",
    ],
)
def test_what_the_scheduler_refuses(workspace: Workspace, calls: Callable[[], list[str]], said: str) -> None:
    fakes = Path(os.environ["FAKES"])
    (fakes / "said").write_text(said)
    (fakes / "status").write_text("1")
    workspace.write(SLURM.replace("slots = 4", "slots = 2") + "qos = 'x'\n" + COPY)
    code, text = workspace.locusts("submit")
    assert code == 4, text
    assert said.removeprefix("sbatch: ") in text
    assert calls() == ["sinfo"]
    code, text = workspace.locusts("submit", "--force")
    assert code == 4, text
    assert calls() == ["sbatch"]  # it was not looked, and the job was tried


@pytest.mark.parametrize(
    "said",
    [
        "allocation failure: Required node not available (down, drained or reserved)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Unable to contact slurm controller (connect failure)",
    ],
)
def test_what_may_pass_refuses_nothing(workspace: Workspace, calls: Callable[[], list[str]], said: str) -> None:
    fakes = Path(os.environ["FAKES"])
    (fakes / "said").write_text(said)
    (fakes / "status").write_text("1")
    workspace.write(SLURM.replace("slots = 4", "slots = 2") + COPY)
    workspace.locusts("submit")
    assert calls() == ["sinfo", "sbatch"]


def test_a_target_is_looked_at_once(workspace: Workspace, calls: Callable[[], list[str]]) -> None:
    fakes = Path(os.environ["FAKES"])
    takes = '#!/usr/bin/env bash\necho sbatch >>"$FAKES/calls"; echo 77\n'
    config = SLURM.replace("slots = 4", "slots = 2") + COPY
    workspace.write(config)
    workspace.locusts("submit")
    assert calls() == ["sinfo", "sbatch"]
    workspace.locusts("submit")  # the last one did not work: it is looked again
    assert calls() == ["sinfo", "sbatch"]
    (fakes / "sbatch").write_text(takes)
    assert workspace.locusts("submit")[0] == 0
    assert calls()[:1] == ["sinfo"]
    (workspace.folder / "in" / "f_7.txt").write_text("7\n")
    assert workspace.locusts("submit")[0] == 0
    assert "sinfo" not in calls()
    workspace.write(config.replace("nodes = 2", "nodes = 1"))
    (workspace.folder / "in" / "f_8.txt").write_text("8\n")
    assert workspace.locusts("submit")[0] == 0
    assert "sinfo" in calls()
    shutil.rmtree(workspace.folder / ".locusts")


@pytest.mark.parametrize(
    ("first", "second", "is_told"),
    [
        ("nt.fa", "nt.fa.nhr", True),
        ("nt.nhr", "nt.nin", True),
        ("reads.bam", "reads.bam.bai", True),
        ("ref.fa", "ref.dict", True),
        ("model.py", "table.tsv", False),
        ("nt.fa", "other/nt.fa.nhr", False),  # they lie apart here too
        ("nt", "ntx.fa", False),
    ],
)
def test_shared_files_that_belong_side_by_side(workspace: Workspace, first: str, second: str, *, is_told: bool) -> None:
    for name in (first, second):
        (workspace.folder / "in" / name).parent.mkdir(exist_ok=True)
        (workspace.folder / "in" / name).touch()
    workspace.write(f"{HERE}{COPY}shared = {{ one = '{first}', two = '{second}' }}\n")
    for command in ("check", "run"):
        code, text = workspace.locusts(command)
        assert code == 0, text
        assert ("side by side here" in text) is is_told, text
        assert ("share their folder" in text) is is_told, text
