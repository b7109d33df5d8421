"""The screen for work that takes time: bars on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from rich.console import Console

from locusts_fab.progress import PATIENCE_S
from locusts_fab.text import counted, duration, fitted, printable, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.status import Status as Spinner

    from locusts_fab.model.swarms import Status
    from locusts_fab.progress import Progress, Watcher
    from locusts_fab.ui.terminal import LiveStatus

#: Without a terminal, the seconds between two lines, if anything has changed.
LINE_EVERY_S = 10.0


class Screen:
    """The screen of a command: standard error, so that standard output holds nothing but answers."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._told: set[str] = set()
        self._spinner: Spinner | None = None
        self._live: LiveStatus | None = None
        self._steps = 0

    def note(self, text: str) -> None:
        """Print a line for a person."""
        shown = printable(text)
        shown = fitted(shown, self.console.width) if self.console.is_terminal else shown
        self.console.print(shown, markup=False, emoji=False)

    def waits(self, what: str, seconds: float) -> None:
        """Show what is waited for, and for how long: where everything else stands, or as a line, once.

        :param what: what is waited for, and who has it.
        """
        if not self.console.is_terminal:
            if what not in self._told:
                self._told.add(what)
                self.note(f"{what}, {duration(seconds)} so far")
        elif self._live is not None:
            self._live.waits(f"{what}, {duration(seconds)}")
        elif not self._steps:  # the bar of a step counts seconds itself
            from rich.text import Text  # noqa: PLC0415 - only a terminal pays for it

            line = Text(printable(f"{what}, {duration(seconds)}", keep=""))
            if self._spinner is None:
                self._spinner = self.console.status(line)
                self._spinner.start()
            self._spinner.update(line)

    def goes_on(self) -> None:
        """Take away what `waits` shows; a line stays."""
        if self._live is not None:
            self._live.waits("")
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Progress]:
        """Show the progress of a step that may take longer than two seconds.

        :param total: what it counts up to; None if that is unknown.
        """
        if not self.console.is_terminal:
            yield _Lines(self, title, total)
            return
        from locusts_fab.ui.terminal import step_bar  # noqa: PLC0415 - only a terminal pays for it

        self.goes_on()
        self._steps += 1
        try:
            with step_bar(self.console, title, total) as bar:
                yield bar
        finally:
            self._steps -= 1

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Show the status of a swarm again and again: yield a function to call with each."""
        if not self.console.is_terminal:
            yield _StatusLines(self)
            return
        from locusts_fab.ui.terminal import live_status  # noqa: PLC0415 - only a terminal pays for it

        self.goes_on()
        with live_status(self.console) as live:
            self._live = live
            try:
                yield live
            finally:
                self._live = None


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
            self._screen.note(f"{self._title}: {counted(files, 'file')}, {size(moved)}")


class _StatusLines:
    """A status, as a line when something has changed, not too often."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._last, self._next = screen, "", 0.0

    def __call__(self, status: Status, /) -> None:
        line = status.summary
        if line != self._last and time.monotonic() >= self._next and not status.is_over:
            self._last, self._next = line, time.monotonic() + LINE_EVERY_S
            self._screen.note(line)
