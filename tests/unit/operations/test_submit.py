"""Submit: how what waits is cut into chunks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.schema import Slurm, SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.model.swarms import ManagerState
from locusts_fab.model.tasks import Chunk, Taken
from locusts_fab.operations.scripts import render_scripts, what_is_asked
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
        chunks, first_alone = _cut(swarm, Taken(8, ledger.count_suspects()), 5)
    assert chunks == [Chunk(number, size) for number, size in enumerate(sizes, 5)]
    assert first_alone == alone_from
    scripts = render_scripts(make_plan(swarm, "/e"), 2, chunks, ID, first_alone)
    assert f"readonly ALONE_FROM={alone_from}\n" in scripts["exec/manager.sh"]
    assert f"readonly ENVIRONMENT_ID={ID}\n" in scripts["exec/manager.sh"]


def settings_of(**more: object) -> SwarmSettings:
    return SwarmSettings.model_validate({"command": "true", "args": [["1"], ["2"]], **more})


def test_what_is_asked_changes_with_the_target_and_not_with_the_tasks(tmp_path: Path) -> None:
    def asked(target: dict[str, object], **more: object) -> str:
        where = Target.model_validate({"mode": "local", "scheduler": "slurm", "slots": 2, **target})
        return what_is_asked(make_plan(Swarm("s", settings_of(**more), "here", where, tmp_path), "/e"))

    same = asked({})
    assert asked({}, args=[["1"], ["2"], ["3"]]) == asked({}, outputs=["x"]) == asked({}, max_failures=3) == same
    changed = [
        asked({"slots": 3}),
        asked({"nodes": 3}),
        asked({"setup": ["true"]}),
        asked({"slurm": Slurm(partition="p")}),
        asked({}, retries=1),
        asked({}, strict=False),
        asked({}, cpus_per_task=2),
    ]
    assert len({same, *changed}) == 1 + len(changed)
