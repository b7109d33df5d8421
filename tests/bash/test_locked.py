"""Folders that may not be written, as raw data and tasks have them: they are in nobody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.shell.scripts import templates_folder
from tests.support.accounts import give_away
from tests.support.environments import ID, founded
from tests.support.managers import BASH, ENVIRONMENT_ID, ManualEnvironment, Running, Spec, at_work, full_id, holding
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

REMOTE = templates_folder() / "remote"
#: Where sandboxes are.
PLACES: dict[str, dict[str, Any]] = {
    "plain": {},
    "scratch": {"scratch": ["$TMPDIR/scratch"]},
    "packed": {"scratch": ["$TMPDIR/scratch"], "pack": 1},
}


def started(env: ManualEnvironment, modes: Mapping[str, int], manager: str = "1-0", path: str | None = None) -> Running:
    """Start a manager of an account that modes stop.

    :param modes: those of inputs of the first task, by name.
    :param path: folders of programs that come before all others.
    """
    for name, mode in modes.items():
        (env.root / env.layout.inputs(1) / name).chmod(mode)
    (env.root / f"exec/logs/{manager}.out").touch()
    programs = {"PATH": f"{path}:{os.environ['PATH']}"} if path else {}
    return env.start(manager, programs, wrapper=[*give_away(env.root.parent), BASH])


def in_temp(env: ManualEnvironment) -> list[str]:
    """List what managers have left on the node."""
    return sorted(str(path.relative_to(env.temp)) for path in env.temp.rglob("*") if path.name != "scratch")


@pytest.mark.parametrize("values", PLACES.values(), ids=PLACES)
def test_inputs_may_be_protected(reachable: Path, values: dict[str, Any]) -> None:
    """A sandbox has them as they are; its task is done, and all that nobody wants goes."""
    with ManualEnvironment(reachable, has_inputs=1, keep="none", **values) as env:
        env.plan([Spec(f"wc -l <data/x >n{end}", ["n"], {"data/x": "1\n"}) for end in ("; exit 3", "")])
        (env.root / env.layout.inputs(2) / "data").chmod(0o555)
        started(env, {"data": 0o555}).wait()
        assert [(end.state, end.reason) for end in env.ended()] == [("failed", "exit 3"), ("done", "")]
        assert (env.complaints(), in_temp(env)) == ("", [])
        kept = [] if "pack" in values else ["000001.1/1/", "000001.1/1/n", "000001.1/2/", "000001.1/2/n"]
        assert env.kept() == kept


@pytest.mark.parametrize("values", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("keep", ["none", "failed"])
def test_tasks_may_protect_what_they_leave(reachable: Path, values: dict[str, Any], keep: str) -> None:
    """Also their own sandbox; each attempt, however it ends, is removed or kept as any other."""
    protect = "mkdir -p out/deep junk/deep; : >junk/deep/x; : >out/deep/x; chmod -R a-w ."
    with ManualEnvironment(reachable, keep=keep, retries=1, **values) as env:
        env.plan([Spec(protect, ["out"]), Spec(f"{protect}; exit 1", ["out"])])
        started(env, {}).wait()
        assert env.states() == {1: ["done"], 2: ["retry", "failed"]}
        assert (env.complaints(), in_temp(env)) == ("", [])
        if "pack" not in values:
            kept = {name.split("/")[1] + "/" + name.split("/")[2] for name in env.kept() if name.count("/") > 2}
            whole = {f"{task}/{name}" for task in ("2", "2.2") for name in ("out", "junk")}
            assert kept == {"1/out", *(whole if keep == "failed" else {"2.2/out"})}
            assert (env.root / f"work/000001.1.{ENVIRONMENT_ID}/1/out").stat().st_mode & 0o777 == 0o555


@pytest.mark.parametrize("by", ["the client", "the next manager"])
def test_what_a_killed_manager_left_on_the_node_is_removed(reachable: Path, by: str) -> None:
    protect = "mkdir -p junk/deep; : >junk/deep/x; chmod -R a-w junk"
    with ManualEnvironment(reachable, **PLACES["scratch"]) as env:
        env.plan([f"{protect}; {holding(reachable, 0)}"])
        manager = started(env, {})
        wait_until(lambda: at_work(reachable) == 1, "the task")
        manager.kill()
        assert any(name.endswith("junk/deep/x") for name in in_temp(env))
        (reachable / "go").touch()
        if by == "the client":
            script = (str(REMOTE / "mark_gone.sh"), str(env.root), ENVIRONMENT_ID, full_id("1-0"))
            subprocess.run([*give_away(reachable), BASH, *script], check=True, timeout=60)
        else:
            manager.mark_gone()
            started(env, {}, "1-1").wait()
            assert env.states() == {1: ["done"]}
        assert in_temp(env) == []


def test_half_a_sandbox_is_none(reachable: Path) -> None:
    """What was copied before it came to nothing is removed, whatever may be written: no task runs with a part."""
    inputs = {"a/x": "", "b/secret": ""}
    with ManualEnvironment(reachable, has_inputs=1) as env:
        env.plan([Spec(f"echo ran >>'{reachable}/ran'", [], inputs), Spec("cat a/x", [], {"a/x": ""})])
        started(env, {"b/secret": 0, "a": 0o555, "b": 0o555}).wait()
        assert [(end.task, end.state, end.reason) for end in env.ended()] == [
            (1, "failed", "the sandbox could not be made"),
            (2, "done", ""),
        ]
        assert not (reachable / "ran").exists()


@pytest.mark.parametrize("protect", ["chmod a-w .", "chmod a-w d", ":"])
def test_outputs_may_lead_to_what_is_protected(reachable: Path, protect: str) -> None:
    """They are packed as what they lead to, wherever the link is."""
    (reachable / "data").mkdir()
    (reachable / "data/x").touch()
    (reachable / "data").chmod(0o555)
    with ManualEnvironment(reachable, **PLACES["packed"]) as env:
        env.plan(
            [
                Spec(
                    f"mkdir d; ln -s '{reachable}/data' d/out; ln -s '{reachable}/data' out; {protect}",
                    ["d/out", "out"],
                )
            ]
        )
        started(env, {}).wait()
        assert [(end.state, end.reason, end.found) for end in env.ended()] == [("done", "", (True, True))]
        assert (env.complaints(), in_temp(env)) == ("", [])
        with tarfile.open(env.root / f"work/000001.1.{ENVIRONMENT_ID}.tar") as archive:
            assert {entry.name: entry.mode & 0o777 for entry in archive if entry.isdir()} == {
                "1/out": 0o555,
                "1/d/out": 0o555,
            }
            assert [entry.name for entry in archive if not entry.isdir()] == ["1/d/out/x", "1/out/x"]


# ---- what comes home from scratch ----


@pytest.mark.parametrize("values", PLACES.values(), ids=PLACES)
def test_a_sandbox_that_could_not_be_made_is_told_as_such(tmp_path: Path, values: dict[str, Any]) -> None:
    with ManualEnvironment(tmp_path, has_inputs=1, **values) as env:
        env.plan([Spec("cat in", [], {}), Spec("cat in", [], {"in": "text"})]).run()
        assert [(end.task, end.state, end.reason) for end in env.ended()] == [
            (1, "failed", "the sandbox could not be made"),
            (2, "done", ""),
        ]


@pytest.mark.parametrize("values", PLACES.values(), ids=PLACES)
def test_a_task_may_remove_its_own_sandbox(tmp_path: Path, values: dict[str, Any]) -> None:
    """It is done if nothing was to be there; what it printed is there all the same."""
    with ManualEnvironment(tmp_path, **values) as env:
        env.plan(['echo said; rm -rf "$PWD"']).run()
        assert [(end.state, end.reason, end.log) for end in env.ended()] == [("done", "", 1)]
        if "pack" not in values:
            assert env.log() == "said\n"


def test_only_what_went_well_fails_for_what_could_not_be_copied(tmp_path: Path) -> None:
    """What was interrupted is, and what failed has a reason of its own."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/cp").write_text("#!/bin/sh\necho 'cp: no' >&2\nexit 1\n")
    (tmp_path / "bin/cp").chmod(0o755)
    with ManualEnvironment(tmp_path, slots=3, **PLACES["scratch"]) as env:
        env.plan(["true"], ["exit 3"], [f"{holding(tmp_path)} & wait"])
        manager = env.start(env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
        wait_until(lambda: at_work(tmp_path) == 1 and len(env.ended()) == 2, "the tasks")
        manager.send(signal.SIGTERM)
        manager.wait()
        assert {end.task: (end.state, end.reason) for end in env.ended()} == {
            1: ("failed", "results could not be copied from scratch"),
            2: ("failed", "exit 3"),
            3: ("interrupted", "interrupted"),
        }


# ---- removing ----


def test_only_folders_are_opened_to_remove_them(reachable: Path) -> None:
    """Files may have other names elsewhere, and a symlink leads elsewhere."""
    data, outside = reachable / "data", reachable / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").touch()
    for name in ("a/b c/-d", "a/.hidden/..deep", "a/[x]*"):
        (data / name).mkdir(parents=True)
        (data / name / "file").touch()
        (data / name / "link").symlink_to(outside / "folder")
        os.link(outside / "file", data / name / "second")
    (reachable / "to data").symlink_to(outside / "folder")
    (outside / "file").chmod(0o444)
    (outside / "folder").chmod(0o555)
    closed = [path for path in (data, *data.rglob("*")) if path.is_dir() and not path.is_symlink()]
    words = give_away(reachable)
    for path in reversed(closed):
        path.chmod(0 if path.name in {"a", "..deep"} else 0o555)
    script = f'{(REMOTE / "lib/remove.sh").read_text()}\nremove "$@"'
    found = subprocess.run(
        [*words, BASH, "-uc", script, "bash", data, reachable / "to data", reachable / "none", ""],
        stderr=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    assert found.stderr == b""
    assert sorted(path.name for path in reachable.iterdir()) == ["outside"]
    assert [(outside / name).stat().st_mode & 0o777 for name in ("file", "folder")] == [0o444, 0o555]


def fill_locked(root: Path, *names: str) -> None:
    """Make files in folders that may not be written."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
        (root / name).parent.chmod(0o555)


@pytest.mark.parametrize(
    ("script", "files", "words"),
    [
        ("remove", ["work/c/1/data/x"], ["work"]),
        ("remove", ["work/c/1/data/x", "inputs/0/1/data/x"], []),
        ("unpack_inputs", [".arriving.1/inputs/0/1/data/x", "arriving.12345678/inputs/0/1/data/x"], []),
        ("unpack_results", ["exec/unpacked/c/1/data/x"], ["exec/list", "exec/unpacked"]),
        ("link_inputs", ["inputs/0/1/data/x"], ["exec/list", "link"]),
    ],
)
def test_scripts_remove_what_may_not_be_written(
    reachable: Path, script: str, files: list[str], words: list[str]
) -> None:
    root = reachable / "it's $(an) environment"
    founded(root)
    (root / "exec/list").touch()
    if script == "link_inputs":
        fill_locked(reachable, "results/data/x", "results/data/y")
        (root / "exec/list").write_text(f"{reachable}/results/data\0inputs/0/1/data\0")
    fill_locked(root, *files)
    started_by = give_away(reachable)
    done = subprocess.run(
        [*started_by, "bash", REMOTE / f"{script}.sh", root, ID, *words], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    if script == "link_inputs":
        assert sorted(path.name for path in (root / files[0]).parent.iterdir()) == ["x", "y"]
    else:
        assert not any(Path(root / name).exists() for name in files)
