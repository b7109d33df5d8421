"""What is told of work that takes time: the protocols, and the screen that shows nothing.

`Screen` in `ui/screen.py` is the one that shows it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.model import Status


class Progress(Protocol):
    """Something that counts up."""

    def update(self, done: int) -> None:
        """Say how far it is."""

    def update_bytes(self, files: int, moved: int) -> None:
        """Say how many files and bytes have moved."""


class Silent:
    """Shows nothing; what the Python interface uses unless it is given something else."""

    def update(self, done: int) -> None:
        """See `Progress.update`."""

    def update_bytes(self, files: int, moved: int) -> None:
        """See `Progress.update_bytes`."""

    @contextlib.contextmanager
    def step(self, _title: str, _total: int | None = None) -> Iterator[Progress]:
        """See `Screen.step`."""
        yield self

    def note(self, text: str) -> None:
        """See `Screen.note`."""

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watcher]:
        """See `Screen.watching`."""
        yield lambda _status: None


class Watcher(Protocol):
    """Is told a status."""

    def __call__(self, status: Status, /) -> None:
        """Show it."""
