"""A look at a swarm that no other command can make fail: while one works on it, what was known before is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from locusts_fab.errors import BusyError, LocustsError
from locusts_fab.operations.session import looked_at
from locusts_fab.state.lock import holder_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.operations.session import Session

_T = TypeVar("_T")
#: It begins anew so often, if commands that change the swarm come in between.
_LOOKS = 5


def glance(swarm: Swarm, connection: fabric.Connection | None, read: Callable[[Session], _T]) -> _T:
    """Poll, and return what is read then. While another command works on the swarm, it is what was known before.

    :param read: the function that reads it from a session.
    :raises StateError: nothing is known of the swarm, or it belongs to another target, or is damaged.
    :raises LocustsError: the target could not be asked.
    """
    for left in reversed(range(_LOOKS)):
        try:
            with looked_at(swarm, connection) as session:
                try:
                    session.poll()
                except LocustsError:
                    if not left or not session.was_overtaken():
                        raise
                    continue
                return read(session)
        except BusyError:  # it wrote to the ledger for longer than one waits for that
            if not left:
                raise
    raise AssertionError  # the last round returns or raises


def working_on(swarm: Swarm) -> str:
    """Return in words which command works on a swarm just now; empty if none does."""
    return holder_of(swarm.state_dir / "lock")
