"""Protocols for showing the progress of work and what is waited for, the screen that shows nothing, and the logger.

`Screen` in `ui/screen.py` shows it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.model.swarms import Status


#: For programs that set up Python's `logging`: what is sent, submitted, stopped, collected, removed (INFO), and which
#: tasks failed (WARNING). Nobody else sees anything of it: without a handler Python would print warnings.
LOGGER = logging.getLogger("locusts_fab")
LOGGER.addHandler(logging.NullHandler())


class Progress(Protocol):
    """The progress of one step."""

    def update(self, done: int) -> None:
        """Show that so many are done."""

    def update_bytes(self, files: int, moved: int) -> None:
        """Show that so many files and bytes have moved."""


#: What takes less than this is not worth a word.
PATIENCE_S = 2.0


class Onlooker(Protocol):
    """Somebody who wants to know what is waited for."""

    def waits(self, what: str, seconds: float) -> None:
        """Show what has been waited for so long; called again and again, maybe by another thread."""

    def goes_on(self) -> None:
        """Take that away again."""


_ONLOOKERS: list[Onlooker] = []


@contextlib.contextmanager
def looking_on(onlooker: Onlooker) -> Iterator[None]:
    """Tell somebody within what is waited for. Whatever waits finds them by itself, so nobody has to pass them on."""
    _ONLOOKERS.append(onlooker)
    try:
        yield
    finally:
        _ONLOOKERS.remove(onlooker)


class Wait:
    """A wait for something: whoever looks on hears of it after two seconds.

    :param what: what is waited for, and who has it.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._since = time.monotonic()
        self._told: Onlooker | None = None

    def begin_anew(self) -> None:
        """Begin to count again, for something has come."""
        self._since = time.monotonic()

    def tell(self) -> None:
        """Tell whoever looks on, if it has taken long; to be called once a second or so."""
        seconds = time.monotonic() - self._since
        if seconds >= PATIENCE_S and _ONLOOKERS:
            self._told = _ONLOOKERS[-1]
            self._told.waits(self.what, seconds)

    def end(self) -> None:
        """Take away what was told."""
        if self._told is not None:
            self._told.goes_on()
            self._told = None


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
