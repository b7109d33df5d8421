"""Whole swarms through accounts that ask a person: at a real terminal, and each question once."""

from __future__ import annotations

import contextlib
import os
import pty
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import COPY

from .failures import Conversation
from .runs import ClusterWorkspace, target
from .sshd import ALIAS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .accounts import Account, Login
    from .sshd import Sshd

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can add accounts")

PASSWORD, CODE = r"[Pp]assword: ", r"One-time password \(OATH\) for .*: "


@contextlib.contextmanager
def at_terminal(workspace: ClusterWorkspace, *words: str) -> Iterator[Conversation]:
    """Run the program within, at a terminal of its own."""
    ours, theirs = pty.openpty()
    with workspace.start(*words, stdin=theirs, stdout=theirs, stderr=theirs, before=("setsid", "--ctty")) as process:
        os.close(theirs)
        try:
            yield Conversation(process, ours)
        finally:
            process.kill()
            os.close(ours)


def prepare(workspace: ClusterWorkspace, sshd: Sshd, login: Login) -> Account:
    """Add an account that asks, and give the workspace a swarm that runs there."""
    account = sshd.add_account(login)
    workspace.pairs(4)
    workspace.root = account.home / "locusts"
    host = f"{ALIAS}-{len(sshd.accounts) - 1}-{login}"
    workspace.write(target(workspace.root, scheduler="none", slots=2, host=host) + COPY)
    return account


def assert_done(workspace: ClusterWorkspace, text: str, code: int) -> None:
    assert code == 0, text
    assert "4 of 4 done" in text
    assert [workspace.result(f"{n}/out_{n}.txt").read_text() for n in range(4)] == [f"{n}\n" for n in range(4)]


def test_a_password_is_asked_for_once(workspace: ClusterWorkspace, sshd: Sshd) -> None:
    account = prepare(workspace, sshd, "password")
    before = sshd.authentications()
    with at_terminal(workspace, "run") as terminal:
        terminal.read_until("assword: ")
        terminal.type(account.password)
        code = terminal.end()
    assert_done(workspace, terminal.text, code)
    assert len(re.findall(PASSWORD, terminal.text)) == 1
    assert account.password not in terminal.text
    assert sshd.authentications() == before + 1


def test_a_password_and_a_one_time_code_are_asked_for_once_each(workspace: ClusterWorkspace, sshd: Sshd) -> None:
    account = prepare(workspace, sshd, "otp")
    before = sshd.authentications()
    for count, words in enumerate((["run"], ["clean"]), 1):
        with at_terminal(workspace, *words) as terminal:
            terminal.read_until("assword: ")
            terminal.type(account.password)
            terminal.read_until("One-time password")
            code = account.next_code()
            terminal.type(code)
            assert terminal.end() == 0, terminal.text
        assert len(re.findall(PASSWORD, terminal.text)) == len(re.findall(CODE, terminal.text)) == 1, terminal.text
        assert code not in terminal.text
        assert account.password not in terminal.text
        assert sshd.authentications() == before + count
    assert not workspace.environment().exists()
    assert [workspace.result(f"{n}/out_{n}.txt").read_text() for n in range(4)] == [f"{n}\n" for n in range(4)]


def test_ctrl_c_at_a_question_ends_the_command(workspace: ClusterWorkspace, sshd: Sshd) -> None:
    prepare(workspace, sshd, "otp")
    with at_terminal(workspace, "run") as terminal:
        terminal.read_until("assword: ")
        terminal.type("\x03")
        assert terminal.end() == 130, terminal.text
    assert not workspace.environment().exists()


@pytest.mark.parametrize("more", ["", "pack = true\n", 'pack = true\nresults = "archive"\n'])
def test_a_login_shell_that_is_no_kin_of_bash(workspace: ClusterWorkspace, sshd: Sshd, more: str) -> None:
    """And a path with what it looks for even between quotes."""
    account = sshd.add_account(shell="/bin/tcsh")  # noqa: S604 - a login shell, not a way to run a command
    workspace.pairs(4)
    workspace.root = account.home / "hi! it's \\ mine"
    host = f"{account.name}@{ALIAS}"
    workspace.write(target(workspace.root, scheduler="none", slots=2, host=host) + COPY + more)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert "the stream" not in text
    assert [workspace.locusts("cat", str(n), f"out_{n}.txt") for n in range(4)] == [(0, f"{n}\n") for n in range(4)]
    code, text = workspace.locusts("clean")
    assert code == 0, text
