"""Status and watch: look at a swarm once, or again and again until nothing more happens by itself."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from locusts_fab.errors import BusyError, HostError, LoginRefusedError, PlanError
from locusts_fab.model.swarms import Counts, Status, SwarmState
from locusts_fab.operations.earlier import plan_of
from locusts_fab.operations.look.glance import glanced_at, working_on
from locusts_fab.operations.session import busy_note, ledger_in
from locusts_fab.progress import Silent
from locusts_fab.results.advice import advise
from locusts_fab.results.causes import find_causes
from locusts_fab.schedulers.registry import scheduler_of
from locusts_fab.target import forget_logins, poll_pauses_s

if TYPE_CHECKING:
    from collections.abc import Callable

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.state.ledger import Ledger
    from locusts_fab.ui.screen import Screen

#: While nothing changes, each pause is so many times the one before.
_GROWTH = 1.5
#: After a look comes a pause of so many times what it took; no longer than that by itself, in seconds, for it may have
#: taken so long because a host was out of reach.
_PAUSE_AFTER, _LONGEST_AFTER_S = 4, 10.0
#: If by its rate a swarm ends sooner than that, the next poll is when it ends, but no sooner than this.
POLL_END_S = 0.5
#: While watching, a host that is out of reach is tried again after so many seconds each; no more often, for sites ban
#: those who knock too often.
RETRY_S = (5.0, 15.0, 30.0, 60.0, 120.0, 180.0)


def status(swarm: Swarm, connection: fabric.Connection | None = None) -> Status:
    """Return the status of a swarm, after one look; if another command is working on it, as it was known before.

    :returns: how the swarm stands now, why tasks failed, and what they used.
    :raises LocustsError: the target could not be asked.
    """
    return _explained(look(swarm, connection), swarm)


def look(swarm: Swarm, connection: fabric.Connection | None = None) -> Status:
    """Return the status of a swarm as `status` does, but not why tasks failed, nor what they used: that takes longer.

    :raises LocustsError: the target could not be asked.
    """
    if not (swarm.state_dir / "ledger.sqlite").exists():
        return _before_the_first_plan(swarm)
    with glanced_at(swarm, connection) as session:
        return session.status()


def _before_the_first_plan(swarm: Swarm) -> Status:
    """Return the status of a swarm of which nothing is known here; its first submit may have begun just now."""
    busy = working_on(swarm)
    notes = [busy_note(busy)] if busy else []
    try:
        count = plan_of(swarm, swarm.environment_dir).count
    except PlanError as error:
        if not swarm.before:
            raise
        count, notes = 0, [*notes, f"it comes after {' and '.join(swarm.before)}: {error.message}"]
    counts = Counts(count, count, 0, 0, 0)
    return Status(swarm.name, swarm.target_name, SwarmState.PLANNED, counts, 0, notes=notes, busy=busy)


def explained(status: Status, swarm: Swarm, ledger: Ledger) -> Status:
    """Return a status with why tasks failed, what tasks used, and, once all have ended, what to ask for next time."""
    if not status.tasks.ended:
        return status
    usage = ledger.usage()
    if status.state is SwarmState.FINISHED:
        advice = (*scheduler_of(swarm).advise(swarm, usage), *advise(swarm, usage))
        usage = replace(usage, advice=advice)
    causes = find_causes(ledger.failed(), ledger.done_by_node()) if status.tasks.failed else []
    return replace(status, causes=causes, usage=usage)


def _explained(status: Status, swarm: Swarm) -> Status:
    """Return a status explained by what is known here; nobody is asked.

    :raises StateError: the local state is damaged.
    """
    if not status.tasks.ended:
        return status
    with ledger_in(swarm.state_dir) as ledger:
        return explained(status, swarm, ledger)


def watch(
    swarm: Swarm, connection: fabric.Connection | None = None, *, screen: Screen | Silent | None = None
) -> Status:
    """Look again and again until nothing more happens by itself, and return the last status.

    Other commands may come in between, at any time.

    :param connection: an open Fabric connection to use. It is not ours to open again, should its link break.
    :returns: the last status.
    :raises LocustsError: the target could not be asked, and not for some minutes if somebody answered there at first.
    """
    last = keep_looking(partial(look, swarm, connection), swarm, screen or Silent(), reconnect=connection is None)
    return _explained(last, swarm)


def keep_looking(
    look: Callable[[], Status],
    swarm: Swarm,
    screen: Screen | Silent,
    between: Callable[[Status], Status] = lambda now: now,
    *,
    reconnect: bool,
) -> Status:
    """Look until the swarm is over, show each status, and return the last.

    Looks take no more than a fifth of the time: one at a million tasks takes longer than one at a hundred.

    :param look: the function that looks once.
    :param between: does something after each look, and returns the status after that.
    :param reconnect: whether a link that breaks may be opened again.
    :returns: the last status.
    :raises LocustsError: the target could not be asked, and not for some minutes if somebody answered there at first.
    """
    shortest, longest = poll_pauses_s(swarm)
    with screen.watching() as show:
        pause, last, is_first = shortest, None, True
        while True:
            start = time.monotonic()
            now = _look(look, swarm, screen, reconnect=reconnect, is_first=is_first)
            took_s = time.monotonic() - start
            now = _look(partial(between, now), swarm, screen, reconnect=reconnect, is_first=is_first)
            is_first = False
            show(now)
            if now.is_over and not now.busy:  # a command that works on it may be about to start it
                return now
            moves = now.tasks != last
            pause = shortest if moves else min(pause * _GROWTH, longest)
            last = now.tasks
            soon = max(now.eta_s, POLL_END_S) if moves and now.eta_s is not None else longest
            time.sleep(min(max(pause, min(took_s * _PAUSE_AFTER, _LONGEST_AFTER_S)), soon))


def _look(
    look: Callable[[], Status], swarm: Swarm, screen: Screen | Silent, *, reconnect: bool, is_first: bool = False
) -> Status:
    """Return the next status. A host out of reach is tried for some minutes, as long as a new login asks no person.

    :param is_first: nobody was heard yet: what is not likely to pass is not tried again.
    :raises HostError: it stays out of reach, or a new login needs a person.
    """
    failures = 0
    for pause_s in RETRY_S if reconnect else ():
        try:
            found = look()
        except LoginRefusedError:
            raise
        except BusyError:
            pass  # somebody else's turn, which ends
        except HostError as error:
            if is_first and not failures and not error.may_pass:
                raise
            if failures == 0:
                minutes = round(sum(RETRY_S) / 60)
                screen.note(f"{error.message}; the swarm goes on by itself, and we try again for {minutes} minutes")
            else:
                forget_logins()  # a login that has to ask a person would have refused to open again
            failures += 1
        else:
            if failures:
                screen.note(f"{swarm.target.host or 'this machine'} answers again")
            return found
        time.sleep(pause_s)
    return look()
