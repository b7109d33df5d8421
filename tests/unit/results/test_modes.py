"""Modes and groups of results: those of new files in the folder where they are, however they came there."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from typing import TYPE_CHECKING

import pytest

from locusts_fab.model.findings import Fetched
from locusts_fab.results.collect import put_in_place
from locusts_fab.results.lists import write_lists
from tests.support.outcomes import Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = 4242
MODES = ["local", "remote", "remote-shared"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to any group")


@pytest.fixture
def mask() -> Iterator[None]:
    """Put the umask back afterwards."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def case(tmp_path: Path, mask: None) -> Iterator[Case]:
    made = Case(tmp_path)
    made.plan(a=("out", "run", "odd", "folder"))
    sandbox = made.sandbox(1)
    (sandbox / "folder/deep").mkdir(parents=True)
    for name, mode in {"out": 0o644, "run": 0o755, "odd": 0o6777, "folder/x": 0o666, "folder/deep/y": 0o640}.items():
        (sandbox / name).touch()
        (sandbox / name).chmod(mode)
    (sandbox / "folder/deep").chmod(0o1777)
    made.end(1, "1111", log="said")
    made.outdir.mkdir()
    with contextlib.closing(made.ledger):
        yield made


def collect(case: Case, mode: str) -> None:
    homes = None if mode == "local" else ("/there", case.environment.root)
    fetched = Fetched(case.environment, is_ours=mode == "remote", homes=homes)
    assert put_in_place(fetched, case.ledger.uncollected(), case.results, 1, case.ledger.own_files).troubles == []
    write_lists(case.ledger.outcomes(), {}, case.results)


def results(case: Case) -> dict[str, os.stat_result]:
    return {str(path.relative_to(case.outdir)): path.lstat() for path in case.outdir.rglob("*")}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_nothing_is_wider_than_the_umask(case: Case, mode: str, umask: int) -> None:
    os.umask(umask)
    case.sandbox(1).chmod(0o777 & ~umask)  # as what fetches it makes it
    collect(case, mode)
    found = {name: status.st_mode & 0o7777 for name, status in results(case).items()}
    if mode == "remote":  # a sandbox that was fetched is ours, and was made under the same umask: it may come as it is
        found = {name: mode for name, mode in found.items() if "/" not in name or name.startswith("logs")}
    assert {name for name, mode in found.items() if mode & (umask | 0o7000)} == set()
    assert found["tasks.tsv"] == found["outputs.tsv"] == 0o666 & ~umask
    if mode != "remote":
        assert found["a/run"] & 0o100
        assert not found["a/out"] & 0o111


@needs_root
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_in_a_folder_of_a_group_all_is_of_that_group(case: Case, mode: str, umask: int) -> None:
    os.chown(case.outdir, 0, GROUP)
    case.outdir.chmod(0o2770)
    os.umask(umask)
    collect(case, mode)
    for name, status in results(case).items():
        assert status.st_gid == GROUP, name
        assert not status.st_mode & umask, name
        assert bool(status.st_mode & stat.S_ISGID) is stat.S_ISDIR(status.st_mode), name
    assert {"a/out", "a/folder/deep/y", "logs/a.log", "tasks.tsv"} <= set(results(case))


@pytest.mark.parametrize("mode", MODES)
def test_the_default_rules_of_a_folder_hold(case: Case, mode: str) -> None:
    """Its default ACL: a colleague may do all, others nothing, whatever the umask."""
    entries = [
        (0x01, 7, 0xFFFFFFFF),
        (0x02, 7, 1234),
        (0x04, 5, 0xFFFFFFFF),
        (0x10, 7, 0xFFFFFFFF),
        (0x20, 0, 0xFFFFFFFF),
    ]
    rules = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(case.outdir, "system.posix_acl_default", rules)
    except OSError as error:
        pytest.skip(f"no ACLs here: {error.strerror}")
    os.umask(0o077)
    collect(case, mode)
    for name, status in results(case).items():
        assert os.getxattr(case.outdir / name, "system.posix_acl_access"), name
        assert not status.st_mode & 0o7007, name
    assert results(case)["tasks.tsv"].st_mode & 0o777 == 0o660
