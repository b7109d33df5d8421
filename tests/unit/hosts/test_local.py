"""Scripts that run here: what goes in comes out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import HostError
from locusts_fab.hosts.local import LocalHost
from tests.support.processes import await_end

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("script", "status", "stdout"),
    [
        ("echo hello", 0, b"hello\n"),
        ("printf hello", 0, b"hello"),
        ("", 0, b""),
        ("exit 3", 3, b""),
        ("echo a; exit 255; echo b", 255, b"a\n"),
        ("false", 1, b""),
        ("printf '\\n--locusts-end-- 7\\n'; exit 2", 2, b"\n--locusts-end-- 7\n"),
        ("printf '%s\\n' --locusts-begin--", 0, b"--locusts-begin--\n"),
        ("printf '\\377\\000\\r\\n'", 0, b"\xff\0\r\n"),
        ('read -r x; echo "<$x>"', 0, b"<>\n"),  # it cannot eat the script that is still to come
        ("cat; echo after", 0, b"after\n"),
        ("cat <<'X'\nhere\nX\n", 0, b"here\n"),
        ("kill -TERM $BASHPID; sleep 9", 143, b""),
        ("echo $#", 0, b"0\n"),
    ],
)
def test_what_a_script_comes_to(script: str, status: int, stdout: bytes) -> None:
    result = LocalHost().run(script)
    assert (result.exit_status, result.stdout) == (status, stdout)


def test_complaints_are_kept_apart() -> None:
    result = LocalHost().run("echo out; echo err >&2")
    assert (result.text, result.stderr) == ("out\n", "err\n")


def test_text_keeps_bytes_that_are_no_text() -> None:
    assert LocalHost().run("printf 'a\\377'").text == "a\udcff"


arguments = st.binary(max_size=12).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.one_of(arguments, st.sampled_from(["", "-e", "$(x)", "a b", "'", '"', "\n", "*", "\\"])), max_size=9)
)
def test_arguments_arrive_as_they_are(words: list[str]) -> None:
    result = LocalHost().run('(($# > 0)) && printf "%s\\0" "$@"', *words)
    assert result.stdout == b"".join(os.fsencode(word) + b"\0" for word in words)


def test_an_argument_may_be_longer_than_a_command_line_takes() -> None:
    assert LocalHost().run('echo "${#1}"', "x" * 200_000).stdout == b"200000\n"


@pytest.mark.parametrize("script", ["if", "echo 'open", "(", "fi"])
def test_a_script_that_is_no_bash_fails(script: str) -> None:
    result = LocalHost().run(script)
    assert result.exit_status != 0
    assert result.stderr


def test_a_script_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "a mark"
    with pytest.raises(HostError, match=r"within 3 s"):
        LocalHost().run('sleep 60 & echo "$!" > "$1"; wait', str(mark), timeout_s=3)
    await_end(int(mark.read_text(encoding="utf-8")))


def test_no_bash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="bash could not be started"):
        LocalHost().run("true")


def test_the_users_start_up_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (".bashrc", ".bash_profile", ".profile"):
        (tmp_path / name).write_text("echo noise; exit 9\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert LocalHost().run("echo fine").stdout == b"fine\n"
