"""What a person sees while something takes time: rich bars on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from .model import Status

#: What takes less than this is not worth a word.
PATIENCE_S = 2.0
#: Where there is no terminal, a line so often, if anything has changed.
LINE_EVERY_S = 10.0


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


class Screen:
    """Shows it on standard error, so that standard output holds nothing but answers."""

    def __init__(self, console: Console | None = None) -> None:
        if console is None:
            from rich.console import Console  # noqa: PLC0415 - only a command that shows something pays for it

            console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.console = console

    def note(self, text: str) -> None:
        """Print a line for a person."""
        self.console.print(printable(text), markup=False)

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

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, console=self.console, transient=True) as bars:
            yield _Bar(bars, title, bars.add_task(title, total=total))

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Show the status of a swarm again and again; gives a function to call with each."""
        if not self.console.is_terminal:
            yield _StatusLines(self)
            return
        from rich.live import Live  # noqa: PLC0415 - only a terminal pays for it

        from .tables import status_panel  # noqa: PLC0415 - the same

        with Live(console=self.console, transient=True, refresh_per_second=4) as live:
            yield lambda status: live.update(status_panel(status))


class Watcher(Protocol):
    """Is told a status."""

    def __call__(self, status: Status, /) -> None:
        """Show it."""


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
        line = summary(status)
        if line != self._last and time.monotonic() >= self._next and not status.is_over:
            self._last, self._next = line, time.monotonic() + LINE_EVERY_S
            self._screen.note(line)


def summary(status: Status) -> str:
    """Say a status in one line."""
    tasks = status.tasks
    parts = [f"{status.swarm} on {status.target}: {status.state.value}", f"{tasks.done} of {tasks.total} done"]
    if tasks.failed:
        parts.append(f"{tasks.failed} failed")
    if tasks.running:
        parts.append(f"{tasks.running} running")
    if tasks.pending and status.started is not None:
        parts.append(f"{tasks.pending} waiting")
    if status.eta_s is not None:
        parts.append(f"about {duration(status.eta_s)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Say a time as a person would: 45 s, 12 min, 3 h 20 min."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 2:  # noqa: PLR2004 - below two minutes, seconds matter
        return f"{minutes * 60 + rest} s"
    if minutes < 120:  # noqa: PLR2004 - below two hours, minutes do
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Say a number of bytes as a person would: 12 kB, 3.4 MB."""
    amount, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:  # noqa: PLR2004 - units of a thousand
        amount, units = amount / 1000, units[1:]
    return f"{amount:.3g} {units[0]}"


def printable(text: str) -> str:
    """Make any text safe to show: control characters and bytes that are no text become escapes; newlines stay."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
