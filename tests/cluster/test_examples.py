"""The examples on the test cluster: over SSH, in jobs of SLURM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.examples import EXPECTED, assert_right, take

from .runs import target

if TYPE_CHECKING:
    from .runs import ClusterWorkspace


@pytest.mark.slurm
@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_gives_what_it_must(workspace: ClusterWorkspace, name: str) -> None:
    take(name, workspace.folder, target(workspace.root, nodes=1, slots=2))
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_right(name, workspace.folder / "results")
