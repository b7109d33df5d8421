"""A look at a swarm that no other command can make fail: while one works on it, what was known before is told."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from locusts_fab.errors import BusyError, LocustsError
from locusts_fab.operations.session import looked_at
from locusts_fab.state.lock import holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.operations.session import Session

#: It begins anew so often, if commands that change the swarm come in between.
_LOOKS = 5


@contextlib.contextmanager
def glanced_at(swarm: Swarm, connection: fabric.Connection | None) -> Iterator[Session]:
    """Yield a swarm to read from, after a poll; while another command works on it, as it was known before.

    :raises StateError: nothing is known of the swarm, or it belongs to another target, or is damaged.
    :raises LocustsError: the target could not be asked.
    """
    for left in reversed(range(_LOOKS)):
        with contextlib.ExitStack() as stack:
            session = None
            try:
                session = stack.enter_context(looked_at(swarm, connection))
                session.poll()
            except LocustsError as error:
                # it wrote to the ledger for longer than one waits for that, or made the target another one just now
                is_overtaken = isinstance(error, BusyError) or (session is not None and session.was_overtaken())
                if not left or not is_overtaken:
                    raise
                continue
            yield session
            return


def working_on(swarm: Swarm) -> str:
    """Return in words which command works on a swarm just now; empty if none does."""
    return holder_of(swarm.state_dir / "lock")
