"""What tasks use: CPU time and memory, by the records of real managers; and what is said when memory was wanting."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.managers import BASH, ManualEnvironment
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Fills MiB, uses CPU time, says how much, and waits until there is a file `go`: MIB SECONDS FOLDER NAME.
PROGRAM = """
import os, sys, time
mib, seconds, folder, name = int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:]
filled = bytes([1]) * (mib << 20)
while time.process_time() < seconds:
    pass
with open(f"{folder}/used.{name}.new", "w") as file:
    file.write(str(time.process_time()))
os.rename(f"{folder}/used.{name}.new", f"{folder}/used.{name}")
while not os.path.exists(f"{folder}/go"):
    time.sleep(0.02)
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Return the beginning of a call of the program: then come MIB and SECONDS, FOLDER and NAME."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return f"'{sys.executable}' -I -S '{path}'"


def seen(env: ManualEnvironment, slot: int = 0) -> list[int]:
    """Return what the main process has seen of the task of a slot: the most memory in KiB, and CPU time of orphans."""
    for path in env.temp.glob(f"locusts.*/used.{slot}"):
        words = path.read_text().split()  # none, in the moment in which the file is made
        return list(map(int, words[2:]))
    return []


def own(folder: Path, *names: str) -> float:
    """Return the CPU time that processes said they had used, in seconds."""
    return sum(float((folder / f"used.{name}").read_text()) for name in names)


