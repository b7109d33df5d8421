"""A script on a command line that a login shell of any kind reads; what a real tcsh makes of it is in tests/cluster."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import given, settings

from locusts_fab.shell.quoting import for_login_shell, quote_words
from locusts_fab.shell.scripts import remote_script
from tests.support.quoting import HOSTILE, values

#: What every shell leaves alone between single quotes: printing ASCII but for what csh or fish look for, and `\ooo`.
PLAIN = r"(?:[^\x00-\x1f!'\\\x7f-\uffff]|\\[0-7]{3})*"
ANYWHERE = re.compile(rf"bash -c '{PLAIN}(?:'\\''{PLAIN}'\\')?'?")


def run_by(shell: str, command: str) -> bytes:
    return subprocess.run([shell, "-c", os.fsencode(command)], check=True, capture_output=True, timeout=60).stdout


@settings(max_examples=60, deadline=None)
@given(value=values)
def test_a_script_is_run_as_it_is(value: str) -> None:
    command = for_login_shell(f"printf '%s\\0' {quote_words([value, value])}")
    assert ANYWHERE.fullmatch(command)
    for shell in ("bash", "sh"):
        assert run_by(shell, command) == os.fsencode(value + "\0") * 2


@pytest.mark.parametrize("value", [*HOSTILE, "a!b", "!!", "\\\n", "'\\''", "\\041", "$'x'"])
def test_odd_values(value: str) -> None:
    command = for_login_shell(f"printf %s {quote_words([value])}")
    assert ANYWHERE.fullmatch(command)
    assert run_by("sh", command) == os.fsencode(value)


def test_what_is_odd_nowhere_can_be_read() -> None:
    assert for_login_shell("exec rsync --server . /a/b") == "bash -c 'exec rsync --server . /a/b'"


def test_a_whole_script() -> None:
    command = for_login_shell(f"set -- /nowhere; {remote_script('read_pieces')}")
    assert ANYWHERE.fullmatch(command)
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=False)
    assert done.returncode == 3
