"""Tasks that kill whoever runs them: they are named, and take no others along."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import Began
from tests.support.managers import ManualEnvironment, at_work, holding
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_slot_that_is_killed_by_its_task(tmp_path: Path) -> None:
    """The task is named after three slots; its siblings and what stood beside it are done by the same manager."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        env.plan(["kill -KILL $PPID; sleep 60", "true"], ["true", "true"]).run()
        assert env.end_of(1).reason == "lost with its manager 3 times"
        assert env.states() == {1: ["failed"], 2: ["done"], 3: ["done"], 4: ["done"]}
        assert env.left() == "finished"


def test_tasks_lost_twice_run_one_at_a_time(tmp_path: Path) -> None:
    """So the one that kills whoever runs it takes no other along."""
    command = f'mkdir "{tmp_path}/in" || echo > "{tmp_path}/together"; sleep 0.2; rmdir "{tmp_path}/in"'
    with ManualEnvironment(tmp_path, slots=4, alone_from=1) as env:
        env.plan(*([command] for _ in range(3))).run()
        assert {task: len(states) for task, states in env.states().items()} == {1: 1, 2: 1, 3: 1}
        assert not (tmp_path / "together").exists()


def test_what_must_be_alone_waits_for_the_others(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2, alone_from=2) as env:
        manager = env.plan([holding(tmp_path)], [f'ls "{tmp_path}/go"']).start()
        wait_until(lambda: list(env.temp.glob("locusts.*/alone/*")), "the second task, which waits")
        wait_until(lambda: at_work(tmp_path) == 1, "the first task")  # no slot waits for the other to begin
        assert [record.task for record in env.records() if isinstance(record, Began)] == [1]
        (tmp_path / "go").touch()
        manager.wait()
        assert env.states() == {1: ["done"], 2: ["done"]}


#: A program that kills the slot which called it, once, as soon as that has the word to be alone.
KILLS = """#!/bin/bash
PATH=${PATH#*:}
"${0##*/}" "$@"
status=$?
compgen -G "$TMPDIR/locusts.*/alone" >/dev/null && mkdir -- "$TMPDIR/killed" && kill -KILL "$PPID"
exit $status
"""


@pytest.mark.parametrize("name", ["mkdir", "mv"])
def test_a_slot_that_was_killed_as_soon_as_it_could_be_alone(tmp_path: Path, name: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / name).write_text(KILLS)
    (programs / name).chmod(0o700)
    with ManualEnvironment(tmp_path, slots=2, alone_from=1) as env:
        env.plan(["true"], ["true"]).run(env={"PATH": f"{programs}:{os.environ['PATH']}"})
        assert {task: states[-1] for task, states in env.states().items()} == {1: "done", 2: "done"}
