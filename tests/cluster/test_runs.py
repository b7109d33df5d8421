"""Whole swarms on the test cluster, as a user meets them: the program, a real sshd, a real SLURM."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.processes import wait_until
from tests.support.workspace import COPY, REPOSITORY, Workspace

from .runs import ClusterWorkspace, cluster_workspace, processes_of, target, together
from .sshd import ALIAS, Sshd

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Cluster

PAIRS = f"""
[swarms.s]
command = '''
ls -lrth inputfile_<id>.txt secondinputfile_<id>.txt <shared>sf1 > ls_output_<id>.txt
cat inputfile_<id>.txt secondinputfile_<id>.txt <shared>sf1 > cat_output_<id>.txt
'''
indir = {json.dumps(str(REPOSITORY / "examples" / "pairs" / "inputs"))}
inputs = ["inputfile_<id>.txt", "secondinputfile_<id>.txt"]
shared = {{ sf1 = "sharedfile.txt" }}
outputs = ["ls_output_<id>.txt", "cat_output_<id>.txt"]
"""


def pairs_on_both(environment: Path) -> str:
    """Write PAIRS so that no task ends before two nodes are at work."""
    return PAIRS.replace("command = '''\n", f"command = '''\nuntil {together(environment, 2)}; do sleep 0.1; done\n")


#: Tasks 0 to 2 end at once, the others when there is a file called go.
GATED = COPY.replace('"cat', "'''until [ <id> -lt 3 ] || [ -e @GO@ ]; do sleep 0.1; done; cat").replace(
    '.txt"\nindir', ".txt'''\nindir"
)


# ---------------------------------------------------------------------------------------------------------------------
# The same swarm in every mode


@pytest.fixture(scope="session")
def pairs_done_here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Run the pairs on this machine, and read what came back."""
    workspace = Workspace(tmp_path_factory.mktemp("here"))
    workspace.write("[targets.far]\nmode = 'local'\nslots = 8\n" + PAIRS)
    code, text = workspace.locusts("run")
    assert code == 0, text
    return cat_outputs(workspace)


def cat_outputs(workspace: Workspace) -> dict[str, bytes]:
    found = {
        path.relative_to(workspace.folder).as_posix(): path.read_bytes() for path in workspace.result("").rglob("cat_*")
    }
    assert len(found) == 101
    return found


@pytest.mark.parametrize("scheduler", ["slurm", "none"])
@pytest.mark.slurm
def test_the_pairs_in_mode_remote(
    workspace: ClusterWorkspace, cluster: Cluster, pairs_done_here: dict[str, bytes], scheduler: str
) -> None:
    keys: dict[str, Any] = {"nodes": 2} if scheduler == "slurm" else {}
    pairs = pairs_on_both(workspace.environment()) if scheduler == "slurm" else PAIRS
    workspace.write(target(workspace.root, scheduler=scheduler, slots=4, **keys) + pairs)
    cluster.sshd.account.write_start_up()
    before = cluster.sshd.authentications()
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert cluster.sshd.authentications() == before + 1, "submit, watch and collect share one login"
    assert cat_outputs(workspace) == pairs_done_here
    nodes = {row["node"] for row in workspace.tasks().values()}
    assert nodes >= ({"n1", "n2"} if scheduler == "slurm" else set())
    assert {row["status"] for row in workspace.table("outputs.tsv")} == {"present"}
    assert set(workspace.begun().values()) == {1}


@pytest.mark.slurm
def test_the_pairs_in_mode_local_with_slurm(
    workspace: ClusterWorkspace, tmp_path: Path, pairs_done_here: dict[str, bytes]
) -> None:
    pairs = pairs_on_both(tmp_path / "env" / "s")
    workspace.write(target(tmp_path / "env", "local", scheduler="slurm", slots=4, nodes=2) + pairs)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert cat_outputs(workspace) == pairs_done_here
    assert {row["node"] for row in workspace.tasks().values()} >= {"n1", "n2"}


def test_the_pairs_in_mode_remote_shared(cluster: Cluster, tmp_path: Path, pairs_done_here: dict[str, bytes]) -> None:
    """Files that we make must belong to the account, as on a real mount; so the account is the one that runs this."""
    (tmp_path / "seen from the host").mkdir()
    (tmp_path / "seen from here").symlink_to(tmp_path / "seen from the host")
    with (
        Sshd(cluster.slurm.env, own_account=False) as sshd,
        cluster_workspace(tmp_path, sshd, cluster.slurm) as workspace,
    ):
        shared = f"shared_root = {json.dumps(str(tmp_path / 'seen from here'))}"
        root = tmp_path / "seen from the host"
        workspace.write(
            target(root, "remote-shared", shared, scheduler="slurm", slots=4, nodes=2) + pairs_on_both(root / "s")
        )
        code, text = workspace.locusts("run")
        assert code == 0, text
        assert sshd.authentications() == 1
        assert cat_outputs(workspace) == pairs_done_here
        assert {row["node"] for row in workspace.tasks().values()} >= {"n1", "n2"}
        # nothing on the host speaks of this machine's paths
        assert not [path for path in root.rglob("*") if path.is_symlink()]
        for path in (root / "s" / "exec").rglob("*"):
            assert path.is_dir() or b"seen from here" not in path.read_bytes()
        assert workspace.locusts("clean")[0] == 0
        assert not (root / "s").exists()


