"""The space that a swarm needs, and whether it is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from locusts_fab.plan.tasks import LONGEST_CHUNK, make_plan
from locusts_fab.preflight.machine import judge_quota, judge_root
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


def test_the_estimate_of_what_is_packed(workspace: Workspace) -> None:
    """It does not depend on outputs and sandboxes; who does not pack hears what it would be."""
    rows = str([[str(number)] for number in range(1000)])
    text = HERE + f'[swarms.s]\ncommand = "x"\nargs = {rows}\noutputs = ["a", "b"]\n'
    plain, packed = (
        estimate_space(make_plan(load(workspace, text + more), "/env"), None, is_linked=False)
        for more in ("", "pack = true\n")
    )
    assert packed.inodes == packed.packed_inodes == plain.packed_inodes == 50 + 2 * packed.chunks
    assert plain.inodes == plain.packed_inodes + plain.chunks + 2000 + 3000
    assert "packed" in packed.explain_inodes()
    swarm = load(workspace, text)
    seen = Seen({"root": "/r", "links": "yes", "filesystem": "1000000 4096 9000 3000 xfs"})
    (finding,) = [each for each in judge_root(swarm, seen, plain) if each.what == "inodes"]
    assert finding.state == "error"
    assert finding.advice.startswith(f"pack = true in the swarm needs about {plain.packed_inodes:,}")
    (finding,) = [each for each in judge_root(swarm, seen, packed) if each.what == "inodes"]
    assert (finding.state, finding.advice) == ("ok", "")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("0 0 0 0 0 0", {}),
        ("", {}),
        ("1 2", {}),
        ("a b c d e f", {}),
        ("100 100000 200000 10 100000 200000", {"quota": "ok", "quota of files": "ok"}),
        ("99999 100000 0 0 0 0", {"quota": "warning"}),
        ("100000 0 100000 0 0 0", {"quota": "error"}),
        ("0 0 0 99990 100000 0", {"quota of files": "error"}),
        ("0 0 0 99990 0 100000", {"quota of files": "error"}),
        ("999999999999999999999999 1 1 1 1 1", {}),
    ],
)
def test_quotas(workspace: Workspace, said: str, expected: dict[str, str]) -> None:
    swarm = load(workspace, HERE + COPY)
    needed = replace(estimate_space(make_plan(swarm, "/env"), None, is_linked=False), input_bytes=900, shared_bytes=0)
    assert states(judge_quota(Seen({"quota": said}), needed)) == expected
    assert states(judge_quota(Seen({"quota": said}), None)) == {}
