"""`locusts init`: what it writes loads and runs, and nothing that is there is lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.load import load

if TYPE_CHECKING:
    from tests.support.workspace import Workspace


@pytest.mark.parametrize(
    ("words", "command", "tasks"),
    [
        ([], "echo task <id> has <arg0> > out.txt", 3),
        (["--command", "cat f_<id>.txt > out_<id>.txt", "--indir", "in", "--inputs", "f_*.txt"], "cat f_<id>", 2),
        (
            ["--command", 'echo "<id>" \\\\ → > "o.txt"', "--outputs", "o.txt", "--swarm", "a.b"],
            'echo "<id>" \\\\ →',
            3,
        ),
        (["--command", "wc in/f_<id>.txt > n; cp n m", "--inputs", "in/f_<id>.txt", "--outputs", "m"], "wc in/f_", 2),
        (["--command", "true", "--quiet"], "true", 3),
    ],
)
def test_what_it_writes_runs(workspace: Workspace, words: list[str], command: str, tasks: int) -> None:
    workspace.pairs(2)
    code, text = workspace.locusts("init", *words)
    assert code == 0, text
    assert text == "" if "--quiet" in words else f"{tasks} tasks" in text
    swarm = load(workspace.folder / "locusts.toml")
    assert str(swarm.settings.command).startswith(command)
    assert workspace.locusts("try")[0] == 0
    code, text = workspace.locusts("run")
    assert code == 0
    assert f"{tasks} of {tasks} done" in text


def test_a_config_for_another_machine_loads(workspace: Workspace) -> None:
    assert workspace.locusts("init", "--host", "me@cluster", "--config", "far.toml")[0] == 0
    swarm = load(workspace.folder / "far.toml")
    assert (swarm.target.host, swarm.target.mode, swarm.target_name) == ("me@cluster", "remote", "there")


def test_examples_in_its_comments_load(workspace: Workspace) -> None:
    for words in ([], ["--host", "cluster"]):
        assert workspace.locusts("init", *words)[0] == 0
        path = workspace.folder / "locusts.toml"
        lines = path.read_text().splitlines()[2:]
        bare = [line.removeprefix("# ") for line in lines if not line.startswith(("# sweep", "# args_file"))]
        tables = [line for line in bare if line.startswith(("[targets.there.slurm", "partition", "time = "))]
        others = [line for line in bare if line not in tables]
        path.write_text("\n".join([*others, *tables]).replace("[targets.there.slurm]", "\n[targets.there.slurm]"))
        assert load(path).settings.retries == 1
        path.unlink()


@pytest.mark.parametrize("there", ["file", "link", "folder"])
def test_what_is_there_stays(workspace: Workspace, there: str) -> None:
    path = workspace.folder / "locusts.toml"
    if there == "file":
        path.write_text("mine")
    elif there == "link":
        path.symlink_to("nowhere")
    else:
        path.mkdir()
    code, text = workspace.locusts("init")
    assert code == 2
    assert "it is there already" in text
    assert there != "file" or path.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--swarm", "a/b"], 2, "locusts.toml: with these answers: swarms"),
        (["--command", "true", "--inputs", "none_*.txt"], 2, "none_<id>.txt"),
        (["--command", ""], 0, ""),
        (["--config", "no/such/folder.toml"], 3, "cannot be written"),
        (["--host", "-oProxyCommand=x"], 2, "host"),
    ],
)
def test_answers_that_make_no_config(workspace: Workspace, words: list[str], code: int, told: str) -> None:
    found, text = workspace.locusts("init", *words)
    assert (found, told in text) == (code, True), text
    assert (workspace.folder / "locusts.toml").exists() == (code == 0)
    assert [path.name for path in workspace.folder.iterdir()] == (["locusts.toml"] if code == 0 else [])


def test_a_person_is_asked(workspace: Workspace) -> None:
    workspace.pairs(2)
    ours, theirs = os.openpty()
    os.write(ours, b"cat f_<id>.txt > o.txt\nf_*.txt\nin\n\n\n")
    with workspace.start("init", stdin=theirs, stdout=theirs, stderr=theirs) as done:
        done.wait(timeout=120)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0
    settings = load(workspace.folder / "locusts.toml").settings
    assert (settings.inputs, settings.indir, settings.outputs) == (["f_<id>.txt"], "in", ["o.txt"])
