"""The screen for work that takes time: bars on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from rich.console import Console

from locusts_fab.text import printable, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.model import Status
    from locusts_fab.progress import Progress, Watcher

#: A step that takes less than this is not worth a line.
PATIENCE_S = 2.0
#: Without a terminal, the seconds between two lines, if anything has changed.
LINE_EVERY_S = 10.0


class Screen:
    """The screen of a command: standard error, so that standard output holds nothing but answers."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a line for a person."""
        self.console.print(printable(text), markup=False, emoji=False)

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Progress]:
        """Show the progress of a step that may take longer than two seconds.

        :param total: what it counts up to; None if that is unknown.
        """
        if not self.console.is_terminal:
            yield _Lines(self, title, total)
            return
        from locusts_fab.ui.terminal import step_bar  # noqa: PLC0415 - only a terminal pays for it

        with step_bar(self.console, title, total) as bar:
            yield bar

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Show the status of a swarm again and again: yield a function to call with each."""
        if not self.console.is_terminal:
            yield _StatusLines(self)
            return
        from locusts_fab.ui.terminal import live_status  # noqa: PLC0415 - only a terminal pays for it

        with live_status(self.console) as show:
            yield show


class _Lines:
    """The progress of a step, as a line now and then."""

    def __init__(self, screen: Screen, title: str, total: int | None) -> None:
        self._screen, self._title, self._total = screen, title, total
        self._next = time.monotonic() + PATIENCE_S

    def update(self, done: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            self._screen.note(f"{self._title}: {done}" + (f" of {self._total}" if self._total else ""))

    def update_bytes(self, files: int, moved: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            self._screen.note(f"{self._title}: {files} files, {size(moved)}")


class _StatusLines:
    """A status, as a line when something has changed, not too often."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._last, self._next = screen, "", 0.0

    def __call__(self, status: Status, /) -> None:
        line = status.summary
        if line != self._last and time.monotonic() >= self._next and not status.is_over:
            self._last, self._next = line, time.monotonic() + LINE_EVERY_S
            self._screen.note(line)
