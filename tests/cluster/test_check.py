"""`check` on the test cluster: what is wrong there is found before anything is sent."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.processes import wait_until
from tests.support.workspace import COPY

from .runs import ClusterWorkspace, cluster_workspace, target
from .sshd import Sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Cluster
    from .slurm import Slurm


pytestmark = pytest.mark.slurm


@pytest.fixture(autouse=True)
def _inputs(workspace: ClusterWorkspace) -> None:
    workspace.pairs(5)


def check(workspace: ClusterWorkspace, config: str) -> tuple[int, dict[str, str], str]:
    """Check a config.

    :returns: the exit code, the states by what was looked at, and all that was printed.
    """
    workspace.write(config + COPY)
    code, text = workspace.locusts("check")
    lines = [line.split(None, 1) for line in text.splitlines()]
    rows = [line for line in lines if line and line[0] in {"ok", "warning", "error"}]
    return code, {row[1].split("  ")[0]: row[0] for row in rows}, text


@contextlib.contextmanager
def without_controller(slurm: Slurm) -> Iterator[None]:
    """Let SLURM answer nothing, and wait afterwards until all its nodes take jobs again."""
    slurm.stop_controller()
    try:
        yield
    finally:
        slurm.start_controller()
        wait_until(lambda: all(slurm.state_of(node) == "idle" for node in slurm.nodes))


def errors(states: dict[str, str]) -> set[str]:
    return {what for what, state in states.items() if state == "error"}


def test_all_is_fine(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    before = cluster.sshd.authentications()
    config = target(workspace.root, slots=2, nodes=2, slurm="partition = 'short'\ntime = '00:10:00'\nmem = '1G'")
    code, states, text = check(workspace, config)
    assert code == 0, text
    assert errors(states) == set()
    assert {"login", "bash", "coreutils", "root", "hard links", "space", "inodes", "scheduler", "partition"} <= {
        *states
    }
    assert {"time limit", "CPUs", "memory", "nodes", "test job"} <= {*states}
    assert "Welcome" in text, "the account's start-up files print something"
    assert cluster.sshd.authentications() == before + 1
    assert not workspace.root.exists(), "what was made to see whether it can be is removed"
    assert not [job for job in cluster.slurm.squeue() if job.name == "locusts-check"]


@pytest.mark.parametrize(
    ("keys", "lines", "found"),
    [
        ({}, "partition = 'shart'", {"partition", "test job"}),
        ({}, "partition = 'short'\ntime = '02:00:00'", {"time limit", "test job"}),
        ({"slots": 8}, "", {"CPUs", "test job"}),
        ({}, "mem = '900G'", {"memory", "test job"}),
        ({}, "extra = ['--no-such-option']", {"test job"}),
    ],
)
def test_what_slurm_will_not_take(
    workspace: ClusterWorkspace, keys: dict[str, Any], lines: str, found: set[str]
) -> None:
    code, states, text = check(workspace, target(workspace.root, slurm=lines, **keys))
    assert (code, errors(states)) == (4, found), text


def test_a_partition_that_is_misspelt_is_guessed(workspace: ClusterWorkspace) -> None:
    assert "did you mean short?" in check(workspace, target(workspace.root, slurm="partition = 'shart'"))[2]


def test_a_scheduler_that_does_not_answer(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    with without_controller(cluster.slurm):
        code, states, text = check(workspace, target(workspace.root))
    assert (code, errors(states)) == (4, {"scheduler"}), text
    assert "Unable to contact slurm controller" in text


def test_a_root_that_cannot_be_made(workspace: ClusterWorkspace) -> None:
    code, states, text = check(workspace, target(Path("/proc/locusts"), scheduler="none"))
    assert (code, errors(states)) == (2, {"root"}), text


def test_a_root_of_somebody_else(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    if not cluster.sshd.own_account:
        pytest.skip("only root can add accounts, and root itself may write everywhere")
    code, states, text = check(workspace, target(Path("/usr/share/locusts"), scheduler="none"))
    assert (code, errors(states)) == (2, {"root"}), text
    assert "Permission denied" in text


def test_a_host_without_rsync(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    programs = cluster.sshd.home / "programs"
    programs.mkdir()
    for name in ("bash", "cat", "cp", "dd", "head", "ln", "mkdir", "mkfifo", "mktemp", "mv", "rm", "rmdir", "sed"):
        (programs / name).symlink_to(shutil.which(name) or "")
    for name in ("sleep", "stat", "tail", "tee", "timeout", "tr", "find"):
        (programs / name).symlink_to(shutil.which(name) or "")
    try:
        cluster.sshd.account.write_start_up(f"PATH={programs}\n")
        code, states, text = check(workspace, target(workspace.root, scheduler="none"))
    finally:
        shutil.rmtree(programs)
    assert (code, errors(states)) == (3, {"rsync on testcluster"}), text


def test_several_errors_come_to_the_first_kind(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    with without_controller(cluster.slurm):
        code, states, text = check(workspace, target(Path("/proc/locusts")))
    assert (code, errors(states)) == (4, {"root", "scheduler"}), text


def test_a_host_key_that_nobody_knows(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    cluster.sshd.known_hosts_path.write_text("")
    code, states, text = check(workspace, target(workspace.root))
    assert (code, errors(states)) == (3, {"login"}), text
    assert states["plan"] == "ok", "what can be seen from here is told all the same"


def test_a_host_that_is_down(workspace: ClusterWorkspace, cluster: Cluster) -> None:
    cluster.sshd.stop()
    code, states, text = check(workspace, target(workspace.root))
    assert (code, errors(states)) == (3, {"login"}), text


def test_a_shared_folder(tmp_path: Path, cluster: Cluster) -> None:
    """Files that we make must belong to the account, as on a real mount; so the account is the one that runs this."""
    own = tmp_path / "own"
    own.mkdir()
    with (
        Sshd(cluster.slurm.env, own_account=False) as sshd,
        cluster_workspace(own, sshd, cluster.slurm) as workspace,
    ):
        workspace.pairs(5)
        (tmp_path / "there").mkdir()
        (tmp_path / "here").symlink_to(tmp_path / "there")
        same = target(
            tmp_path / "there" / "new", "remote-shared", scheduler="none", shared_root=str(tmp_path / "here" / "new")
        )
        code, states, text = check(workspace, same)
        assert (code, states["shared folder"]) == (0, "ok"), text
        assert "rsync on this machine" not in states
        assert not list((tmp_path / "there").iterdir())

        other = target(tmp_path / "there", "remote-shared", scheduler="none", shared_root=str(tmp_path / "elsewhere"))
        code, states, text = check(workspace, other)
        assert (code, errors(states)) == (3, {"shared folder"}), text
        assert not (tmp_path / "elsewhere").exists()

        (tmp_path / "file").write_text("in the way")
        no_folder = target(
            tmp_path / "there", "remote-shared", scheduler="none", shared_root=str(tmp_path / "file" / "below")
        )
        code, states, text = check(workspace, no_folder)
        assert (code, errors(states)) == (3, {"shared folder"}), text
