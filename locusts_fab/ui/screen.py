"""What a person sees while something takes time: rich bars on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from locusts_fab.text import printable, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from locusts_fab.model import Status
    from locusts_fab.progress import Progress, Watcher

#: What takes less than this is not worth a word.
PATIENCE_S = 2.0
#: Where there is no terminal, a line so often, if anything has changed.
LINE_EVERY_S = 10.0


class Screen:
    """Shows it on standard error, so that standard output holds nothing but answers."""

    def __init__(self, console: Console | None = None) -> None:
        if console is None:
            from rich.console import Console  # noqa: PLC0415 - only a command that shows something pays for it

            console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.console = console

    def note(self, text: str) -> None:
        """Print a line for a person."""
        self.console.print(printable(text), markup=False, emoji=False)

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Progress]:
        """Show the progress of a step that may take longer than two seconds.

        :param total: what it counts up to; None if nobody knows.
        """
        if not self.console.is_terminal:
            yield _Lines(self, title, total)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.progress import Progress as Bars  # noqa: PLC0415 - the same

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=self.console, transient=True) as bars:
            yield _Bar(bars, title, bars.add_task(title, total=total))

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Show the status of a swarm again and again; gives a function to call with each."""
        if not self.console.is_terminal:
            yield _StatusLines(self)
            return
        from rich.live import Live  # noqa: PLC0415 - only a terminal pays for it

        from locusts_fab.ui.tables import status_panel  # noqa: PLC0415 - the same

        with Live(console=self.console, transient=True, refresh_per_second=4) as live:
            yield lambda status: live.update(status_panel(status))


class _Bar:
    """A bar on a terminal; it shows only once the step has taken a while."""

    def __init__(self, bars: Bars, title: str, task: TaskID) -> None:
        self._bars, self._title, self._task = bars, title, task

    def update(self, done: int) -> None:
        self._bars.update(self._task, completed=done)

    def update_bytes(self, files: int, moved: int) -> None:
        self._bars.update(self._task, completed=files, description=f"{self._title}, {size(moved)}")


class _Lines:
    """A line now and then."""

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
    """A line when something has changed, not too often."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._last, self._next = screen, "", 0.0

    def __call__(self, status: Status, /) -> None:
        line = status.summary
        if line != self._last and time.monotonic() >= self._next and not status.is_over:
            self._last, self._next = line, time.monotonic() + LINE_EVERY_S
            self._screen.note(line)