# ---------------------------------------------------------------------------------------------------------------------
# What travels, and what does not


def test_only_the_input_that_changed_moves_again(workspace: ClusterWorkspace) -> None:
    workspace.pairs(12)
    (workspace.folder / "in" / "big.txt").write_text("shared\n")
    workspace.write(
        target(workspace.root, scheduler="none", slots=4)
        + COPY.replace("cat f", "cat <shared>big f")
        + 'shared = { big = "big.txt" }\n'
    )
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert workspace.locusts("submit", "--redo")[0] == 0  # now what was sent in one stream lies unpacked
    assert workspace.locusts("collect", "--wait")[0] == 0

    def staged() -> dict[str, tuple[int, int]]:
        files = [path for name in ("inputs", "shared") for path in (workspace.environment() / name).rglob("*.txt")]
        return {path.name: (path.stat().st_ino, path.stat().st_ctime_ns) for path in files}

    before = staged()
    assert len(before) == 13
    (workspace.folder / "in" / "f_7.txt").write_text("new\n")
    assert workspace.locusts("submit", "--redo")[0] == 0
    after = staged()
    assert {name for name in before if before[name] != after[name]} == {"f_7.txt"}
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert workspace.result("7/out_7.txt").read_text() == "shared\nnew\n"
    assert workspace.result("8/out_8.txt").read_text() == "shared\n8\n"


def test_collect_while_it_runs_and_again(workspace: ClusterWorkspace) -> None:
    workspace.pairs(6)
    go = workspace.root / "go"
    workspace.write(target(workspace.root, scheduler="none", slots=6) + GATED.replace("@GO@", f'"{go}"'))
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: sum(fields[0] == "ended" for fields in workspace.records()) == 3)
    code, text = workspace.locusts("collect")
    assert (code, "3 tasks collected now" in text) == (0, True), text
    first = {path: path.stat().st_ino for path in workspace.result("").rglob("out_*")}
    assert {path.name for path in first} == {"out_0.txt", "out_1.txt", "out_2.txt"}
    assert {task for task, row in workspace.tasks().items() if row["state"] == "pending"} == {"3", "4", "5"}
    go.touch()
    code, text = workspace.locusts("collect", "--wait")
    assert (code, "3 tasks collected now" in text) == (0, True), text
    assert {path: path.stat().st_ino for path in first} == first
    assert [workspace.result(f"{n}/out_{n}.txt").read_text() for n in range(6)] == [f"{n}\n" for n in range(6)]
    code, text = workspace.locusts("collect")
    assert (code, "collected now" in text) == (0, False), text


# ---------------------------------------------------------------------------------------------------------------------
# The other commands, from afar


def test_attach_logs_and_clean_over_ssh(workspace: ClusterWorkspace) -> None:
    workspace.pairs(5)
    config = target(workspace.root, scheduler="none", slots=2) + COPY.replace("cat f", "echo said <id>; cat f")
    workspace.write(config)
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: sum(fields[0] == "ended" for fields in workspace.records()) == 5)
    other = ClusterWorkspace(workspace.folder.parent / "another laptop", workspace.root, workspace.env)
    other.folder.mkdir()
    other.write(config)
    code, text = other.locusts("collect")
    assert (code, "locusts attach" in text) == (2, True), text
    code, text = other.locusts("attach")
    assert (code, "5 of 5 done" in text) == (0, True), text
    code, text = other.locusts("logs", "3")
    assert (code, "printed:\nsaid 3\n" in text, "exit     0" in text) == (0, True, True), text
    code, text = other.locusts("clean")
    assert (code, "5 tasks have ended and are not collected" in text) == (2, True), text
    assert other.locusts("collect")[0] == 0
    assert [other.result(f"{n}/out_{n}.txt").read_text() for n in range(5)] == [f"{n}\n" for n in range(5)]
    assert other.result("logs/3.log").read_text() == "said 3\n"
    assert other.locusts("clean")[0] == 0
    assert not other.environment().exists()
    code, text = other.locusts("status")
    assert code in {0, 1}, text
    code, text = other.locusts("attach")
    assert (code, "there is no environment" in text) == (2, True), text


