"""Whatever is killed, every task ends up done once or reported as not done, and the same command carries on."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.managers import holding
from tests.support.processes import wait_until
from tests.support.workspace import COPY, HERE, Workspace

if TYPE_CHECKING:
    import subprocess

CONFIG = HERE + COPY
TASKS = 2000


def held(folder: Path, passes: int) -> str:
    """Write the config so that tasks wait until there is a file `go`; at most so many do not wait."""
    return CONFIG.replace(
        '"cat f_<id>.txt > out_<id>.txt"',
        f"""'''{holding(folder, passes)}
cat f_<id>.txt > out_<id>.txt'''""",
    )


def kill_tree(pid: int) -> None:
    """Kill a process and all that came of it: no warning, no order."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(re.sub(r"^.*\) ", "", stat.read_text()).split()[1])
            parents.setdefault(parent, []).append(int(stat.parent.name))
    doomed = [pid]
    for victim in doomed:
        doomed += parents.get(victim, [])
    for victim in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


def check_all_came(workspace: Workspace, tasks: int, most_twice: int) -> None:
    """See that each task is done once in the results, and how many had to run twice."""
    assert {row["state"] for row in workspace.tasks().values()} == {"done"}
    assert len(workspace.tasks()) == tasks
    for number in range(tasks):
        assert workspace.result(f"{number}/out_{number}.txt").read_bytes() == b"%d\n" % number
    begun = Counter(fields[2] for fields in workspace.records() if fields[0] == "began")
    assert len(begun) == tasks
    assert sum(times > 1 for times in begun.values()) <= most_twice
    ended = Counter(fields[2] for fields in workspace.records() if fields[0] == "ended" and fields[4] == "done")
    assert set(ended.values()) == {1}


def count(workspace: Workspace, kind: str) -> int:
    """Count the records of a kind."""
    return sum(fields[0] == kind for fields in workspace.records())


def in_the_middle(folder: Path, tasks: int, passes: int, began: int) -> Workspace:
    """Submit a swarm whose tasks wait, but for so many, and return it once so many have begun."""
    workspace = Workspace(folder)
    workspace.pairs(tasks)
    workspace.write(held(folder, passes))
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: count(workspace, "began") >= began, "the middle")
    return workspace


def test_the_whole_manager_is_killed_in_the_middle(tmp_path: Path) -> None:
    workspace = in_the_middle(tmp_path, TASKS, passes=500, began=500)
    manager = next(fields for fields in workspace.records() if fields[0] == "manager")
    kill_tree(int(manager[3]))
    (tmp_path / "go").touch()
    code, text = workspace.locusts("status")
    assert (code, "stalled" in text) == (1, True), text
    assert workspace.locusts("submit")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    check_all_came(workspace, TASKS, most_twice=2)


def test_only_the_main_process_is_killed_and_its_slots_do_not_go_on(tmp_path: Path) -> None:
    workspace = in_the_middle(tmp_path, 300, passes=50, began=50)
    os.kill(int(workspace.records()[0][3]), signal.SIGKILL)
    assert workspace.locusts("submit")[0] == 0  # its slots are still there, and their tasks
    (tmp_path / "go").touch()
    assert workspace.locusts("collect", "--wait")[0] == 0
    check_all_came(workspace, 300, most_twice=2)


@pytest.mark.parametrize("seed", range(3))
def test_the_client_is_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """The kills fall into planning, staging, starting, polling and collecting, wherever the clock has it."""
    workspace = Workspace(tmp_path)
    workspace.pairs(TASKS)
    workspace.write(CONFIG)
    dice = random.Random(seed)
    for _ in range(12):
        with workspace.start("run") as process:
            time.sleep(dice.uniform(0.2, 1.4))
            process.kill()
            process.communicate()
    code, text = workspace.locusts("run")
    assert code == 0, text
    check_all_came(workspace, TASKS, most_twice=0)


def has_results(workspace: Workspace, count: int, process: subprocess.Popen[bytes]) -> bool:
    """Tell whether so many files and folders are among the results, or nobody brings any more."""
    return process.poll() is not None or len(list(workspace.result("").glob("*"))) >= count


@pytest.mark.parametrize("words", [["collect"], ["run"]])
def test_the_client_is_killed_while_it_collects(tmp_path: Path, words: list[str]) -> None:
    workspace = Workspace(tmp_path)
    workspace.pairs(TASKS)
    workspace.write(CONFIG)
    assert workspace.locusts("submit")[0] == 0
    assert workspace.locusts("watch")[0] == 0
    for results in (1, 500, 1000, 1500):
        with workspace.start(*words) as process:
            wait_until(partial(has_results, workspace, results, process), "results")
            process.kill()
            process.communicate()
        for path in workspace.result("").rglob("out_*.txt"):
            assert path.read_bytes().endswith(b"\n"), "a file is there whole or not at all"
    assert workspace.locusts("collect")[0] == 0
    check_all_came(workspace, TASKS, most_twice=0)
    assert not list(workspace.result("").rglob(".locusts-*"))


def test_a_client_is_killed_after_it_told_the_managers_to_stop(tmp_path: Path) -> None:
    """Before anything else knows of that: the next submit does not wait for those managers, but starts others."""
    workspace = in_the_middle(tmp_path, 20, passes=0, began=2)
    (tmp_path / ".locusts/here/s/exec/stop.1").touch()
    code, text = workspace.locusts("submit")
    assert (code, (tmp_path / ".locusts/here/s/exec/started.2").exists()) == (0, True), text
    (tmp_path / "go").touch()
    code, text = workspace.locusts("collect", "--wait")
    assert code == 0, text
    check_all_came(workspace, 20, 0)
