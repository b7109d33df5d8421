"""The short form of the matrix: cells with a fixed seed each. `invoke dev.chaos` plays all of them, for hours if told.

The cells with SLURM are in tests/cluster/test_chaos.py, for there is one test cluster.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from tests.chaos.cells import CELLS, FAULTS, SHORT, Cell, matching, named
from tests.chaos.phases import POINTS
from tests.chaos.place import Places
from tests.chaos.play import play
from tests.support.sshd import needs_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(locusts_fab.__file__).parent


@pytest.fixture(scope="session")
def places() -> Iterator[Places]:
    with Places() as made:
        yield made


@pytest.mark.parametrize(
    ("cell", "seed"),
    [
        pytest.param(
            cell, seed, id=f"{cell.name}-{seed}", marks=[needs_sshd] if cell.mode in {"remote", "shared"} else []
        )
        for cell, seed in SHORT
        if cell.mode != "slurm"
    ],
)
def test_nothing_is_lost_or_mixed_up_and_everything_ends(cell: Cell, seed: int, places: Places) -> None:
    result = play(cell, seed, places)
    if result.skipped:
        pytest.skip(result.skipped)
    assert not result.broken, f"again: python -m tests.chaos --once --cells {cell.name} --seed {seed}"


@pytest.mark.parametrize("point", [point for _, points in POINTS.values() for point in points], ids=str)
def test_a_moment_of_the_client_is_one_in_the_package(point: list[object]) -> None:
    """A function that was given another name would be waited for in vain."""
    place = PACKAGE / str(point[0])
    trees = [ast.parse(path.read_text()) for path in (place.glob("*.py") if place.is_dir() else [place])]
    names = [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert names.count(str(point[1])) == 1


def test_the_short_form_has_every_fault() -> None:
    assert {cell.fault for cell, _ in SHORT} == set(FAULTS)
    assert {cell.kind for cell, _ in SHORT} == {cell.kind for cell in CELLS}


def test_cells_are_found_by_parts_of_their_names() -> None:
    assert {cell.mode for cell in matching("/client-kill/local")} == {"local"}
    assert {cell.fault for cell in matching("stage/*/remote,collect/link-cut/*")} >= {"client-kill", "link-cut"}
    assert matching("*") == list(CELLS)


def test_a_cell_is_what_its_name_says() -> None:
    assert [named(cell.name) for cell in CELLS] == list(CELLS)
    assert {cell.is_packed for cell in matching("+pack")} == {True}
