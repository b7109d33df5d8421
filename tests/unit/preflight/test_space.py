"""The space that a swarm needs, and whether it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from locusts_fab.plan.tasks import LONGEST_CHUNK, make_plan
from locusts_fab.preflight.machine import judge_root
from locusts_fab.preflight.probe import Seen
from locusts_fab.preflight.space import estimate_space
from tests.support.findings import SLURM, load, states
from tests.support.workspace import COPY, HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace


@pytest.fixture(autouse=True)
def _inputs(workspace: Workspace) -> None:
    workspace.pairs(5)


def test_the_estimate(workspace: Workspace) -> None:
    (workspace.folder / "in" / "big").mkdir()
    (workspace.folder / "in" / "big" / "file").write_bytes(b"x" * 1000)
    swarm = load(workspace, HERE + COPY + "shared = { big = 'big' }\n")
    needed = estimate_space(make_plan(swarm, "/env"), None, is_linked=False)
    assert (needed.tasks, needed.files, needed.input_bytes, needed.shared_bytes, needed.sandbox_bytes) == (
        5,
        10,
        10,
        1000,
        10,
    )
    assert needed.size_bytes == 1020
    assert needed.inodes == 50 + 10 + 3 * 5 + 5 + 3 * needed.chunks + 2
    linked = estimate_space(make_plan(swarm, "/env"), None, is_linked=True)
    assert linked.size_bytes == 10
    assert "only linked" in linked.explain_bytes()
    assert "5 tasks" in needed.explain_inodes()


def test_only_so_many_sandboxes_are_there_at_a_time(workspace: Workspace) -> None:
    (workspace.folder / "in" / "f_0.txt").write_bytes(b"x" * 992)
    swarm = load(workspace, HERE + COPY.replace('inputs = ["f_<id>.txt"]', "args = [['0']]\ninputs = ['f_<arg0>.txt']"))
    rows = str([["0"]] * 1000)
    many = load(workspace, (workspace.folder / "locusts.toml").read_text().replace("[['0']]", rows))
    assert estimate_space(make_plan(swarm, "/env"), None, is_linked=False).sandbox_bytes == 992
    assert estimate_space(make_plan(many, "/env"), None, is_linked=False).sandbox_bytes == 992 * 2 * LONGEST_CHUNK
    all_kept = load(workspace, (workspace.folder / "locusts.toml").read_text() + "keep = 'all'\n")
    assert estimate_space(make_plan(all_kept, "/env"), None, is_linked=False).sandbox_bytes == 992 * 1000


@pytest.mark.parametrize(
    ("filesystem", "expected"),
    [
        ("1000000 4096 1000000 900000 xfs", {"space": "ok", "inodes": "ok"}),
        ("0 4096 1000000 900000 xfs", {"space": "error", "inodes": "ok"}),
        ("15 1 1000000 900000 xfs", {"space": "error", "inodes": "ok"}),
        ("30 1 1000000 900000 xfs", {"space": "warning", "inodes": "ok"}),
        ("1000000 4096 1000000 20 xfs", {"space": "ok", "inodes": "error"}),
        ("1000000 4096 0 0 btrfs", {"space": "ok", "inodes": "ok"}),
        ("1000000 4096 0 0 tmpfs", {"file system": "warning", "space": "ok", "inodes": "ok"}),
        ("", {"space": "warning"}),
        ("a b c d e", {"space": "warning"}),
        ("1 2 3", {"space": "warning"}),
    ],
)
def test_room(workspace: Workspace, filesystem: str, expected: dict[str, str]) -> None:
    swarm = load(workspace, SLURM + COPY)
    needed = estimate_space(make_plan(swarm, "/env"), None, is_linked=False)
    seen = Seen({"root": "/r", "links": "yes", "filesystem": filesystem})
    assert states(judge_root(swarm, seen, needed)) == {"root": "ok", "hard links": "ok", **expected}


def test_a_file_system_without_hard_links(workspace: Workspace) -> None:
    found = states(judge_root(load(workspace, HERE + COPY), Seen({"root": "/r", "filesystem": "9 9 9 9 vfat"}), None))
    assert found["hard links"] == "error"
