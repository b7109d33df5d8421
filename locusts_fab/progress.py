"""Protocols for showing the progress of work that takes time, and the screen that shows nothing.

`Screen` in `ui/screen.py` shows it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.model import Status


class Progress(Protocol):
    """The progress of one step."""

    def update(self, done: int) -> None:
        """Show that so many are done."""

    def update_bytes(self, files: int, moved: int) -> None:
        """Show that so many files and bytes have moved."""


class Silent:
    """A screen that shows nothing; the Python interface uses it unless it is given another."""

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
    """A function that shows a status."""

    def __call__(self, status: Status, /) -> None:
        """Show the status."""
