"""Submit: how what waits is cut into chunks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.model import Chunk, ManagerState
from locusts_fab.operations.scripts import render_scripts
from locusts_fab.operations.submit import _cut
from locusts_fab.plan.tasks import make_plan
from locusts_fab.state.ledger import Ledger
from tests.support.environments import ID
from tests.support.ledgers import began, task, tell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("lost", "sizes", "alone_from"),
    [
        ({}, [2, 1, 1, 1, 1, 1, 1], 12),  # none: after the last
        ({1: 1}, [2, 1, 1, 1, 1, 1, 1], 12),
        ({1: 2, 4: 2, 5: 1}, [1, 1, 1, 1, 1, 1, 1, 1], 11),
        (dict.fromkeys(range(1, 9), 2), [1] * 8, 5),  # all
    ],
)
def test_tasks_lost_twice_are_alone_at_the_end(
    tmp_path: Path, lost: dict[int, int], sizes: list[int], alone_from: int
) -> None:
    settings = SwarmSettings.model_validate({"command": "true", "args": [[str(number)] for number in range(8)]})
    swarm = Swarm("s", settings, "here", Target(mode="local", slots=2), tmp_path)
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.take_plan([task(f"t{number}") for number in range(1, 9)], "/e")
        ledger.begin_submission(1, 4)
        for number, times in lost.items():
            for element in range(times):
                manager = f"1-{number}{element}"
                tell(ledger, manager, began(number))
                ledger.set_manager(manager, ManagerState.GONE)
        chunks, first_alone = _cut(swarm, 8, ledger.count_suspects(), 5)
    assert chunks == [Chunk(number, size) for number, size in enumerate(sizes, 5)]
    assert first_alone == alone_from
    scripts = render_scripts(make_plan(swarm, "/e"), 2, chunks, ID, first_alone)
    assert f"readonly ALONE_FROM={alone_from}\n" in scripts["exec/manager.sh"]
    assert f"readonly ENVIRONMENT={ID}\n" in scripts["exec/manager.sh"]
