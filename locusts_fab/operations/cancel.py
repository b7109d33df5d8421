"""Cancel: stop a swarm; what is done stays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from locusts_fab.manager.times import FENCE_S, GRACE_S
from locusts_fab.operations.session import opened
from locusts_fab.progress import LOGGER, Silent

if TYPE_CHECKING:
    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.operations.session import Session
    from locusts_fab.ui.screen import Screen


def cancel(swarm: Swarm, connection: fabric.Connection | None = None, *, screen: Screen | Silent | None = None) -> int:
    """Stop the managers; what is done stays.

    :returns: the number of managers that could not be seen to leave.
    :raises LocustsError: the target could not be asked.
    """
    screen = screen or Silent()
    with opened(swarm, connection) as session:
        return stop_managers(session, screen)


def stop_managers(session: Session, screen: Screen | Silent) -> int:
    """Stop all managers of a swarm, and wait until they have left. Then nothing of it will be begun here any more.

    :returns: the number of those that could not be seen to leave.
    """
    session.poll()
    latest = session.ledger.latest_submission()
    if latest is None:
        return 0
    launcher = session.site.launcher
    submissions = session.ledger.submissions()
    launcher.fence(submissions)
    session.ledger.set_fact("cancelled", "yes")
    if session.ledger.may_begin_more(latest) and not session.lively_managers():  # one may have begun just before that
        time.sleep(FENCE_S)
        session.poll()
    waiting = session.lively_managers()
    launcher.stop([manager.id for manager in waiting], submissions)
    with screen.step("waiting for running tasks to end", len(waiting)) as progress:
        deadline = time.monotonic() + GRACE_S + 15
        while session.lively_managers() and time.monotonic() < deadline:
            time.sleep(0.3)
            session.poll()
            progress.update(len(waiting) - len(session.lively_managers()))
    left = len(session.lively_managers())
    if not left:
        session.ledger.set_submission(latest.number, state="stopped")
    LOGGER.info("%s: %d managers are stopped, %d may still run", session.swarm.name, len(waiting) - left, left)
    return left
