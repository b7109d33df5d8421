"""How long an exchange with a machine may take: who waits is told what for, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError
from locusts_fab.progress import Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from locusts_fab.bounds.budget import FreeSpace

#: What is usually waited for, for messages: a script that says nothing is held up by one of these.
TARGET = "its file system or its scheduler"
#: How long a script may say nothing. A network file system that changes over to another server takes a minute or two.
QUIET_S = 120.0
#: How long it may take in all, unless it is known to need longer; what brings much may take long, but not for ever.
TOTAL_S = 3600.0
#: What removes or unpacks a million files is busy, and says nothing meanwhile.
LONG_S = 4 * 3600.0
#: What is moved gives more time: so many bytes a second. A link that is slower for hours is none. What comes counts as
#: moved when it is on the disk, so that chatter gives no time.
LEAST_PACE = 16 * 1024
#: How often it is looked at, in seconds.
_TICK_S = 1.0
_BURIAL_S = 5.0


def transfer_patience(name: str, give_up: Callable[[], object], space: FreeSpace | None = None) -> Patience:
    """Return the patience with what moves files: it notices silence by itself, and what is moving may take its time.

    :param name: the name of the machine, for messages.
    :param give_up: ends it.
    :param space: where the files come to, if they come here.
    """
    return Patience(name, "what moves files", total_s=LONG_S, give_up=give_up, moves=True, space=space)


class Patience:
    """Watches over one exchange, within: says what is waited for, and ends it when it takes too long.

    :param name: the name of the machine, for messages.
    :param what: what is waited for.
    :param quiet_s: the seconds without a sign of life after which it is given up; None: never.
    :param total_s: the seconds after which it is given up in any case; None: never.
    :param give_up: ends it; called once at most, in a thread of its own.
    :param moves: it moves files: what was moved gives it more time, and something else shows how far it is.
    :param space: where what comes is written to; when that is full, it is given up.
    """

    def __init__(
        self,
        name: str,
        what: str,
        *,
        quiet_s: float | None = None,
        total_s: float | None = None,
        give_up: Callable[[], object] = lambda: None,
        moves: bool = False,
        space: FreeSpace | None = None,
    ) -> None:
        self.name, self.what = name, what
        self._quiet_s, self._total_s, self._give_up = quiet_s, total_s, give_up
        self._space = space
        self._sent = 0
        self._began = self._heard = time.monotonic()
        self._wait = Wait(f"{name}: waiting for {what}")
        self._moves = self._is_hushed = moves
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        #: Why it was given up, if it was.
        self.error: HostError | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join(_BURIAL_S)  # a link that is stuck may hold up even its end

    def heard(self) -> None:
        """Note a sign of life."""
        self._heard = time.monotonic()
        self._wait.begin_anew()

    def sent(self, count: int) -> None:
        """Note that so many bytes were sent."""
        self._sent += count

    def hush(self) -> None:
        """Say nothing from now on: a person is asked something."""
        self._is_hushed = True
        self._wait.end()

    def _watch(self) -> None:
        try:
            while not self._is_done.wait(min(_TICK_S, max(0.0, self._left_s()))):
                if not self._is_hushed:
                    self._wait.tell()
                if self._space is not None and (why := self._space.why_full()) is not None:
                    self.error = HostError(f"{self.name}: {why}", hint="free some space, then run the command again")
                elif self._left_s() <= 0:
                    self.error = self._explain()
                if self.error is not None:
                    self._give_up()
                    return
        finally:
            self._wait.end()

    def _left_s(self) -> float:
        """Return how many seconds are left until it is given up."""
        now = time.monotonic()
        limits = ((self._quiet_s, self._heard), (self._longest_s(), self._began))
        return min((limit + since - now for limit, since in limits if limit is not None), default=_TICK_S)

    def _longest_s(self) -> float | None:
        """Return how many seconds it may take in all, with what has moved until now; None: any number."""
        if self._total_s is None or not self._moves:
            return self._total_s
        return self._total_s + (self._sent if self._space is None else self._space.used()) / LEAST_PACE

    def _explain(self) -> HostError:
        """Return the error that says what did not answer."""
        longest_s = self._longest_s()
        is_late = longest_s is not None and time.monotonic() - self._began >= longest_s
        said = (
            f"an exchange with it did not end within {longest_s:g} s; it waited for {self.what}"
            if is_late
            else f"{self.what} did not answer within {self._quiet_s:g} s"
        )
        return HostError(
            f"{self.name}: {said}",
            hint="a file system may hang there: log in by hand and see that `ls` answers in the folders concerned, then"
            " run the command again; managers keep running without us",
            may_pass=True,
        )
