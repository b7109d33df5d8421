"""`check` on this machine, for real."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.errors import ExitStatus
from locusts_fab.hosts.local import LocalHost
from locusts_fab.model.findings import Finding, exit_status_of
from locusts_fab.preflight.probe import Questions, look
from tests.support.findings import load, states
from tests.support.sshd import free_port
from tests.support.workspace import COPY, HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace


@pytest.fixture(autouse=True)
def _inputs(workspace: Workspace) -> None:
    workspace.pairs(5)


def check(workspace: Workspace, config: str) -> dict[str, Finding]:
    """Check a config, and give what was found by what was looked at."""
    found = locusts_fab.check(load(workspace, config))
    return {finding.what: finding for finding in found}


def entries(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_all_is_fine_here_and_nothing_is_left_behind(workspace: Workspace) -> None:
    workspace.write(HERE + COPY)
    before = entries(workspace.folder.parent)
    code, text = workspace.locusts("check")
    assert code == 0, text
    assert "5 tasks" in text
    assert "error" not in text
    assert entries(workspace.folder.parent) == before
    found = check(workspace, HERE + COPY)
    assert list(found) == ["plan", "bash", "coreutils", "root", "hard links", "space", "inodes"]
    assert "login" not in found


def test_a_root_that_is_there_stays(workspace: Workspace) -> None:
    root = workspace.folder / ".locusts" / "here"
    root.mkdir(parents=True)
    assert check(workspace, HERE + COPY)["root"].state == "ok"
    assert root.is_dir()
    assert not list(root.iterdir())


@pytest.mark.parametrize("root", ["file/below", "file"])
def test_a_root_that_cannot_be_made(workspace: Workspace, root: str) -> None:
    (workspace.folder / "file").write_text("in the way")
    found = check(workspace, f"{HERE}root = '{root}'\n{COPY}")
    assert found["root"].state == "error"
    assert "file" in found["root"].found
    assert "space" not in found
    assert exit_status_of(found.values()) == ExitStatus.USAGE
    code, text = workspace.locusts("check")
    assert code == 2, text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_that_may_not_be_written(workspace: Workspace) -> None:
    (workspace.folder / "shut").mkdir(mode=0o500)
    assert check(workspace, f"{HERE}root = 'shut'\n{COPY}")["root"].state == "error"


def test_a_plan_that_cannot_be_made_is_a_finding(workspace: Workspace) -> None:
    shutil.rmtree(workspace.folder / "in")
    found = check(workspace, HERE + COPY)
    assert found["plan"].state == "error"
    assert found["plan"].found
    assert found["root"].state == "ok"
    assert found["space"].state == "ok"
    assert exit_status_of(found.values()) == ExitStatus.USAGE


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        (["export A=1", "module load openmpi"], "ok"),
        (["if true; then echo yes; fi"], "ok"),
        (["shopt -s extglob", "ls !(a|b)"], "ok"),
        (["touch ran"], "ok"),
    ],
)
def test_the_lines_of_setup_are_read_and_not_run(workspace: Workspace, lines: list[str], state: str) -> None:
    found = check(workspace, f"{HERE}setup = {lines!r}\n{COPY}".replace('"', "'''"))
    assert found["setup"].state == state, found["setup"]
    assert not list(workspace.folder.rglob("ran"))


def test_scratch(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    assert check(workspace, f"{HERE}scratch = '{tmp_path}/new/one'\n{COPY}")["scratch"].state == "ok"
    assert not (tmp_path / "new").exists()
    assert check(workspace, f"{HERE}scratch = '{tmp_path}/file/one'\n{COPY}")["scratch"].state == "error"
    for place, state in ((tmp_path, "ok"), (tmp_path / "file", "error"), ("", "error")):
        monkeypatch.setenv("PLACE", str(place))
        assert check(workspace, f"{HERE}scratch = '$PLACE/x'\n{COPY}")["scratch"].state == state
    assert check(workspace, f"{HERE}scratch = '$PLACE'\nsetup = ['PLACE=1']\n{COPY}")["scratch"].state == "warning"


def test_a_container_that_is_not_there(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    config = f"{HERE}container = {{ image = '/no/such/image.sif' }}\n{COPY}"
    monkeypatch.setenv("PATH", str(programs(workspace.folder.parent / "bin", without="apptainer")))
    found = check(workspace, config)
    assert states([found["container"], found["image"]]) == {"container": "error", "image": "error"}
    (workspace.folder.parent / "bin" / "apptainer").symlink_to("/bin/true")
    found = check(workspace, config.replace("/no/such/image.sif", "docker://debian"))
    assert found["container"].state == "ok"
    assert "image" not in found


def programs(folder: Path, without: str) -> Path:
    """Make a folder of all programs but one."""
    folder.mkdir()
    for place in ("/bin", "/usr/bin"):
        for program in Path(place).iterdir():
            if program.name != without and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return folder


@pytest.mark.parametrize(
    "root", ["$(touch ran)", "-dash", 'it\'s "so"', "$NO_SUCH_VARIABLE/x", "~/no_such", "$PLACE/x"]
)
def test_a_root_is_data(workspace: Workspace, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the config's root is the host's to understand; here that is this machine, in a home of its own."""
    home = workspace.folder.parent / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PLACE", str(home / "place"))
    facts = look(LocalHost(), Questions(root, "s")).facts
    if "NO_SUCH" in root:
        assert facts["root_complaint"] == "NO_SUCH_VARIABLE is not set there"
    else:
        assert facts["root"].startswith(f"{home}/")
        assert "root_complaint" not in facts
    assert not list(home.iterdir())


def test_a_missing_tool_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs(workspace.folder.parent / "bin", without="timeout")))
    found = check(workspace, HERE + COPY)
    assert found["coreutils"].state == "error"
    assert found["coreutils"].found.endswith(": timeout")


def test_a_host_that_does_not_answer(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    far = f"[targets.far]\nmode = 'remote'\nhost = 'me@127.0.0.1:{free_port()}'\nroot = '/scratch/me'\n"
    found = check(workspace, far + COPY)
    assert list(found) == ["plan", "login", "rsync on this machine"]
    assert found["login"].state == "error"
    assert found["login"].advice
    assert exit_status_of(found.values()) == ExitStatus.CONNECTION
