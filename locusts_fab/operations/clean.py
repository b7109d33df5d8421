"""Clean: remove the environment of a swarm from its target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.errors import StateError
from locusts_fab.operations.cancel import stop_managers
from locusts_fab.operations.environment import ALL, complete_removal, mark_removal, set_known
from locusts_fab.operations.session import opened
from locusts_fab.outputs import ABSENT
from locusts_fab.progress import LOGGER, Silent
from locusts_fab.replica.sync import forget_manifest, has_news
from locusts_fab.results.unarchive import remove_unarchived
from locusts_fab.state.identity import ForeignEnvironmentError
from locusts_fab.text import counted

if TYPE_CHECKING:
    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.ui.screen import Screen


def clean(
    swarm: Swarm,
    connection: fabric.Connection | None = None,
    *,
    force: bool = False,
    screen: Screen | Silent | None = None,
) -> None:
    """Remove the environment from the target; what was collected stays here.

    :param force: also while tasks run (they are stopped) or results are not collected (they are lost).
    :raises StateError: tasks run or results are uncollected; or the environment is somebody else's. With `force`, that
        one stays as it is, and only what is known of ours is given up.
    """
    with opened(swarm, connection) as session:
        try:
            session.poll()
        except ForeignEnvironmentError:
            if not force:
                raise
            set_known(session.site, session.ledger, None)
            session.ledger.give_up()
            forget_manifest(swarm)
            return
        session.refuse_strangers()
        counts = session.ledger.counts()
        uncollected = counts.ended - session.ledger.count_collected()
        if not force and counts.ended < counts.total and session.live_submission() is not None:
            raise StateError(
                f"swarm {swarm.name} is still running", hint="`locusts cancel` stops it; --force stops and removes it"
            )
        if not force and uncollected:
            have, are = ("has", "is") if uncollected == 1 else ("have", "are")
            raise StateError(
                f"{counted(uncollected, 'task')} {have} ended and {are} not collected",
                hint="`locusts collect` first; --force gives them up",
            )
        troubles = sum(why != ABSENT for why in session.ledger.troubles().values())
        if not force and troubles:
            raise StateError(
                f"{counted(troubles, 'output')} did not come back, and may still be there; tasks.tsv says why",
                hint="fix the cause there and `locusts collect` first; --force gives them up",
            )
        if not force and swarm.is_custom and session.poll() and has_news(swarm, session.site):
            raise StateError(
                "tasks have changed the tree, and that has not come home",
                hint="`locusts collect` first; --force gives it up",
            )
        stop_managers(session, screen or Silent())
        mark_removal(session.ledger, ALL)
        complete_removal(swarm, session.site, session.ledger)
        remove_unarchived(swarm.state_dir)
        LOGGER.info("%s on %s: the environment is removed", swarm.name, swarm.target_name)
