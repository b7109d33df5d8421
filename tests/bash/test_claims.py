"""Several managers on one environment, some of which are killed: no task is lost, and none runs twice without need."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import Began
from locusts_fab.plan.tasks import chunk_sizes
from tests.support.managers import ENVIRONMENT_ID, ManualEnvironment, Running, Spec, at_work, full_id, holding
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def with_tasks(env: ManualEnvironment, count: int, slots: int, command: str) -> ManualEnvironment:
    """Write a plan of so many tasks, cut into chunks as for so many slots."""
    return env.plan(*([command] * size for size in chunk_sizes(count, slots)))


def done(env: ManualEnvironment) -> Counter[int]:
    """Count the done records of each task."""
    return Counter(end.task for end in env.ended() if end.state == "done")


def began(env: ManualEnvironment) -> Counter[int]:
    """Count how often each task was begun."""
    return Counter(record.task for record in env.records() if isinstance(record, Began))


def generations(env: ManualEnvironment) -> dict[str, list[int]]:
    """Return which generations of each chunk were claimed."""
    found: dict[str, list[int]] = defaultdict(list)
    for path in sorted((env.root / "exec/claims").glob(f"[0-9]*.[0-9]*.{ENVIRONMENT_ID}")):
        chunk, generation, _environment = path.name.split(".")
        found[chunk].append(int(generation))
    return dict(found)


def finished(env: ManualEnvironment) -> int:
    """Count the chunks that are marked as finished."""
    return len(list((env.root / "exec/claims").glob("*.end")))


# ---- all goes well ----


def test_nothing_runs_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2) as env:
        with_tasks(env, 300, 6, f'echo "$PWD" >> "{tmp_path}/ran"')
        for manager in [env.start(f"1-{element}") for element in range(3)]:
            manager.wait()
        assert done(env) == began(env) == Counter(range(1, 301))
        assert len(set((tmp_path / "ran").read_text().splitlines())) == 300
        assert set(map(tuple, generations(env).values())) == {(1,)}
        assert finished(env) == env.values["last_chunk"]
        assert [env.complaints(f"1-{element}") for element in range(3)] == [""] * 3


def test_slots_start_apart(tmp_path: Path) -> None:
    """Each slot of each manager begins with a chunk of its own, so that they do not meet at every claim."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        env.plan(*([holding(tmp_path)] for _ in range(8)))
        managers = [env.start(f"1-{element}") for element in range(3)]
        wait_until(lambda: len(began(env)) == 6, "all slots at work")
        (tmp_path / "go").touch()
        for manager in managers:
            manager.wait()
        first: dict[str, int] = {}
        for record in env.records():
            if isinstance(record, Began):
                holder = (env.root / f"exec/claims/{record.claim}").read_text()
                first.setdefault(holder, int(record.claim[:6]))
        assert first == {
            f"{full_id(f'1-{element}')} {slot}.0\n": 1 + 2 * element + slot for element in range(3) for slot in range(2)
        }


def test_more_slots_than_chunks(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=6) as env:
        env.plan(["true", "true"], ["true"]).run("1-5")
        assert done(env) == Counter([1, 2, 3])


