"""Collect: bring back outputs and logs, the lists of everything, and the tree of a custom environment."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from locusts_fab.errors import BusyError, EntriesError, TransferError
from locusts_fab.layout import ARCHIVES, FAILED
from locusts_fab.model.tasks import TaskState
from locusts_fab.operations.look.status import explained, keep_looking, look
from locusts_fab.operations.session import opened, results_of
from locusts_fab.progress import LOGGER, Silent
from locusts_fab.replica.merge import bring_back
from locusts_fab.replica.sync import agreed_manifest
from locusts_fab.results.absent import Absent
from locusts_fab.results.archive import may_come, put_in_archive, remove_unused, stays_packed
from locusts_fab.results.collect import find_lost, put_in_place, set_apart, wanted_files
from locusts_fab.results.lists import TableInTheWayError, describe, entered, write_lists
from locusts_fab.results.outdir import come_to_outdir
from locusts_fab.results.own import IN_THE_WAY
from locusts_fab.results.packed import pieces_of, unpacked
from locusts_fab.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Results
    from locusts_fab.model.findings import Fetched
    from locusts_fab.model.swarms import Status
    from locusts_fab.model.tasks import Outcome
    from locusts_fab.operations.session import Session
    from locusts_fab.replica.merge import Brought
    from locusts_fab.state.ledger import Ledger
    from locusts_fab.transfer.base import Transfer
    from locusts_fab.ui.screen import Screen

#: Tasks whose results travel together; if the link breaks, what came with earlier ones stays.
FETCHED_TASKS = 5_000
#: Tasks that are looked up in the ledger at once; a million need not all stand in memory.
_LOOKED_UP_TASKS = 4 * FETCHED_TASKS
#: Tasks that are put in place between two entries in the ledger.
NOTED_TASKS = 500
#: While a collect waits, a look brings results if so many tasks have ended, or if the latest came so long ago.
EAGER_WORTH = 200
EAGER_EVERY_S = 60.0
#: It brings those of so many tasks at first; then as many as come in so long a time.
EAGER_TASKS = 500
EAGER_HOLD_S = 2.0


@dataclass(frozen=True)
class Collected:
    """The result of a collect: the number of tasks whose outcome came now, and the status after it.

    :param troubles: the number of outputs that could not be brought back.
    :param in_the_way: of these, those in whose place something else stands.
    :param brought: what became of the tree, in a custom environment.
    """

    tasks: int
    status: Status
    troubles: int
    results: Results
    brought: Brought | None = None
    in_the_way: int = 0


def collect(
    swarm: Swarm,
    connection: fabric.Connection | None = None,
    *,
    wait: bool = False,
    apply_removals: bool = False,
    overwrite: bool = False,
    screen: Screen | Silent | None = None,
) -> Collected:
    """Bring back what has ended so far; what is here already does not move again.

    The tree of a custom environment comes back once no manager is running on it.

    :param wait: first watch until nothing is left to run, and meanwhile bring what has ended by then.
    :param apply_removals: remove from the local tree what tasks removed from its replica.
    :param overwrite: replace what stands under outdir and was not put there by this swarm, or was changed since.
    :returns: what came now, where it is, and the status after it.
    :raises LocustsError: something could not be brought; the same call again carries on.
    """
    screen = screen or Silent()
    eager = _EagerCollector(swarm, connection, overwrite=overwrite)
    if wait:
        keep_looking(partial(look, swarm, connection), swarm, screen, eager.bring, reconnect=connection is None)
    with opened(swarm, connection) as session:
        is_there = session.poll()
        ledger, results = session.ledger, results_of(swarm)
        eager.see_what_is_lost(session, is_there=is_there)
        tasks = eager.tasks + collect_ended(ledger, session.site.transfer, results, screen, overwrite=overwrite)
        in_the_way: TableInTheWayError | None = None
        try:
            write_lists(
                ledger.outcomes(), ledger.troubles(), results, ledger.own_files, ledger.archived, overwrite=overwrite
            )
        except TableInTheWayError as error:  # all else comes
            in_the_way = error
        brought = None
        is_due = swarm.is_custom and session.status().is_over
        manifest = agreed_manifest(swarm, session.site) if is_due else None
        if manifest is not None:
            options = {"apply_removals": apply_removals, "writes_list": in_the_way is None}
            with contextlib.nullcontext() if in_the_way else entered(results.modified_table, ledger.own_files):
                brought = bring_back(swarm, session.site, manifest, screen, **options)
        if in_the_way is not None:
            raise in_the_way
        troubles = ledger.troubles().values()
        blocked = sum(why.startswith(IN_THE_WAY) for why in troubles)
        where = (swarm.name, swarm.target_name)
        LOGGER.info("%s on %s: %d tasks are collected into %s", *where, tasks, printable(str(results.outdir), ""))
        if troubles:
            LOGGER.warning("%s on %s: %d outputs could not be brought back", *where, len(troubles))
        status = explained(session.status(), swarm, ledger)
        return Collected(tasks, status, len(troubles), results, brought, blocked)


def collect_ended(
    ledger: Ledger,
    transfer: Transfer,
    results: Results,
    screen: Screen | Silent,
    *,
    limit: int | None = None,
    overwrite: bool = False,
) -> int:
    """Bring back what has ended since the last time.

    :param limit: no more than so many tasks.
    :param overwrite: replace what stands in its place and is not ours, too.
    :returns: the number of tasks.
    :raises TransferError: something did not arrive; to collect again carries on.
    """
    waiting = ledger.counts().ended - ledger.count_collected()
    most = waiting if limit is None else min(limit, waiting)
    collecting = _Collecting(ledger, transfer, results, most, screen, ledger.troubles().keys())
    while collecting.count < collecting.waiting:
        outcomes = ledger.uncollected(min(_LOOKED_UP_TASKS, collecting.waiting - collecting.count))
        if not outcomes:
            break
        for batch in _batches(outcomes, results):
            if stays_packed(batch[0], results):
                collecting.keep_packed(batch)
            else:
                collecting.bring(batch, overwrite=overwrite)
    if limit is None:  # at the end is soon enough, for all tasks are looked through
        archives = filter(results.is_archive_place, ledger.own_files.of_no_task(ARCHIVES))
        remove_unused(results, ledger.archived.unused(archives), ledger.own_files)
    return collecting.count


@dataclass
class _Collecting:
    """The bringing of tasks, batch by batch.

    :param waiting: how many are to come.
    :param lacking: number of the task and output of what did not come with what of the same attempts is here.
    :ivar count: how many have come.
    :ivar at_once: of how many results travel together at most, for they hold very many entries.
    """

    ledger: Ledger
    transfer: Transfer
    results: Results
    waiting: int
    screen: Screen | Silent
    lacking: Collection[tuple[int, str]]
    count: int = 0
    at_once: int = FETCHED_TASKS

    def keep_packed(self, batch: Sequence[Outcome]) -> None:
        """Bring what stays packed."""
        own_files = self.ledger.own_files
        with (
            self.transfer.pieces(pieces_of(batch), self.screen) as pieces,
            self.screen.step("collecting", self.waiting) as progress,
        ):
            placed = put_in_archive(pieces, batch, self.transfer.environment, self.results, own_files, self.lacking)
            self.ledger.set_collected(placed.places, placed.troubles, placed.files, placed.gone, placed.kept)
            self.count += len(batch)
            progress.update(self.count)

    def bring(self, batch: Sequence[Outcome], *, overwrite: bool) -> None:
        """Bring what is to lie here as files; where it holds more entries than may come at once, in parts."""
        while batch:
            part = batch[: self.at_once]
            try:
                self._bring(part, overwrite=overwrite)
            except EntriesError:
                if len(part) == 1:
                    raise
                self.at_once = len(part) // 2
            else:
                batch = batch[len(part) :]

    def _bring(self, batch: Sequence[Outcome], *, overwrite: bool) -> None:
        total = self.ledger.counts().total
        with (
            _fetched(batch, self.transfer, self.results, self.ledger.path.parent, self.screen) as fetched,
            self.screen.step("collecting", self.waiting) as progress,
        ):
            for at in range(0, len(batch), NOTED_TASKS):
                part = batch[at : at + NOTED_TASKS]
                own_files = self.ledger.own_files
                placed = put_in_place(fetched, part, self.results, total, own_files, self.lacking, overwrite=overwrite)
                self.ledger.set_collected(placed.places, placed.troubles, placed.files, placed.gone)
                self.count += len(placed.places)
                progress.update(self.count)
                _log_failed(part)


def _batches(outcomes: Sequence[Outcome], results: Results) -> Iterator[Sequence[Outcome]]:
    """Yield tasks whose results travel together: what are files there, what is packed there, and what stays packed."""
    kinds: list[list[Outcome]] = [[], [], []]
    for outcome in outcomes:
        kinds[(outcome.piece is not None) + stays_packed(outcome, results)].append(outcome)
    for alike in kinds:
        for start in range(0, len(alike), FETCHED_TASKS):
            yield alike[start : start + FETCHED_TASKS]


@contextlib.contextmanager
def _fetched(
    batch: Sequence[Outcome], transfer: Transfer, results: Results, state_dir: Path, screen: Screen | Silent
) -> Iterator[Fetched]:
    """Make what tasks left reachable on this machine, within.

    :param batch: one of `_batches`.
    :param state_dir: a folder for what is on its way.
    """
    environment = transfer.environment
    if batch[0].piece is None:
        names = [name for outcome in batch for name in wanted_files(outcome, environment, results)]
        with transfer.fetched(names, screen) as fetched:
            yield fetched
        return
    with (
        transfer.pieces(pieces_of(batch), screen) as pieces,
        unpacked(pieces, batch, environment, results, state_dir) as fetched,
    ):
        yield fetched


def mark_to_come_again(ledger: Ledger, results: Results, there: str | None, *, overwrite: bool = False) -> None:
    """Enter what has to come again: what is not here any more; and what had no place, if it is to be made.

    Before that, what failed tasks left is set apart, if an earlier version has not done so.

    :param there: how claims of the environment end that is there; None: there is none. What another one had, and is not
        here any more, is only said.
    :raises TransferError: the folder of results cannot be written.
    """
    moved = set_apart(ledger.failed_beside(FAILED), results, ledger.own_files)
    if moved.places:
        ledger.set_places(moved.places, moved.files, moved.gone)
    absent = Absent(results, there)
    lost = list(find_lost(absent.that_may_come(ledger.placed()), results, ledger.own_files, ledger.troubles()))
    lost += _lost_in_archives(ledger, results, absent)
    ledger.set_uncollected(lost)
    if overwrite:
        troubles = ledger.troubles().items()
        ledger.set_uncollected({number for (number, _), why in troubles if why.startswith(IN_THE_WAY)})
    ledger.set_absent(absent.lacking, there)


def _lost_in_archives(ledger: Ledger, results: Results, absent: Absent) -> list[int]:
    """Return the tasks that have to come again because their archive is gone, or because nothing of them came to it.

    :param absent: notes what cannot come again.
    """
    gone = {archive for archive in ledger.archived.places() if not os.path.lexists(results.outdir / archive)}
    lost = [each.number for each in absent.that_may_come(ledger.packed_in(gone))]
    if not results.is_final_only:  # else nothing of what is packed comes
        troubles = ledger.troubles()
        empty = (each for each in ledger.packed_in_none() if each.place not in gone)
        lost += [each.number for each in absent.that_may_come(empty) if may_come(each, results, troubles)]
    return lost


def _log_failed(outcomes: Iterable[Outcome]) -> None:
    """Log which of the tasks failed, and why."""
    for each in outcomes:
        if each.state is TaskState.FAILED:
            LOGGER.warning("task %s failed: %s", printable(each.id, ""), printable(describe(each), ""))


class _EagerCollector:
    """The part of a waiting collect that brings results early: they are safe here, and the end has less to bring.

    A look that brings something keeps other commands on the swarm waiting, so it brings no more than takes a moment.

    :ivar tasks: the number of tasks brought so far.
    """

    def __init__(self, swarm: Swarm, connection: fabric.Connection | None, *, overwrite: bool = False) -> None:
        self.tasks = 0
        self._overwrite = overwrite
        self._swarm, self._connection = swarm, connection
        self._results = results_of(swarm)
        # what stays packed makes an archive each time, and few files are wanted
        self._worth = FETCHED_TASKS if self._results.is_archive else EAGER_WORTH
        self._limit = max(EAGER_TASKS, self._worth)
        self._latest = time.monotonic()
        self._has_seen = False

    def see_what_is_lost(self, session: Session, *, is_there: bool) -> None:
        """Mark what came earlier and is no longer here to come again; this is looked at once.

        :param is_there: whether there is an environment.
        """
        if not self._has_seen:
            come_to_outdir(self._results, session.ledger, self._swarm.folder, session.claims_there)
            there = session.site.environment.mark if is_there else None
            mark_to_come_again(session.ledger, self._results, there, overwrite=self._overwrite)
            self._has_seen = True

    def bring(self, now: Status) -> Status:
        """Bring something if it is worth it, and return the status after that.

        :param now: the status, as it was seen without the lock, for a look may take long.
        """
        if now.busy or (self._has_seen and not self._is_worth_it(now)):
            return now
        with contextlib.suppress(BusyError), opened(self._swarm, self._connection, wait_s=0) as session:
            if not self._has_seen:
                self.see_what_is_lost(session, is_there=session.poll())
                now = session.status()
            if self._is_worth_it(now):
                self._bring(session)
                now = replace(now, collected=session.ledger.count_collected())
        return now

    def _is_worth_it(self, now: Status) -> bool:
        """Return whether enough has ended, or long enough ago, to be brought."""
        there = now.tasks.ended - now.collected
        is_late = time.monotonic() - self._latest > EAGER_EVERY_S
        return not now.is_over and there > 0 and (there >= self._worth or is_late)

    def _bring(self, session: Session) -> None:
        start = self._latest = time.monotonic()
        with contextlib.suppress(TransferError):  # if it lasts, the end reports it
            count = collect_ended(
                session.ledger,
                session.site.transfer,
                self._results,
                Silent(),
                limit=self._limit,
                overwrite=self._overwrite,
            )
            self._latest = time.monotonic()
            likely = int(count * EAGER_HOLD_S / (self._latest - start))
            self._limit = max(self._worth if self._results.is_archive else 1, likely)
            self.tasks += count
