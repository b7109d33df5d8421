"""How a manager comes to its end before its tasks do: stopped, asked to leave, killed, broken, or out of disk."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.hosts.local import LocalHost
from locusts_fab.manager.records import Began, Suspect, parse_records
from locusts_fab.shell.scripts import remote_script
from tests.support import disks
from tests.support.commands import Commands, commands
from tests.support.managers import (
    ENVIRONMENT_ID,
    HAS_FRACTIONS,
    ManualEnvironment,
    Spec,
    at_work,
    full_id,
    holding,
    in_session,
)
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["commands"]

#: A task that ends when the test lets it; there the test sees that it runs.
HELD = ': > "{tmp}/at-work.$$"; while [[ ! -e "{tmp}/go" ]]; do sleep 0.02; done'


# ---- asked to leave ----


def test_the_fence(tmp_path: Path) -> None:
    """Once the stop file is there, running tasks may end, and no other one is begun."""
    held = HELD.format(tmp=tmp_path)
    with ManualEnvironment(tmp_path, slots=2, grace_s=60) as env:
        manager = env.plan([held, "true"], [held, "true"], ["true"]).start()
        wait_until(lambda: at_work(tmp_path) == 2, "both slots at work")
        (env.root / "exec/stop.1").touch()
        (tmp_path / "go").touch()
        manager.wait()
        assert env.states() == {1: ["done"], 3: ["done"]}
        assert (env.left(), env.has_left_in_order()) == ("stopped", True)
        assert not list(env.root.glob("exec/claims/*.end"))


def test_the_fence_of_another_submission(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, submission=2) as env:
        (env.root / "exec/stop.1").touch()
        assert env.plan(["true"]).run("2-0").states() == {1: ["done"]}


def test_a_manager_of_an_earlier_submission_does_nothing(tmp_path: Path) -> None:
    """Its job waited so long that the next submit has written the manager anew."""
    with ManualEnvironment(tmp_path, submission=2) as env:
        assert env.plan(["true"]).run("1-0").states() == {}
        assert list((env.root / "exec/cache").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_running_tasks_may_end(tmp_path: Path, number: signal.Signals) -> None:
    """Asked to leave, a manager gives its tasks time: they end well, and no others begin."""
    held = HELD.format(tmp=tmp_path)
    with ManualEnvironment(tmp_path, grace_s=60) as env:
        manager = env.plan([held, "true"], ["true"]).start()
        wait_until(lambda: at_work(tmp_path) == 1, "the task")
        env.leave(manager, tmp_path, number)
        assert env.states() == {1: ["done"]}
        assert (env.left(), env.has_left_in_order()) == (f"signal {number.name.removeprefix('SIG')}", True)


def test_tasks_that_take_too_long_are_interrupted(tmp_path: Path) -> None:
    """After the grace they get a TERM, which they may use; however they end then, they were interrupted."""
    mark = f': > "{tmp_path}/at-work.$$"'
    commands = [f"{mark}; sleep 60", f"trap 'echo saved > o; exit 0' TERM; {mark}; sleep 60 & wait"]
    with ManualEnvironment(tmp_path, slots=2, retries=3) as env:
        manager = env.plan(*([Spec(command, ["o"])] for command in commands)).start()
        wait_until(lambda: at_work(tmp_path) == 2, "both tasks")
        manager.send(signal.SIGTERM)
        manager.wait()
        assert env.states() == {1: ["interrupted"], 2: ["interrupted"]}
        assert (env.left(), env.has_left_in_order()) == ("signal TERM", True)
        assert env.kept() == []


def test_signals_that_reach_everybody(tmp_path: Path) -> None:
    """SLURM sends TERM to every process of a job at once: what dies of it has not failed."""
    with ManualEnvironment(tmp_path, slots=4, grace_s=60, retries=1) as env:
        manager = env.plan(*([f': > "{tmp_path}/at-work.$$"; sleep 60'] for _ in range(8))).start()
        wait_until(lambda: at_work(tmp_path) == 4, "all slots at work")
        manager.send_all(signal.SIGTERM)
        manager.wait()
        assert env.states() == {task: ["interrupted"] for task in (1, 2, 3, 4)}
        assert (env.left(), env.has_left_in_order()) == ("signal TERM", True)


def test_a_hang_up_is_nothing(tmp_path: Path) -> None:
    """Whoever started it may log out."""
    with ManualEnvironment(tmp_path) as env:
        manager = env.plan([HELD.format(tmp=tmp_path)], ["true"]).start()
        wait_until(lambda: at_work(tmp_path) == 1, "the task")
        manager.send(signal.SIGHUP)
        (tmp_path / "go").touch()
        manager.wait()
        assert env.states() == {1: ["done"], 2: ["done"]}


@pytest.mark.parametrize(
    ("values", "output"),
    [
        ({}, "out"),
        ({"has_patterns": 1}, "/g/o*"),
        ({"scratch": ["$TMPDIR"]}, "out"),
        ({"pack": 1}, "out"),
        ({"pack": 1, "has_patterns": 1}, "/g/o*"),
    ],
    ids=["plain", "patterns", "scratch", "packed", "packed-patterns"],
)
def test_what_a_slot_does_for_a_task_is_not_cut_short(tmp_path: Path, values: dict[str, Any], output: str) -> None:
    """Signals for all processes reach the programs too that make sandboxes and pack; no task answers for that."""
    with ManualEnvironment(tmp_path, has_inputs=1, breaker=0, keep="none", slots=2, **values) as env:
        env.plan(*([Spec("cat in > out; cat in", [output], {"in": "text"})] * 2 for _ in range(20)))
        manager = env.start()
        manager.wait_for(1, Began)
        while manager.process.poll() is None:
            manager.send_all(signal.SIGHUP)  # the manager itself ignores it
        assert env.left() == "finished"
        reasons = {end.reason.partition(":")[0] for end in env.ended()}
        assert reasons <= {"", "signal 1", "signal 15"}, reasons  # see `await` for the latter
        assert len({end.task for end in env.ended()}) == len(env.ended()) == 40
        assert any(end.state == "done" for end in env.ended())


@pytest.mark.parametrize(
    ("job", "array", "element", "name"),
    [("13", "12", "0", "12_0"), ("12", "12", "1", "12_1"), ("12", "", "", "12"), ("", "", "", "")],
    ids=["first-element", "last-element", "no-array", "no-job"],
)
def test_its_job_comes_back_and_no_other(
    tmp_path: Path, commands: Commands, job: str, array: str, element: str, name: str
) -> None:
    """The element of an array that SLURM starts last has the id of the array, by which all of them are meant."""
    (commands.folder / "sleep").unlink()
    commands.let(squeue="echo 1:00:00")
    given = {"SLURM_JOB_ID": job, "SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": element}
    with ManualEnvironment(tmp_path, grace_s=60) as env:
        manager = env.plan([HELD.format(tmp=tmp_path), "true"]).start(env=given)
        wait_until(lambda: at_work(tmp_path) == 1, "the task")
        env.leave(manager, tmp_path, signal.SIGUSR1)
        assert env.states() == {1: ["done"]}
    assert commands.calls("scontrol") == ([f"requeue {name}"] if name else [])
    assert commands.calls("squeue") == ([f"-h -j {name} -o %L"] if name else [])


def test_what_is_left_by_one_is_done_by_the_next(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2, grace_s=60) as env:
        env.plan(*([f"{holding(tmp_path, 5)}; echo {chunk}"] * 5 for chunk in range(4)))
        manager = env.start()
        wait_until(lambda: at_work(tmp_path) == 2, "both slots at work")
        env.leave(manager, tmp_path, signal.SIGTERM)
        before = env.states()
        assert 0 < len(before) < 20
        env.run("1-1")
        assert {task: states[-1] for task, states in env.states().items()} == dict.fromkeys(range(1, 21), "done")
        assert [states for states in env.states().values() if states.count("done") > 1] == []


# ---- killed ----


def test_slots_whose_manager_was_killed_leave(tmp_path: Path) -> None:
    """What runs may end, and is recorded; nobody says goodbye, and no folder is left."""
    held = HELD.format(tmp=tmp_path)
    with ManualEnvironment(tmp_path, slots=2) as env:
        manager = env.plan([held, "true"], [held, "true"], ["true"]).start()
        wait_until(lambda: at_work(tmp_path) == 2, "both slots at work")
        manager.send(signal.SIGKILL)
        manager.process.wait()  # a zombie counts as there
        (tmp_path / "go").touch()
        manager.wait()
        assert env.states() == {1: ["done"], 3: ["done"]}
        assert (env.left(), env.has_left_in_order()) == (None, False)
        assert list(env.temp.iterdir()) == []


@pytest.mark.parametrize("with_scratch", [False, True])
@pytest.mark.parametrize(
    ("values", "output"),
    [
        ({"has_patterns": 1}, "/g/o*"),
        ({"scratch": True}, "out"),
        ({"pack": 1, "scratch": True}, "out"),
        ({"pack": 1, "scratch": True, "has_patterns": 1}, "/g/o*"),
    ],
    ids=["patterns", "scratch", "packed", "packed-patterns"],
)
def test_no_task_answers_for_what_was_removed_under_a_slot(
    tmp_path: Path, values: dict[str, Any], output: str, *, with_scratch: bool
) -> None:
    """Its manager was killed, so the next one on that node removes its notes, though a slot still ends its task."""
    values = {key: [f"{tmp_path}/scratch"] if key == "scratch" else value for key, value in values.items()}
    with ManualEnvironment(tmp_path, **values) as env:
        manager = env.plan([Spec(f"{holding(tmp_path)}; echo x > out", [output])]).start()
        wait_until(lambda: at_work(tmp_path) == 1, "the task")
        os.kill(manager.pid, signal.SIGKILL)
        manager.process.wait()
        for notes in (env.root / f"exec/beats/{full_id(manager.id)}.run").read_text().splitlines():
            if with_scratch or not notes.startswith(f"{tmp_path}/scratch"):
                shutil.rmtree(notes)
        (tmp_path / "go").touch()
        wait_until(lambda: not in_session(manager.pid), "the end of the slot")
        assert env.states().get(1, ["interrupted"]) in (["interrupted"], ["done"])
        manager.mark_gone()
        env.run("1-1")
        assert env.states()[1][-1] == "done"


#: A program that kills who called it, with all its processes, as soon as there is a folder in SCRATCH.
KILLS = """#!/bin/bash
PATH=${PATH#*:}
"${0##*/}" "$@"
status=$?
compgen -G "$SCRATCH/locusts.*" >/dev/null && kill -KILL 0
exit $status
"""


def test_a_manager_that_was_killed_as_soon_as_it_had_a_scratch_folder(tmp_path: Path) -> None:
    """It was noted before it was made, so whoever marks the manager as gone can remove it."""
    programs, scratch = tmp_path / "bin", tmp_path / "scratch"
    programs.mkdir()
    for name in ("mktemp", "mkdir"):
        (programs / name).write_text(KILLS)
        (programs / name).chmod(0o700)
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "SCRATCH": str(scratch)}
    with ManualEnvironment(tmp_path, scratch=[str(scratch)]) as env:
        manager = env.plan(["true"]).start(env=variables)
        assert manager.process.wait(timeout=30) == -signal.SIGKILL
        assert list(scratch.iterdir())
        LocalHost().run(remote_script("mark_gone"), str(env.root), ENVIRONMENT_ID, full_id(manager.id))
        assert list(scratch.iterdir()) == []
        assert list(env.temp.iterdir()) == []


def test_a_slot_that_was_killed(tmp_path: Path) -> None:
    """Another takes its place and what it held; its task counts as lost, and is run again."""
    held = HELD.format(tmp=tmp_path)
    with ManualEnvironment(tmp_path, slots=2) as env:
        manager = env.plan([held], [held], ["true"]).start()
        wait_until(lambda: at_work(tmp_path) == 2, "both slots at work")
        task = int(next(tmp_path.glob("at-work.*")).suffix[1:])
        os.kill(parent_of(task), signal.SIGKILL)
        (tmp_path / "go").touch()
        manager.wait()
        assert env.states() == {1: ["done"], 2: ["done"], 3: ["done"]}
        assert env.left() == "finished"


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - not a file that a Path is of use for
        return int(file.read().rpartition(")")[2].split()[1])


# ---- the breaker ----


def test_the_breaker(tmp_path: Path) -> None:
    """The first so many tasks fail at once, so something is broken, and it is not the tasks."""
    with ManualEnvironment(tmp_path, slots=2, breaker=20) as env:
        env.plan(*(["no-such-program"] * 10 for _ in range(20))).run()
        assert env.left() == "breaker"
        assert 20 <= len(env.ended()) <= 22
        assert all(end.state == "failed" for end in env.ended())


def test_the_breaker_counts_tasks_not_attempts(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, breaker=5, retries=3) as env:
        env.plan(["false"] * 30).run()
        assert (env.left(), len(env.states()), len(env.ended())) == ("breaker", 5, 20)


@pytest.mark.parametrize("good", ["true", f"sleep {1.6 if HAS_FRACTIONS else 2.1}; false"])
def test_the_breaker_does_not_trip(tmp_path: Path, good: str) -> None:
    """One task that succeeds, or that took its time to fail, shows that the node works."""
    with ManualEnvironment(tmp_path, breaker=20) as env:
        env.plan(["false"] * 19 + [good] + ["false"] * 19).run()
        assert (env.left(), len(env.ended())) == ("finished", 39)


@pytest.mark.parametrize("slots", [1, 3])
def test_the_breaker_trips_at_any_time(tmp_path: Path, slots: int) -> None:
    """As when the disk fills up in the middle: what went well before is no sign that all is well now."""
    with ManualEnvironment(tmp_path, breaker=20, slots=slots) as env:
        env.plan(*(["true"] * 30 for _ in range(slots)), *(["false"] * 20 for _ in range(10))).run()
        assert env.left() == "breaker"
        assert 20 <= sum(end.state == "failed" for end in env.ended()) < 100


def test_without_a_breaker(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        assert env.plan(["false"] * 30).run().left() == "finished"


# ---- a full disk ----


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """A record that is torn counts as none; the manager leaves, and what was whole stays whole."""
    filling = f'dd if=/dev/zero of="{small_disk}/filling" bs=4k 2>/dev/null || true'
    with ManualEnvironment(small_disk, slots=1) as env:
        env.temp = tmp_path
        env.plan(["echo first"] * 5 + [filling] + [f'echo >> "{tmp_path}/ran"'] * 500).run()
        data = (env.root / "exec/cache" / f"{full_id('1-0')}.tsv").read_bytes()
        whole = [line for line in data.split(b"\n") if line.endswith(b"\t.")]
        records, _length = parse_records(data)
        assert len(records) == len(whole)
        assert [end.task for end in env.ended() if end.state == "done"][:5] == [1, 2, 3, 4, 5]
        assert len(env.ended()) < 506
        ran = len((tmp_path / "ran").read_text().splitlines()) if (tmp_path / "ran").exists() else 0
        assert ran <= len(env.ended()) - 6 + 1, "no task is run whose record cannot be written"
        assert not list(env.root.glob("exec/claims/*.end"))
        assert "locusts" not in " ".join(path.name for path in tmp_path.iterdir())
        (small_disk / "filling").unlink()
        env.run("1-1")
        assert {task: states[-1] for task, states in env.states().items()} == dict.fromkeys(range(1, 507), "done")


@pytest.mark.parametrize("name", ["", "/with a blank "])
def test_a_full_scratch_disk(small_disk: Path, tmp_path: Path, name: str) -> None:
    """The manager leaves, and says where no space is; its tasks are run again where there is some."""
    dd = f'dd if=/dev/zero of="{small_disk}/filling" bs=4k 2>/dev/null || true'
    fill = f'[[ -e "{tmp_path}/full" ]] || {{ : > "{tmp_path}/full"; {dd}; }}'
    with ManualEnvironment(tmp_path, scratch=[f"{small_disk}{name}"], breaker=20) as env:
        env.plan([fill] + [Spec("head -c 20000 /dev/zero > out", ["out"])] * 50).run()
        assert (env.left() or "").strip() == f"no space is left in the scratch folder {small_disk}{name}".strip()
        assert len(env.ended()) < 40
        assert [path.name for path in small_disk.rglob("*") if path.name not in name] == ["filling"]
        (small_disk / "filling").unlink()
        env.run("1-1")
        assert {task for task, states in env.states().items() if states[-1] == "done"} == set(range(1, 52))
        assert [record for record in env.records("1-0") if isinstance(record, Suspect)]


def test_results_that_the_disk_cannot_hold_are_told(small_disk: Path, tmp_path: Path) -> None:
    """What comes from scratch may be more than fits: its task has failed, and is in nobody's way."""
    with ManualEnvironment(small_disk, scratch=[str(tmp_path / "scratch")], breaker=20) as env:
        env.temp = tmp_path
        big = Spec("head -c 3000000 /dev/zero >out; echo said", ["out"])
        env.plan([big, *[Spec("echo x >out", ["out"])] * 3]).run()
        assert env.states() == {1: ["failed"], 2: ["done"], 3: ["done"], 4: ["done"]}
        assert (env.left(), env.end_of().reason) == ("finished", "results could not be copied from scratch")
        assert env.log() == "said\n"
        assert env.kept() == sorted(
            ["000001.1/log.1", *(f"000001.1/{task}/{name}" for task in (2, 3, 4) for name in ("", "out"))]
        )


def test_where_nothing_comes_home_from_scratch_no_task_answers_for_it(small_disk: Path, tmp_path: Path) -> None:
    """Somebody else fills the disk; the manager leaves, and what it ran is run again."""
    fill = f"dd if=/dev/zero of='{small_disk}/filling' bs=4k 2>/dev/null || true"
    with ManualEnvironment(small_disk, scratch=[str(tmp_path / "scratch")]) as env:
        env.temp = tmp_path
        env.plan(
            [Spec(f"[[ -e '{tmp_path}/full' ]] || {fill}; : >'{tmp_path}/full'; head -c 9999 /dev/zero >out", ["out"])]
        ).run()
        assert "failed" not in env.states().get(1, [])
        assert (env.left() or "").startswith("no space is left")
        (small_disk / "filling").unlink()
        env.run("1-1")
        assert env.states()[1][-1] == "done"


def test_a_disk_that_takes_no_more_files(tmp_path: Path) -> None:
    """The reason says so, and what helps; with that it goes well."""
    with disks.small_disk(tmp_path / "disk", "size=64m,nr_inodes=300") as disk:
        tasks = [Spec("echo x > out; echo printed", ["out"])] * 100
        with ManualEnvironment(disk, "plain") as env:
            env.temp = tmp_path
            env.plan(tasks[:50], tasks[:50]).run()
            wanted = "no space is left for more files (inodes); with pack = true a swarm makes few"
            assert env.left() == wanted
        shutil.rmtree(disk / "plain")
        with ManualEnvironment(disk, "packed", pack=1, scratch=[str(tmp_path / "scratch")]) as env:
            env.temp = tmp_path
            env.plan(tasks[:50], tasks[:50]).run()
            assert env.left() == "finished"
            assert env.states() == {task: ["done"] for task in range(1, 101)}


def test_torn_records_count_for_nothing(tmp_path: Path) -> None:
    """What the next owner of a chunk takes for ended is what the client takes for ended: whole records only."""
    good = "ended\t000001.1.0123abcd\t{}\t1\tdone\t0\t1.0\t0.1\t\t0\t\t.\n"
    torn = [
        "ended\t000001.1.0123abcd\t2\t1\tdone\t0\t1.0\t0.1\t\t0\t\t",
        "ended\t000001.1.0123abcd\t3\t1\tdone\t0\t1",
        "ended\t000001.1.0123abcd\t4\t1\tdo",
        "ended\t000001.1.0123abcd\t5",
    ]
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true"] * 10)
        (env.root / "exec/claims/000001.1.0123abcd").write_text("1-7-0123abcd 0.0\n")
        (env.root / "exec/beats/1-7-0123abcd.end").touch()
        text = good.format(1) + "".join(line + good.format(9) for line in torn) + torn[0]
        (env.root / "exec/cache/1-7-0123abcd.tsv").write_text(text)
        already = {end.task for end in env.ended()}
        assert already == {1}
        env.run()
        assert {end.task for end in env.ended() if end.claim == "000001.2.0123abcd"} == set(range(1, 11)) - already


def test_torn_records_at_the_ends_of_files(tmp_path: Path) -> None:
    """Whatever is left of a record, it does not run into the first one of the next manager's file."""
    ends = [
        "1\tdone\t0\t1.0\t0.1\t1\t0\t5:\t\t.\n",
        "1\tdone\t0\t1.0\t0.1\t1\t0\t\t.\n",
    ]  # with what it used, and without
    cuts = [end[:cut] for end in ends for cut in range(len(end) + 1)]
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true"] * len(cuts))
        (env.root / "exec/claims/000001.1.0123abcd").write_text("1-7-0123abcd 0.0\n")
        (env.root / "exec/beats/1-7-0123abcd.end").touch()
        for task, cut in enumerate(cuts, 1):
            text = f"manager\t1-{task}-0123abcd\tn\t1\t1\t1.0\t5.2\t.\nended\t000001.1.0123abcd\t{task}\t{cut}"
            (env.root / f"exec/cache/1-{task}-0123abcd.tsv").write_text(text)
        already = {end.task for end in env.ended()}
        env.run("1-9999")
        again = {end.task for end in env.ended() if end.claim == "000001.2.0123abcd"}
        assert len(already) == 2
        assert again == set(range(1, len(cuts) + 1)) - already


# ---- how it ends ----


@pytest.mark.parametrize("command", ["true", "false", f"kill -{signal.SIGTERM.value} $PPID"])
def test_a_manager_that_left_in_order_ends_well(tmp_path: Path, command: str) -> None:
    """A scheduler shows its exit code: whatever became of tasks is in the records."""
    with ManualEnvironment(tmp_path) as env:
        assert env.plan([command]).start().wait() == 0
        assert env.has_left_in_order()
