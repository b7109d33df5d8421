"""An environment that others may change, or that is not ours, is not used: what stands in its plan would run as us."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Somebody else, by number; only who is root can give something to them.
OTHER = 12345
CONFIG = HERE + "[swarms.s]\ncommand = 'echo <arg0> > out.txt'\nargs = [['1'], ['2']]\noutputs = ['out.txt']\n"
COMMANDS = [
    ["submit"],
    ["run"],
    ["status"],
    ["collect"],
    ["retry"],
    ["attach"],
    ["cancel"],
    ["logs", "000001"],
    ["clean"],
]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def group_may_write(folder: Path) -> None:
    folder.chmod(0o770)


def others_may_look(folder: Path) -> None:
    folder.chmod(0o701)


def exec_is_open(folder: Path) -> None:
    (folder / "exec").chmod(0o722)


def belongs_to_another(folder: Path) -> None:
    os.chown(folder, OTHER, -1)


def exec_belongs_to_another(folder: Path) -> None:
    os.chown(folder / "exec", OTHER, -1)


def is_anothers_link(folder: Path) -> None:
    real = folder.with_name("real")
    folder.rename(real)
    folder.symlink_to(real)
    os.chown(folder, OTHER, -1, follow_symlinks=False)


OPEN = [
    group_may_write,
    others_may_look,
    exec_is_open,
    *(pytest.param(each, marks=needs_root) for each in (belongs_to_another, exec_belongs_to_another, is_anothers_link)),
]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.write(CONFIG)
    assert made.locusts("submit")[0] == 0
    assert made.locusts("watch")[0] == 0
    return made


def environment(workspace: Workspace) -> Path:
    return workspace.folder / ".locusts/here/s"


@pytest.mark.parametrize("open_up", OPEN)
def test_every_command_refuses(workspace: Workspace, open_up: Callable[[Path], None]) -> None:
    open_up(environment(workspace))
    before = sorted(str(path) for path in environment(workspace).rglob("*"))
    for words in COMMANDS:
        code, text = workspace.locusts(*words)
        assert (code, "is not ours alone" in text) == (2, True), (words, text)
        assert "chmod 700" in text
    code, text = workspace.locusts("check")
    assert (code, "is not ours alone" in text) == (2, True), text
    assert sorted(str(path) for path in environment(workspace).rglob("*")) == before
    assert not workspace.result("").exists()


def test_it_is_used_again_once_it_is_closed(workspace: Workspace) -> None:
    environment(workspace).chmod(0o777)
    assert workspace.locusts("collect")[0] == 2
    environment(workspace).chmod(0o700)
    assert workspace.locusts("collect")[0] == 0
    assert workspace.result("000002/out.txt").read_text() == "2\n"


@pytest.mark.parametrize("open_up", [group_may_write, pytest.param(belongs_to_another, marks=needs_root)])
def test_a_folder_that_somebody_made_first(tmp_path: Path, open_up: Callable[[Path], None]) -> None:
    """In a root that others may write, nothing is put into it."""
    workspace = Workspace(tmp_path)
    workspace.write(CONFIG)
    environment(workspace).mkdir(parents=True)
    open_up(environment(workspace))
    code, text = workspace.locusts("submit")
    assert (code, "is not ours alone" in text) == (2, True), text
    assert not (environment(workspace) / "exec/plan").exists()


def test_our_own_link_is_followed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write(CONFIG)
    (tmp_path / "disk").mkdir(mode=0o700)
    environment(workspace).parent.mkdir(parents=True)
    environment(workspace).symlink_to(tmp_path / "disk")
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert (tmp_path / "disk/exec/plan").exists()
    assert workspace.locusts("check")[0] == 0


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_we_make_is_closed(tmp_path: Path, umask: int) -> None:
    workspace = Workspace(tmp_path)
    workspace.write(CONFIG)
    with workspace.start("run", preexec_fn=lambda: os.umask(umask)) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert environment(workspace).stat().st_mode & 0o077 == 0
    assert (environment(workspace) / "exec").stat().st_mode & 0o077 == 0
