"""`check` on the test cluster: what is wrong there is found before anything is sent."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .failures import wait_until
from .runs import COPY, ClusterDesk, cluster_desk, target
from .sshd import Sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Cluster
    from .slurm import Slurm


@pytest.fixture
def desk(tmp_path: Path, cluster: Cluster) -> Iterator[ClusterDesk]:
    with cluster_desk(tmp_path, *cluster) as made:
        made.pairs(5)
        yield made


def check(desk: ClusterDesk, config: str) -> tuple[int, dict[str, str], str]:
    """Check a config.

    :returns: the exit code, the states by what was looked at, and all that was printed.
    """
    desk.write(config + COPY)
    code, text = desk.locusts("check")
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


def test_all_is_fine(desk: ClusterDesk, cluster: Cluster) -> None:
    before = cluster.sshd.authentications()
    config = target(desk.root, slots=2, nodes=2, slurm="partition = 'short'\ntime = '00:10:00'\nmem = '1G'")
    code, states, text = check(desk, config)
    assert code == 0, text
    assert errors(states) == set()
    assert {"login", "bash", "coreutils", "root", "hard links", "space", "inodes", "scheduler", "partition"} <= {
        *states
    }
    assert {"time limit", "CPUs", "memory", "nodes", "test job"} <= {*states}
    assert "Welcome" in text, "the account's start-up files print something"
    assert cluster.sshd.authentications() == before + 1
    assert not desk.root.exists(), "what was made to see whether it can be is removed"
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
def test_what_slurm_will_not_take(desk: ClusterDesk, keys: dict[str, Any], lines: str, found: set[str]) -> None:
    code, states, text = check(desk, target(desk.root, slurm=lines, **keys))
    assert (code, errors(states)) == (4, found), text


def test_a_partition_that_is_misspelt_is_guessed(desk: ClusterDesk) -> None:
    assert "did you mean short?" in check(desk, target(desk.root, slurm="partition = 'shart'"))[2]


def test_a_scheduler_that_does_not_answer(desk: ClusterDesk, cluster: Cluster) -> None:
    with without_controller(cluster.slurm):
        code, states, text = check(desk, target(desk.root))
    assert (code, errors(states)) == (4, {"scheduler"}), text
    assert "Unable to contact slurm controller" in text


def test_a_root_that_cannot_be_made(desk: ClusterDesk) -> None:
    code, states, text = check(desk, target(Path("/proc/locusts"), scheduler="none"))
    assert (code, errors(states)) == (2, {"root"}), text


def test_a_root_of_somebody_else(desk: ClusterDesk, cluster: Cluster) -> None:
    if not cluster.sshd.own_account:
        pytest.skip("only root can add accounts, and root itself may write everywhere")
    code, states, text = check(desk, target(Path("/usr/share/locusts"), scheduler="none"))
    assert (code, errors(states)) == (2, {"root"}), text
    assert "Permission denied" in text


def test_a_host_without_rsync(desk: ClusterDesk, cluster: Cluster) -> None:
    programs = cluster.sshd.home / "programs"
    programs.mkdir()
    for name in ("bash", "cat", "cp", "head", "ln", "mkdir", "mktemp", "mv", "rm", "rmdir", "sed", "sleep"):
        (programs / name).symlink_to(shutil.which(name) or "")
    for name in ("stat", "tail", "tee", "timeout", "tr", "find"):
        (programs / name).symlink_to(shutil.which(name) or "")
    try:
        cluster.sshd.account.write_start_up(f"PATH={programs}\n")
        code, states, text = check(desk, target(desk.root, scheduler="none"))
    finally:
        shutil.rmtree(programs)
    assert (code, errors(states)) == (3, {"rsync on testcluster"}), text


def test_several_errors_come_to_the_first_kind(desk: ClusterDesk, cluster: Cluster) -> None:
    with without_controller(cluster.slurm):
        code, states, text = check(desk, target(Path("/proc/locusts")))
    assert (code, errors(states)) == (4, {"root", "scheduler"}), text


def test_a_host_key_that_nobody_knows(desk: ClusterDesk, cluster: Cluster) -> None:
    cluster.sshd.known_hosts_path.write_text("")
    code, states, text = check(desk, target(desk.root))
    assert (code, errors(states)) == (3, {"login"}), text
    assert states["plan"] == "ok", "what can be seen from here is told all the same"


def test_a_host_that_is_down(desk: ClusterDesk, cluster: Cluster) -> None:
    cluster.sshd.stop()
    code, states, text = check(desk, target(desk.root))
    assert (code, errors(states)) == (3, {"login"}), text


def test_a_shared_folder(tmp_path: Path, cluster: Cluster) -> None:
    """Files that we make must belong to the account, as on a real mount; so the account is the one that runs this."""
    with (
        Sshd(cluster.slurm.env, own_account=False) as sshd,
        cluster_desk(tmp_path, sshd, cluster.slurm) as desk,
    ):
        desk.pairs(5)
        (tmp_path / "there").mkdir()
        (tmp_path / "here").symlink_to(tmp_path / "there")
        same = target(
            tmp_path / "there" / "new", "remote-shared", scheduler="none", shared_root=str(tmp_path / "here" / "new")
        )
        code, states, text = check(desk, same)
        assert (code, states["shared folder"]) == (0, "ok"), text
        assert "rsync on this machine" not in states
        assert not list((tmp_path / "there").iterdir())

        other = target(tmp_path / "there", "remote-shared", scheduler="none", shared_root=str(tmp_path / "elsewhere"))
        code, states, text = check(desk, other)
        assert (code, errors(states)) == (3, {"shared folder"}), text
        assert not (tmp_path / "elsewhere").exists()

        (tmp_path / "file").write_text("in the way")
        no_folder = target(
            tmp_path / "there", "remote-shared", scheduler="none", shared_root=str(tmp_path / "file" / "below")
        )
        code, states, text = check(desk, no_folder)
        assert (code, errors(states)) == (3, {"shared folder"}), text
