"""The examples on a host without a scheduler, over a real sshd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.config.load import load_all
from tests.support.examples import EXPECTED, assert_right, chance, outputs, take
from tests.support.relay import counted
from tests.support.sshd import module_sshd, needs_sshd, no_waiting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import Sshd

pytestmark = needs_sshd
__all__ = ["module_sshd", "no_waiting"]


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_gives_what_it_must(module_sshd: Sshd, tmp_path: Path, name: str) -> None:
    root = json.dumps(str(tmp_path / "there"))
    target = f'[targets.far]\nmode = "remote"\nhost = "cluster"\nscheduler = "none"\nslots = 2\nroot = {root}\n'
    take(name, tmp_path / "here", target)
    for swarm in load_all(tmp_path / "here/locusts.toml", to_run=True):
        locusts_fab.submit(swarm, module_sshd.connection())
        collected = locusts_fab.collect(swarm, module_sshd.connection(), wait=True)
        assert (collected.status.tasks.failed, collected.troubles) == (0, 0)
    assert_right(name, tmp_path / "here/results")


def test_of_twenty_thousand_only_the_sum_travels(module_sshd: Sshd, tmp_path: Path) -> None:
    """Bytes are counted on the way: the plan goes there, and what became of each task comes back, but no output."""
    root = json.dumps(str(tmp_path / "there"))
    target = f'[targets.far]\nmode = "remote"\nhost = "cluster"\nscheduler = "none"\nslots = 2\nroot = {root}\n'
    take("chance", tmp_path / "here", target)
    seeds = 20_000
    (tmp_path / "here/seeds.csv").write_text("\n".join(map(str, ["seed", *range(1, seeds + 1)])))
    swarm = locusts_fab.load(tmp_path / "here/locusts.toml")
    with counted(module_sshd, tmp_path) as (connection, travelled):
        locusts_fab.submit(swarm, connection)
        locusts_fab.watch(swarm, connection)
        before = travelled.copy()
        collected = locusts_fab.collect(swarm, connection)
        to_collect = travelled - before
    assert (collected.status.tasks.done, collected.troubles) == (seeds + 1, 0)
    assert outputs(tmp_path / "here/results") == chance(seeds)
    assert before["there"] > seeds  # it is counted
    assert to_collect.total() < 50_000  # outputs alone would be 120,000, and their names 400,000
