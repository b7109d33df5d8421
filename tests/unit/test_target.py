"""Which three parts a target gets, and what its root means."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fabric import Connection

import locusts_fab
from locusts_fab.errors import HostError
from locusts_fab.hosts.base import Result
from locusts_fab.hosts.local import LocalHost
from locusts_fab.hosts.ssh import SshHost
from locusts_fab.schedulers.detached import Detached
from locusts_fab.schedulers.slurm.launcher import SlurmArray
from locusts_fab.target import _resolve_root, forget_logins, open_site
from locusts_fab.transfer.mounted import MountedTransfer
from locusts_fab.transfer.ssh import SshTransfer
from locusts_fab.transfer.stage import put_copy, put_link
from tests.support.configs import swarm_on

if TYPE_CHECKING:
    from collections.abc import Iterator

FAR = {"host": "cluster.invalid", "root": "/scratch/me"}


@pytest.fixture(autouse=True)
def _no_logins_left() -> Iterator[None]:
    yield
    forget_logins()


@pytest.mark.parametrize(
    ("target", "host", "files", "launcher", "root"),
    [
        ({"mode": "local"}, LocalHost, MountedTransfer, Detached, "{here}/.locusts/there/s"),
        ({"mode": "local", "root": "envs"}, LocalHost, MountedTransfer, Detached, "{here}/envs/s"),
        ({"mode": "local", "scheduler": "slurm"}, LocalHost, MountedTransfer, SlurmArray, "{here}/.locusts/there/s"),
        ({"mode": "remote", **FAR}, SshHost, SshTransfer, SlurmArray, "/scratch/me/s"),
        ({"mode": "remote", "scheduler": "none", **FAR}, SshHost, SshTransfer, Detached, "/scratch/me/s"),
        ({"mode": "remote-shared", "shared_root": "mnt", **FAR}, SshHost, MountedTransfer, SlurmArray, "/scratch/me/s"),
        (
            {"mode": "remote-shared", "shared_root": "mnt", "scheduler": "none", **FAR},
            SshHost,
            MountedTransfer,
            Detached,
            "/scratch/me/s",
        ),
    ],
)
def test_three_parts(
    tmp_path: Path, target: dict[str, Any], host: type, files: type, launcher: type, root: str
) -> None:
    """Nobody is called for that: no such host exists."""
    site = open_site(swarm_on(tmp_path, **target))
    assert (type(site.host), type(site.transfer), type(site.launcher)) == (host, files, launcher)
    assert site.environment.root == root.format(here=tmp_path)


def test_files_are_linked_here_and_copied_elsewhere(tmp_path: Path) -> None:
    here = open_site(swarm_on(tmp_path, mode="local")).transfer
    shared = open_site(swarm_on(tmp_path, mode="remote-shared", shared_root="mnt", **FAR)).transfer
    assert isinstance(here, MountedTransfer)
    assert isinstance(shared, MountedTransfer)
    assert (here.put, shared.put) == (put_link, put_copy)
    assert shared.environment.root == f"{tmp_path}/mnt/s"


def test_one_login_for_each_host(tmp_path: Path) -> None:
    far = {"mode": "remote", **FAR}
    first = open_site(swarm_on(tmp_path, **far)).host
    assert open_site(swarm_on(tmp_path / "another", **far)).host is first
    assert open_site(swarm_on(tmp_path, **{**far, "host": "other.invalid"})).host is not first
    assert open_site(swarm_on(tmp_path, **far, known_hosts="accept-new")).host is not first
    forget_logins()
    assert open_site(swarm_on(tmp_path, **far)).host is not first


def test_a_connection_that_is_handed_in_is_used(tmp_path: Path) -> None:
    connection = Connection("cluster.invalid")
    site = open_site(swarm_on(tmp_path, mode="remote", **FAR), connection)
    assert isinstance(site.host, SshHost)
    assert site.host._link._connection is connection


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("/scratch/me", "/scratch/me"),
        ("/scratch/me/", "/scratch/me"),
        ("~", "/home/my self"),
        ("~/a b", "/home/my self/a b"),
        ("a/b", "/home/my self/a/b"),
        ("$SCRATCH", "/fast/it's"),
        ("$SCRATCH/a/", "/fast/it's/a"),
        ("${SCRATCH}/a", "/fast/it's/a"),
        ("${SCRATCH}2", "/fast/it's2"),
        ("/$SCRATCH", "/$SCRATCH"),
        ("$(touch x)", "/home/my self/$(touch x)"),
        ("`touch x`;*", "/home/my self/`touch x`;*"),
        ("-n", "/home/my self/-n"),
        ("~other/a", "/home/my self/~other/a"),
    ],
)
def test_roots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: str, expected: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/my self")
    monkeypatch.setenv("SCRATCH", "/fast/it's")
    assert _resolve_root(LocalHost(), root) == expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("root", "why"), [("$NOWHERE/a", "NOWHERE is not set there"), ("$RELATIVE/a", "the root .RELATIVE/a means nothing")]
)
def test_roots_that_mean_nothing(monkeypatch: pytest.MonkeyPatch, root: str, why: str) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    monkeypatch.setenv("RELATIVE", "some/where")
    with pytest.raises(HostError, match=why) as caught:
        _resolve_root(LocalHost(), root)
    assert "absolute root" in str(caught.value)


PACKAGE = Path(locusts_fab.__file__).parent
#: What the keys of the config mean is decided in its own package, and which of them go together; here is who else may.
DECIDERS = {"target.py": r"target\.mode", "schedulers/registry.py": r"target\.scheduler"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_else_looks_at_the_mode(path: Path) -> None:
    where = path.relative_to(PACKAGE).as_posix()
    found = set(re.findall(r"target\.mode|target\.scheduler|settings\.environment\b", path.read_text("utf-8")))
    allowed = {name for name in found if re.fullmatch(DECIDERS.get(where, "(?!)"), name)}
    assert where.startswith("config/") or found == allowed


@pytest.mark.parametrize(
    "said", ["", "root", "/a\n/b", "/a\n", "/a\0", "/a\x1b[2J", "/\x9b2J", "/\u202ea", f"/{'x' * 4095}", "/x" * 3000]
)
def test_a_host_that_says_what_no_root_is(said: str) -> None:
    with pytest.raises(HostError, match="the root ~/a means nothing there") as caught:
        _resolve_root(saying(said), "~/a")
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("said", ["/a b", "/ü/漢", "/\udcff", f"/{'x' * 4094}"])
def test_a_host_that_says_what_a_root_may_be(said: str) -> None:
    assert _resolve_root(saying(said), "~/a") == said


def saying(text: str) -> LocalHost:
    """Return a host whose scripts print a text."""
    host = LocalHost()
    result = Result(0, os.fsencode(text), "")
    host.run = lambda *_args, **_kwargs: result  # type: ignore[method-assign]
    return host
