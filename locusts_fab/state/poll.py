"""The poll that asks the target what is new: one script brings the new bytes of every cache file and how managers are.

Its cost grows with what is new, not with the number of tasks.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError
from locusts_fab.manager.records import MANAGER_ID, Left, parse_records
from locusts_fab.manager.times import FRESH_S, STALE_S
from locusts_fab.model import ManagerState
from locusts_fab.shell.scripts import RemoteExit, remote_script

if TYPE_CHECKING:
    from locusts_fab.hosts.base import Host
    from locusts_fab.schedulers.base import Queue, Scheduler
    from locusts_fab.state.ledger import Ledger

#: Bytes of one cache file that one poll brings at most; what is left comes with the next.
MOST_BYTES = 32 * 1024 * 1024
#: The scheduler is asked for the jobs of the latest submits only; those of older ones have been fenced.
_MOST_JOBS = 2
#: The line of the script on a manager, before what is new in its cache file.
_HEAD = re.compile(rf"(?P<manager>{MANAGER_ID}) (?P<process>alive|left|gone|unknown) (?P<beat>[0-9]+)")


@dataclass(frozen=True)
class PollResult:
    """The result of a poll.

    :param reached: whether the environment is there.
    :param is_all: whether it brought all; if not, it reached the most that one poll brings, and the next brings more.
    """

    reached: bool = True
    is_all: bool = True


def poll(host: Host, ledger: Ledger, environment_dir: str, scheduler: Scheduler, turn: str | None = None) -> PollResult:
    """Ask the target what is new and enter it into the ledger, each poll whole or not at all; return the result.

    :param turn: enter nothing if the ledger's `turn` is another one by then; None: we hold the lock.
    :raises HostError: the target could not be asked; the ledger is as it was.
    """
    while True:
        result = _poll_once(host, ledger, environment_dir, scheduler, turn)
        if result.is_all:
            return result


def _poll_once(host: Host, ledger: Ledger, environment_dir: str, scheduler: Scheduler, turn: str | None) -> PollResult:
    mark = f"==locusts-{secrets.token_hex(8)}=="
    jobs = ",".join([submission.job for submission in ledger.submissions() if submission.job][-_MOST_JOBS:])
    asked = ledger.offsets()
    offsets = [word for name, offset in asked.items() for word in (name, str(offset))]
    questions = (environment_dir, mark, str(MOST_BYTES), MANAGER_ID, scheduler.queue_script(), jobs)
    result = host.run(remote_script("poll"), *questions, *offsets)
    if result.exit_status == RemoteExit.NO_ENVIRONMENT:
        return PollResult(reached=False)
    parts = result.stdout.split(mark.encode() + b"\n")
    if result.exit_status != 0 or not parts[1:]:
        raise HostError(f"{host.name}: the state of the swarm could not be read", stderr=result.stderr)
    is_all = True
    with ledger.transaction():
        if turn is not None and ledger.fact("turn") != turn:  # a command that changes the swarm came in between
            return PollResult()
        known = ledger.offsets()
        queue = _enter_queue(ledger, scheduler, os.fsdecode(parts[-1]))
        job_is_over = queue is not None and queue.answered and not scheduler.active_jobs(queue.jobs)
        for part in parts[1:-1]:
            head, _, body = part.partition(b"\n")
            found = _HEAD.fullmatch(os.fsdecode(head))
            if found is None or known.get(found["manager"], 0) != asked.get(found["manager"], 0):
                continue  # the latter: somebody else who only looks was quicker to enter it
            data = body[:-1]  # the newline that the script puts after a file
            is_full = len(data) >= MOST_BYTES
            records, read = parse_records(data)
            # A line longer than all that one poll brings is no record, but damage: it is passed over piece by piece.
            ledger.apply(found["manager"], records, read or (len(data) if is_full else 0))
            if is_full:
                is_all = False
            elif not any(isinstance(record, Left) for record in records):
                # else it has just reported itself that it left, and why, and its process may be seen all the same
                _judge(ledger, found["manager"], found["process"], found["beat"], job_is_over=job_is_over)
        ledger.set_fact("updated", str(time.time()))
    return PollResult(is_all=is_all)


def _enter_queue(ledger: Ledger, scheduler: Scheduler, part: str) -> Queue | None:
    """Enter what the scheduler said of our jobs. If it was silent, what is known of them stays as it was.

    :returns: its answer; None if there was nothing to ask.
    """
    status, _, said = part.partition("\n")
    if status == "-":
        return None
    queue = scheduler.read_queue(int(status), said)
    if queue.answered:
        ledger.set_jobs(queue.jobs)
    ledger.set_fact("scheduler_silent", None if queue.answered else queue.complaint)
    return queue


def _judge(ledger: Ledger, manager: str, process: str, beat: str, *, job_is_over: bool) -> None:
    """Enter what is known of a manager: from its process where that can be seen, else from its heartbeat.

    If its job is over, it may still run: a script may outlive a failed node's job. That only makes us wait less long.
    The other judge of heartbeats is `judge_holder` in templates/manager/claims.sh, for managers that look at each
    other; both take one for dead after STALE_S.
    """
    still_s = ledger.note_beat(manager, beat, time.time())
    is_fresh = still_s <= FRESH_S
    why_gone = _why_gone(process, still_s, job_is_over=job_is_over)
    if process == "left":
        ledger.set_manager(manager, ManagerState.LEFT, ledger.manager_reason(manager))
    elif why_gone is not None:
        ledger.set_manager(manager, ManagerState.GONE, why_gone)
    elif process == "alive" or is_fresh:
        ledger.set_manager(manager, ManagerState.ALIVE)
    else:
        ledger.set_manager(manager, ManagerState.UNKNOWN, "not heard lately")


def _why_gone(process: str, still_s: float, *, job_is_over: bool) -> str | None:
    """Return in words why a manager is taken for dead; None if it is not."""
    if process == "gone":
        return "its process was killed"
    if still_s > STALE_S:
        return f"its heartbeat stood still for more than {STALE_S} s"
    if job_is_over and still_s > FRESH_S:
        return f"its job is over, and its heartbeat stood still for more than {FRESH_S} s"
    return None
