"""Which tasks a submit takes: `--only`, `--limit`, `--redo-changed`, and what the config means no more."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import locusts_fab
from locusts_fab.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.operations.submit import Submitted
    from tests.support.workspace import Workspace

#: Each run of a task adds its word to `ran`; words with x fail.
COMMAND = "echo <w> >> {folder}/ran; cat in.txt > out.txt; case <w> in *x*) sleep 0; false;; esac"


def swarm(folder: Path, *words: str, command: str = COMMAND) -> Swarm:
    """Write a config whose tasks are called by words, and load it."""
    if not (folder / "in.txt").exists():
        (folder / "in.txt").touch()
    text = command.format(folder=folder)
    (folder / "locusts.toml").write_text(
        f"[targets.here]\nmode = 'local'\nslots = 2\n[swarms.s]\ncommand = {json.dumps(text)}\n"
        f"sweep = {{ w = {json.dumps(list(words))} }}\nid = '<w>'\noutputs = ['out.txt']\ninputs = ['in.txt']\n",
        encoding="utf-8",
    )
    loaded: Swarm = locusts_fab.load(folder / "locusts.toml")
    return loaded


def run(made: Swarm, **choice: Any) -> Submitted:
    """Submit and wait."""
    submitted: Submitted = locusts_fab.submit(made, **choice)
    locusts_fab.collect(made, wait=True)
    return submitted


def ran(folder: Path) -> list[str]:
    """Return the words of the tasks that ran since this was asked last."""
    path = folder / "ran"
    words = sorted(path.read_text().split()) if path.exists() else []
    path.unlink(missing_ok=True)
    return words


def test_only_some_of_the_tasks(tmp_path: Path) -> None:
    made = swarm(tmp_path, "a1", "a2", "b1", "b2", "[c]")
    assert run(made, only=["b*", "[c]"]).tasks == 3
    assert ran(tmp_path) == ["[c]", "b1", "b2"]
    submitted = run(made, only=["b1"])
    assert (submitted.tasks, submitted.total) == (0, 5)
    assert "1 done" in submitted.notes[-1]
    assert run(made, limit=1).tasks == 1
    assert ran(tmp_path) == ["a1"]
    assert run(made).tasks == 1
    assert ran(tmp_path) == ["a2"]
    assert run(made, redo=True, only=["a?"]).tasks == 2
    assert ran(tmp_path) == ["a1", "a2"]
    assert locusts_fab.status(made).tasks.done == 5


def test_retry_takes_what_is_chosen(tmp_path: Path) -> None:
    made = swarm(tmp_path, "x1", "x2", "x3", "a")
    run(made)
    ran(tmp_path)
    assert locusts_fab.retry(made, only=["x2"]).tasks == 1
    locusts_fab.collect(made, wait=True)
    assert locusts_fab.retry(made, limit=2).tasks == 2
    locusts_fab.collect(made, wait=True)
    assert ran(tmp_path) == ["x1", "x2", "x2"]


@pytest.mark.parametrize("then", [["x1"], ["a", "b"]])
def test_retry_does_not_run_what_the_config_means_no_more(tmp_path: Path, then: list[str]) -> None:
    run(swarm(tmp_path, "x1", "x2", "x3"))
    ran(tmp_path)
    made = swarm(tmp_path, *then)
    submitted = locusts_fab.retry(made)
    locusts_fab.collect(made, wait=True)
    assert (submitted.tasks, submitted.total) == (len(then), len(then))
    assert ran(tmp_path) == then
    assert any("no longer in the config" in note and "x2" in note for note in submitted.notes)


def test_what_waits_in_a_running_submit_and_is_no_longer_meant_does_not_run(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    command = COMMAND + f"; until [ -e {gate} ]; do sleep 0.05; done"
    locusts_fab.submit(swarm(tmp_path, "a", "b", "c", "d", "e", "f", command=command))
    made = swarm(tmp_path, "f", "g", "h", command=command)
    submitted = locusts_fab.submit(made, only=["g"])
    gate.touch()
    locusts_fab.collect(made, wait=True)
    assert {"f", "g"} <= set(ran(tmp_path)) <= {"a", "b", "f", "g"}  # two may have been running
    assert submitted.tasks <= 2
    assert run(made).tasks == 1
    assert ran(tmp_path) == ["h"]


def test_done_tasks_whose_command_or_inputs_have_changed_run_again(tmp_path: Path) -> None:
    run(swarm(tmp_path, "a", "b", "x"))
    ran(tmp_path)
    made = swarm(tmp_path, "a", "b", "x")
    assert run(made, redo_changed=True).tasks == 0
    (tmp_path / "in.txt").write_text("new")
    submitted = run(made)
    assert (submitted.tasks, submitted.changed) == (0, ["a", "b"])
    assert "--redo-changed" in submitted.notes[0]
    assert run(made, redo_changed=True, limit=1).tasks == 1
    assert ran(tmp_path) == ["a"]
    assert (tmp_path / "results/s/a/out.txt").read_text() == "new"
    assert run(made, redo_changed=True).tasks == 1
    assert ran(tmp_path) == ["b"]
    os.utime(tmp_path / "in.txt", (1, 1))  # its time alone
    assert run(made, redo_changed=True).tasks == 2
    assert run(made, redo_changed=True).tasks == 0
    assert ran(tmp_path) == ["a", "b"]
    made = swarm(tmp_path, "a", "b", command=COMMAND + " # another")
    assert run(made, redo_changed=True, only=["b"]).tasks == 1
    assert ran(tmp_path) == ["b"]


def test_another_laptop_takes_the_results_of_the_last_run(tmp_path: Path) -> None:
    made = swarm(tmp_path, "a", "b")
    run(made)
    (tmp_path / "in.txt").write_text("new")
    run(made, redo_changed=True)
    for file in (tmp_path / ".locusts/s").glob("ledger*"):
        file.unlink()
    locusts_fab.attach(made)
    locusts_fab.collect(made)
    assert {path.read_text() for path in (tmp_path / "results/s").glob("*/out.txt")} == {"new"}


@pytest.mark.parametrize(
    ("only", "message"),
    [
        (["betaa"], "did you mean beta?"),
        (["alpha", "z*"], "ids are such as alpha, beta"),
        (["gone"], "no longer in the config"),
    ],
)
def test_ids_that_are_none_are_refused_before_anything_starts(tmp_path: Path, only: list[str], message: str) -> None:
    run(swarm(tmp_path, "gone"))
    ran(tmp_path)
    with pytest.raises(StateError) as caught:
        locusts_fab.submit(swarm(tmp_path, "alpha", "beta"), only=only)
    assert message in str(caught.value)
    assert ran(tmp_path) == []


def test_a_number_without_its_zeros_is_not_known_but_meant(tmp_path: Path) -> None:
    made = swarm(tmp_path, "a")
    text = (tmp_path / "locusts.toml").read_text().replace("id = '<w>'\n", "")
    (tmp_path / "locusts.toml").write_text(text)
    made = locusts_fab.load(tmp_path / "locusts.toml")
    with pytest.raises(StateError, match=r"(?s)no task '1'.*did you mean 000001\?"):
        locusts_fab.submit(made, only=["1"])
    with pytest.raises(StateError, match="limit"):
        locusts_fab.submit(made, limit=0)


def test_on_the_command_line(workspace: Workspace) -> None:
    workspace.write("[swarms.s]\ncommand = 'false'\nsweep = { w = [1, 2, 3] }\n")
    assert workspace.locusts("run", "--limit", "2")[0] == 1
    assert (
        "submitted 1 of 3 tasks"
        in workspace.locusts("retry", "--only", "00000[12]", "--only", "000003", "--limit", "1")[1]
    )
    code, said = workspace.locusts("submit", "--limit", "few")
    assert (code, "few" in said) == (2, True)


#: Configs of three tasks that fail, and how to leave only the last of them in.
SHRINKING = {
    "args": (
        "command = 'false <arg0>'\nargs = [['1'], ['2'], ['3']]\n",
        "sed -i \"s/'1'], \\['2'], \\[//\" locusts.toml",
    ),
    "sweep": ("command = 'false <n>'\nsweep = { n = [1, 2, 3] }\n", "sed -i 's/1, 2, //' locusts.toml"),
    "inputs": ("command = 'false <id>'\nindir = 'in'\ninputs = ['f_<id>.txt']\n", "rm in/f_[01].txt"),
    "commands": ("command_file = 'commands.txt'\n", "sed -i 1,2d commands.txt"),
    "table": ("command = 'false <n>'\nargs_file = 'grid.csv'\n", "sed -i 2,3d grid.csv"),
}


@pytest.mark.parametrize(("config", "shrink"), SHRINKING.values(), ids=SHRINKING)
def test_retry_counts_what_the_config_still_means(workspace: Workspace, config: str, shrink: str) -> None:
    workspace.pairs(3)
    (workspace.folder / "commands.txt").write_text("false 1\nfalse 2\nfalse 3\n")
    (workspace.folder / "grid.csv").write_text("n\n1\n2\n3\n")
    workspace.write(f"[swarms.s]\nbreaker = 0\n{config}")
    assert workspace.locusts("run")[0] == 1
    subprocess.run(["bash", "-c", shrink], cwd=workspace.folder, check=True)
    code, text = workspace.locusts("retry")
    assert (code, "submitted 1 of 1 task" in text, "2 tasks are no longer in the config" in text) == (0, True, True), (
        text
    )
    assert workspace.locusts("collect", "--wait")[0] == 1
    assert [row["attempts"] for row in workspace.tasks().values()] == ["1", "1", "2"]


@pytest.mark.parametrize(("most", "is_refused"), [(1, True), ('"25%"', True), (2, False)])
def test_too_many_failures_are_seen_before_anything_changes(
    workspace: Workspace, most: object, *, is_refused: bool
) -> None:
    config = swarm_text("echo <w> > out.txt; [[ <w> != z ]]", ["a", "b", "z"])
    workspace.write(config)
    assert workspace.locusts("run")[0] == 1
    before = workspace.table("outputs.tsv")
    workspace.write(config.replace("echo <w>", "echo new <w>") + f"max_failures = {most}\n")
    code, text = workspace.locusts("submit", "--redo-changed")
    if not is_refused:
        assert (code, "submitted 2 of 3 tasks" in text) == (0, True), text
        assert workspace.locusts("watch")[0] == 1
        return
    assert (code, "1 task has failed, and max_failures" in text) == (2, True), text
    assert workspace.locusts("collect")[0] == 1
    assert {name: row["state"] for name, row in workspace.tasks().items()} == {"a": "done", "b": "done", "z": "failed"}
    assert workspace.table("outputs.tsv") == before
    code, text = workspace.locusts("retry")
    assert (code, "submitted 1 of 3 tasks" in text) == (0, True), text
    assert workspace.locusts("watch")[0] == 1


def test_what_shows_late_that_it_cannot_run_changes_nothing_either(workspace: Workspace) -> None:
    """The folder that all tasks share is looked at when it is sent."""
    (workspace.folder / "tree").mkdir()
    custom = "environment = 'custom'\nroot = 'tree'\nin_place = false\ninclude = ['*']\n"
    config = swarm_text("echo <w> > <w>", ["a", "b"]).replace("out.txt", "<w>") + custom
    workspace.write(config)
    assert workspace.locusts("run")[0] == 0
    (workspace.folder / "tree").rename(workspace.folder / "away")
    workspace.write(config.replace("echo <w>", "echo new <w>"))
    code, text = workspace.locusts("submit", "--redo-changed", "--force")
    assert (code, "there is no folder" in text) == (2, True), text
    assert "2 of 2 done" in workspace.locusts("status")[1]


def swarm_text(command: str, words: list[str]) -> str:
    """Return a config whose tasks are called by words."""
    return (
        f"[targets.here]\nmode = 'local'\nslots = 2\n[swarms.s]\ncommand = {json.dumps(command)}\n"
        f"sweep = {{ w = {json.dumps(words)} }}\nid = '<w>'\noutputs = ['out.txt']\n"
    )
