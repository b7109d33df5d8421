"""The poll: what is new on the target, all of it or nothing, whatever state the managers left things in."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.errors import HostError
from locusts_fab.hosts.base import Result
from locusts_fab.hosts.local import LocalHost
from locusts_fab.layout import Environment
from locusts_fab.manager import times
from locusts_fab.model.swarms import ManagerState
from locusts_fab.model.tasks import Task
from locusts_fab.schedulers.registry import SCHEDULERS
from locusts_fab.state import poll as module
from locusts_fab.state.clock import Reading
from locusts_fab.state.ledger import Ledger
from locusts_fab.state.poll import PollResult, poll
from tests.support.environments import ID, OTHER_ID, founded, reserved
from tests.support.forged import Liar, encoded, texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from locusts_fab.manager.records import Record

HOST = LocalHost().run('printf %s "${HOSTNAME:-localhost}"').text
ELSEWHERE = "another-node"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        made.take_plan([Task(f"t{number}", "true", (), ("out",)) for number in range(1, 10)], "/e")
        made.begin_submission(1, 9)
        yield made


@pytest.fixture
def root(tmp_path: Path, ledger: Ledger) -> Path:
    folder = tmp_path / "it's $(an) environment"
    latest = ledger.latest_submission()
    assert latest is not None
    reserved(founded(folder), 1, latest.token)
    return folder


def manager(host: str = ELSEWHERE, pid: int = 1, name: str = "1-0") -> str:
    return f"manager\t{name}-{ID}\t{host}\t{pid}\t2\t9.000000\t5.2.15(1)-release\t.\n"


def began(task: int) -> str:
    return f"began\t000001.1.{ID}\t{task}\t1\t10.000000\t1\t.\n"


def ended(task: int, state: str = "done") -> str:
    return f"ended\t000001.1.{ID}\t{task}\t1\t{state}\t0\t10.000000\t12.500000\t1\t0\t\t.\n"


SLURM = SCHEDULERS["slurm"]


def write(root: Path, *lines: str, name: str = "1-0", beat: str | None = "1") -> None:
    """Append to a manager's cache file, and set its heartbeat."""
    with (root / "exec/cache" / f"{name}-{ID}.tsv").open("a", encoding="utf-8") as file:
        file.write("".join(lines))
    if beat is not None:
        (root / "exec/beats" / f"{name}-{ID}").write_text(f"{beat}\n", encoding="utf-8")


def look(ledger: Ledger, root: Path) -> int:
    """Poll, and count the records that came."""
    came = 0
    apply = ledger.apply

    def counted(manager: str, records: list[Record], read: int) -> None:
        nonlocal came
        came += len(records)
        apply(manager, records, read)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "apply", counted)
        assert poll(LocalHost(), ledger, Environment(str(root), ID), SLURM) == PollResult()
    return came


def states(ledger: Ledger) -> str:
    return "".join(outcome.state.value[0] for outcome in ledger.outcomes())


def state_of(ledger: Ledger, name: str = "1-0") -> ManagerState:
    return next(status.state for status in ledger.managers() if status.id == f"{name}-{ID}")


def dead_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        return process.pid


START_S = 1000.0


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, START_S)


def set_clock(monkeypatch: pytest.MonkeyPatch, now_s: float) -> None:
    """Let the poll believe that it is another time."""
    monkeypatch.setattr(module, "read_clock", lambda: Reading("this boot", now_s, now_s))


# ---------------------------------------------------------------------------------------------------------------------
# Records


def test_no_environment(tmp_path: Path, ledger: Ledger) -> None:
    assert poll(LocalHost(), ledger, Environment(str(tmp_path / "nowhere")), SLURM) == PollResult(reached=False)
    assert ledger.fact("updated") is None


def test_no_manager_yet(root: Path, ledger: Ledger) -> None:
    assert look(ledger, root) == 0
    assert ledger.managers() == []
    assert ledger.fact("updated") is not None