def test_a_later_submission_runs_its_own_chunks_only(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true"], ["true"], ["true"], ["true"])
        env.run("2-0", submission=2, first_chunk=3)
        assert done(env) == Counter([3, 4])


def test_a_manager_that_comes_late_finds_nothing_to_do(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true"]).run().run("1-1")
        assert (began(env), env.left("1-1")) == (Counter([1]), "finished")


# ---- a lost reply ----


def test_a_claim_whose_reply_was_lost_is_ours(tmp_path: Path) -> None:
    """`ln` fails although it made the link, as over a network: the claim holds."""
    ln = tmp_path / "bin/ln"
    ln.parent.mkdir()
    ln.write_text('#!/bin/bash\n/bin/ln "$@"\nexit 1\n')
    ln.chmod(0o700)
    with ManualEnvironment(tmp_path, env=[("PATH", f"{ln.parent}:/usr/bin:/bin")]) as env:
        assert done(env.plan(["true"], ["true"]).run()) == Counter([1, 2])


# ---- some are killed ----


def killed_at_work(env: ManualEnvironment) -> Running:
    """Start a manager whose tasks are held, and kill it with all that it runs once each of its slots is at one."""
    manager = env.start()
    wait_until(lambda: at_work(env.temp.parent) == env.values["slots"], "all slots at work")
    manager.kill()
    (env.temp.parent / "go").touch()
    return manager


def test_the_others_take_over_from_who_was_killed(tmp_path: Path) -> None:
    """Every task is done once; only those that the killed slots were at began twice."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        with_tasks(env, 120, 4, holding(tmp_path, 40))
        killed_at_work(env).mark_gone()
        lost = [task for task in began(env) if task not in done(env)]
        assert len(lost) == 2
        before = generations(env)
        env.run("1-1")
        assert done(env) == Counter(range(1, 121))
        assert [task for task, times in began(env).items() if times > 1] == lost
        assert max(began(env).values()) <= 2
        taken_over = {chunk for chunk, claimed in generations(env).items() if claimed == [1, 2]}
        assert taken_over <= set(before)
        assert 1 <= len(taken_over) <= 2
        assert finished(env) == env.values["last_chunk"]


def test_a_heartbeat_that_stands_still_is_taken_over(tmp_path: Path) -> None:
    """Nobody marked it: the others find out by watching, and a manager that lives is left alone."""
    with ManualEnvironment(tmp_path, slots=2, beat_s=1, stale_s=6) as env:
        with_tasks(env, 40, 4, holding(tmp_path, 5))
        killed_at_work(env)
        alive = env.start("1-1")
        alive.wait_for(1, Began)
        env.run("1-2")
        alive.wait()
        assert done(env) == Counter(range(1, 41))
        assert max(began(env).values()) <= 2
        assert max(map(len, generations(env).values())) == 2


def test_who_lives_is_not_taken_over(tmp_path: Path) -> None:
    """A task may take longer than the time after which a heartbeat counts as still."""
    with ManualEnvironment(tmp_path, beat_s=1, stale_s=5) as env:
        manager = env.plan([holding(tmp_path)], ["true"]).start()
        manager.wait_for(1, Began)
        watcher = env.start("1-1")
        watcher.wait_for(1, Began)
        last = beat(env) + 7
        wait_until(lambda: beat(env) >= last, "its heartbeats")
        (tmp_path / "go").touch()
        watcher.wait()
        manager.wait()
        assert done(env) == began(env) == Counter([1, 2])


def beat(env: ManualEnvironment) -> int:
    """Read how often the heart of the first manager has beaten."""
    return int((env.root / "exec/beats" / full_id("1-0")).read_text().split()[0])


def test_a_manager_that_slept_and_woke_up(tmp_path: Path) -> None:
    """Its node was frozen, so another took over; awake, it ends what it was at, and nothing is lost or mixed up."""
    with ManualEnvironment(tmp_path, beat_s=1, stale_s=2, keep="all") as env:
        manager = env.plan([f"{holding(tmp_path)}; echo $PWD"] * 3).start()
        manager.wait_for(1, Began)
        manager.send_all(signal.SIGSTOP)
        (tmp_path / "go").touch()
        env.run("1-1")
        manager.send_all(signal.SIGCONT)
        manager.wait()
        assert set(done(env)) == {1, 2, 3}
        assert max(done(env).values()) <= 2
        for end in env.ended():
            assert env.log(end.task, end.claim) == str(env.root / "work" / end.claim / str(end.task)) + "\n"


def test_what_kills_three_managers_is_named(tmp_path: Path) -> None:
    """The fourth does not run it; what stands beside it in the chunk is run."""
    with ManualEnvironment(tmp_path) as env:
        env.plan(["sleep 60", "true"])
        for element in range(3):
            manager = env.start(f"1-{element}")
            manager.wait_for(1, Began)
            manager.kill()
            manager.mark_gone()
        env.run("1-3")
        assert env.end_of(1).reason == "lost with its manager 3 times"
        assert env.states() == {1: ["failed"], 2: ["done"]}
        assert (began(env), finished(env), env.left("1-3")) == (Counter([1, 1, 1, 2]), 1, "finished")


def test_who_left_in_order_leaves_nothing_to_do_twice(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2, grace_s=60) as env:
        with_tasks(env, 80, 4, holding(tmp_path, 20))
        manager = env.start()
        wait_until(lambda: at_work(tmp_path) == 2, "both slots at work")
        env.leave(manager, tmp_path, signal.SIGTERM)
        assert 0 < len(done(env)) <= 22
        env.run("1-1")
        assert done(env) == began(env) == Counter(range(1, 81))


# ---- a storm ----


@pytest.mark.parametrize("seed", [1])
def test_a_storm(tmp_path: Path, seed: int) -> None:
    """Managers are killed, frozen and asked to leave at random; then one runs undisturbed, and nothing is lost."""
    dice = random.Random(seed)
    count = 400
    with ManualEnvironment(tmp_path, slots=2, stale_s=2) as env:
        with_tasks(env, count, 6, "sleep 0.02")
        managers = [env.start(f"1-{element}") for element in range(3)]
        for element in range(3, 9):
            time.sleep(dice.uniform(0.1, 0.4))
            strike(dice.choice(managers), dice)
            managers.append(env.start(f"1-{element}"))
        for manager in managers:
            manager.wait()
            manager.mark_gone()
        env.run("1-99")
        lost = set(range(1, count + 1)) - set(done(env))
        assert lost == given_up(env)
        # a manager that slept may end a task that another has taken over and done: the first done record wins
        assert max(done(env).values()) <= 2
        assert max(began(env).values()) <= 3
        assert {end.state for end in env.ended()} <= {"done", "interrupted", "failed"}


def strike(victim: Running, dice: random.Random) -> None:
    """Do something bad to a manager; it may have left already."""
    event = dice.choice(["kill", "kill unseen", "freeze", "TERM", "TERM to all"])
    if event == "freeze":
        victim.send_all(signal.SIGSTOP)
        time.sleep(dice.uniform(0.1, 0.5))
        victim.send_all(signal.SIGCONT)
    elif event == "TERM":
        victim.send(signal.SIGTERM)
    elif event == "TERM to all":
        victim.send_all(signal.SIGTERM)
    else:
        victim.kill()
        if event == "kill":
            victim.mark_gone()


def given_up(env: ManualEnvironment) -> set[int]:
    """Return the tasks that were lost with three managers."""
    return {end.task for end in env.ended() if end.reason == "lost with its manager 3 times"}


def test_a_record_without_the_end_of_its_line_counts_for_nothing(tmp_path: Path) -> None:
    """The client takes it for torn, and so does who takes the chunk over."""
    torn = f"ended\t000001.1.{ENVIRONMENT_ID}\t1\t1\tdone\t0\t1.0\t1.1\t\t0\t\t."
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true", "true"])
        (env.root / f"exec/claims/000001.1.{ENVIRONMENT_ID}").write_text("1-9-0123abcd 0.0\n")
        (env.root / f"exec/beats/1-9-{ENVIRONMENT_ID}.end").touch()
        (env.root / f"exec/cache/1-9-{ENVIRONMENT_ID}.tsv").write_text(torn)
        env.run("1-0")
        assert done(env) == Counter([1, 2])


@pytest.mark.parametrize("chunks", [1, 5])
def test_where_no_lease_can_be_taken(tmp_path: Path, chunks: int) -> None:
    """Nobody has it, and yet it cannot be made: the manager leaves with a word, and does not go round for ever."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        env.plan(*(["true"] for _ in range(chunks)))
        (tmp_path / "ln").write_text("#!/bin/sh\necho 'ln: failed: Read-only file system' >&2\nexit 1\n")
        (tmp_path / "ln").chmod(0o755)
        env.run(env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert (env.left(), env.states()) == ("chunks cannot be claimed", {})


# ---- many turns ----


def has_at_work(folder: Path, count: int) -> bool:
    """Return whether so many tasks have come to wait in a folder."""
    return at_work(folder) == count


def test_a_chunk_may_take_any_number_of_turns(tmp_path: Path) -> None:
    """Generations have more than one digit, and from the fourth on each lease is for one task."""
    with ManualEnvironment(tmp_path, slots=1, last_call_s=0) as env:
        env.plan(["sleep 60"] * 2 + ["true"] * 12)
        for generation in range(1, 12):
            (env.root / f"exec/claims/000001.{generation}.{ENVIRONMENT_ID}").write_text("1-9-0123abcd 0.0\n")
        (env.root / f"exec/beats/1-9-{ENVIRONMENT_ID}.end").touch()
        ended = [f"ended\t000001.11.{ENVIRONMENT_ID}\t{task}\t1\tdone\t0\t1.0\t1.1\t\t0\t\t.\n" for task in (1, 2)]
        (env.root / f"exec/cache/1-9-{ENVIRONMENT_ID}.tsv").write_text("".join(ended))
        env.run()
        assert done(env) == Counter(range(1, 15))
        assert sorted(generations(env)["000001"]) == list(range(1, 24))
        assert finished(env) == 1


def test_what_is_dealt_out_is_shared(tmp_path: Path) -> None:
    """Several slots of several managers run what is left of a chunk side by side, each task once."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        env.plan([holding(tmp_path)] * 6)
        for generation in range(1, 4):
            (env.root / f"exec/claims/000001.{generation}.{ENVIRONMENT_ID}").write_text("1-9-0123abcd 0.0\n")
        (env.root / f"exec/beats/1-9-{ENVIRONMENT_ID}.end").touch()
        managers = [env.start("1-0"), env.start("1-1")]
        wait_until(lambda: at_work(tmp_path) == 4, "four slots at work on one chunk")
        (tmp_path / "go").touch()
        for manager in managers:
            manager.wait()
        assert done(env) == began(env) == Counter(range(1, 7))
        assert finished(env) == 1


def test_a_task_that_never_fits_its_turn_is_named(tmp_path: Path) -> None:
    """The third manager whose time is up while it runs, after most of its turn, says so; all others are done."""
    with ManualEnvironment(tmp_path, slots=1, last_call_s=0, beat_s=60) as env:
        env.plan([f': > "{tmp_path}/at-work.$$"; sleep 60', "true", "true"])
        for at in range(1, 4):
            manager = env.start(f"1-{at}")
            wait_until(partial(has_at_work, tmp_path, at), "the task")
            manager.send(signal.SIGUSR1)
            manager.wait()
        env.run("1-4")
        assert env.states() == {1: ["interrupted", "interrupted", "failed"], 2: ["done"], 3: ["done"]}
        assert [end.reason for end in env.ended() if end.task == 1] == [
            "interrupted: out of time",
            "interrupted: out of time",
            "longer than the job's time limit (3 tries)",
        ]


def test_who_was_stopped_and_taken_for_dead_runs_nothing_twice(tmp_path: Path) -> None:
    """When it goes on it finds that its chunk has another owner, and leaves the rest of it alone."""
    with ManualEnvironment(tmp_path, slots=1, stale_s=2) as env:
        env.plan([holding(tmp_path, 0), *["true"] * 20])
        sleeper = env.start("1-0")
        wait_until(lambda: at_work(tmp_path) == 1, "the first task")
        sleeper.send_all(signal.SIGSTOP)
        (tmp_path / "go").touch()
        env.run("1-1")
        sleeper.send_all(signal.SIGCONT)
        sleeper.wait()
        assert set(done(env)) == set(range(1, 22))
        assert [task for task, times in began(env).items() if times > 1] == [1]


def test_who_is_marked_as_having_left_takes_no_more(tmp_path: Path) -> None:
    """The client took it for dead: what it runs may end, and is recorded; no other one is begun."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        manager = env.plan([holding(tmp_path), "true"], [holding(tmp_path), "true"]).start()
        wait_until(lambda: at_work(tmp_path) == 2, "both slots at work")
        manager.mark_gone()
        (tmp_path / "go").touch()
        manager.wait()
        assert env.states() == {1: ["done"], 3: ["done"]}


def test_two_managers_of_one_name_get_two(tmp_path: Path) -> None:
    """Whatever SLURM_RESTART_COUNT says: two starts of one element never share records, heartbeats or leases."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        env.plan(*([holding(tmp_path)] for _ in range(4)))
        managers = [env.start("1-0", {"SLURM_RESTART_COUNT": "1"}) for _ in range(2)]
        wait_until(lambda: at_work(tmp_path) == 4, "all slots at work")
        (tmp_path / "go").touch()
        for manager in managers:
            manager.wait()
        assert sorted(path.stem for path in (env.root / "exec/cache").iterdir()) == [full_id("1-0"), full_id("1-0-r1")]
        assert done(env) == began(env) == Counter(range(1, 5))


def test_an_environment_that_was_removed_and_remade(tmp_path: Path) -> None:
    """What still runs of the old one leaves, and nothing that it writes can be taken for the new one's."""
    with ManualEnvironment(tmp_path, slots=2) as old:
        manager = old.plan(*([f"{holding(tmp_path)}; echo old > o", "echo old > o"] for _ in range(2))).start()
        wait_until(lambda: at_work(tmp_path) == 2, "both slots at work")
        shutil.rmtree(old.root)
        new = ManualEnvironment(tmp_path, environment_id="feedbeef", slots=2)
        (new.root / f"exec/id.{ENVIRONMENT_ID}").unlink()
        (new.root / "exec/id.feedbeef").touch()
        new.plan(*([Spec("echo new > o", ["o"])] for _ in range(2)))
        for plan in (new.root / "exec/plan").iterdir():
            plan.write_text(plan.read_text().replace(ENVIRONMENT_ID, "feedbeef"))
        fresh = new.start()
        (tmp_path / "go").touch()
        manager.wait()
        fresh.wait()
        assert sorted(path.name for path in (new.root / "work").iterdir()) == ["000001.1.feedbeef", "000002.1.feedbeef"]
        assert {path.read_text() for path in new.root.glob("work/*/*/o")} == {"new\n"}
        assert [path.name for path in (new.root / "exec/cache").glob("*-feedbeef.tsv")] == ["1-0-feedbeef.tsv"]
