"""What a manager does when its machine is not well: bad nodes, clocks that jump, few descriptors, full disks."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import Ended, Suspect
from tests.support.disks import small_disk
from tests.support.managers import ENVIRONMENT_ID, HAS_FRACTIONS, ManualEnvironment, Spec, at_work, full_id, holding
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

# ---- bad nodes ----


def on_node(name: str) -> dict[str, str]:
    """Return the variables of a manager on another node."""
    return {"SLURMD_NODENAME": name}


def suspects(env: ManualEnvironment) -> Counter[int]:
    """Count the tasks whose failure a manager has taken back."""
    return Counter(record.task for record in env.records() if isinstance(record, Suspect))


#: A task that fails on the node n1 only; it sees where it is by a variable that SLURM sets.
ONLY_ELSEWHERE = '[[ $SLURMD_NODENAME != n1 ]] || exit 7; echo "$SLURMD_NODENAME" > o'


@pytest.mark.parametrize("slots", [1, 4])
def test_the_others_run_what_failed_on_a_bad_node(tmp_path: Path, slots: int) -> None:
    """Its manager leaves after a few, and takes them back; in the end all are done."""
    with ManualEnvironment(tmp_path, slots=slots, breaker=20) as env:
        env.plan(*([Spec(f"{holding(tmp_path)}; {ONLY_ELSEWHERE}", ["o"])] * 4 for _ in range(50)))
        good = env.start("1-1", on_node("n2"))
        wait_until(lambda: at_work(tmp_path) == slots, "the good node at work")
        bad = env.start("1-0", on_node("n1"))
        wait_until(lambda: at_work(tmp_path) == 2 * slots, "the bad node at work")
        (tmp_path / "go").touch()
        bad.wait()
        good.wait()
        assert env.left("1-0") in {"breaker", "bad node"}
        assert 8 <= sum(suspects(env).values()) <= 20 + 4 * slots
        assert {task: states[-1] for task, states in env.states().items()} == dict.fromkeys(range(1, 201), "done")
        assert env.left("1-1") == "finished"


def test_a_node_that_turns_bad(tmp_path: Path) -> None:
    """What went well there before counts; what fails since is run again by others, who have done nothing yet."""
    with ManualEnvironment(tmp_path, breaker=20) as env:
        env.plan(["true"] * 10, [holding(tmp_path)], *(["[[ $SLURMD_NODENAME == n2 ]]"] * 8 for _ in range(8)))
        good = env.start("1-1", on_node("n2"))
        wait_until(lambda: at_work(tmp_path) == 1, "the gate")
        env.run("1-0", on_node("n1"))
        assert env.left("1-0") == "breaker"
        (tmp_path / "go").touch()
        good.wait()
        assert {task: states[-1] for task, states in env.states().items()} == dict.fromkeys(range(1, 76), "done")
        assert sum(suspects(env).values()) >= 20


def test_a_broken_command_is_no_bad_node(tmp_path: Path) -> None:
    """It fails everywhere: failures that nobody has disproved stand, so that there is something to look at."""
    with ManualEnvironment(tmp_path, slots=1, breaker=10) as env:
        env.plan(*(["false"] * 8 for _ in range(20)))
        for element in range(2):
            env.run(f"1-{element}", on_node(f"n{element}"))
        assert [env.left(f"1-{element}") for element in range(2)] == ["breaker", "breaker"]
        assert suspects(env) == Counter()
        assert 20 <= sum(end.state == "failed" for end in env.ended()) < 100


def test_few_failures_are_no_bad_node(tmp_path: Path) -> None:
    """One task in four fails, everywhere."""
    with ManualEnvironment(tmp_path, slots=2, breaker=20) as env:
        env.plan(*(["true", "true", "true", "false"] * 4 for _ in range(8)))
        managers = [env.start(f"1-{element}", on_node(f"n{element}")) for element in range(2)]
        for manager in managers:
            manager.wait()
        assert [env.left(manager.id) for manager in managers] == ["finished", "finished"]
        assert Counter(end.state for end in env.ended()) == Counter(done=96, failed=32)


# ---- too many failures ----


@pytest.mark.parametrize("most", [1, 5])
def test_max_failures(tmp_path: Path, most: int) -> None:
    """After so many, however they are spread, no more tasks are taken; what runs may end."""
    with ManualEnvironment(tmp_path, slots=1, max_failures=most) as env:
        env.plan(*(["true", "false"] * 10 for _ in range(5))).run()
        assert env.left() == "too many failures"
        assert Counter(end.state for end in env.ended()) == Counter(done=most, failed=most)


def test_failures_of_other_managers_count(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, max_failures=5) as env:
        (env.root / "exec/beats" / full_id("1-7")).write_text("3 10 4\n")
        env.plan(["true"] * 5 + ["false"] * 50).run()
        assert (env.left(), sum(end.state == "failed" for end in env.ended())) == ("too many failures", 1)


def test_attempts_that_are_repeated_are_no_failures(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, max_failures=2, retries=1) as env:
        env.plan(["[[ $PWD == *.2 ]]"] * 10).run()
        assert env.left() == "finished"


# ---- no room for sandboxes ----


def test_no_inodes(tmp_path: Path) -> None:
    """That is not for tasks to answer for: none is recorded as failed, and the manager leaves."""
    with (
        small_disk(tmp_path / "disk", "nr_inodes=120,size=8m") as disk,
        ManualEnvironment(disk, breaker=20) as env,
    ):
        env.plan(*([Spec("true")] * 5 for _ in range(4)), *([Spec("echo > o", ["o"])] * 40 for _ in range(3)))
        env.values["beat_s"] = 60
        env.run()
        failed = {end.task for end in env.ended() if end.state == "failed"}
        assert env.left() == "no space is left for more files (inodes); with pack = true a swarm makes few"
        assert failed == set(suspects(env))
        assert len(failed) <= 3


# ---- clocks ----


#: Read by bash before its script: the time of day is what the real one and the file `shift` (in seconds) make,
#: before each command. Once unset, EPOCHREALTIME is a variable like any other.
CLOCK = r"""
unset EPOCHREALTIME BASH_ENV
set_clock() {
  local now shift_s
  printf -v now '%(%s)T' -1
  read -r shift_s <"$SHIFT" || :
  EPOCHREALTIME=$((now + shift_s)).000000
}
set -T
trap set_clock DEBUG
"""


def clock_to_set(folder: Path) -> dict[str, str]:
    """Return variables that make a bash, and what it forks, believe in the time of day of the file `shift`."""
    (folder / "shift").write_text("0\n")
    (folder / "clock.sh").write_text(CLOCK)
    return {"BASH_ENV": str(folder / "clock.sh"), "SHIFT": str(folder / "shift")}


@pytest.mark.skipif(not HAS_FRACTIONS, reason="before bash 5, the time of day is no variable that could be set")
@pytest.mark.parametrize("shift_s", [3_600, -3_600, 34_560_000], ids=["+1h", "-1h", "+400d"])
def test_the_time_of_day_jumps(tmp_path: Path, shift_s: int) -> None:
    """No task is ended for that, the heart goes on beating, and leaving takes no longer."""
    clock = clock_to_set(tmp_path)
    with ManualEnvironment(tmp_path, timeout_us=60_000_000, beat_s=1) as env:
        manager = env.plan([holding(tmp_path)], ["true"]).start(env=clock)
        wait_until(lambda: at_work(tmp_path) == 1, "the task")
        (tmp_path / "shift").write_text(f"{shift_s}\n")
        beat = env.root / "exec/beats" / full_id("1-0")
        now = beat.read_text()
        wait_until(lambda: beat.read_text() != now, "a heartbeat")
        (tmp_path / "go").touch()
        manager.wait()
        assert env.states() == {1: ["done"], 2: ["done"]}
        believed_s = {end.task: end.end_s - time.time() for end in env.ended()}
        assert believed_s[1] == pytest.approx(shift_s, abs=1_800)


def test_a_timeout_still_holds(tmp_path: Path) -> None:
    """It is measured from when the process began, by the uptime."""
    with ManualEnvironment(tmp_path, timeout_us=1_500_000) as env:
        env.plan(["sleep 60"], ["true"]).run()
        (end,) = [end for end in env.ended() if end.task == 1]
        assert end.reason.startswith("timeout after")
        assert end.end_s - end.start_s >= (1.5 if HAS_FRACTIONS else 1)


# ---- descriptors ----


@pytest.mark.parametrize("limit", [16, 20, 30])
def test_few_descriptors(tmp_path: Path, limit: int) -> None:
    """Each of 40 slots is watched all the same: what runs too long is ended, and nothing counts as done that is not."""
    with ManualEnvironment(tmp_path, slots=40, timeout_us=2_000_000, timeout_text="2 s") as env:
        env.plan(*(["sleep 60"] for _ in range(40)))
        script = env.root / "exec/limited.sh"
        manager = env.start("1-0", wrapper=["bash", "-c", f'ulimit -n {limit}; exec bash "$@"', "bash"])
        manager.wait()
        assert script is not None
        assert Counter(end.reason for end in env.ended()) == Counter({"timeout after 2 s": 40})


# ---- long commands ----


@pytest.mark.parametrize("length", [4_100, 100_000, 131_000])
def test_long_commands(tmp_path: Path, length: int) -> None:
    r"""They run as they are, backslashes, tabs and newlines included."""
    tail = "\\ \t \n#é"
    command = f"cat > o <<'X'\n{'y' * (length - 100)}{tail}\nX"
    with ManualEnvironment(tmp_path) as env:
        env.plan([Spec(command, ["o"])]).run()
        assert env.end_of().reason == ""
        assert env.output("o") == f"{'y' * (length - 100)}{tail}\n"


def test_many_outputs(tmp_path: Path) -> None:
    names = [f"out put\t{number:04d}\\" for number in range(2000)]
    with ManualEnvironment(tmp_path) as env:
        env.plan([Spec("for n in {0000..1998}; do : > $'out put\\t'$n'\\'; done", names)] * 2).run()
        assert [end.found for end in env.ended()] == [(True,) * 1999 + (False,)] * 2
        assert [end.reason for end in env.ended()] == ["missing output"] * 2


# ---- what killed managers leave behind ----


def test_notes_of_who_was_killed_are_removed(tmp_path: Path) -> None:
    """The next manager on the machine does it, when all of one was killed. What is not ours stays."""
    with ManualEnvironment(tmp_path) as env:
        victim = env.plan([holding(tmp_path)], ["true"]).start("1-0")
        wait_until(lambda: at_work(tmp_path) == 1, "the task")
        victim.kill()
        victim.mark_gone()
        (left,) = env.temp.glob("locusts.*")
        alive = env.start("1-1")
        wait_until(lambda: not left.exists(), "the end of the folder")
        (tmp_path / "go").touch()
        strange = env.temp / "locusts.abcdef"
        strange.mkdir()
        alive.wait()
        env.run("1-2")
        assert list(env.temp.iterdir()) == [strange]


def test_a_main_process_that_is_a_zombie(tmp_path: Path) -> None:
    """Where nobody reaps it, `kill -0` takes it for alive; its slots leave all the same."""
    with ManualEnvironment(tmp_path) as env:
        manager = env.plan([holding(tmp_path), *["sleep 1.1"] * 20]).start()
        wait_until(lambda: at_work(tmp_path) == 1, "the task")
        os.kill(manager.pid, signal.SIGKILL)  # and it is not waited for
        time.sleep(1.1)  # the slot looks once a second
        (tmp_path / "go").touch()
        wait_until(lambda: not list(env.temp.iterdir()), "the slot's end")
        assert len([end for end in env.ended() if isinstance(end, Ended)]) <= 3
        assert ENVIRONMENT_ID in env.records()[0].id  # type: ignore[union-attr]
