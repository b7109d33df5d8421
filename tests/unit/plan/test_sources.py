"""Sources: which kind of tasks a config means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.plan.sources import read_source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({"args": [["x"], ["y"]]}, ["000001", "000002"]),
        ({"args_file": "g.csv"}, ["000001"]),
        ({"sweep": {"a": ["1", "2"], "b": ["1", "2"]}}, ["000001", "000002", "000003", "000004"]),
        ({"command_file": "c.txt"}, ["000001", "000002"]),
        ({"indir": "in", "inputs": ["<id>.x"]}, ["7"]),
        ({"indir": "in", "inputs": ["<id>.x", "<id>.y"], "missing_inputs": "skip"}, ["7"]),
    ],
)
def test_each_kind_of_config(tmp_path: Path, settings: dict[str, Any], ids: list[str]) -> None:
    (tmp_path / "g.csv").write_text("t\n1\n", encoding="utf-8")
    (tmp_path / "c.txt").write_text("true\nfalse\n", encoding="utf-8")
    (tmp_path / "in").mkdir()
    for name in ("7.x", "7.y", *(["8.x"] if "missing_inputs" in settings else [])):
        (tmp_path / "in" / name).touch()
    made = SwarmSettings.model_validate(settings if "command_file" in settings else {"command": "true", **settings})
    source = read_source(Swarm("s", made, "here", Target(mode="local"), tmp_path))
    assert source.ids == ids
