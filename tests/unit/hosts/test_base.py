"""The marks around a script's output: what start-up files print is taken off, and what was cut is an error."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import HostError
from locusts_fab.hosts.base import frame, unframe
from tests.support.forged import encoded, texts


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


@pytest.mark.parametrize("status", [b"256", b"9" * 4301, b"-1", b"1_0", b" 1", b"1.0", b"", "٣".encode(), b"\xb2"])
def test_an_exit_status_that_is_none_is_no_end(status: bytes) -> None:
    with pytest.raises(HostError, match="cluster: bash did not run the script to its end"):
        unframe(b"--locusts-begin--\nfine\n--locusts-end-- " + status + b"\n", b"", "cluster")


@given(texts, st.sampled_from([b"", b"\n", b"\nbye"]))
def test_any_text_as_exit_status(text: str, after: bytes) -> None:
    status = encoded(text)
    with contextlib.suppress(HostError):
        unframe(b"--locusts-begin--\nfine\n--locusts-end-- " + status + after, status, "cluster")
