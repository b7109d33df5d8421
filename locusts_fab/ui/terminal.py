"""The moving parts of the screen on a terminal: the bar of a step, and a status that changes in place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from locusts_fab.text import printable, size
from locusts_fab.ui.tables import status_panel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import TaskID

    from locusts_fab.model.swarms import Status
    from locusts_fab.progress import Progress


#: Of two tables, managers and jobs, each has no more rows; so many lines are for all else.
_MOST_ROWS, _OTHER_ROWS = 8, 12


@contextlib.contextmanager
def step_bar(console: Console, title: str, total: int | None) -> Iterator[Progress]:
    """Show a bar within, and yield the progress that moves it.

    :param total: what it counts up to; None if that is unknown.
    """
    title_column = TextColumn("{task.description}", markup=False)
    columns = (title_column, BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True, expand=True) as bars:
        yield _Bar(bars, title, bars.add_task(title, total=total))


@contextlib.contextmanager
def live_status(console: Console) -> Iterator[LiveStatus]:
    """Show a status within, and yield what puts another in its place."""
    with Live(console=console, transient=True, refresh_per_second=4) as live:
        yield LiveStatus(live, max(1, min(_MOST_ROWS, (console.height - _OTHER_ROWS) // 2)))


class LiveStatus:
    """A status that changes in place, and below it what is waited for.

    :param most: no more managers than that, nor jobs, so that all of it is seen.
    """

    def __init__(self, live: Live, most: int) -> None:
        self._live, self._most, self._status, self._wait = live, most, Group(), ""

    def __call__(self, status: Status, /) -> None:
        """Show a status."""
        self._status = Group(status_panel(status, self._most))
        self._draw()

    def waits(self, text: str) -> None:
        """Show what is waited for; nothing: take that away."""
        self._wait = text
        self._draw()

    def _draw(self) -> None:
        wait = [Text(printable(self._wait, keep=""), style="dim")] if self._wait else []
        self._live.update(Group(self._status, *wait))


class _Bar:
    """The progress of a step, as a bar."""

    def __init__(self, bars: Bars, title: str, task: TaskID) -> None:
        self._bars, self._title, self._task = bars, title, task

    def update(self, done: int) -> None:
        self._bars.update(self._task, completed=done)

    def update_bytes(self, files: int, moved: int) -> None:
        self._bars.update(self._task, completed=files, description=f"{self._title}, {size(moved)}")
