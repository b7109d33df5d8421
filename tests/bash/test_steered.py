"""Variables and options of a user that change what bash, tar and grep do: nothing for a manager, all for tasks."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.hosts.base import frame
from locusts_fab.shell.scripts import PUT_AWAY, remote_script, templates_folder
from tests.support.environments import ID, founded
from tests.support.managers import BASH, ManualEnvironment, Spec

if TYPE_CHECKING:
    from pathlib import Path

STEERING = {
    "CDPATH": ".:/",
    "GLOBIGNORE": "*",
    "GREP_OPTIONS": "--color=always",
    "POSIXLY_CORRECT": "1",
    "TAR_OPTIONS": "--exclude=*.log",
}
#: Options of bash, for those that start with them set in SHELLOPTS and BASHOPTS.
OPTIONS = {
    "SHELLOPTS": "errexit:noclobber:noglob:nounset",
    "BASHOPTS": "dotglob:failglob:nocaseglob:nocasematch:nullglob",
}


def test_managers_and_scripts_put_away_the_same() -> None:
    part = (templates_folder() / "manager/environment.sh").read_text()
    assert f"  {PUT_AWAY}\n" in part
    options, shopts = frame("", ()).decode().splitlines()[0].split("; ")
    assert f"  {options.replace('u', '')} +o posix\n" in part  # a misspelt variable is a fault of a manager
    assert f"  {shopts}\n" in part
    assert set(STEERING) == set(PUT_AWAY.split()[2:])


@pytest.mark.parametrize("values", [{}, {"pack": 1}], ids=["files", "packed"])
@pytest.mark.parametrize("name", [*STEERING, *OPTIONS])
def test_a_manager_goes_its_way(tmp_path: Path, name: str, values: dict[str, Any]) -> None:
    command = f"printenv {name} > a; cat in > b.log; : > unwanted; echo printed"
    with ManualEnvironment(tmp_path, has_patterns=1, has_inputs=1, slots=2, keep="none", **values) as env:
        variables = {name: {**STEERING, **OPTIONS}[name]}
        env.plan(*[[Spec(command, ["a", "/g/*.log"], {"in": "text"})] for _ in range(3)])
        env.pack().run(env=variables)
        assert env.states() == {1: ["done"], 2: ["done"], 3: ["done"]}, env.complaints()
        assert env.left() == "finished"
        for task in (1, 2, 3):
            claim = env.end_of(task).claim
            if values:
                with tarfile.open(env.root / env.layout.packed(claim)) as archive:
                    texts = {each.name: archive.extractfile(each) for each in archive if each.isfile()}
                    found = {path: file.read().decode() for path, file in texts.items() if file is not None}
            else:
                work = env.root / "work" / claim
                found = {str(each.relative_to(work)): each.read_text() for each in work.rglob("*") if each.is_file()}
            assert found.keys() == {f"{task}/a", f"{task}/b.log", "log.1"}
            assert found[f"{task}/b.log"] == "text"
            assert set(variables[name].split(":")) <= set(found[f"{task}/a"].strip().split(":"))


def test_a_folder_of_the_user_is_no_scratch_folder(tmp_path: Path) -> None:
    """Nor is it removed by a manager that ends before it has one of its own."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "early").write_text("set -T; trap '[[ $BASH_COMMAND != find_scratch ]] || exit 1' DEBUG\n")
    with ManualEnvironment(tmp_path, scheduler="detached") as env:
        variables = {"SCRATCH_DIR": str(precious), "BASH_ENV": str(tmp_path / "early")}
        assert env.plan(["true"]).start(env=variables).process.wait(timeout=30) == 1
    assert precious.exists()


# ---- scripts on a host ----


def tried(tmp_path: Path, before: str = "") -> list[tuple[int, str, str]]:
    """Run scripts that make, ask and unpack, after what a start-up file says; return how each ended, and its words."""
    environment = founded(tmp_path / "env")
    (tmp_path / "env/inputs").rmdir()
    words = {
        "reserve": ("me\tlaptop", " ", "1", "1 9", "token"),
        "poll": ("1:token", "MARK", "10000", ".*", "", ""),
        "unpack_inputs": (),
    }
    said = []
    for name, more in words.items():
        fed = f"{before}\n".encode() + frame(remote_script(name), (environment.root, ID, *more))
        done = subprocess.run([BASH, "-s"], input=fed, capture_output=True, timeout=60, check=True)
        stdout, stderr = (text.decode() for text in (done.stdout, done.stderr))
        said.append((int(stdout.split()[-1]), stdout, stderr))
    shutil.rmtree(environment.root)
    return said


@pytest.mark.parametrize("name", STEERING)
def test_scripts_go_their_way(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tried(tmp_path)
    theirs = tmp_path / "home/inputs/backup.tar"
    theirs.parent.mkdir(parents=True)
    with tarfile.open(theirs, "w") as archive:
        archive.add(__file__, "x")
    monkeypatch.setenv(name, {**STEERING, "CDPATH": str(tmp_path / "home")}[name])
    assert tried(tmp_path) == usual
    assert [path.name for path in theirs.parent.iterdir()] == ["backup.tar"]
    assert [status for status, _, _ in usual] == [0, 0, 0]


OF_START_UP = ["set -C", "set -f", "set -e", "set -u", "set -o posix", "shopt -s failglob", "shopt -s nullglob dotglob"]


@pytest.mark.parametrize("options", OF_START_UP)
def test_options_of_a_start_up_file(tmp_path: Path, options: str) -> None:
    """A bash that sshd starts reads ~/.bashrc first."""
    assert tried(tmp_path, options) == tried(tmp_path)
