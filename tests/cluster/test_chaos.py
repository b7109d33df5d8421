"""The cells of the matrix of faults that need SLURM, each with a fixed seed; the others are in tests/chaos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.cells import SHORT, Cell
from tests.chaos.place import Places
from tests.chaos.play import play

if TYPE_CHECKING:
    from .conftest import Cluster


@pytest.mark.parametrize(
    ("cell", "seed"),
    [pytest.param(cell, seed, id=f"{cell.name}-{seed}") for cell, seed in SHORT if cell.mode == "slurm"],
)
def test_nothing_is_lost_or_mixed_up_and_everything_ends(cell: Cell, seed: int, cluster: Cluster) -> None:
    with Places((cluster.sshd, cluster.slurm)) as places:
        result = play(cell, seed, places)
    assert not result.broken, f"again: python -m tests.chaos --once --cells {cell.name} --seed {seed}"
