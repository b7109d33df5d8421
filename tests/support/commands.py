"""Small scripts that stand for the commands of a scheduler, found first on the PATH; they note their arguments."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = """#!/bin/bash
printf '%s' "${{0##*/}}" >>{calls}
printf ' %s' "$@" >>{calls}
echo >>{calls}
{does}
"""


@dataclass
class Commands:
    """The commands that are found first on the PATH."""

    folder: Path

    def let(self, **commands: str) -> None:
        """Set what commands do from now on, as bash."""
        for name, does in commands.items():
            path = self.folder / name
            path.write_text(COMMAND.format(calls=self.folder / "calls", does=does))
            path.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        """List what a command was called with."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == name]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    made = Commands(folder)
    made.let(sbatch="echo 12", squeue="true", scancel="true", scontrol="true", sleep="true")
    return made
