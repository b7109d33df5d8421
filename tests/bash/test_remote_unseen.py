"""The scripts of `templates/remote`, where it cannot be seen what is there: that is never taken for nothing."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.shell.scripts import RemoteExit, templates_folder
from tests.support.environments import ID, OTHER_ID, listing, reserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.layout import Environment
    from tests.support.remote_scripts import Run

FOLDER = templates_folder() / "remote"
#: What each script is told about an environment, after its folder.
TOLD = {
    "fence": [ID, "1"],
    "is_tree_used": ["tree"],
    "poll": [ID, " ", "mark", "1000", "x", "", ""],
    "read_file": ["exec/replica.tsv", ""],
    "read_plan": ["", "1000"],
    "remove": [ID],
    "unpack_inputs": [ID],
}


@pytest.fixture
def closed(environment: Environment) -> Iterator[list[str]]:
    """Close the folder that an environment is in; give how a script is started by one who minds. Root may read all."""
    above = Path(environment.root).parent
    before = above.stat().st_mode
    command = ["bash"]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "bash"]
        for folder in list(above.parents)[:-2]:
            folder.chmod(folder.stat().st_mode | 0o055)
    above.chmod(0)
    yield command
    above.chmod(stat.S_IMODE(before))


@pytest.mark.parametrize("name", TOLD)
def test_an_environment_that_cannot_be_seen_is_not_taken_to_be_gone(
    environment: Environment, closed: list[str], name: str
) -> None:
    words = [*closed, str(FOLDER / f"{name}.sh"), environment.root, *TOLD[name]]
    result = subprocess.run(words, capture_output=True, check=False)
    assert result.returncode == 1
    assert b"Permission denied" in result.stderr


@pytest.mark.parametrize("name", ["poll", "remove", "read_plan", "unpack_inputs"])
def test_a_file_server_that_does_not_answer(
    run: Run, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Bash says of what it cannot look at that it is not there; `stat` says why."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/stat"
    fake.write_text("#!/bin/bash\necho \"stat: cannot stat '${!#}': Stale file handle\" >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    result = run(name, f"{environment.root}/gone", *TOLD[name])
    assert (result.exit_status, "Stale file handle" in result.stderr) == (1, True)


def test_whose_an_environment_is_that_cannot_be_seen_wholly(run: Run, environment: Environment) -> None:
    """Its id is longer than a file name may be, so nobody can say that it is not there."""
    before = listing(Path(environment.root))
    result = run("remove", environment.root, "c" * 300)
    assert (result.exit_status, "File name too long" in result.stderr) == (1, True)
    assert run("remove", environment.root, OTHER_ID).exit_status == RemoteExit.FOREIGN
    assert listing(Path(environment.root)) == before


def test_a_plan_that_cannot_be_listed_is_not_an_empty_one(
    run: Run, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/ls"
    fake.write_text("#!/bin/bash\necho \"ls: reading directory '${!#}': Input/output error\" >&2\nexit 2\n")
    fake.chmod(0o755)
    assert run("read_plan", environment.root, "", "1000").exit_status == 0
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    result = run("read_plan", environment.root, "", "1000")
    assert (result.exit_status, "Input/output error" in result.stderr) == (1, True)
    (Path(environment.root) / "tree/x").mkdir(parents=True)
    assert run("is_tree_used", environment.root, "tree").exit_status == 1


# ---------------------------------------------------------------------------------------------------------------------
# Files, trees


ODD = ["a b", "it's", "$(touch x)", "new\nline", "-rf", "é", "back\\slash", "*", "tab\there"]


@pytest.mark.parametrize("name", [*ODD, f"{ODD[0]}/{ODD[1]}"])
def test_a_file_is_printed(run: Run, environment: Environment, name: str) -> None:
    place = Path(environment.root) / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"one\0two\xff\n")
    assert run("read_file", environment.root, name, "").stdout == b"one\0two\xff\n"
    size, _, end = run("read_file", environment.root, name, "3").stdout.partition(b"\n")
    assert (int(size), end) == (9, b"o\xff\n")
    place.write_bytes(b"")
    assert run("read_file", environment.root, name, "").stdout == b""


def test_what_is_no_file_and_what_cannot_be_read(run: Run, environment: Environment) -> None:
    root = Path(environment.root)
    os.mkfifo(root / "pipe")
    (root / "round").symlink_to("round")
    (root / "link").symlink_to(f"exec/id.{ID}")
    (root / "file").touch()
    for name in ("none", "none/deep", "file/deep", "pipe", "round", "link", "exec"):
        for most in ("", "9"):
            result = run("read_file", str(root), name, most)
            assert (result.exit_status, result.stdout) == (RemoteExit.NO_FILE, b""), name
    assert run("read_file", f"{root}/none", "file", "").exit_status == RemoteExit.NO_FILE
    for place, name in ((str(root), "x" * 300), ("/proc/self", "mem")):
        for most in ("", "9"):
            result = run("read_file", place, name, most)
            assert result.exit_status == 1
            assert result.stderr


def test_a_tree_is_used_if_it_holds_something_and_managers_were_started(run: Run, environment: Environment) -> None:
    root = Path(environment.root)

    def is_used() -> str:
        result = run("is_tree_used", str(root), "tree")
        assert result.exit_status == 0
        return result.text

    for number in (1, 2):
        reserved(environment, number, "token")
    assert is_used() == "no\n"
    (root / "tree").mkdir()
    (root / "exec/started.2/once").mkdir()
    assert is_used() == "no\n"
    (root / "tree/.hidden").touch()
    assert is_used() == "yes\n"
    (root / "exec/started.2/once").rmdir()
    assert is_used() == "no\n"
