"""The tutorial and the recipes in docs/, done literally: each block runs, and prints what its `text` block shows."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import REPOSITORY

from .failures import Conversation
from .sshd import ALIAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Cluster

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="only root can add accounts")]

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What ends a question, and the kind of its answer.
QUESTIONS = {re.compile(r"[Pp]assword: ?$"): "password", re.compile(r"One-time password[^\n]*: ?$"): "code"}
#: Start-up files of a login that has modules.
MODULES = 'module() { echo "module: $*" >&2; }\nexport -f module\n'


def steps(name: str) -> list[tuple[str, list[str]]]:
    """List the blocks of bash of a page, each with the lines that it shall print."""
    found: list[tuple[str, list[str]]] = []
    for language, code in FENCED.findall((REPOSITORY / "docs" / name).read_text("utf-8")):
        if language == "bash":
            found.append((code, []))
        elif language == "text":
            found[-1][1].extend(code.splitlines())
    return found


def make_home(folder: Path, cluster: Cluster, alias: str) -> dict[str, str]:
    """Make a user's home, in which the host `cluster` is one of the test cluster; return the variables of a shell."""
    (folder / ".ssh").mkdir(mode=0o700, parents=True)
    config = cluster.sshd.ssh_config_path.read_text("utf-8")
    (folder / ".ssh" / "config").write_text(
        re.sub(rf"^Host {re.escape(alias)}$", "Host cluster", config, flags=re.MULTILINE)
    )
    (folder / "bin").mkdir()
    for name, command in {
        "locusts": f"'{sys.executable}' -m locusts_fab",
        "python3": f"'{sys.executable}'",
        "ssh": '/usr/bin/ssh -F "$HOME/.ssh/config"',  # it looks for the home folder elsewhere
    }.items():
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    plain = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    return {**plain, "HOME": str(folder), "PATH": path, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}


def play(code: str, env: dict[str, str], answer: Callable[[str], str]) -> str:
    """Run a block at a terminal, as a person does who answers what is asked; return what was printed."""
    ours, theirs = pty.openpty()
    words = ("setsid", "--ctty", "bash", "-c", code)
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=env["HOME"]) as process:
        os.close(theirs)
        talk, heard = Conversation(process, ours), 0
        try:
            while talk._read(1):
                for question, kind in QUESTIONS.items():
                    if question.search(talk.text[heard:]):
                        heard = len(talk.text)
                        talk.type(answer(kind))
                        break
            process.wait(timeout=60)
        finally:
            process.kill()
            os.close(ours)
    return talk.text


def assert_all_happens(name: str, env: dict[str, str], answer: Callable[[str], str]) -> None:
    for code, expected in steps(name):
        text = play(code, env, answer)
        assert "Traceback" not in text, text
        at = 0
        for line in expected:
            assert line in text[at:], (code, line, text)
            at = text.index(line, at) + len(line)


@pytest.fixture
def cleaned(cluster: Cluster) -> Iterator[None]:
    """Leave no environment on the host for another test."""
    yield
    cluster.slurm.run("scancel", "--user", cluster.sshd.user)


def test_the_tutorial(tmp_path: Path, cluster: Cluster) -> None:
    account = cluster.sshd.add_account("otp")
    env = make_home(tmp_path / "home", cluster, f"{ALIAS}-{len(cluster.sshd.accounts) - 1}-otp")
    asked: list[str] = []

    def answer(kind: str) -> str:
        asked.append(kind)
        return account.password if kind == "password" else account.next_code()

    assert_all_happens("tutorial.md", env, answer)
    assert asked == ["password", "code"] * (len(asked) // 2), "each login asks for both, once"
    assert len(asked) // 2 <= 7, "ssh, check, run, logs, retry, collect, clean"
    assert not (account.home / "locusts" / "sums").exists()
    assert (tmp_path / "home/first/results/sums/4/sum_4.txt").read_text() == "204\n"


@pytest.mark.usefixtures("cleaned")
def test_the_recipes(tmp_path: Path, cluster: Cluster) -> None:
    home = cluster.sshd.home
    (home / "miniconda3" / "bin").mkdir(parents=True)
    (home / "miniconda3" / "bin" / "activate").write_text("export CONDA_DEFAULT_ENV=$1\n")
    cluster.sshd.account.write_start_up(MODULES)
    env = make_home(tmp_path / "home", cluster, ALIAS)

    def answer(kind: str) -> str:
        raise AssertionError(f"nobody shall be asked for a {kind}")

    assert_all_happens("recipes.md", env, answer)
