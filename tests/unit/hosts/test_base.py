"""The marks around a script's output: what start-up files print is taken off, and what was cut is an error."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import HostError
from locusts_fab.hosts.base import BEGIN_MARK, frame, unframe
from locusts_fab.hosts.channel import remote_command
from locusts_fab.shell.quoting import quote_words
from tests.support.forged import encoded, texts
from tests.support.locales import GB18030, TRIED, variables
from tests.support.quoting import HOSTILE, values


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


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("locale", TRIED)
@settings(max_examples=40, deadline=None)
@given(words=st.lists(values, max_size=4))
def test_a_script_and_its_arguments_come_as_they_are_in_every_locale(
    words: list[str], *, locale: str, locpath: Path
) -> None:
    script = f"printf '%s\\0' \"$@\" {quote_words(words)}"
    assert run_in(locale, locpath, ["bash", "-s"], frame(script, tuple(words))) == words * 2 or not words


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("value", [value for value in HOSTILE if not value.isascii()])
def test_no_half_of_a_character_takes_a_quote_of_the_frame_away(value: str, locpath: Path) -> None:
    script = f"printf '%s\\0' \"$@\" {quote_words([value, value])}"
    assert run_in(GB18030, locpath, ["bash", "-s"], frame(script, (value, value))) == [value] * 4


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("value", [value for value in HOSTILE if not value.isascii()])
def test_no_half_of_a_character_takes_a_quote_of_a_command_away(value: str, locpath: Path) -> None:
    """Such as that of rsync, which a login shell reads."""
    command = remote_command(["printf", "%s\\0", value, value])
    assert run_in(GB18030, locpath, ["bash", "-c", os.fsencode(command)]) == [value] * 2


def run_in(locale: str, locpath: Path, command: list[str | bytes], fed: bytes = b"") -> list[str]:
    """Run a command in a locale, in an empty folder, and return the texts between NULs that come after the mark."""
    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(
            command, input=fed, check=True, capture_output=True, cwd=folder, timeout=60,
            env={**os.environ, **variables(locale, locpath)},
        )  # fmt: skip
        assert list(Path(folder).iterdir()) == [], "a value was run"
    body = said.stdout.partition(BEGIN_MARK)[2]
    return [os.fsdecode(text) for text in body.split(b"\0")[:-1]]
