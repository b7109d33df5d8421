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

#: What is usually waited for, for messages: a script that says nothing is held up by one of these.
ANSWER = "its file system or its scheduler"
#: How long a script may say nothing. A network file system that changes over to another server takes a minute or two.
QUIET_S = 120.0
#: How long it may take in all, unless it is known to need longer; what brings much may take long, but not for ever.
TOTAL_S = 3600.0
#: What removes or unpacks a million files is busy, and says nothing meanwhile.
LONG_S = 4 * 3600.0
#: How often it is looked at, in seconds.
_TICK_S = 1.0
_BURIAL_S = 5.0


class Patience:
    """Watches over one exchange, within: says what is waited for, and ends it when it takes too long.

    :param name: the name of the machine, for messages.
    :param what: what is waited for.
    :param quiet_s: the seconds without a sign of life after which it is given up; None: never.
    :param total_s: the seconds after which it is given up in any case; None: never.
    :param give_up: ends it; called once at most, in a thread of its own.
    """

    def __init__(
        self,
        name: str,
        what: str,
        *,
        quiet_s: float | None = None,
        total_s: float | None = None,
        give_up: Callable[[], object] = lambda: None,
    ) -> None:
        self.name, self.what = name, what
        self._quiet_s, self._total_s, self._give_up = quiet_s, total_s, give_up
        self._began = self._heard = time.monotonic()
        self._wait = Wait(f"{name}: waiting for {what}")
        self._is_hushed = False
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

    def hush(self) -> None:
        """Say nothing from now on: a person is asked something."""
        self._is_hushed = True
        self._wait.end()

    def _watch(self) -> None:
        try:
            while not self._is_done.wait(min(_TICK_S, max(0.0, self._left_s()))):
                if not self._is_hushed:
                    self._wait.tell()
                if self._left_s() <= 0:
                    self.error = self._explain()
                    self._give_up()
                    return
        finally:
            self._wait.end()

    def _left_s(self) -> float:
        """Return how many seconds are left until it is given up."""
        now = time.monotonic()
        limits = ((self._quiet_s, self._heard), (self._total_s, self._began))
        return min((limit + since - now for limit, since in limits if limit is not None), default=_TICK_S)

    def _explain(self) -> HostError:
        """Return the error that says what did not answer."""
        is_late = self._total_s is not None and time.monotonic() - self._began >= self._total_s
        said = (
            f"a script did not end within {self._total_s:g} s; it waited for {self.what}"
            if is_late
            else f"{self.what} did not answer within {self._quiet_s:g} s"
        )
        return HostError(
            f"{self.name}: {said}",
            hint="a file system may hang there: log in by hand and see that `ls` answers in the folders concerned, then"
            " run the command again; managers keep running without us",
            may_pass=True,
        )
