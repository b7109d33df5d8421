"""What cannot come to anything is told before anything is computed, sent or submitted, and what waits says for what."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

import pytest

from locusts_fab.state.ledger import Ledger
from locusts_fab.state.lock import locked
from tests.support.findings import SLURM
from tests.support.workspace import COPY, HERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.workspace import Workspace

#: Programs that answer as SLURM's do: its nodes have 2 CPUs, and no job ever starts.
_FAKES = {
    "scontrol": "echo 'MaxArraySize = 1001'",
    "sinfo": 'echo "short*|up|1-00:00:00|3|2|4000|idle"',
    "squeue": r"""case " $* " in *" -j "*) ;; *) exit 0 ;; esac
[[ ! -e $FAKES/job ]] || printf '%s_0|%s|0|PENDING||%s\n' "$(<"$FAKES/job")" "$(<"$FAKES/job")" "$(<"$FAKES/why")" """,
    "scancel": 'echo "scancel $(<"$FAKES/job")" >>"$FAKES/calls"; rm -f "$FAKES/job"',
    "sbatch": """[[ " $* " != *" --test-only "* ]] || exit 0
echo sbatch >>"$FAKES/calls"
wc -l <"$FAKES/calls" | tee "$FAKES/job" """,
}


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> Path:
    """Put SLURM's programs on the PATH, and return the folder that says what was called and what they answer."""
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    for name, text in {"calls": "", "why": "Resources"}.items():
        (fakes / name).write_text(text)
    for name, text in _FAKES.items():
        (fakes / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (fakes / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{fakes}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKES", str(fakes))
    workspace.pairs(2)
    return fakes


def config(more: str = "", slots: int = 2) -> str:
    """Return a config for SLURM."""
    return SLURM.replace("slots = 4", f"slots = {slots}") + more + COPY


# ---------------------------------------------------------------------------------------------------------------------
# On this machine


def file_in_the_way(workspace: Workspace) -> str:
    (workspace.folder / "file").write_text("in the way")
    return HERE + COPY + "outdir = 'file/results'\n"


def link_in_the_way(workspace: Workspace) -> str:
    (workspace.folder / "link").symlink_to("nowhere")
    return HERE + COPY + "outdir = 'link'\n"


def dangling_input(workspace: Workspace) -> str:
    (workspace.folder / "in/f_7.txt").symlink_to("/data/gone.txt")
    return HERE + COPY


def scratch_that_is_not_set(_: Workspace) -> str:
    return f"{HERE}scratch = '$NO_SUCH_VARIABLE'\n{COPY}"


def scratch_that_cannot_be_made(workspace: Workspace) -> str:
    (workspace.folder / "file").write_text("in the way")
    return f"{HERE}scratch = '/proc/self/scratch'\n{COPY}"


def pattern_of_outputs(_: Workspace) -> str:
    return HERE + COPY.replace('["out_<id>.txt"]', '["out_[<id>].txt"]')


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (file_in_the_way, "file/results cannot be made"),
        (link_in_the_way, "outdir: "),
        (dangling_input, "task 7: f_7.txt is a link to /data/gone.txt, where nothing is"),
        (scratch_that_is_not_set, "NO_SUCH_VARIABLE is not set"),
        (scratch_that_cannot_be_made, "/proc/self/scratch"),
        (pattern_of_outputs, "a handle cannot stand in brackets"),
    ],
)
def test_what_would_be_found_after_the_computing_starts_nothing(
    workspace: Workspace, make: Callable[[Workspace], str], said: str
) -> None:
    workspace.pairs(2)
    workspace.write(make(workspace))
    code, text = workspace.locusts("submit")
    assert (code, said in text) == (2, True), text
    assert not list(workspace.folder.glob(".locusts/here/*"))


# ---------------------------------------------------------------------------------------------------------------------
# With a scheduler


@pytest.mark.parametrize(
    ("more", "slots", "said"),
    [
        ("", 64, "64 slots x 1 cpus_per_task = 64 CPUs, but no node has more than 2"),
        ("partition = 'shrot'\n", 2, "there is no partition shrot; did you mean short?"),
        ("time = '3-00:00:00'\n", 2, "3-00:00:00 is more than short allows"),
        ("mem = '64G'\n", 2, "but no node that has the CPUs has more than 4,000"),
    ],
)
def test_a_job_that_no_node_could_run_is_not_submitted(
    workspace: Workspace, slurm: Path, more: str, slots: int, said: str
) -> None:
    workspace.write(config(more, slots))
    code, text = workspace.locusts("submit")
    assert (code, said in text) == (4, True), text
    assert (slurm / "calls").read_text() == ""


@pytest.mark.parametrize(
    ("why", "told"),
    [("Resources", "1 job waits (Resources)"), ("None", "1 job waits (no reason given yet)")],
)
def test_what_a_job_waits_for_is_told(workspace: Workspace, slurm: Path, why: str, told: str) -> None:
    (slurm / "why").write_text(why)
    workspace.write(config().replace("nodes = 2", "nodes = 1"))
    assert workspace.locusts("submit")[0] == 0
    code, text = workspace.locusts("status")
    assert (code, told in text, "None" in text) == (0, True, False), text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (config(), config(slots=1)),
        (config("time = '20:00:00'\n"), config("time = '01:00:00'\n")),
        (config("extra = ['--hold']\n"), config()),
    ],
)
def test_a_job_that_waits_with_an_earlier_config_is_replaced(
    workspace: Workspace, slurm: Path, before: str, after: str
) -> None:
    workspace.write(before)
    assert workspace.locusts("submit")[0] == 0
    workspace.write(after)
    code, text = workspace.locusts("submit")
    assert (code, "job 1 of the earlier submit waits, and the config has changed: it is replaced" in text) == (0, True)
    assert (slurm / "calls").read_text().splitlines() == ["sbatch", "scancel 1", "sbatch"]


# ---------------------------------------------------------------------------------------------------------------------
# While a submit runs


@pytest.mark.parametrize("line", ["status", "status --json", "failures", "logs 0"])
def test_nobody_who_looks_is_refused_while_the_first_submit_plans(workspace: Workspace, line: str) -> None:
    workspace.pairs(2)
    workspace.write(HERE + COPY)
    state = workspace.folder / ".locusts/s"
    state.mkdir(parents=True)
    with locked(state / "lock"), contextlib.closing(Ledger(state / "ledger.sqlite")):
        code, text = workspace.locusts(*line.split())
        assert code == 0, text
