"""The poll that asks the target what is new: one script brings the new bytes of every cache file and how managers are.

Its cost grows with what is new, not with the number of tasks.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import Most
from locusts_fab.bounds.numbers import MOST_STATUS, whole_or_none
from locusts_fab.errors import HostError
from locusts_fab.manager.records import (
    MANAGER_ID,
    Began,
    Ended,
    Left,
    Suspect,
    element_of,
    managers_of,
    parse_records,
    submission_of,
)
from locusts_fab.manager.times import FRESH_S, STALE_S
from locusts_fab.model.swarms import ManagerState
from locusts_fab.shell.scripts import RemoteExit, remote_script
from locusts_fab.state.clock import read_clock
from locusts_fab.state.identity import open_error, read_notes
from locusts_fab.text import size

if TYPE_CHECKING:
    from locusts_fab.hosts.base import Host
    from locusts_fab.layout import Environment
    from locusts_fab.manager.records import Record
    from locusts_fab.schedulers.base import Queue, Scheduler
    from locusts_fab.state.clock import Reading
    from locusts_fab.state.identity import Founder
    from locusts_fab.state.ledger import Ledger

#: Bytes of all cache files that one look brings at most; what is left comes with the next.
MOST_BYTES = 16_000_000
#: Of each file it brings some, so that a great many may come to more than that; and there is what the scheduler says.
_ANSWER = Most(4 * MOST_BYTES, what="the state of the swarm")
#: So much is taken apart at once, so that it does not all stand in memory as records.
_PIECE = 1 << 20
#: What the records of a swarm may come to, in bytes: all its managers', and those of one task over all its attempts.
_MOST_RECORDS = 64_000_000
_RECORDS_OF_A_TASK = 32_768
#: And where outputs are patterns, what they match: ten thousand files with names of a hundred bytes, say.
_MATCHES_OF_A_TASK = 1_000_000
#: The scheduler is asked for the jobs of the latest submits only; those of older ones have been fenced.
_MOST_JOBS = 2
#: The line of the script on a manager, before what is new in its cache file.
_HEAD = re.compile(rf"(?P<manager>{MANAGER_ID}) (?P<process>alive|left|gone|unknown) (?P<beat>[0-9]+)")

#: What the script prints of a submission that the ledger does not know.
_STRANGER = re.compile(r"^[0-9]{1,9}$", re.MULTILINE)
_MOST = re.compile(r"^most ([1-9][0-9]{0,8})$", re.MULTILINE)
#: What it prints of one whose managers were told to take no more tasks.
_TOLD = re.compile(r"^told ([0-9]{1,9})$", re.MULTILINE)


@dataclass(frozen=True)
class PollResult:
    """The result of a poll.

    :param reached: whether the environment is there.
    :param is_ours: whether it is the one that the ledger knows; if not, nothing was entered.
    :param founders: who made it, if it is not.
    :param is_all: whether it brought all; if not, it reached the most that one poll brings, and the next brings more.
    """

    reached: bool = True
    is_ours: bool = True
    founders: list[Founder] = field(default_factory=list)
    is_all: bool = True


def poll(
    host: Host, ledger: Ledger, environment: Environment, scheduler: Scheduler, turn: str | None = None
) -> PollResult:
    """Ask the target what is new and enter it into the ledger, each poll whole or not at all; return the result.

    :param turn: enter nothing if the ledger's `turn` is another one by then; None: we hold the lock.
    :raises HostError: the target could not be asked; the ledger is as it was.
    :raises StateError: others may change the environment; the ledger is as it was.
    """
    while True:
        result = _poll_once(host, ledger, environment, scheduler, turn)
        if result.is_all:
            return result
        _check_size(host, ledger, environment)


def _check_size(host: Host, ledger: Ledger, environment: Environment) -> None:
    """See that managers have not written more than they can have to tell.

    :raises HostError: they have.
    """
    of_a_task = _RECORDS_OF_A_TASK + (_MATCHES_OF_A_TASK if ledger.has_patterns() else 0)
    most = _MOST_RECORDS + of_a_task * ledger.counts().total
    if ledger.count_read() > most:
        raise HostError(
            f"{host.name}: {environment.root}/exec/cache holds more than {size(most)}; so many records there cannot be",
            hint="a file in it is damaged, or somebody else writes to it: see which one is so large, and move it away",
        )


def _poll_once(
    host: Host, ledger: Ledger, environment: Environment, scheduler: Scheduler, turn: str | None
) -> PollResult:
    mark = f"==locusts-{secrets.token_hex(8)}=="
    jobs = ",".join([submission.job for submission in ledger.submissions() if submission.job][-_MOST_JOBS:])
    asked = ledger.offsets()
    offsets = [word for name, offset in asked.items() for word in (name, str(offset))]
    whose = (environment.root, environment.id, ledger.tokens())
    questions = (mark, str(MOST_BYTES), managers_of(environment.id), scheduler.queue_script(), jobs)
    result = host.run(remote_script("poll"), *whose, *questions, *offsets, most=_ANSWER)
    if result.exit_status == RemoteExit.NO_ENVIRONMENT:
        return PollResult(reached=False)
    if result.exit_status == RemoteExit.OPEN:
        raise open_error(result.text, environment.root, host.name)
    if result.exit_status == RemoteExit.FOREIGN:
        return PollResult(is_ours=False, founders=read_notes(result.text.split("\n")))
    parts = result.stdout.split(mark.encode() + b"\n")
    said = os.fsdecode(parts[0])
    most = _MOST.search(said)
    if result.exit_status != 0 or not parts[1:] or most is None:
        raise HostError.of_script(
            f"{host.name}: the state of the swarm could not be read",
            result.stderr,
            hint="repeat this when what it names can be read there; nothing is taken to be gone meanwhile",
        )
    is_all = True
    now = read_clock()
    with ledger.transaction():
        if turn is not None and ledger.fact("turn") != turn:  # a command that changes the swarm came in between
            return PollResult()
        known = ledger.offsets()
        queue = _enter_queue(ledger, scheduler, host.name, os.fsdecode(parts[-1]))
        job_is_over = queue is not None and queue.answered and not scheduler.active_jobs(queue.jobs)
        paused = scheduler.paused_elements(ledger.jobs())
        job_of = {submission.number: submission.job for submission in ledger.submissions()}
        for part in parts[1:-1]:
            head, _, body = part.partition(b"\n")
            found = _HEAD.fullmatch(os.fsdecode(head))
            if found is None or known.get(found["manager"], 0) != asked.get(found["manager"], 0):
                continue  # the latter: somebody else who only looks was quicker to enter it
            data = body[:-1]  # the newline that the script puts after a file
            is_full = len(data) >= int(most[1])
            has_left = _enter_records(ledger, environment, found["manager"], data, is_full=is_full)
            if is_full:
                is_all = False
            elif not has_left:
                # else it has just reported itself that it left, and why, and its process may be seen all the same
                element = (job_of.get(submission_of(found["manager"]), ""), element_of(found["manager"]))
                is_paused = element in paused
                _judge(ledger, found, now, job_is_over=job_is_over, is_paused=is_paused)
        ledger.set_fact("updated", str(time.time()))
        ledger.set_fact("updated_clock", f"{now.boot} {now.up_s}")
        ledger.set_fact("strangers", " ".join(_STRANGER.findall(said)) or None)
        ledger.note_told(map(int, _TOLD.findall(said)))
    return PollResult(is_all=is_all)


def _enter_records(ledger: Ledger, environment: Environment, manager: str, data: bytes, *, is_full: bool) -> bool:
    """Enter what is new in a manager's file.

    :param is_full: there is more of it.
    :returns: whether it says that the manager has left.
    """
    has_left = False
    begin = 0
    while True:
        end = data.rfind(b"\n", begin, begin + _PIECE) + 1 or data.find(b"\n", begin) + 1
        records, read = parse_records(data[begin:end])
        if begin and not read:
            return has_left
        records = [record for record in records if _is_of(environment, record)]
        has_left = has_left or any(isinstance(record, Left) for record in records)
        # A line longer than all that one look brings is no record, but damage: it is passed over piece by piece.
        ledger.apply(manager, records, read or (len(data) if is_full else 0))
        if not read:
            return has_left
        begin += read


def _enter_queue(ledger: Ledger, scheduler: Scheduler, host: str, part: str) -> Queue | None:
    """Enter what the scheduler said of our jobs. If it was silent, what is known of them stays as it was.

    :returns: its answer; None if there was nothing to ask.
    :raises HostError: what came is no answer of our script.
    """
    status, _, said = part.partition("\n")
    if status == "-":
        return None
    code = whole_or_none(status, most=MOST_STATUS)
    if code is None:
        raise HostError(f"{host}: what came as the exit status of asking for jobs is none: {status[:40]!r}")
    queue = scheduler.read_queue(code, said)
    if queue.answered:
        ledger.set_jobs(queue.jobs)
    ledger.set_fact("scheduler_silent", None if queue.answered else queue.complaint)
    return queue


def _is_of(environment: Environment, record: Record) -> bool:
    """Return whether a record is not about an attempt in another environment, which somebody copied in."""
    return not isinstance(record, (Began, Ended, Suspect)) or record.claim.endswith(f".{environment.id}")


def _judge(ledger: Ledger, found: re.Match[str], now: Reading, *, job_is_over: bool, is_paused: bool) -> None:
    """Enter what is known of a manager: from its process where that can be seen, else from its heartbeat.

    If its job is over, it may still run: a script may outlive a failed node's job. That only makes us wait less long.
    If its job was stopped for a while, the manager cannot beat. The other judge of heartbeats is `judge_holder` in
    templates/manager/claims.sh, for managers that look at each other; both take one for dead after STALE_S.
    """
    manager, process = found["manager"], found["process"]
    still_s = ledger.note_beat(manager, found["beat"], now, is_paused=is_paused)
    if process == "left":
        ledger.set_manager(manager, ManagerState.LEFT, ledger.manager_reason(manager))
    elif process == "alive":
        ledger.set_manager(manager, ManagerState.ALIVE)
    elif process == "gone":
        ledger.set_manager(manager, ManagerState.GONE, "its process was killed")
    elif is_paused:
        ledger.set_manager(manager, ManagerState.UNKNOWN, "its job is suspended")
    elif still_s > STALE_S:
        ledger.set_manager(manager, ManagerState.GONE, f"its heartbeat stood still for more than {STALE_S} s")
    elif still_s <= FRESH_S:
        ledger.set_manager(manager, ManagerState.ALIVE)
    elif job_is_over:
        why = f"its job is over, and its heartbeat stood still for more than {FRESH_S} s"
        ledger.set_manager(manager, ManagerState.GONE, why)
    else:
        ledger.set_manager(manager, ManagerState.UNKNOWN, "not heard lately")