def test_each_poll_brings_what_is_new(root: Path, ledger: Ledger) -> None:
    write(root, manager(), began(1))
    assert look(ledger, root) == 2
    assert states(ledger) == "rpppppppp"
    assert look(ledger, root) == 0
    write(root, ended(1), began(2), ended(2, "failed"))
    write(root, manager(name="1-1"), began(3), name="1-1")
    assert look(ledger, root) == 5
    assert states(ledger) == "dfrpppppp"
    (first, second) = ledger.managers()
    assert (first.host, first.slots, first.done, first.failed) == (ELSEWHERE, 2, 1, 1)
    assert (second.id, second.done) == (f"1-1-{ID}", 0)


@pytest.mark.parametrize("cut", range(0, len(ended(1)), 7))
def test_a_record_that_is_half_written_comes_with_the_next_poll(root: Path, ledger: Ledger, cut: int) -> None:
    write(root, manager(), began(1), ended(1)[:cut])
    assert look(ledger, root) == 2
    assert states(ledger)[0] == "r"
    write(root, ended(1)[cut:])
    assert look(ledger, root) == 1
    assert states(ledger)[0] == "d"


def test_any_bytes_may_stand_in_a_cache_file(root: Path, ledger: Ledger) -> None:
    write(root, manager(), began(1))
    with (root / f"exec/cache/1-0-{ID}.tsv").open("ab") as file:
        file.write(b"\0\xff\n--locusts-end-- 0\n\n\n==locusts-0000==\n\r\n" + bytes(range(256)) + b"\n")
    write(root, ended(1))
    look(ledger, root)
    assert states(ledger)[0] == "d"
    assert look(ledger, root) == 0


def test_what_is_too_much_for_one_look_comes_in_several(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 150)
    write(root, manager(), *[line for task in range(1, 10) for line in (began(task), ended(task))])
    (root / f"exec/beats/1-0-{ID}.end").touch()
    assert look(ledger, root) == 19
    assert states(ledger) == "d" * 9
    assert state_of(ledger) is ManagerState.LEFT


