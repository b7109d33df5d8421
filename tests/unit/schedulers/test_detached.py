"""Managers without a scheduler: started once, they run on without us. Here a small script stands for a manager."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import HostError, SetupError
from locusts_fab.hosts.local import LocalHost
from locusts_fab.layout import Environment
from locusts_fab.model.swarms import Submission
from locusts_fab.schedulers.detached import Detached
from tests.support.environments import ID, founded, reserved
from tests.support.processes import await_end

if TYPE_CHECKING:
    from collections.abc import Iterator

MANAGER = r"""
cd -- "${0%/exec/*}" || exit 1
trap 'echo asked >>exec/logs/asked; exit 0' TERM
trap '' HUP
printf 'manager\t%s\t'"$HOSTNAME"'\t%d\t1\t1.0\t5\t.\n' "$1" "$$" >"exec/cache/$1-c0ffee12.tsv"
echo "$1" >>exec/logs/starts
mkdir -p work/task
(cd work/task && exec sleep 60) &
echo "$!" >exec/logs/task.pid
echo 1 >"exec/beats/$1-c0ffee12"
while :; do sleep 0.05; done
"""


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[Detached]:
    environment = founded(tmp_path / "it's an environment")
    for number in (1, 3):
        reserved(environment, number, "t")
    script = environment.absolute(environment.manager_script)
    Path(script).write_text(MANAGER, encoding="utf-8")
    start = Path(environment.absolute(environment.start_script))
    start.write_text('exec bash "$PWD/exec/manager.sh" "$1"\n', encoding="utf-8")
    yield Detached(LocalHost(), environment)
    logs = Path(environment.absolute("exec/logs/task.pid"))
    for path in (*Path(environment.root).glob("exec/started.*/pid"), *([logs] if logs.exists() else [])):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(path.read_text(encoding="utf-8")), signal.SIGKILL)


def path_in(detached: Detached, name: str) -> Path:
    return Path(detached.environment.absolute(name))


def read(detached: Detached, name: str) -> str:
    return path_in(detached, name).read_text(encoding="utf-8")


def submission(number: int) -> Submission:
    return Submission(number, 1, "started", 0.0, "", "")


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
    detached.stop([f"{name}-{ID}" for name in ("2-0", "1-00", "1")], [])  # others
    assert detached.is_alive(submission(1))
    detached.stop([f"1-0-{ID}"], [])
    await_end(pid)
    assert read(detached, "exec/logs/asked") == "asked\n"
    assert not detached.is_alive(submission(1))


def test_what_a_dead_manager_left_running_is_ended(detached: Detached) -> None:
    detached.start(1, "t", 1)
    pid, task = (int(read(detached, name)) for name in ("exec/started.1/pid", "exec/logs/task.pid"))
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    os.kill(task, 0)
    assert not path_in(detached, f"exec/beats/1-0-{ID}.end").exists()
    detached.mark_gone([f"1-0-{ID}"])
    await_end(task)
    assert path_in(detached, f"exec/beats/1-0-{ID}.end").exists()


def test_a_manager_that_ends_at_once_is_an_error_with_what_it_said(detached: Detached) -> None:
    path_in(detached, "exec/start.sh").write_text("echo no such module; exit 1\n", encoding="utf-8")
    with pytest.raises(HostError, match="did not start:\nno such module") as caught:
        detached.start(1, "t", 1)
    assert "setup" in str(caught.value.hint)
    assert not detached.is_alive(submission(1))


@pytest.mark.parametrize("reason", ["setup failed: entry 1, exit code 1 (false)", "finished"])
def test_a_manager_that_left_because_setup_failed_is_an_error(detached: Detached, reason: str) -> None:
    start = path_in(detached, "exec/start.sh")
    records = f"manager\t1-0\tn\t1\t1\t1.0\t5\t.\nleft\t{reason}\t2.0\t.\n"
    path_in(detached, f"exec/cache/1-0-{ID}.tsv").write_text(records, encoding="utf-8")
    start.write_text(f': >"exec/beats/1-0-{ID}.end"; exit 1\n', encoding="utf-8")
    if reason == "finished":
        assert detached.start(1, "t", 1) == ""
        return
    with pytest.raises(SetupError, match=r"setup failed: entry 1, exit code 1 \(false\)") as caught:
        detached.start(1, "t", 1)
    assert caught.value.exit_status == 1
    assert str(caught.value.hint).endswith(f"{detached.environment.root}/exec/logs/1-0.out")
    assert detached.start(1, "t", 1) == "", "started once, whatever came of it"


def test_a_shell_that_was_replaced_is_an_error_with_the_place_of_its_log(detached: Detached) -> None:
    path_in(detached, "exec/start.sh").write_text("exec true\n", encoding="utf-8")
    with pytest.raises(HostError, match="did not start:\nit ended without a word") as caught:
        detached.start(1, "t", 1)
    assert f"{detached.environment.root}/exec/logs/1-0.out" in str(caught.value.hint)


def test_a_manager_that_has_ended_already_has_started(detached: Detached) -> None:
    path_in(detached, "exec/start.sh").write_text('echo 1 >"exec/beats/$1-c0ffee12"\n', encoding="utf-8")
    assert detached.start(1, "t", 1) == ""


def test_an_environment_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"did not start:\n.*: No such file") as caught:
        Detached(LocalHost(), Environment(str(tmp_path / "environment"))).start(1, "t", 1)
    assert "can be written" in str(caught.value.hint)


def test_a_token_that_cannot_be_made_is_not_taken_for_one_that_is_there(detached: Detached) -> None:
    path_in(detached, "exec/started.1/once").touch()
    with pytest.raises(HostError, match=r"did not start:\n.*File exists"):
        detached.start(1, "t", 1)


def test_earlier_submissions_are_fenced(detached: Detached) -> None:
    detached.fence([submission(number) for number in (1, 2, 3)])
    stops = sorted(path.name for path in path_in(detached, "exec").glob("stop.*"))
    assert stops == ["stop.1", "stop.2", "stop.3"]
    detached.fence([])


def test_a_fence_that_cannot_be_put_up_is_an_error(detached: Detached) -> None:
    path_in(detached, "exec/stop.1").mkdir()
    with pytest.raises(HostError, match="cannot be written"):
        detached.fence([submission(1)])
