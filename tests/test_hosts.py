"""Scripts that run here: what goes in comes out, and managers that are started once run on without us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import HostError
from locusts_fab.hosts import Here, frame, unframe
from locusts_fab.layout import Environment
from locusts_fab.rows import Submission
from locusts_fab.stage import make_environment
from locusts_fab.starters import Detached

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 20.0


def await_end(pid: int) -> None:
    """Wait until a process that is no child of ours runs no more."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} is still there")


# ---------------------------------------------------------------------------------------------------------------------
# This machine


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
    result = Here().run(script)
    assert (result.exit_status, result.stdout) == (status, stdout)


def test_complaints_are_kept_apart() -> None:
    result = Here().run("echo out; echo err >&2")
    assert (result.text, result.stderr) == ("out\n", "err\n")


def test_text_keeps_bytes_that_are_no_text() -> None:
    assert Here().run("printf 'a\\377'").text == "a\udcff"


arguments = st.binary(max_size=12).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.one_of(arguments, st.sampled_from(["", "-e", "$(x)", "a b", "'", '"', "\n", "*", "\\"])), max_size=9)
)
def test_arguments_arrive_as_they_are(words: list[str]) -> None:
    result = Here().run('(($# > 0)) && printf "%s\\0" "$@"', *words)
    assert result.stdout == b"".join(os.fsencode(word) + b"\0" for word in words)


def test_an_argument_may_be_longer_than_a_command_line_takes() -> None:
    assert Here().run('echo "${#1}"', "x" * 200_000).stdout == b"200000\n"


@pytest.mark.parametrize("script", ["if", "echo 'open", "(", "fi"])
def test_a_script_that_is_no_bash_is_an_error(script: str) -> None:
    with pytest.raises(HostError, match="did not run the script to its end") as caught:
        Here().run(script)
    assert caught.value.hint
    assert caught.value.stderr


def test_a_script_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "a mark"
    with pytest.raises(HostError, match=r"within 0\.5 s"):
        Here().run('sleep 60 & echo "$!" > "$1"; wait', str(mark), timeout_s=0.5)
    await_end(int(mark.read_text(encoding="utf-8")))


def test_no_bash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="bash could not be started"):
        Here().run("true")


def test_the_users_start_up_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (".bashrc", ".bash_profile", ".profile"):
        (tmp_path / name).write_text("echo noise; exit 9\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Here().run("echo fine").stdout == b"fine\n"


# ---------------------------------------------------------------------------------------------------------------------
# Marks around the output


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
    for cut in range(len(whole) - 1):
        with pytest.raises(HostError):
            unframe(whole[:cut], b"", "cluster")


def test_the_last_complaints_are_shown() -> None:
    with pytest.raises(HostError) as caught:
        unframe(b"", b"".join(b"line %d\n" % number for number in range(20)), "cluster")
    assert caught.value.message.endswith("line 15\nline 16\nline 17\nline 18\nline 19")
    assert "line 0\n" in caught.value.stderr


# ---------------------------------------------------------------------------------------------------------------------
# Managers without a scheduler: starters.py, with a small script for a manager

MANAGER = r"""
cd -- "${0%/exec/*}" || exit 1
trap 'echo asked >>exec/logs/asked; exit 0' TERM
trap '' HUP
printf 'manager\t%s\thost\t%d\t1\t1.0\t5\t.\n' "$1" "$$" >"exec/cache/$1.tsv"
echo "$1" >>exec/logs/starts
mkdir -p work/task
(cd work/task && exec sleep 60) &
echo "$!" >exec/logs/task.pid
echo 1 >"exec/beats/$1"
while :; do sleep 0.05; done
"""


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[Detached]:
    environment = Environment(str(tmp_path / "it's an environment"))
    make_environment(environment)
    script = environment.absolute(environment.manager_script)
    Path(script).write_text(MANAGER, encoding="utf-8")
    start = Path(environment.absolute(environment.start_script))
    start.write_text('exec bash "$PWD/exec/manager.sh" "$1"\n', encoding="utf-8")
    yield Detached(Here(), environment)
    logs = Path(environment.absolute("exec/logs/task.pid"))
    for path in (*Path(environment.root).glob("exec/started.*/pid"), *([logs] if logs.exists() else [])):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(path.read_text(encoding="utf-8")), signal.SIGKILL)


