"""The program that rsync starts in place of ssh: what it hands over, and how it ends."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from locusts_fab.hosts import fake_ssh
from locusts_fab.hosts.fake_ssh import LINK_BROKE

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def handed_over(*command: str) -> Iterator[tuple[subprocess.Popen[bytes], bytes, list[int]]]:
    """Start the program, and take what it hands over: the command, its stdin, its stdout and the leash."""
    ours, theirs = socket.socketpair()
    words = [sys.executable, "-I", "-S", "-E", fake_ssh.__file__, str(theirs.fileno()), "host", *command]
    with (
        ours,
        theirs,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[theirs.fileno()]) as process,
    ):
        message, descriptors, _, _ = socket.recv_fds(ours, 1000, 3)
        try:
            yield process, message, descriptors
        finally:
            for descriptor in descriptors:
                with contextlib.suppress(OSError):
                    os.close(descriptor)


def test_the_command_and_both_pipes_are_handed_over() -> None:
    with handed_over("rsync", "--server", "a b", "\udcff") as (process, message, (wants, gets, leash)):
        assert message == b"rsync\0--server\0a b\0\xff"
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"for the host")
        process.stdin.close()
        assert os.read(wants, 100) == b"for the host"
        assert os.read(wants, 100) == b""
        os.write(gets, b"from the host")
        os.close(gets)  # nobody else keeps it open
        assert process.stdout.read() == b"from the host"
        os.write(leash, bytes([0]))
        assert process.wait(60) == 0


@pytest.mark.parametrize("status", [0, 1, 127, LINK_BROKE])
def test_it_exits_as_the_command_did(status: int) -> None:
    with handed_over("true") as (process, _, (_, _, leash)):
        os.write(leash, bytes([status]))
        assert process.wait(60) == status


def test_it_exits_like_ssh_when_nobody_holds_the_leash() -> None:
    with handed_over("true") as (process, _, (_, _, leash)):
        os.close(leash)
        assert process.wait(60) == LINK_BROKE


def test_the_leash_ends_when_it_is_killed() -> None:
    with handed_over("true") as (process, _, (_, _, leash)):
        process.kill()
        assert os.read(leash, 1) == b""
