"""Whatever a task prints, a host says or a file is called: a terminal shows it and obeys none of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest

from locusts_fab.text import counted
from locusts_fab.tsv import unescape
from tests.support.workspace import HERE, REPOSITORY, Workspace

if TYPE_CHECKING:
    from pathlib import Path

#: Sets the clipboard, and a title; red, by C1 as UTF-8 and as a byte; text turned round; back over other text; NUL.
EVIL = b"\x1b]52;c;cm0gLXJm\a \x1b]0;title\a \xc2\x9b31m \x9b31m \xe2\x80\xaetxt.exe over\rit \x08\x08 \x00 end"
PRINT_EVIL = "printf '%b' '" + re.sub(r"(..)", r"\\x\1", EVIL.hex()) + "'"


def obeyed(shown: bytes) -> list[str]:
    """List what a terminal would obey in some output."""
    text = shown.decode("utf-8", "surrogateescape")
    odd = [char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs"}]
    return [char for char in odd if char not in "\n\t"]


def shown(workspace: Workspace, *words: str) -> bytes:
    """Run a command and return all that it printed, as bytes."""
    with workspace.start(*words) as process:
        out, err = process.communicate(timeout=120)
    return bytes(out + err)


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return a swarm of two tasks, one of which fails, on a node with a telling name."""
    monkeypatch.setenv("HOSTNAME", "node\x1b[2J")
    workspace = Workspace(tmp_path)
    command = f"{PRINT_EVIL}; cat f_<id>.txt > out_<id>.txt; test <id> = ok"
    workspace.write(
        f'{HERE}[swarms.s]\ncommand = """{command}"""\ninputs = ["f_<id>.txt"]\noutputs = ["out_<id>.txt"]\n'.replace(
            "\\", "\\\\"
        )
    )
    for name in ("ok", "no\x1b]0;x\a\u202e"):
        (tmp_path / f"f_{name}.txt").write_text(name)
    return workspace


@pytest.mark.parametrize("words", [["submit", "--dry-run"], ["submit"], ["status"], ["collect", "--wait"], ["check"]])
def test_no_command_lets_a_terminal_obey(evil: Workspace, words: list[str]) -> None:
    assert evil.locusts("run")[0] == 1
    assert obeyed(shown(evil, *words)) == []


def test_the_log_of_a_task(evil: Workspace) -> None:
    assert evil.locusts("run")[0] == 1
    said = shown(evil, "logs", "ok")
    assert obeyed(said) == []
    assert rb"\x1b]52;c;cm0gLXJm\x07" in said
    assert b"--raw" in said


def test_every_byte_of_it_is_there_for_programs(evil: Workspace) -> None:
    assert evil.locusts("run")[0] == 1
    done = subprocess.run(
        [sys.executable, "-m", "locusts_fab", "logs", "--raw", "ok"],
        cwd=evil.folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (EVIL, b"")


def test_the_tables(evil: Workspace) -> None:
    assert evil.locusts("run")[0] == 1
    for table in ("tasks.tsv", "outputs.tsv"):
        text = evil.result(table).read_bytes()
        assert obeyed(text) == []
        assert b"\0" not in text
    tasks = evil.tasks()
    assert set(tasks) == {"ok", "no\x1b]0;x\a\u202e"}
    assert tasks["ok"]["node"] == "node\x1b[2J"
    assert tasks["no\x1b]0;x\a\u202e"]["reason"].startswith("exit 1: it \b\b ")  # what it drew last
    for row in evil.table("outputs.tsv"):
        assert evil.result(row["path"]).read_text() == row["task"]


def test_a_shell_reads_them_too(evil: Workspace) -> None:
    assert evil.locusts("run")[0] == 1
    script = r"""tail -n +2 outputs.tsv | while IFS=$'\t' read -r task output status path; do
        printf -v path '%b.' "$path"; cat -- "${path%.}"; echo; done"""
    done = subprocess.run(["bash", "-c", script], cwd=evil.result(""), capture_output=True, check=True, timeout=30)
    assert sorted(done.stdout.decode().splitlines()) == sorted(evil.tasks())


def test_an_id_that_is_not_there(evil: Workspace) -> None:
    assert evil.locusts("run")[0] == 1
    assert obeyed(shown(evil, "logs", "\x1b[2J\u202e")) == []
    assert obeyed(shown(evil, "\x1b[2J\u202e")) == []
    assert unescape(r"\x1b") == "\x1b"


@pytest.mark.parametrize(
    "command",
    ["echo '''\n{}\n'''", "echo {}", "echo " + "long" * 200, "true\n" * 50, "echo '\\u001b[2J'"],
    ids=["lines", "words", "word", "commands", "control"],
)
@pytest.mark.parametrize("count", [1, 6, 500])
def test_a_preview_fits_a_screen(workspace: Workspace, command: str, count: int) -> None:
    filled = command.format("\n".join(f"line {number} of a text" for number in range(60)))
    rows = [[str(number)] for number in range(count)]
    workspace.write(f"{HERE}\n[swarms.s]\ncommand = {json.dumps(filled)}\nargs = {json.dumps(rows)}\n")
    code, text = workspace.locusts("submit", "--dry-run")
    assert code == 0
    assert sum(1 + (len(line) - 1) // 80 for line in text.splitlines()) < 24
    assert f"{counted(count, 'task')} in" in text
    assert "task 000001: " in text
    if command.startswith("echo {"):
        assert (" ..." in text) == (len(filled) > 200)
