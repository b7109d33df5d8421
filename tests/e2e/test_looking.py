"""Those who only look: they need no lock, hold up nobody, and enter nothing that somebody else has overtaken."""

from __future__ import annotations

import json
import os
import threading
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import locusts_fab
from locusts_fab.errors import BusyError, HostError, LoginRefusedError, StateError
from locusts_fab.hosts.local import LocalHost
from locusts_fab.model.swarms import Status, SwarmState
from locusts_fab.operations import session as sessions
from locusts_fab.operations.collect import _EagerCollector
from locusts_fab.operations.look import status as module
from locusts_fab.operations.session import looked_at, opened
from locusts_fab.progress import Silent
from locusts_fab.state.lock import locked
from tests.support.findings import load
from tests.support.managers import at_work, holding
from tests.support.processes import wait_until
from tests.support.workspace import COPY, HERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from tests.support.workspace import Workspace


@pytest.fixture
def swarm(workspace: Workspace) -> Swarm:
    """Return a swarm of three tasks that was submitted and is done."""
    workspace.pairs(3)
    workspace.write(HERE + COPY)
    assert workspace.locusts("run")[0] == 0
    return load(workspace, HERE + COPY)


def lock(swarm: Swarm) -> Path:
    return swarm.state_dir / "lock"


def held(workspace: Workspace, gate: Path) -> Swarm:
    """Submit a swarm of two tasks that wait at a gate."""
    workspace.pairs(2)
    command = f"command = '''{holding(gate)}; cat f_<id>.txt > out_<id>.txt'''"
    config = HERE + COPY.replace('command = "cat f_<id>.txt > out_<id>.txt"', command)
    workspace.write(config)
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: at_work(gate) == 2, "the tasks")
    return load(workspace, config)


@contextmanager
def hanging(monkeypatch: pytest.MonkeyPatch, gate: Path) -> Iterator[None]:
    """Let every script of this process hang within, until there is a file at the gate, or the end."""
    run = LocalHost.run

    def hangs(self: LocalHost, script: str, *args: str, **limits: Any) -> Any:
        return run(self, f"while [[ ! -e '{gate}' ]]; do sleep 0.02; done\n{script}", *args, **limits)

    with monkeypatch.context() as patch:
        patch.setattr(LocalHost, "run", hangs)
        yield


# ---------------------------------------------------------------------------------------------------------------------
# A target that hangs


