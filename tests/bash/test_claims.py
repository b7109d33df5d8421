"""Several managers on one environment, some of which are killed: no task is lost, and none runs twice without need."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import Began
from locusts_fab.plan.tasks import chunk_sizes
from tests.support.managers import ManualEnvironment, Running, at_work, holding
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
    for path in sorted((env.root / "exec/claims").glob("[0-9]*.[0-9]*")):
        found[path.stem].append(int(path.suffix[1:]))
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
        assert first == {f"1-{element} {slot}\n": 1 + 2 * element + slot for element in range(3) for slot in range(2)}


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
    return int((env.root / "exec/beats/1-0").read_text())


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


def test_at_most_three_generations(tmp_path: Path) -> None:
    """A chunk that ends three managers is left alone, so that it does not end them all."""
    with ManualEnvironment(tmp_path) as env:
        env.plan(["sleep 60"])
        for element in range(3):
            manager = env.start(f"1-{element}")
            manager.wait_for(1, Began)
            manager.kill()
            manager.mark_gone()
        env.run("1-3")
        assert generations(env) == {"000001": [1, 2, 3]}
        assert (began(env), finished(env), env.left("1-3")) == (Counter([1, 1, 1]), 0, "finished")


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
    dice = random.Random(seed)  # noqa: S311 - a storm that can be repeated
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
        assert lost <= given_up(env)
        # a manager that slept may end a task that another has taken over and done: the first done record wins
        assert max(done(env).values()) <= 2
        assert max(began(env).values()) <= 3
        assert {end.state for end in env.ended()} <= {"done", "interrupted"}


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
    """Return the tasks of the chunks that had three owners, none of whom came to the end of it."""
    chunks = [chunk for chunk, claimed in generations(env).items() if claimed == [1, 2, 3]]
    plans = [env.root / "exec/plan" / chunk for chunk in chunks if not (env.root / f"exec/claims/{chunk}.end").exists()]
    return {int(line.partition("\t")[0]) for plan in plans for line in plan.read_text().splitlines()}
