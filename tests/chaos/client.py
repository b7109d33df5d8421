"""A command that a user gave: it may be held where it is, and must end in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.processes import wait_until

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

#: Every command must end within so many seconds, on a machine that has other things to do as well.
BOUND_S = 120.0


@dataclass
class Client:
    """A command that was started; what it prints is in a file."""

    words: tuple[str, ...]
    process: subprocess.Popen[bytes]
    said: Path
    gate: Path

    @property
    def text(self) -> str:
        """What it printed so far, on both streams."""
        return self.said.read_text("utf-8", "replace")

    def is_held(self) -> bool:
        """Wait until it is held at its point; False: it ended before."""
        wait_until(lambda: (self.gate / "reached").exists() or self.process.poll() is not None, "its point", BOUND_S)
        return (self.gate / "reached").exists() and self.process.poll() is None

    def is_awake(self) -> bool:
        """Wait until it is the program that runs, and no longer Python that starts; False: it ended before."""
        wait_until(lambda: (self.gate / "awake").exists() or self.process.poll() is not None, "its start", BOUND_S)
        return self.process.poll() is None

    def says(self, words: str) -> bool:
        """Wait until it has said some words; False: it ended without."""
        wait_until(lambda: words in self.text or self.process.poll() is not None, words, BOUND_S)
        return words in self.text

    def let_go(self) -> None:
        """Let it go on."""
        (self.gate / "go").touch()
