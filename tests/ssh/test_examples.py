"""The examples on a host without a scheduler, over a real sshd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.config.load import load_all
from tests.support.examples import EXPECTED, assert_right, take
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