def test_cpu_time_and_memory(tmp_path: Path, program: str) -> None:
    """Of two tasks side by side, and of one after them that is over before anybody looks."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        chunks = [[f"{program} {mib} {mib / 200} '{tmp_path}' {mib}"] for mib in (40, 80)]
        env.plan(*chunks, ["true"])
        manager = env.start()
        wait_until(lambda: all(seen(env, slot) for slot in (0, 1)), "a look at both")
        (tmp_path / "go").touch()
        manager.wait()
        for task, mib in ((1, 40), (2, 80)):
            end = env.end_of(task)
            assert end.cpu_s == pytest.approx(own(tmp_path, str(mib)), abs=0.1)
            assert end.peak_mb is not None
            assert mib < end.peak_mb < mib + 20
        last = env.end_of(3)
        assert (last.peak_mb, env.complaints()) == (None, "")
        assert last.cpu_s is not None
        assert last.cpu_s < 0.1


def test_many_processes(tmp_path: Path, program: str) -> None:
    """Their memory counts together, and CPU time of those too that outlive their parent."""
    calls = [f"{program} 30 0.2 '{tmp_path}' {name}" for name in "abc"]
    wait = f"until [[ -e '{tmp_path}/go' ]]; do sleep 0.02; done; wait"
    command = f"{calls[0]} & ({calls[1]} & ); (set -m; {calls[2]} & wait); {wait}"
    with ManualEnvironment(tmp_path) as env:
        env.plan([command], ["true"])
        manager = env.start()
        wait_until(lambda: (tmp_path / "used.b").exists() and seen(env) and seen(env)[0] > 90 << 10, "a look at all")
        wait_until(lambda: seen(env)[1] >= 19, "a look at the one that nobody waits for")
        (tmp_path / "go").touch()
        manager.wait()
        end = env.end_of()
        assert end.state == "done"
        assert end.peak_mb is not None
        assert 90 < end.peak_mb < 150
        assert end.cpu_s is not None
        assert own(tmp_path, "a", "b", "c") - 0.1 < end.cpu_s < 2
        assert (env.end_of(2).peak_mb, env.complaints()) == (None, "")


@pytest.mark.parametrize("hidden", ["nothing is there", "only what is ours"])
def test_where_proc_is_hidden(tmp_path: Path, hidden: str) -> None:
    """Nothing is told then, or what can be seen; never something wrong."""
    way = {"nothing is there": "mount -t tmpfs none /proc", "only what is ours": "mount -o remount,hidepid=2 /proc"}
    wrapper = ["unshare", "-rmpf", "--mount-proc", "bash", "-c", f'{way[hidden]} && exec "$@"', "sh", BASH]
    if subprocess.run([*wrapper, "-c", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("nobody can make namespaces here")
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true", "i=0; while ((++i < 100000)); do :; done"])
        env.start(wrapper=wrapper).wait()
        assert env.states() == {1: ["done"], 2: ["done"]}
        used = [(end.cpu_s, end.peak_mb) for end in env.ended()]
        if hidden == "nothing is there":
            assert used == [(None, None)] * 2
        else:
            assert all(cpu is not None and 0 <= cpu < 60 for cpu, _ in used)


def test_what_was_not_run_used_nothing(tmp_path: Path) -> None:
    """A command that is not there; and a record of a task that was given up says nothing."""
    with ManualEnvironment(tmp_path) as env:
        env.plan(["no-such-program"]).run()
        assert env.end_of().state == "failed"
        assert env.end_of().cpu_s is not None


# ---- too little memory ----


@contextlib.contextmanager
def limited(limit: int) -> Iterator[list[str]]:
    """Yield words that start a program where it may have so many bytes of memory."""
    group = Path("/sys/fs/cgroup")
    is_v2 = (group / "cgroup.controllers").exists()
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, kinds, path = line.split(":", 2)
        if (is_v2 and number == "0") or (not is_v2 and "memory" in kinds.split(",")):
            group = group / ("." if is_v2 else "memory") / path.lstrip("/") / f"locusts-test-{os.getpid()}"
            break
    try:
        group.mkdir()
    except OSError:
        pytest.skip("nobody can make control groups here")
    try:
        try:
            (group / ("memory.max" if is_v2 else "memory.limit_in_bytes")).write_text(str(limit))
            with contextlib.suppress(OSError):  # where there is swap
                (group / ("memory.swap.max" if is_v2 else "memory.memsw.limit_in_bytes")).write_text(str(limit))
        except OSError:
            pytest.skip("memory cannot be limited here")
        yield ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh", BASH]
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the end of all in the group")
        group.rmdir()


def test_the_kernel_killed_it_for_memory(tmp_path: Path, program: str) -> None:
    with limited(150 << 20) as wrapper, ManualEnvironment(tmp_path) as env:
        env.plan(["true", f"{program} 900 0 '{tmp_path}' a", "kill -KILL $$"])
        env.start(wrapper=wrapper).wait()
        assert env.states() == {1: ["done"], 2: ["failed"], 3: ["failed"]}
        assert env.end_of(2).reason == "out of memory: killed by the kernel"
        assert env.end_of(3).reason == "signal 9"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"SLURM_MEM_PER_NODE": "100"}, r"probably out of memory: 9[0-9](\.[0-9])? of 100 MB"),
        ({"SLURM_MEM_PER_CPU": "50", "SLURM_CPUS_ON_NODE": "2"}, r"probably out of memory: 9[0-9](\.[0-9])? of 100 MB"),
        ({"SLURM_MEM_PER_NODE": "1000"}, "signal 9"),
        ({"SLURM_MEM_PER_NODE": "all", "SLURM_MEM_PER_CPU": "x"}, "signal 9"),
        ({}, "signal 9"),
    ],
)
def test_killed_with_all_the_memory_of_the_job(
    tmp_path: Path, program: str, given: dict[str, str], reason: str
) -> None:
    kill = f"until [[ -e '{tmp_path}/seen' ]]; do sleep 0.02; done; kill -KILL $$"
    with ManualEnvironment(tmp_path) as env:
        env.plan([f"{program} 88 0 '{tmp_path}' a & {kill}"])
        manager = env.start(env=given)
        wait_until(lambda: seen(env) and seen(env)[0] > 88 << 10, "a look at what has filled its memory")
        (tmp_path / "seen").touch()
        manager.wait()
        assert re.fullmatch(reason, env.end_of().reason)