def path_in(detached: Detached, name: str) -> Path:
    return Path(detached.environment.absolute(name))


def read(detached: Detached, name: str) -> str:
    return path_in(detached, name).read_text(encoding="utf-8")


def submission(number: int) -> Submission:
    return Submission(number, 1, 1, "started", 0.0, "", "")


def test_a_manager_is_started_once(detached: Detached) -> None:
    assert detached.start(3, "t", 1) == ""
    assert detached.start(3, "t", 1) == ""  # the reply to the first call was lost, say
    assert read(detached, "exec/logs/starts") == "3-0\n"
    assert detached.is_alive(submission(3))
    assert not detached.is_alive(submission(4))


def test_it_runs_in_a_session_of_its_own(detached: Detached) -> None:
    detached.start(1, "t", 1)
    pid = int(read(detached, "exec/started.1/pid"))
    assert os.getsid(pid) == pid


def test_it_is_asked_to_leave(detached: Detached) -> None:
    detached.start(1, "t", 1)
    pid = int(read(detached, "exec/started.1/pid"))
    detached.stop(["2-0", "1-00", "1"], [])  # others
    assert detached.is_alive(submission(1))
    detached.stop(["1-0"], [])
    await_end(pid)
    assert read(detached, "exec/logs/asked") == "asked\n"
    assert not detached.is_alive(submission(1))


def test_what_a_dead_manager_left_running_is_ended(detached: Detached) -> None:
    detached.start(1, "t", 1)
    pid, task = (int(read(detached, name)) for name in ("exec/started.1/pid", "exec/logs/task.pid"))
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    os.kill(task, 0)
    assert not path_in(detached, "exec/beats/1-0.end").exists()
    detached.bury(["1-0"])
    await_end(task)
    assert path_in(detached, "exec/beats/1-0.end").exists()


def test_a_manager_that_ends_at_once_is_an_error_with_what_it_said(detached: Detached) -> None:
    path_in(detached, "exec/start.sh").write_text("echo no such module; exit 1\n", encoding="utf-8")
    with pytest.raises(HostError, match="did not start:\nno such module") as caught:
        detached.start(1, "t", 1)
    assert "setup" in str(caught.value.hint)
    assert not detached.is_alive(submission(1))


def test_a_manager_that_has_ended_already_has_started(detached: Detached) -> None:
    path_in(detached, "exec/start.sh").write_text('echo 1 >"exec/beats/$1"\n', encoding="utf-8")
    assert detached.start(1, "t", 1) == ""


@pytest.mark.parametrize("missing", ["", "exec"])
def test_an_environment_that_is_not_there_is_an_error(tmp_path: Path, missing: str) -> None:
    if missing:
        (tmp_path / "environment").mkdir()
    with pytest.raises(HostError, match="did not start"):
        Detached(Here(), Environment(str(tmp_path / "environment"))).start(1, "t", 1)


def test_earlier_submissions_are_fenced(detached: Detached) -> None:
    detached.fence([submission(number) for number in (1, 2, 3)])
    stops = sorted(path.name for path in path_in(detached, "exec").glob("stop.*"))
    assert stops == ["stop.1", "stop.2", "stop.3"]
    detached.fence([])


def test_a_fence_that_cannot_be_put_up_is_an_error(detached: Detached) -> None:
    path_in(detached, "exec/stop.1").mkdir()
    with pytest.raises(HostError, match="cannot be written"):
        detached.fence([submission(1)])
