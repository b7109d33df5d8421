"""A small swarm for tests of what is looked at beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import locusts_fab

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.findings import Finding
    from tests.support.workspace import Workspace

SLURM = """
[targets.far]
mode = "local"
scheduler = "slurm"
slots = 4
nodes = 2
[targets.far.slurm]
"""


def load(workspace: Workspace, config: str) -> Swarm:
    """Write a config, and load its swarm."""
    workspace.write(config)
    swarm: Swarm = locusts_fab.load(workspace.folder / "locusts.toml")
    return swarm


def states(found: Iterable[Finding]) -> dict[str, str]:
    """Give the state of each finding by what was looked at."""
    return {finding.what: finding.state for finding in found}
