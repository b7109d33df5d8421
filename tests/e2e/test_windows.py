"""What a person sees in a real terminal: no word is broken, and all of it is what a program would read from a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import COPY, HERE, REPOSITORY

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

SIZES = [(80, 24), (200, 50)]
_ORDERS = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
COMMAND = r"""case $(( <id> % 10 )) in
  0|1|2) cat /a/path/that/is/so/long/that/it/does/not/fit/beside/anything/else/of/80/columns/<id>.txt; exit 1 ;;
  3) no-such-program <id> ;;
  4) echo 'Error: no rows in <id>' ;;
  *) cat f_<id>.txt > out_<id>.txt ;;
esac"""
CONFIG = HERE + COPY.replace('command = "cat f_<id>.txt > out_<id>.txt"', f"command = '''{COMMAND}'''")
BAD = """
[targets.cluster]
mode = "remot"
host = "example.org"
prot = 22
[swarms.s]
target = "cluster"
command = "true"
"""
FAILURES_80 = """\
5 failed, 3 causes:
  3  exit 1: cat:
     /a/path/that/is/so/long/that/it/does/not/fit/beside/anything/else/of/80/col
     umns/0.txt: No such file or directory
     tasks 0, 1, 2
     `locusts logs 0` shows all that it printed
  1  exit 127: bash: line 3: no-such-program: command not found
     task 3
     a program is not there: see its name, or let `setup` load it;
     `locusts logs 3`
  1  missing output: out_4.txt (Error: no rows in 4)
     task 4
     see with `locusts logs 4` what it did, and whether `outputs` names what it
     makes
`locusts retry` runs them again, once the causes are fixed
"""
BAD_80 = """\
locusts.toml: targets.cluster.mode: expected "local", "remote" or
  "remote-shared"; found "remot"; did you mean "remote"?
locusts.toml: targets.cluster.prot: unknown key; did you mean port? Then write
  it into host = "user@host:port"
locusts.toml: swarms.s: nothing makes tasks; give inputs with <id>, args,
  args_file, sweep or command_file
"""


def in_terminal(workspace: Workspace, size: tuple[int, int], *words: str) -> tuple[int, bytes]:
    """Run the program in a terminal of so many columns and lines; return its exit code and all that it sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    unwanted = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    env = {**env, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color"}
    process = workspace.start(*words, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError), contextlib.closing(os.fdopen(ours, "rb", buffering=0)) as file:
        while part := file.read(65536):
            said += part
    return process.wait(120), said


def plain(said: bytes) -> str:
    """Return what a terminal shows in the end, of a command that does not go back."""
    return _ORDERS.sub(b"", said).decode().replace("\r\n", "\n")


@pytest.fixture
def failed(workspace: Workspace) -> Workspace:
    """Return a swarm that was run; five of its ten tasks failed."""
    workspace.pairs(10)
    workspace.write(CONFIG)
    assert workspace.locusts("run")[0] == 1
    return workspace


def test_in_eighty_columns(failed: Workspace) -> None:
    code, said = in_terminal(failed, (80, 24), "failures")
    assert (code, plain(said)) == (1, FAILURES_80)
    assert b"\x1b[1;31m5 failed" in said  # red is red
    failed.write(BAD)
    assert plain(in_terminal(failed, (80, 24), "status")[1]) == BAD_80


@pytest.mark.parametrize("size", SIZES)
def test_a_terminal_shows_the_words_that_a_pipe_holds(failed: Workspace, size: tuple[int, int]) -> None:
    """But for the bar, and for words that are longer than a line."""
    for words in (["failures"], ["status"], ["collect"], ["check"], ["logs", "7"], ["logs", "77"]):
        code, piped = failed.locusts(*words)
        assert [line for line in piped.splitlines() if line != line.rstrip()] == []
        found, said = in_terminal(failed, size, *words)
        shown = re.sub(r"[━╌]+ +\d+ %", "", re.sub(r"[^\n]*\r", "", plain(said)))
        assert found == code
        assert max(len(line) for line in plain(said).splitlines() if "/" not in line) <= size[0]
        if words in (["check"], ["status"]):  # how much is free, and how a table is laid out, may differ
            continue
        assert "".join(shown.split()) == "".join(piped.split())
        broken = set(shown.split()) - set(piped.split())
        assert {word for word in broken if "/" not in word and not word.startswith("umns")} == set()


@pytest.mark.parametrize("size", SIZES)
def test_a_run_shows_a_bar_as_wide_as_the_terminal(workspace: Workspace, size: tuple[int, int]) -> None:
    workspace.pairs(10)
    workspace.write(CONFIG)
    code, said = in_terminal(workspace, size, "run")
    assert code == 1
    text = plain(said)
    assert {len(bar) for bar in re.findall(r"[━╌]+ +\d+ %", text)} <= {size[0]}
    assert "5 of 10 done, 5 failed" in text
    assert re.search(r"took .*, .* tasks a (second|minute)", text)
    code, said = in_terminal(workspace, size, "status")
    assert [len(bar) for bar in re.findall(r"[━╌]+ +\d+ %", plain(said))] == [size[0]]


def test_one_that_failed_among_many_is_red(workspace: Workspace) -> None:
    workspace.pairs(20)
    workspace.write(HERE + COPY.replace("cat f", "test <id> != 7 && cat f"))
    assert workspace.locusts("run")[0] == 1
    code, said = in_terminal(workspace, (80, 24), "status")
    (line,) = (line for line in said.splitlines() if b"19 of 20 done" in line)
    assert (code, b"1 failed" in line) == (1, True)
    assert re.search(rb"\x1b\[[0-9;]*31m", line)
    assert not re.search(rb"\x1b\[[0-9;]*32m", line)
