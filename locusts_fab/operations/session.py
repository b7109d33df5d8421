"""The start of every operation: a swarm, its site and its ledger, held so that no other command changes them."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import StateError, TransferError
from locusts_fab.fs import remove_left_folders
from locusts_fab.layout import Results, manager_id
from locusts_fab.manager.records import element_of, read_leave_reason, submission_of
from locusts_fab.manager.setup_failures import advice, failed_setups
from locusts_fab.model.swarms import Counts, LeaveReason, ManagerState, Status, SwarmState
from locusts_fab.model.tasks import FINAL
from locusts_fab.operations.environment import complete_removal, known_site, settle
from locusts_fab.replica.select import workdir
from locusts_fab.schedulers.registry import scheduler_of
from locusts_fab.shell.scripts import remote_script
from locusts_fab.state.faults import faults_explained
from locusts_fab.state.identity import foreign_error, strangers_error
from locusts_fab.state.ledger import Ledger
from locusts_fab.state.lock import WAIT_S, holder_of, locked
from locusts_fab.state.poll import PollResult, poll
from locusts_fab.target import open_site
from locusts_fab.text import counted, duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.swarms import ManagerStatus, Submission
    from locusts_fab.target import Site

_SHOWN_REASONS = 3
_UNHEARD = "nothing is known yet"
_LIVELY = {ManagerState.ALIVE, ManagerState.UNKNOWN}


@dataclass(frozen=True)
class Session:
    """An open swarm, with its site and its ledger.

    :param turn: of one who only looks, and holds no lock: who may change the swarm makes the ledger's `turn` another
        one, and what was asked before that is not entered any more.
    :param busy: of one who only looks: the command that works on the swarm, in words. Nothing is asked then.
    """

    swarm: Swarm
    site: Site
    ledger: Ledger
    turn: str | None = None
    busy: str = ""

    def poll(self) -> bool:
        """Enter what is new on the target into the ledger.

        :returns: whether there is an environment at all.
        :raises ForeignEnvironmentError: it is not the one that the ledger knows; nothing was entered.
        """
        if self.busy:
            return True
        latest = self.ledger.latest_submission()
        if latest is not None and latest.state == "starting":  # a submit was killed before it knew what it started
            job = self.site.launcher.find(latest)
            if job and self._may_enter():
                self.ledger.set_submission(latest.number, state="started", job=job)
        result = self._look()
        if not self._may_enter():
            return True
        gone = {manager: self.ledger.manager_reason(manager) for manager in self._managers_in(ManagerState.GONE)}
        if gone:
            self.site.launcher.mark_gone(gone)
            # slots that outlived their main process may have written more in the meantime
            result = self._look()
            if not self._may_enter():
                return True
            left = self._managers_in(ManagerState.LEFT)  # one may have reported just now why it did
            for manager, why in gone.items():
                reason = self.ledger.manager_reason(manager) if manager in left else why
                self.ledger.set_manager(manager, ManagerState.LEFT, reason)
        if not result.reached:
            for lively in self.lively_managers():
                self.ledger.set_manager(lively.id, ManagerState.LEFT, "the environment was removed", is_removed=True)
        return result.reached

    def claims_there(self) -> str | None:
        """Return how the claims of the environment end that is there now; None if there is none."""
        return self.site.environment.mark if self.poll() else None

    def _look(self) -> PollResult:
        """Poll the environment that the ledger knows.

        :raises ForeignEnvironmentError: there is another one in its place.
        """
        environment = self.site.environment
        result = poll(self.site.host, self.ledger, environment, scheduler_of(self.swarm), self.turn)
        if not result.is_ours:
            if not self._may_enter():  # somebody else made it just now, for the same swarm
                return PollResult()
            raise foreign_error(result.founders, environment.root, self.site.host.name)
        return result

    def refuse_strangers(self) -> None:
        """Raise an error if the last poll saw submissions that the ledger does not know.

        :raises ForeignEnvironmentError: it did.
        """
        numbers = self.ledger.fact("strangers")
        if numbers:
            raise strangers_error(numbers, self.site.environment.root, self.site.host.name)

    def was_overtaken(self) -> bool:
        """Return whether a command that may change the swarm came in since a look began, so that it means nothing."""
        return self.turn is not None and (not self._may_enter() or bool(holder_of(self.swarm.state_dir / "lock")))

    def _may_enter(self) -> bool:
        """Return whether what was asked may be entered: we hold the lock, or nobody took it since we looked."""
        return self.turn is None or self.ledger.fact("turn") == self.turn

    def _managers_in(self, state: ManagerState) -> set[str]:
        return {manager.id for manager in self.ledger.managers() if manager.state is state}

    def lively_managers(self) -> list[ManagerStatus]:
        """Return the managers that may be running."""
        return [manager for manager in self.ledger.managers() if manager.state in _LIVELY]

    def live_submission(self) -> Submission | None:
        """Return the latest submission, if it may still be running; else None."""
        latest = self.ledger.latest_submission()
        if latest is None or latest.state not in {"starting", "started"}:
            return None
        managers = self.ledger.managers(latest.number)
        if any(manager.state in _LIVELY for manager in managers) or self.may_have_jobs(latest):
            return latest
        if not managers and (self.busy or self.site.launcher.is_alive(latest)):
            return latest
        return None

    def may_have_jobs(self, submission: Submission) -> bool:
        """Return whether the scheduler has a job of this submission that is not over, or does not answer."""
        if not submission.job:
            return False
        active = scheduler_of(self.swarm).active_jobs(self.ledger.jobs())
        return submission.job in active or self.ledger.fact("scheduler_silent") is not None

    def has_begun_nothing(self, submission: Submission) -> bool:
        """Return whether a submission has jobs, and all of them wait: then nothing is lost if they are cancelled."""
        if self.ledger.managers(submission.number) or self.ledger.fact("scheduler_silent") is not None:
            return False
        scheduler, jobs = scheduler_of(self.swarm), self.ledger.jobs()
        waiting = scheduler.waiting_jobs(jobs)
        active = [job for job in jobs if submission.job in scheduler.active_jobs([job])]
        return bool(active) and all(job in waiting for job in active)

    def _waiting(self) -> str:
        """Return in words how many jobs wait, and for what."""
        reasons = Counter(job.reason for job in scheduler_of(self.swarm).waiting_jobs(self.ledger.jobs()))
        return ", ".join(
            f"{count} {'job waits' if count == 1 else 'jobs wait'} ({reason or 'no reason given yet'})"
            for reason, count in reasons.most_common(_SHOWN_REASONS)
        )

    def status(self) -> Status:
        """Return the status as far as it is known; only a submission of which nothing was heard yet is asked for."""
        counts = self.ledger.counts()
        latest = self.ledger.latest_submission()
        state = self._state(counts, latest)
        updated = self.ledger.fact("updated")
        elapsed_s = self._elapsed_s(state, latest)
        rate = self._rate(latest, elapsed_s)
        return Status(
            swarm=self.swarm.name,
            target=self.swarm.target_name,
            state=state,
            tasks=counts,
            collected=self.ledger.count_collected(),
            managers=self.ledger.managers(latest.number) if latest else [],
            jobs=self.ledger.jobs(),
            started=latest.created_s if latest else None,
            updated=float(updated) if updated else None,
            elapsed_s=elapsed_s,
            eta_s=(counts.pending + counts.running) / rate if rate and state is SwarmState.RUNNING else None,
            notes=[*self.busy_notes(), *self._note_cleaned(latest), *self._notes(state)],
            bad_nodes=self.ledger.bad_nodes(),
            busy=self.busy,
            rate=rate,
            waiting=self._waiting() if state in {SwarmState.SUBMITTED, SwarmState.RUNNING} else "",
        )

    def _note_cleaned(self, latest: Submission | None) -> list[str]:
        """Return the note on a swarm of which nothing is on the target any more."""
        number, _, given_up = (self.ledger.fact("cleaned") or "").partition(" ")
        if latest is None or number != str(latest.number):
            return []
        tasks = counted(int(given_up or 0), "task")
        lost = f"; the results of {tasks} were given up, `locusts submit` runs them again"
        return [f"cleaned: nothing is on the target any more{lost if given_up != '0' else ''}"]

    def busy_notes(self) -> list[str]:
        """Return the note on another command that works on the swarm, and how old the picture is."""
        if not self.busy:
            return []
        updated = self.ledger.fact("updated")
        age = f"this was known {duration(max(0.0, time.time() - float(updated)))} ago" if updated else _UNHEARD
        return [busy_note(self.busy, age)]

    def _state(self, counts: Counts, latest: Submission | None) -> SwarmState:
        if counts.total and counts.ended == counts.total:
            return SwarmState.FINISHED
        if self.lively_managers():
            return SwarmState.RUNNING
        if self.ledger.fact("cancelled"):
            return SwarmState.CANCELLED
        if latest is None or latest.state == "staging":
            return SwarmState.PLANNED
        if self.live_submission():
            return SwarmState.RUNNING if self.ledger.managers(latest.number) else SwarmState.SUBMITTED
        return SwarmState.STALLED

    def _elapsed_s(self, state: SwarmState, latest: Submission | None) -> float | None:
        """Return for how long the latest submission ran; None if that is unknown."""
        if latest is None:
            return None
        return self.ledger.span_s(latest) if state is SwarmState.FINISHED else self.ledger.elapsed_s(latest)

    def _rate(self, latest: Submission | None, elapsed_s: float | None) -> float | None:
        """Return how many tasks the latest submission brings to an end in a second; None until it has ended some."""
        ended = self.ledger.count_ended_in(latest.number) if latest else 0
        return ended / elapsed_s if ended and elapsed_s else None

    def _notes(self, state: SwarmState) -> list[str]:
        """Return what a person should do about a swarm that stands still, or know of a scheduler that is silent."""
        silent = self.ledger.fact("scheduler_silent")
        notes = [f"the scheduler did not answer ({silent}); what is said of jobs may be old"] if silent else []
        if self.ledger.fact("removing"):  # only of one who looks on: whoever holds the lock completes it
            notes.append("a `submit --redo` or `clean` was cut off; the next command that changes something ends it")
        strangers = self.ledger.fact("strangers")
        if strangers:
            notes.append(f"somebody else has submitted (submission {strangers}); `locusts attach` takes that over")
        notes += [
            f"everything fails on node {node}, and not elsewhere: others run its tasks, the next submit leaves it out"
            for node in self.ledger.bad_nodes()
        ]
        latest = self.ledger.latest_submission()
        managers = self.ledger.managers(latest.number) if latest else []
        if state in {SwarmState.SUBMITTED, SwarmState.RUNNING, SwarmState.STALLED}:
            notes += self._note_setup(managers)
        if state is not SwarmState.STALLED:
            return notes
        reasons = {self.ledger.manager_reason(manager.id) for manager in managers}
        kinds = set(map(read_leave_reason, reasons))
        if kinds == {LeaveReason.SETUP}:
            return notes
        if LeaveReason.TOO_MANY_FAILURES in kinds:
            stopped = f"max_failures = {self.swarm.settings.max_failures} was reached, so no more tasks are taken"
            return [*notes, f"{stopped}; see why with `locusts logs TASK`, fix the cause, then `locusts retry`"]
        if LeaveReason.BREAKER in kinds:
            tripped = f"{self.swarm.settings.breaker} tasks in a row all failed at once, so the manager stopped"
            return [*notes, f"{tripped}; see why with `locusts logs TASK`, fix the command, then `locusts retry`"]
        why = "; ".join(sorted(reason for reason in reasons if reason)) or self._why_nobody_was_heard(latest)
        if LeaveReason.NOT_GATHERED in kinds:
            return [*notes, f"{FINAL} waits ({why}); `locusts submit` tries again, `submit --redo` runs all again"]
        return [*notes, f"tasks are left, but no manager is running ({why}); `locusts submit` carries on"]

    def _note_setup(self, managers: list[ManagerStatus]) -> list[str]:
        """Return notes on managers that run nothing because an entry of `setup` failed."""
        reasons = {manager.id: self.ledger.manager_reason(manager.id) for manager in managers}
        failed = [each for each in managers if read_leave_reason(reasons[each.id]) is LeaveReason.SETUP]
        if not failed:
            return []
        name = manager_id(submission_of(failed[0].id), element_of(failed[0].id))
        log = self.site.environment.absolute(self.site.environment.manager_log(name))
        return [*failed_setups((each.host, reasons[each.id]) for each in failed), advice(log)]

    def _why_nobody_was_heard(self, latest: Submission | None) -> str:
        """Return in a line what the managers of a submission printed before they could record anything, and where."""
        unheard = "nobody was heard"
        if latest is None or self.busy:
            return unheard
        environment = self.site.environment
        said = self.site.host.run(remote_script("last_words"), environment.root, str(latest.number)).text
        log, _, words = said.partition("\n")
        lines = " / ".join(line.strip() for line in words.splitlines() if line.strip())
        logs = environment.absolute(environment.logs_folder)
        if log:
            return f"{unheard}; {logs}/{log} ends with: {lines}"
        return f"{unheard}: {lines}" if lines else f"{unheard}, and nothing was printed to {logs}/{latest.number}-*.out"


@contextlib.contextmanager
def opened(
    swarm: Swarm, connection: fabric.Connection | None = None, *, create: bool = False, wait_s: float = WAIT_S
) -> Iterator[Session]:
    """Yield a swarm with its site and its ledger, to change it: locked against other commands within.

    :param create: whether to make the local state if there is none.
    :param wait_s: how long to wait for another command.
    :raises StateError: there is none, or it belongs to another target, or is damaged.
    :raises BusyError: another command works on the swarm.
    :raises TransferError: it cannot be written.
    """
    folder = swarm.state_dir
    if create:
        _make_state_dir(folder)
    elif not (folder / "ledger.sqlite").exists():
        raise _nothing_known(swarm)
    site = open_site(swarm, connection)
    with locked(folder / "lock", wait_s), ledger_in(folder) as ledger:
        remove_left_folders(folder)
        ledger.set_fact("turn", secrets.token_hex(8))  # what others asked before is of no use any more
        if not create and ledger.is_empty():  # the first submit failed before it had a plan
            raise _nothing_known(swarm)
        settle(swarm, site, ledger)
        site = known_site(swarm, site, ledger)
        complete_removal(swarm, site, ledger)
        yield Session(swarm, site, ledger)


@contextlib.contextmanager
def looked_at(swarm: Swarm, connection: fabric.Connection | None = None) -> Iterator[Session]:
    """Yield a swarm to look at, without the lock: a target that hangs keeps no other command from working.

    :raises StateError: nothing is known of it, or it belongs to another target, or is damaged.
    :raises TransferError: the local state cannot be written.
    """
    folder = swarm.state_dir
    if not (folder / "ledger.sqlite").exists():
        raise _nothing_known(swarm)
    with ledger_in(folder) as ledger:
        turn = ledger.fact("turn") or ""  # before the lock: who takes it after this look makes the turn another one
        busy = holder_of(folder / "lock")
        if busy:
            site = open_site(swarm, connection, root=ledger.fact("root") or swarm.environment_dir)
            yield Session(swarm, known_site(swarm, site, ledger), ledger, turn, busy)
            return
        if ledger.is_empty():
            raise _nothing_known(swarm)
        site = open_site(swarm, connection)
        settle(swarm, site, ledger)
        yield Session(swarm, known_site(swarm, site, ledger), ledger, turn)


def busy_note(busy: str, age: str = _UNHEARD) -> str:
    """Return the note on another command that works on a swarm.

    :param busy: that command, in words.
    :param age: how old is what is known.
    """
    return f"another command is working on this swarm ({busy}); {age}"


@contextlib.contextmanager
def ledger_in(folder: Path) -> Iterator[Ledger]:
    """Open the ledger within; whatever is wrong with its file is explained."""
    path = folder / "ledger.sqlite"
    with faults_explained(path), contextlib.closing(Ledger(path)) as ledger:
        yield ledger


def _nothing_known(swarm: Swarm) -> StateError:
    return StateError(
        f"nothing is known of swarm {swarm.name} here: it was not submitted from {swarm.folder}",
        hint="`locusts submit` starts it; `locusts attach` finds one that was submitted from elsewhere",
    )


def _make_state_dir(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise TransferError(
            f"the local state {folder} cannot be made: {error.strerror}",
            hint="free some space there, or see the permissions of the folder above; then repeat this",
        ) from error


def results_of(swarm: Swarm) -> Results:
    """Return the names of a swarm's results."""
    tree_dir = workdir(swarm) if swarm.is_custom else None
    settings = swarm.settings
    final = FINAL if settings.final is not None else None
    return Results(
        swarm.outdir,
        settings.layout == "flat",
        tree_dir,
        final,
        settings.collect == "final",
        settings.results == "archive",
    )
