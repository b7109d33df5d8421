"""The marks around a script's output: what start-up files print is taken off, and what was cut is an error."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import HostError
from locusts_fab.hosts.base import frame, unframe


def framed(script: str, *args: str) -> bytes:
    return subprocess.run(["bash", "-s"], input=frame(script, args), check=False, stdout=subprocess.PIPE).stdout


def test_noise_of_start_up_files_is_taken_off() -> None:
    noise = b"Welcome!\n--locusts-begin\n"
    result = unframe(noise + framed('echo "$1"; exit 5', "a b") + b"Goodbye\n", b"motd", "cluster")
    assert (result.exit_status, result.stdout, result.stderr) == (5, b"a b\n", "motd")


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=20), st.integers(0, 255))
def test_output_that_was_cut_anywhere_is_an_error(body: bytes, status: int) -> None:
    whole = b"--locusts-begin--\n" + body + b"\n--locusts-end-- %d\n" % status
    assert unframe(whole, b"", "cluster").exit_status == status
    assert unframe(whole, b"", "cluster").stdout == body
    for cut in range(len(whole)):
        with pytest.raises(HostError):
            unframe(whole[:cut], b"", "cluster")


def test_the_last_complaints_are_shown() -> None:
    with pytest.raises(HostError) as caught:
        unframe(b"", b"".join(b"line %d\n" % number for number in range(20)), "cluster")
    assert caught.value.message.endswith("line 15\nline 16\nline 17\nline 18\nline 19")
    assert "line 0\n" in caught.value.stderr
