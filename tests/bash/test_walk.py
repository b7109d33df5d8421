"""Which chunk a slot takes next: the largest that is free, whoever comes late or never; and what is left at the end."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import Began
from tests.support.managers import ENVIRONMENT_ID, ManualEnvironment, at_work, holding
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def taken(env: ManualEnvironment, manager: str | None = None) -> list[int]:
    """List the chunks that a manager took, or all, in order."""
    return [int(record.claim.split(".")[0]) for record in env.records(manager) if isinstance(record, Began)]


def marks(env: ManualEnvironment, kind: str) -> list[int]:
    """List the chunks that bear a mark."""
    return sorted(
        int(path.name.split(".")[0]) for path in (env.root / "exec/claims").glob(f"*.{ENVIRONMENT_ID}.{kind}")
    )


def done(env: ManualEnvironment) -> Counter[int]:
    """Count the done records of each task."""
    return Counter(end.task for end in env.ended() if end.state == "done")


# ---- the largest that is free ----


@pytest.mark.parametrize("element", [0, 1, 7, 11])
def test_where_the_others_never_come_the_largest_chunks_run_at_once(tmp_path: Path, element: int) -> None:
    with ManualEnvironment(tmp_path) as env:
        env.plan(*[["true"]] * 12).run(f"1-{element}")
        own = element + 1
        assert taken(env) == [own, *(chunk for chunk in range(1, 13) if chunk != own)]


def test_an_additional_manager_has_no_place_of_its_own_and_does_as_all(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2) as env:
        env.plan(*[["true"]] * 12).run("1-500")
        assert Counter(taken(env)) == Counter(range(1, 13))


def test_who_comes_late_takes_the_largest_that_is_left(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        tasks = [["true"] for _ in range(300)]
        tasks[149] = [holding(tmp_path)]
        first = env.plan(*tasks).start("1-0")
        wait_until(lambda: at_work(tmp_path) == 1, "the task in the middle")
        late = env.start("1-1")
        wait_until(lambda: len(done(env)) == 299, "all others")
        (tmp_path / "go").touch()
        first.wait()
        late.wait()
        assert taken(env, "1-0") == list(range(1, 151))
        blocks = [(chunk - 1) // 4 for chunk in taken(env, "1-1")]  # in a block of them each slot has its own order
        assert blocks == sorted(blocks)
        assert Counter(taken(env)) == Counter(range(1, 301))


@pytest.mark.parametrize("chunks", [1, 2, 63, 64, 65, 130])
def test_marks_tell_no_more_than_is_true_and_never_of_the_next_submit(tmp_path: Path, chunks: int) -> None:
    with ManualEnvironment(tmp_path, slots=3) as env:
        env.plan(*[["true"]] * chunks)
        env.start("1-0")
        env.start("1-7")
        for manager in env.managers:
            manager.wait()
        assert Counter(taken(env)) == Counter(range(1, chunks + 1))
        assert all(1 < mark <= chunks for mark in marks(env, "low"))
        assert marks(env, "past") == list(range(1, chunks + 1, 64))


def test_a_manager_that_cannot_claim_anything_says_so_and_leaves(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ln").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin/ln").chmod(0o755)
    with ManualEnvironment(tmp_path) as env:
        env.plan(*[["true"]] * 3).run(env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
        assert env.left() == "chunks cannot be claimed"


# ---- what is left at the end ----


def test_what_a_killed_manager_held_is_found_among_many_that_have_ended(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        tasks = [["true"] for _ in range(200)]
        tasks[99] = [holding(tmp_path, passes=0)]
        killed = env.plan(*tasks).start("1-99")
        wait_until(lambda: at_work(tmp_path) == 1, "the task in the middle")
        killed.kill()
        killed.mark_gone()
        (tmp_path / "go").touch()
        env.run("1-0")
        assert done(env) == Counter(range(1, 201))
        assert taken(env, "1-0")[-1] == 100
        assert marks(env, "past") == [1, 65, 129, 193]


def test_what_a_bad_node_failed_is_run_again_though_it_had_ended(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        tasks = [["[[ ! $BAD ]]"] for _ in range(130)]
        tasks[99] = [holding(tmp_path)]
        sound = env.plan(*tasks).start("1-99")
        wait_until(lambda: at_work(tmp_path) == 1, "the task of the sound node")
        env.run("1-0", env={"BAD": "1"}, breaker=70)
        assert env.left("1-0") == "breaker"
        assert marks(env, "past") == []
        (tmp_path / "go").touch()
        sound.wait()
        assert done(env) == Counter(range(1, 131))
        assert marks(env, "past") == [1, 65, 129]