def test_a_file_without_a_line_end_is_no_endless_work(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash of a file system may leave a hole of zeros, longer than what one look brings."""
    monkeypatch.setattr(module, "MOST_BYTES", 64)
    write(root, manager(), "\0" * 500)

    class Counting(LocalHost):
        looks = 0

        def run(self, script: str, *args: str, **limits: Any) -> Result:
            self.looks += 1
            assert self.looks < 50, "the poll goes on for ever"
            return super().run(script, *args, **limits)

    poll(Counting(), ledger, Environment(str(root), ID), SLURM)


def test_files_that_are_not_ours_are_passed_over(root: Path, ledger: Ledger) -> None:
    write(root, manager(), ended(1))
    for name in (
        f"copy of 1-0-{ID}.tsv",
        "notes.tsv",
        "$(touch x).tsv",
        f"1-0-{ID}.tsv.bak",
        "-rf.tsv",
        "1-0.tsv",
        f"1-0-{OTHER_ID}.tsv",
    ):
        (root / "exec/cache" / name).write_text(ended(2), encoding="utf-8")
    look(ledger, root)
    assert states(ledger)[:2] == "dp"
    assert [status.id for status in ledger.managers()] == [f"1-0-{ID}"]


# ---------------------------------------------------------------------------------------------------------------------
# All or nothing


class Broken(LocalHost):
    """A machine whose answers are spoilt on the way."""

    def __init__(self, status: int, most: int) -> None:
        self.status, self.most = status, most

    def run(self, script: str, *args: str, **limits: Any) -> Result:
        """See `Host.run`."""
        result = super().run(script, *args, **limits)
        return Result(self.status, result.stdout[: self.most], "disk on fire")


@pytest.mark.parametrize("host", [Broken(1, 10**9), Broken(0, 0), Broken(0, 10), Broken(127, 0)])
def test_an_answer_that_is_no_answer_changes_nothing(root: Path, ledger: Ledger, host: Broken) -> None:
    write(root, manager(), began(1), ended(1))
    before = ledger.offsets(), list(ledger.outcomes())
    with pytest.raises(HostError, match="could not be read") as caught:
        poll(host, ledger, Environment(str(root), ID), SLURM)
    assert caught.value.stderr == "disk on fire"
    assert (ledger.offsets(), list(ledger.outcomes())) == before
    assert look(ledger, root) == 3


# ---------------------------------------------------------------------------------------------------------------------
# Managers


def test_one_that_took_its_leave(root: Path, ledger: Ledger) -> None:
    write(root, manager(), began(1), ended(1), "left\tbreaker\t12.000000\t.\n")
    (root / f"exec/beats/1-0-{ID}.end").touch()
    look(ledger, root)
    assert state_of(ledger) is ManagerState.LEFT
    assert ledger.manager_reason(f"1-0-{ID}") == "breaker"
    assert ledger.offsets() == {f"1-0-{ID}": -1}
    write(root, ended(2))
    assert look(ledger, root) == 0  # nothing more is asked for
    assert ledger.manager_reason(f"1-0-{ID}") == "breaker"


def test_one_that_is_about_to_leave(root: Path, ledger: Ledger) -> None:
    """Its last record is there, its mark not yet: what it said stands, whatever its heartbeat looks like."""
    write(root, manager(), began(1), ended(1), "left\tbreaker\t12.000000\t.\n")
    look(ledger, root)
    (root / f"exec/beats/1-0-{ID}.end").touch()
    look(ledger, root)
    assert state_of(ledger) is ManagerState.LEFT
    assert ledger.manager_reason(f"1-0-{ID}") == "breaker"


def test_one_on_this_machine_whose_process_is_no_more(root: Path, ledger: Ledger) -> None:
    write(root, manager(HOST, dead_pid()), began(1))
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE
    assert states(ledger)[0] == "p"


def test_the_reason_is_what_was_seen(root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, manager(HOST, dead_pid()))
    write(root, manager(name="1-1"), name="1-1")
    look(ledger, root)
    set_clock(monkeypatch, START_S + times.STALE_S + 1)
    look(ledger, root)
    assert [ledger.manager_reason(f"{name}-{ID}") for name in ("1-0", "1-1")] == [
        "its process was killed",
        "its heartbeat stood still for more than 300 s",
    ]


def test_a_job_that_is_over_lets_us_lose_patience(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "squeue").write_text("#!/bin/sh\n", encoding="utf-8")  # it knows no jobs, which is an answer
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ledger.set_submission(1, state="started", job="7")
    write(root, manager(), began(1))
    look(ledger, root)
    assert state_of(ledger) is ManagerState.ALIVE
    set_clock(monkeypatch, START_S + times.FRESH_S + 1)
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE
    assert ledger.manager_reason(f"1-0-{ID}") == "its job is over, and its heartbeat stood still for more than 40 s"


def test_a_process_that_only_has_its_number_is_not_it(root: Path, ledger: Ledger) -> None:
    write(root, manager(HOST, os.getpid()), began(1))
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE


def test_one_on_this_machine_that_is_at_work(root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "exec/manager.sh").write_text("printf 'ready\\n'; read -r _\n", encoding="utf-8")
    command = ["bash", str(root / "exec/manager.sh"), "1-0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        write(root, manager(HOST, process.pid), began(1))
        look(ledger, root)
        assert state_of(ledger) is ManagerState.ALIVE
        set_clock(monkeypatch, START_S + times.STALE_S / 2)
        look(ledger, root)
        assert state_of(ledger) is ManagerState.ALIVE  # its process is a better witness than its heartbeat
        assert states(ledger)[0] == "r"
        process.communicate(b"end\n")
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE


@pytest.mark.parametrize("later", [times.STALE_S * 10, -500.0])
def test_alive_is_alive_whatever_the_beat_says(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, later: float
) -> None:
    (root / "exec/manager.sh").write_text("printf 'ready\\n'; read -r _\n", encoding="utf-8")
    command = ["bash", str(root / "exec/manager.sh"), "1-0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        write(root, manager(HOST, process.pid), began(1))
        look(ledger, root)
        set_clock(monkeypatch, START_S + later)
        look(ledger, root)
        assert (state_of(ledger), states(ledger)[0]) == (ManagerState.ALIVE, "r")
        process.communicate(b"end\n")


def test_after_another_start_of_this_machine_nobody_is_gone_at_once(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, manager(), began(1))
    look(ledger, root)
    monkeypatch.setattr(module, "read_clock", lambda: Reading("next boot", 90_000.0, 90_000.0))
    look(ledger, root)
    assert state_of(ledger) is ManagerState.ALIVE


def test_a_manager_that_is_gone_may_be_seen_to_be_in_a_clock_that_was_ahead(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look of the future does not make a heartbeat fresh for ever."""
    write(root, manager(), began(1))
    set_clock(monkeypatch, START_S + 86_400)
    look(ledger, root)
    for after_s in (0, times.STALE_S + 1):
        set_clock(monkeypatch, START_S + after_s)
        look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE


def test_what_one_that_was_taken_for_dead_writes_is_read(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, manager(), began(1))
    look(ledger, root)
    set_clock(monkeypatch, START_S + times.STALE_S + 1)
    look(ledger, root)
    ledger.set_manager(f"1-0-{ID}", ManagerState.LEFT, "as it is marked then")
    (root / f"exec/beats/1-0-{ID}.end").touch()
    write(root, ended(1), began(2))
    look(ledger, root)
    assert (state_of(ledger), states(ledger)[:2]) == (ManagerState.LEFT, "dp")
    write(root, ended(2), "left\tstopped\t12.000000\t.\n")
    look(ledger, root)
    assert states(ledger)[:2] == "dd"
    assert ledger.offsets() == {f"1-0-{ID}": -1}


def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Let squeue answer."""
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_the_manager_of_a_job_that_is_suspended_is_not_gone(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ledger.set_submission(1, state="started", job="7")
    squeue(tmp_path, monkeypatch, "7_0|7|0|SUSPENDED|n1|None")
    write(root, manager(), began(1))
    write(root, manager(name="1-1"), began(2), name="1-1")
    for after_s in (0, 500, 90_000):
        set_clock(monkeypatch, START_S + after_s)
        look(ledger, root)
    assert (state_of(ledger), state_of(ledger, "1-1")) == (ManagerState.UNKNOWN, ManagerState.GONE)
    assert states(ledger)[:2] == "rp"
    squeue(tmp_path, monkeypatch, "7_0|7|0|RUNNING|n1|None")
    for after_s in (90_001, 90_250):  # it has to have time to beat
        set_clock(monkeypatch, START_S + after_s)
        look(ledger, root)
        assert state_of(ledger) is not ManagerState.GONE
    set_clock(monkeypatch, START_S + 90_400)
    look(ledger, root)
    assert state_of(ledger) is ManagerState.GONE


# ---------------------------------------------------------------------------------------------------------------------
# Whose it is


def test_nothing_is_taken_from_an_environment_that_is_not_ours(root: Path, ledger: Ledger) -> None:
    write(root, manager(), began(1), ended(1))
    for known in ("", OTHER_ID):
        result = poll(LocalHost(), ledger, Environment(str(root), known), SLURM)
        assert (result.is_ours, [founder.id for founder in result.founders]) == (False, [ID])
    assert (states(ledger)[0], ledger.managers(), ledger.fact("updated")) == ("p", [], None)


def test_nothing_is_taken_of_submissions_that_are_not_ours(root: Path, ledger: Ledger) -> None:
    """Nor of one that has the number of ours, and another token."""
    reserved(Environment(str(root)), 2, "somebody-elses")
    write(root, manager(name="2-0"), ended(1), name="2-0")
    look(ledger, root)
    assert (states(ledger)[0], ledger.managers(), ledger.fact("strangers")) == ("p", [], "2")
    (root / "exec/started.1/token").write_text("somebody-elses\n")
    write(root, manager(), ended(2))
    look(ledger, root)
    assert (states(ledger)[:2], ledger.fact("strangers")) == ("pp", "1 2")


@pytest.mark.parametrize(
    ("state", "becomes"), [("staging", "staging"), ("starting", "told"), ("started", "told"), ("stopped", "stopped")]
)
def test_a_submission_that_was_told_to_stop_is_not_taken_for_one_that_goes_on(
    root: Path, ledger: Ledger, state: str, becomes: str
) -> None:
    """Whoever told it may have been killed before the ledger knew."""
    ledger.set_submission(1, state=state)
    (root / "exec/stop.7").touch()
    look(ledger, root)
    assert [submission.state for submission in ledger.submissions()] == [state]
    (root / "exec/stop.1").touch()
    look(ledger, root)
    assert [submission.state for submission in ledger.submissions()] == [becomes]


def test_records_of_another_environment_are_none(root: Path, ledger: Ledger) -> None:
    write(root, manager(), ended(1).replace(ID, OTHER_ID))
    look(ledger, root)
    assert states(ledger)[0] == "p"


def test_one_elsewhere_is_judged_by_its_heartbeat(root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, manager(), began(1), beat="1")
    start = START_S
    seen = []
    for after_s, beat in [(0, "1"), (39, "1"), (41, "1"), (42, "2"), (81, "2"), (341, "2"), (343, "2"), (344, "3")]:
        set_clock(monkeypatch, start + after_s)
        write(root, beat=beat)
        look(ledger, root)
        seen.append((state_of(ledger).value, states(ledger)[0]))
    assert seen == [
        ("alive", "r"),
        ("alive", "r"),
        ("unknown", "r"),
        ("alive", "r"),  # it moved
        ("alive", "r"),
        ("unknown", "r"),
        ("gone", "p"),  # it stood still for more than 300 s
        ("alive", "p"),  # it was only cut off; what it runs will tell by its record
    ]
    write(root, ended(1))
    look(ledger, root)
    assert states(ledger)[0] == "d"


@pytest.mark.parametrize("beat", [None, "", "  ", "1 2", "x"])
def test_a_heartbeat_that_is_missing_or_makes_no_sense(root: Path, ledger: Ledger, beat: str | None) -> None:
    write(root, manager(), began(1), ended(1), beat=beat)
    look(ledger, root)
    assert states(ledger)[0] == "d"
    assert state_of(ledger) in {ManagerState.ALIVE, ManagerState.UNKNOWN}


# ---------------------------------------------------------------------------------------------------------------------
# Lies


def told(ledger: Ledger, *parts: str) -> PollResult:
    """Poll a host that says that, part by part."""

    def answer(args: tuple[str, ...]) -> bytes:
        return encoded(f"{args[3]}\n".join(parts))

    return poll(Liar(answer), ledger, Environment("/e", ID), SLURM)


@pytest.mark.parametrize("status", ["256", "9" * 4301, "-1", "1_0", " 1", "", "٣", "²", "inf"])
def test_an_exit_status_of_the_scheduler_that_is_none(ledger: Ledger, status: str) -> None:
    with pytest.raises(HostError, match=r"^cluster: what came as the exit status of asking for jobs is none"):
        told(ledger, "most 1000000\n", f"1-0-{ID} alive 1\n{manager()}{began(1)}\n", f"{status}\n\n")
    assert states(ledger) == "ppppppppp"
    assert ledger.fact("updated") is None


@pytest.mark.parametrize("most", ["0", "000", "-1", "1" * 5000, "\u0663", ""])
def test_a_part_of_no_bytes_does_not_make_us_look_for_ever(ledger: Ledger, most: str) -> None:
    with pytest.raises(HostError, match="the state of the swarm could not be read"):
        told(ledger, f"most {most}\n", f"1-0-{ID} alive 1\n\n", "-\n\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(numbers=st.lists(texts, min_size=5, max_size=5))
def test_any_text_where_a_number_belongs(ledger: Ledger, numbers: list[str]) -> None:
    stranger, submission, element, beat, status = numbers
    head = f"{submission}-{element}-{ID} unknown {beat}"
    parts = [
        f"most 1000000\nmost {stranger}\n{stranger}\ntold {stranger}\n",
        f"{head}\n{manager()}{began(1)}\n",
        f"{status}\n12_{stranger}|||RUNNING||\n",
    ]
    with contextlib.suppress(HostError):
        told(ledger, *parts)
    assert states(ledger)[1:] == "pppppppp"
