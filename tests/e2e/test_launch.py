"""`launch`: what the original takes, run whole; here, on a host reached over SSH, and in a custom environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import locusts_fab
from locusts_fab.config.tables import make_config
from locusts_fab.errors import ConfigError, PlanError, StateError
from locusts_fab.legacy.launch import swarm_table
from locusts_fab.model.swarms import SwarmState
from locusts_fab.target import forget_logins
from tests.support.sshd import Sshd, module_sshd, needs_sshd
from tests.support.workspace import REPOSITORY, Workspace

__all__ = ["module_sshd"]


@pytest.fixture(autouse=True)
def _in_its_folder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace.folder)


def parameters(workspace: Workspace, text: str) -> Path:
    """Write a parameter file; four tasks at a time unless it says otherwise."""
    path = workspace.folder / "test.par"
    path.write_text(f"number_of_processors 4\n{text}\n")
    return path


# ---------------------------------------------------------------------------------------------------------------------
# The whole job


def test_pairs_with_a_shared_file(workspace: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    workspace.pairs(12)
    (workspace.folder / "in" / "common file.txt").write_text("common\n")
    collected = locusts_fab.launch(
        indir="in/",
        outdir="results/MngTest",
        code="MngTest",
        spcins=["f_<id>.txt"],
        shdins=["sf1:common file.txt"],
        outs=["out_<id>.txt"],
        cmd="sleep 0; cat f_<id>.txt <shared>sf1 > out_<id>.txt",
        parf=parameters(workspace, "waiting_time 5"),
    )
    assert collected.status.state is SwarmState.FINISHED
    assert collected.status.tasks.done == 12
    for number in range(12):
        assert workspace.result(f"{number}/out_{number}.txt", "MngTest").read_text() == f"{number}\ncommon\n"
    assert (workspace.folder / ".locusts" / "MngTest" / "ledger.sqlite").exists()
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("waiting_time has no meaning here") == 1
    assert "12 of 12 done" in printed.err


def test_arguments_go_in_as_they_are(workspace: Workspace) -> None:
    workspace.pairs(2)
    locusts_fab.launch(
        indir=Path("in"),
        outdir=Path("results/s"),
        code="s",
        spcins=("f_<arg0>.txt",),
        outs=["out <arg0>.txt"],
        cmd="cat <arg1> f_<arg0>.txt > 'out <arg0>.txt'; echo $(echo <arg2>) >> out\\ <arg0>.txt",
        args=[("0", "-n -s", "a b"), ["1", "", "$(echo two; echo words)"]],
        parf=parameters(workspace, ""),
    )
    assert workspace.result("000001/out 0.txt").read_text() == "     1\t0\na b\n"
    assert workspace.result("000002/out 1.txt").read_text() == "1\ntwo words\n"


def test_commands_are_as_loose_as_they_were(workspace: Workspace) -> None:
    """A line that fails does not end the task, and of a pipe the last program counts."""
    commands = ["false; : > out", "yes | head -n 1 > out", "cp no-such-file here\necho fine > out"]
    collected = locusts_fab.launch(
        outdir="results/s", code="s", cmd="<arg0>", args=[[command] for command in commands], outs=["out"]
    )
    assert (collected.status.tasks.done, collected.status.tasks.failed) == (3, 0)
    assert [workspace.result(f"{task}/out").read_text() for task in workspace.tasks()] == ["", "y\n", "fine\n"]


def test_the_same_call_runs_what_failed_again_and_leaves_what_is_done(workspace: Workspace) -> None:
    workspace.pairs(3)
    ran, flag = shell(workspace, "ran"), shell(workspace, "flag")
    call: dict[str, Any] = {
        "indir": "in",
        "outdir": "results/s",
        "code": "s",
        "spcins": ["f_<id>.txt"],
        "outs": ["out.txt"],
        "cmd": f"echo <id> >> {ran}; [ <id> != 1 ] || cat {flag} && cp f_<id>.txt out.txt",
    }
    first = locusts_fab.launch(**call)
    assert (first.status.tasks.done, first.status.tasks.failed) == (2, 1)
    (workspace.folder / "flag").write_text("")
    second = locusts_fab.launch(**call)
    assert second.status.tasks.done == 3
    assert sorted((workspace.folder / "ran").read_text().split()) == ["0", "1", "1", "2"]
    locusts_fab.launch(**call, parf=parameters(workspace, "force_redo True"))
    assert len((workspace.folder / "ran").read_text().split()) == 7
    shutil.rmtree(workspace.folder / "results")
    gathered = locusts_fab.launch(**call, parf=parameters(workspace, "only_gather True"))
    assert gathered.tasks == 3
    assert len((workspace.folder / "ran").read_text().split()) == 7
    assert workspace.result("2/out.txt").read_text() == "2\n"


def shell(workspace: Workspace, name: str) -> str:
    """Name a file of the workspace in a command."""
    text = str(workspace.folder / name).replace("'", "'\\''")
    return f"'{text}'"


def test_to_gather_what_was_never_launched(workspace: Workspace) -> None:
    with pytest.raises(StateError, match="nothing is known of swarm s"):
        locusts_fab.launch(
            outdir="out", code="s", cmd="true", args=[["1"]], parf=parameters(workspace, "only_gather True")
        )
    assert not (workspace.folder / ".locusts").exists()


def test_what_the_plan_refuses_is_refused(workspace: Workspace) -> None:
    workspace.pairs(1)
    with pytest.raises(PlanError, match=r"no file in .* matches 'g_<id>\.txt'"):
        locusts_fab.launch(indir="in", outdir="out", code="s", spcins=["g_<id>.txt"], cmd="true")


def test_a_custom_environment(workspace: Workspace) -> None:
    scripts = workspace.folder / "world" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "go.sh").write_text('echo "$1" > "made_$1"\n')
    (workspace.folder / "tree.fst").write_text("#WORKDIR : scripts\n\nscripts :\n\t*\n")
    collected = locusts_fab.launch(
        code="world",
        cmd="bash go.sh <arg0>",
        args=[["0-9"], ["10-19"]],
        envroot="world",
        envfs="tree.fst",
        locdir="my_local_dir",
        parf=parameters(workspace, ""),
    )
    assert collected.status.tasks.done == 2
    assert (scripts / "made_10-19").read_text() == "10-19\n"
    assert "made_0-9" in (workspace.folder / "my_local_dir" / "modified.tsv").read_text()


@needs_sshd
@pytest.mark.parametrize("shared", [False, True])
def test_on_a_host_reached_over_ssh(
    workspace: Workspace, module_sshd: Sshd, monkeypatch: pytest.MonkeyPatch, *, shared: bool
) -> None:
    home = workspace.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    shutil.copy(module_sshd.folder / "ssh_config", home / ".ssh" / "config")
    monkeypatch.setenv("HOME", str(home))
    workspace.pairs(4)
    far = workspace.folder / "far"
    more = f"local_shared_dir {far}/" if shared else ""
    try:
        collected = locusts_fab.launch(
            indir="in",
            outdir="results/s",
            code="s",
            spcins=["f_<id>.txt"],
            outs=["out.txt"],
            cmd="cp f_<id>.txt out.txt",
            parf=parameters(
                workspace,
                f"run_on_hpc True\nhost_name cluster\nhpc_exec_dir {far}/\nscheduler none\ncpus_per_node 2\n{more}",
            ),
        )
    finally:
        forget_logins()
    assert collected.status.tasks.done == 4
    assert workspace.result("3/out.txt").read_text() == "3\n"
    assert (far / "s" / "exec" / "manager.sh").exists()


def test_the_example_runs(tmp_path: Path) -> None:
    example = tmp_path / "pairs"
    shutil.copytree(REPOSITORY / "examples" / "pairs", example)
    script = (example / "launch.py").read_text()
    assert "sleep 1; " in script
    (example / "launch.py").write_text(script.replace("sleep 1; ", ""))
    result = subprocess.run(
        [sys.executable, "pairs/launch.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    assert b"101 of 101 tasks are done, 0 failed" in result.stdout
    expected = [(example / "inputs" / name).read_text() for name in ("inputfile_100.txt", "secondinputfile_100.txt")]
    made = (tmp_path / "my_output_dir" / "100" / "cat_output_100.txt").read_text()
    assert made == "".join([*expected, (example / "inputs" / "sharedfile.txt").read_text()])


# ---------------------------------------------------------------------------------------------------------------------
# What the arguments mean, and what is wrong with them

GOOD: dict[str, Any] = {"code": "s", "indir": "i", "outdir": "o", "spcins": ["a_<id>"], "outs": ["b"], "cmd": "c"}

MEANINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (GOOD, {"command": "c", "indir": "i", "outdir": "o", "inputs": ["a_<id>"], "outputs": ["b"]}),
    ({"cmd": r"a <arg0> '<arg1>' \<arg2> <arg3:raw> <argument> <id>", "args": [(1, 2)], "outdir": "o"}, {
        "command": r"a <arg0:raw> '<arg1:raw>' \<arg2> <arg3:raw> <argument> <id>", "args": [[1, 2]], "outdir": "o",
    }),
    ({"cmd": "c", "args": [["1"]], "outdir": "o", "shdins": ["k:/a/b:c", "l.txt:d"]}, {
        "command": "c", "args": [["1"]], "outdir": "o", "shared": {"k": "/a/b:c", "l.txt": "d"},
    }),
    ({"cmd": "c", "args": [["1"]], "envroot": Path("e"), "envfs": "f", "locdir": "l"}, {
        "command": "c", "args": [["1"]], "root": "e", "tree": "f", "outdir": "l", "environment": "custom",
    }),
]  # fmt: skip


@pytest.mark.parametrize(("given", "table"), MEANINGS)
def test_what_the_arguments_mean(given: dict[str, Any], table: dict[str, Any]) -> None:
    found, problems, notes = swarm_table({name: value for name, value in given.items() if name != "code"})
    assert found == {**table, "strict": False}
    assert problems == notes == []
    target = {"t": {"mode": "local"}}
    assert make_config("x", {"targets": target, "swarms": {"s": found}}).swarms["s"].command


def test_a_folder_that_is_not_needed_is_named() -> None:
    _, problems, notes = swarm_table({**GOOD, "locdir": "l"})
    assert problems == []
    assert [note.split()[0] for note in notes] == ["locdir"]


NAMES = "a name is a letter or digit, then letters, digits, dots, dashes or underscores (100 at most)"
MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, [
        f"code: missing; {NAMES}",
        "cmd: missing; it is the command template",
        "spcins: missing; give names of inputs with <id> in them, or args",
        "outdir: missing; it is the folder for what comes back",
    ]),
    ({**GOOD, "code": "my swarm/x"}, [f"code: 'my swarm/x' cannot name a swarm; {NAMES}"]),
    ({**GOOD, "indir": None}, ["indir: missing; it is the folder of the inputs"]),
    ({**GOOD, "spcins": "a_<id>"}, ['spcins: expected an array, in brackets: ["…"]; found "a_<id>"; write ["a_<id>"]']),
    ({**GOOD, "spcins": ["../a_<id>"], "outs": ["../x"]}, [
        'spcins[0]: must not lead upward; take the .. out; found "../a_<id>"',
        'outs[0]: must not lead upward; take the .. out; found "../x"',
    ]),
    ({**GOOD, "spcins": ["a"]}, [
        "spcins: none has a handle, so nothing makes tasks; put <id> where the names differ, or give args",
    ]),
    ({**GOOD, "shdins": ["k", "k:a", "k:b", "l:<arg0>", 3]}, [
        "shdins[0]: expected key:file; found 'k'",
        "shdins[2]: the key k stands there twice",
        "shdins[3]: l:<arg0>: a shared file is the same for all tasks; use spcins",
        "shdins[4]: expected key:file; found 3",
    ]),
    ({**GOOD, "shdins": ["a b:c"]}, [f'shdins."a b": {NAMES}']),
    ({**GOOD, "shdins": "k:f"}, ["shdins: expected a list of key:file"]),
    ({**GOOD, "args": ["12"]}, ['args[0]: expected an array, in brackets: ["…"]; found "12"; write ["12"]']),
    ({"code": "s", "cmd": "c", "envfs": "f"}, [
        "args: missing; with envroot, a row of values makes each task",
        'envroot: missing; environment = "custom" needs the folder to replicate',
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), MISTAKES)
def test_what_is_wrong_is_told_all_at_once(workspace: Workspace, given: dict[str, Any], expected: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        locusts_fab.launch(**given)
    assert error.value.path == "launch"
    assert list(error.value.problems) == expected
    assert not list(workspace.folder.iterdir())


def test_mistakes_of_the_parameter_file_are_told_too(workspace: Workspace) -> None:
    path = parameters(workspace, "hots_name x")
    with pytest.raises(ConfigError) as error:
        locusts_fab.launch(**{**GOOD, "outdir": None}, parf=path)
    assert list(error.value.problems) == [
        f"{path}: line 2: hots_name: unknown key; did you mean host_name?",
        "outdir: missing; it is the folder for what comes back",
    ]
    path = parameters(workspace, "run_on_hpc True\nhost_name -oProxyCommand=x\nhpc_exec_dir /x\nrequested_nodes 0")
    with pytest.raises(ConfigError) as error:
        locusts_fab.launch(**GOOD, parf=path)
    assert [problem.split(": ")[:2] for problem in error.value.problems] == [
        [str(path), "host_name"],
        [str(path), "requested_nodes"],
    ]