def test_while_a_status_hangs_others_work(
    swarm: Swarm, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with hanging(monkeypatch, tmp_path / "go"):
        looker = threading.Thread(target=module.status, args=(swarm,))
        looker.start()
        for command in ("cancel", "collect", "submit", "status"):
            code, text = workspace.locusts(command)
            assert code in {0, 1}, text
            assert "another command" not in text
        (tmp_path / "go").touch()
        looker.join()


@pytest.mark.parametrize("command", ["status", "watch", "cancel", "collect"])
def test_an_environment_that_hangs_is_given_up(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    """As on a dead network file system, where even `cd` never comes back; a watch tries again."""
    run = LocalHost.run
    monkeypatch.setattr(module, "RETRY_S", (0.0, 0.0))
    monkeypatch.setattr(LocalHost, "run", lambda *args, **_: run(*args, quiet_s=0.5))
    with hanging(monkeypatch, tmp_path / "go"), pytest.raises(HostError, match=r"did not answer within 0\.5 s"):
        getattr(locusts_fab, command)(swarm)


# ---------------------------------------------------------------------------------------------------------------------
# What was overtaken


def test_what_was_asked_before_a_command_came_in_is_not_entered(swarm: Swarm, workspace: Workspace) -> None:
    with looked_at(swarm) as session:
        before = session.ledger.fact("updated")
        with opened(swarm):
            pass
        session.poll()
        assert session.ledger.fact("updated") == before
    assert workspace.locusts("status")[0] == 0
    with looked_at(swarm) as session:
        assert session.ledger.fact("updated") != before


def test_results_that_were_forgotten_do_not_come_back(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that began before `submit --redo` ends after it."""
    workspace.pairs(3)
    workspace.write(HERE + COPY)
    assert workspace.locusts("run")[0] == 0
    swarm = load(workspace, HERE + COPY)
    ask = LocalHost.run

    def slow(self: LocalHost, *words: str, **limits: Any) -> Any:
        answer = ask(self, *words, **limits)
        with monkeypatch.context() as patch:
            patch.setattr(LocalHost, "run", ask)
            with opened(swarm) as other:
                other.ledger.forget_results()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(LocalHost, "run", slow)
        assert module.status(swarm).tasks.done == 0


def test_two_who_look_at_once_enter_each_record_once(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(swarm) as session:
        session.ledger.forget_results()
    ask = LocalHost.run

    def slow(self: LocalHost, *words: str, **limits: Any) -> Any:
        answer = ask(self, *words, **limits)
        with monkeypatch.context() as patch:
            patch.setattr(LocalHost, "run", ask)
            module.status(swarm)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(LocalHost, "run", slow)
        found = module.status(swarm)
    assert sum(manager.done for manager in found.managers) == found.tasks.done == 3
    with looked_at(swarm) as session:
        assert [outcome.attempts for outcome in session.ledger.outcomes()] == [1, 1, 1]


# ---------------------------------------------------------------------------------------------------------------------
# Another command at work


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["failures"], ["logs", "0"]])
def test_a_command_at_work_keeps_nobody_from_looking(swarm: Swarm, workspace: Workspace, command: list[str]) -> None:
    with locked(lock(swarm)):
        code, text = workspace.locusts(*command)
    assert code == 0, text
    assert f"process {os.getpid()}" in text
    assert "this was known" in text
    if command[-1] == "--json":
        found = json.loads(text)
        assert found["tasks"]["done"] == 3
        assert f"process {os.getpid()}" in found["busy"]


def test_the_exit_code_is_that_of_the_picture(workspace: Workspace) -> None:
    workspace.pairs(2)
    workspace.write(HERE + COPY.replace("cat f", "false && cat f"))
    assert workspace.locusts("run")[0] == 1
    swarm = load(workspace, HERE + COPY)
    with locked(lock(swarm)):
        assert workspace.locusts("status")[0] == 1


def test_nothing_is_asked_while_a_command_works(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalHost, "run", lambda *_, **__: pytest.fail("the target was asked"))
    with locked(lock(swarm)):
        assert module.status(swarm).tasks.done == 3


def test_before_the_first_plan_there_is_nothing_to_see_yet(workspace: Workspace) -> None:
    workspace.pairs(2)
    workspace.write(HERE + COPY)
    swarm = load(workspace, HERE + COPY)
    swarm.state_dir.mkdir(parents=True)
    with locked(lock(swarm)), sessions.ledger_in(swarm.state_dir):
        found = module.status(swarm)
    assert (found.state, bool(found.busy)) == (SwarmState.PLANNED, True)


@pytest.mark.parametrize("has_ledger", [False, True])
def test_during_the_very_first_submit(workspace: Workspace, *, has_ledger: bool) -> None:
    workspace.pairs(2)
    workspace.write(HERE + COPY)
    swarm = load(workspace, HERE + COPY)
    swarm.state_dir.mkdir(parents=True)
    with locked(lock(swarm)):
        if has_ledger:
            with sessions.ledger_in(swarm.state_dir):
                pass
        for command in (["status"], ["failures"], ["logs", "1"]):
            code, text = workspace.locusts(*command)
            assert (code, f"process {os.getpid()}" in text) == (0, True), text
        assert "not started" in text
        code, text = workspace.locusts("logs", "7")
        assert (code, "has no task '7'" in text) == (2, True), text


def test_a_watch_waits_for_the_very_first_submit(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.pairs(2)
    workspace.write(HERE + COPY)
    swarm = load(workspace, HERE + COPY)
    swarm.state_dir.mkdir(parents=True)
    pauses: list[float] = []

    def submits(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            lock_of_another.close()
            assert workspace.locusts("run")[0] == 0

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=submits, monotonic=lambda: 0.0))
    lock_of_another = ExitStack()
    lock_of_another.enter_context(locked(lock(swarm)))
    assert module.watch(swarm).state is SwarmState.FINISHED
    assert pauses


@pytest.mark.parametrize("command", ["status", "failures", "logs"])
@pytest.mark.parametrize("error", [HostError("gone"), StateError("somebody else's"), BusyError("it writes")])
def test_a_command_that_comes_in_makes_no_look_fail(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch, command: str, error: Exception
) -> None:
    """What goes wrong because the environment is being made anew, say, means nothing; it looks again."""
    ask = sessions.Session._look
    looks: list[str] = []

    def overtaken(self: sessions.Session) -> Any:
        looks.append(command)
        if len(looks) > 1:
            return ask(self)
        with opened(swarm):
            pass
        raise error

    monkeypatch.setattr(sessions.Session, "_look", overtaken)
    getattr(locusts_fab, command)(swarm, *(["0"] if command == "logs" else []))
    assert len(looks) == 2


def test_what_goes_wrong_by_itself_is_told(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise HostError("gone")

    monkeypatch.setattr(sessions.Session, "_look", fails)
    with pytest.raises(HostError, match="gone"):
        module.status(swarm)


def test_a_watch_goes_on_through_another_commands_lock(workspace: Workspace, tmp_path: Path) -> None:
    swarm = held(workspace, tmp_path)
    with locked(lock(swarm)):
        watcher = workspace.start("watch")
        assert watcher.stderr is not None
        assert b"s on here: " in watcher.stderr.readline()
    (tmp_path / "go").touch()
    with watcher:
        assert watcher.wait(120) == 0


def busy(times: int, then: Status) -> Callable[[], Status]:
    """Return a look that finds a command at work a few times."""
    left = [None] * times

    def look() -> Status:
        if left:
            left.pop()
            return Status("s", "t", SwarmState.STALLED, then.tasks, 0, busy="locusts submit, process 1")
        return then

    return look


def test_what_another_command_may_change_ends_no_watch(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda _: None, monotonic=lambda: 0.0))
    then = module.status(swarm)
    assert module.keep_looking(busy(5, then), swarm, Silent(), reconnect=True) == then


def test_a_waiting_collect_goes_on_through_another_commands_lock(swarm: Swarm) -> None:
    eager = _EagerCollector(swarm, None)
    with locked(lock(swarm)):
        assert eager.bring(module.look(swarm)).busy
    assert not eager.bring(module.look(swarm)).busy


def test_a_command_that_comes_between_two_steps_of_a_look_holds_up_nothing(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = _EagerCollector(swarm, None)
    with opened(swarm):
        monkeypatch.setattr(sessions, "holder_of", lambda _: "")  # the lock was free when it looked
        assert eager.bring(module.look(swarm)).tasks.done == 3


# ---------------------------------------------------------------------------------------------------------------------
# Faults in a watch


class Faulty:
    """A look that raises something first."""

    def __init__(self, then: Status, *errors: Exception) -> None:
        self.then, self.errors = then, list(errors)

    def __call__(self) -> Status:
        """Look."""
        if self.errors:
            raise self.errors.pop(0)
        return self.then


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.0,) * 6)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "error",
    [
        HostError("cluster: the link broke", may_pass=True),
        HostError("cluster: the host opened no channel", may_pass=True),
        HostError("cluster: it did not answer within 120 s", may_pass=True),
        BusyError("another command"),
    ],
)
@pytest.mark.parametrize("times", [1, 3])
def test_what_may_pass_does_not_end_a_watch_in_its_first_look(swarm: Swarm, error: Exception, times: int) -> None:
    then = module.status(swarm)
    look = Faulty(then, *[error] * times)
    assert module.keep_looking(look, swarm, Silent(), reconnect=True) == then


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [HostError("no such host"), LoginRefusedError("refused")])
def test_what_will_not_pass_ends_it_at_once(swarm: Swarm, error: HostError) -> None:
    look = Faulty(module.status(swarm), error, error)
    with pytest.raises(type(error)):
        module.keep_looking(look, swarm, Silent(), reconnect=True)
    assert len(look.errors) == 1


# ---------------------------------------------------------------------------------------------------------------------
# Those who change something wait for each other


def test_a_command_waits_for_another_and_says_so(swarm: Swarm, workspace: Workspace) -> None:
    with locked(lock(swarm)):
        second = workspace.start("collect")
        assert second.stderr is not None
        line = second.stderr.readline().decode()
        assert "waiting for another command to end" in line
        assert f"process {os.getpid()}" in line
    with second:
        assert second.wait(60) == 0
        assert b"waiting" not in second.stderr.read()


def test_it_does_not_wait_without_an_end(swarm: Swarm) -> None:
    with locked(lock(swarm)), pytest.raises(BusyError) as caught, opened(swarm, wait_s=0):
        pass
    assert caught.value.exit_status == 2
    assert caught.value.hint


def test_a_cancel_gets_its_turn_while_tasks_run_and_somebody_watches(workspace: Workspace, tmp_path: Path) -> None:
    held(workspace, tmp_path)
    with workspace.start("watch") as watcher:
        code, text = workspace.locusts("cancel")
        assert code == 0, text
        assert watcher.wait(120) == 1