def test_nothing_there_to_attach_to(workspace: ClusterWorkspace) -> None:
    workspace.write(target(workspace.root, scheduler="none") + COPY)
    code, text = workspace.locusts("attach")
    assert (code, f"there is no environment of swarm s at {workspace.environment()}" in text) == (2, True), text


HOSTILE = ["a b", "$(touch x)", "-n", "'q\" `id`", "é\udcff", "new\nline", "#;*?", "tab\there"]


@pytest.mark.slurm
def test_hostile_ids_in_a_hostile_root(workspace: ClusterWorkspace) -> None:
    root = workspace.root / 'it\'s "a" $(touch x) root; é%j\\'
    (workspace.folder / "in").mkdir()
    for name in HOSTILE:
        (workspace.folder / "in" / f"{name}.txt").write_bytes(b"data of it")
    swarm = """
[swarms.s]
command = '''cat < <id>.txt > out_<id> && printf '%s' <id>'''
indir = "in"
inputs = ["<id>.txt"]
outputs = ["out_<id>"]
"""
    workspace.write(target(root, slots=2, nodes=2) + swarm)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert set(workspace.tasks()) == set(HOSTILE)
    for name in HOSTILE:
        assert workspace.result(f"{name}/out_{name}").read_bytes() == b"data of it"
        assert workspace.result(f"logs/{name}.log").read_bytes() == os.fsencode(name)
    code, text = workspace.locusts("logs", "a b")
    assert (code, "printed:\na b" in text) == (0, True), text
    assert workspace.locusts("clean")[0] == 0
    assert not (root / "s").exists()
    assert not [*workspace.root.rglob("x"), *workspace.folder.rglob("x")]


def test_a_root_by_a_variable_and_one_in_the_home_folder(workspace: ClusterWorkspace, sshd: Sshd) -> None:
    workspace.pairs(1)
    for root in (f"$HOME/{workspace.root.name}/a", f"~/{workspace.root.name}/b", f"{workspace.root.name}/c"):
        workspace.write(target(root, scheduler="none") + COPY)
        code, text = workspace.locusts("run")
        assert code == 0, text
        assert workspace.locusts("clean")[0] == 0
        for known in (".locusts", "results"):
            shutil.rmtree(workspace.folder / known)
    assert sorted(path.name for path in (sshd.home / workspace.root.name).iterdir()) == ["a", "b", "c"]
    workspace.write(target("$NOWHERE/x", scheduler="none") + COPY)
    code, text = workspace.locusts("run")
    assert (code, "NOWHERE is not set there" in text) == (3, True), text


def test_cancel_from_afar(workspace: ClusterWorkspace) -> None:
    workspace.pairs(6)
    workspace.write(target(workspace.root, scheduler="none", slots=2) + GATED.replace("@GO@", f'"{workspace.root}/go"'))
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: sum(fields[0] == "ended" for fields in workspace.records()) == 3)
    code, text = workspace.locusts("cancel")
    assert code == 0, text
    wait_until(lambda: not processes_of(workspace.root))
    found = workspace.status()
    assert (found["state"], found["tasks"]["done"], found["tasks"]["pending"]) == ("cancelled", 3, 3)


# ---------------------------------------------------------------------------------------------------------------------
# Part of somebody's own script

SCRIPT = """
from fabric import task
from invoke.collection import Collection

import locusts_fab


@task
def compute(c):
    c.run("echo a step before", hide=True, in_stream=False)
    swarm = locusts_fab.load("locusts.toml", "s")
    locusts_fab.submit(swarm, c)
    assert locusts_fab.watch(swarm, c).tasks.done == 4
    print("collected", locusts_fab.collect(swarm, c).tasks)
    c.run("echo a step after", hide=True, in_stream=False)


namespace = Collection(compute, locusts=locusts_fab.collection)
"""


@pytest.mark.parametrize("name", ["compute", "locusts.run"])
def test_an_ops_script_lends_its_connection(workspace: ClusterWorkspace, sshd: Sshd, name: str) -> None:
    workspace.pairs(4)
    workspace.write(target(workspace.root, scheduler="none", slots=2) + COPY)
    (workspace.folder / "fabfile.py").write_text(SCRIPT)
    before = sshd.authentications()
    with workspace.python("-m", "fabric", "-H", ALIAS, name) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    assert b"4 tasks collected now" in err or b"collected 4" in out
    assert sshd.authentications() == before + 1
    assert [workspace.result(f"{n}/out_{n}.txt").read_text() for n in range(4)] == [f"{n}\n" for n in range(4)]
