"""Attach: rebuild the local state of a swarm from its target alone, on another laptop or after a lost disk."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import Most
from locusts_fab.bounds.numbers import MOST_OF_OURS, UnfitNumberError, whole, whole_or_none
from locusts_fab.errors import HostError, StateError
from locusts_fab.manager.planfile import ForgedPlanError, parse_plan
from locusts_fab.model.swarms import Submission
from locusts_fab.operations.environment import known_site, set_known
from locusts_fab.operations.session import opened
from locusts_fab.replica.sync import is_tree_used, read_manifest, recall_manifest, unknown_tree
from locusts_fab.schedulers.registry import scheduler_of
from locusts_fab.shell.scripts import RemoteExit, remote_script
from locusts_fab.state.identity import foreign_error, open_error, read_notes
from locusts_fab.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.hosts.base import Host, Result
    from locusts_fab.layout import Environment
    from locusts_fab.model.swarms import Status
    from locusts_fab.operations.session import Session

_CHUNK = b"chunk\t"
_MORE = b"\nmore\n"
#: So much of a plan is brought at once, in bytes; the chunk that goes beyond it comes whole.
_PART = 8_000_000
_ANSWER = Most(8 * _PART, what="a part of the plan")
#: So many parts are 8 GB.
_MOST_PARTS = 1_000
_FIELDS = 5  # of the line of a submission


@dataclass
class _Known:
    """What the target knows of a swarm, besides the plan.

    :param notes: for each id, the id and the note of who made the environment.
    """

    notes: list[str] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)


def attach(swarm: Swarm, connection: fabric.Connection | None = None) -> Status:
    """Rebuild the local state of a swarm from the target alone. From then on it is ours, too.

    Nothing counts as collected afterwards; the next collect finds what is here already and moves only the rest.

    :returns: how the swarm stands now.
    :raises StateError: there is no environment of the swarm on the target, or it has no id.
    :raises HostError: something of it cannot be read, or its plan holds names, or its submissions numbers, that none of
        ours do. What was taken over by then is not used before another call has taken over all of it.
    """
    with opened(swarm, connection, create=True) as session:
        environment, host = session.site.environment, session.site.host
        result = _read_part(swarm, host, environment, "")
        start = result.stdout.find(b"\n" + _CHUNK) + 1 or len(result.stdout)
        try:
            known = _read_known(swarm, result.stdout[:start].decode("utf-8", "surrogateescape"))
        except UnfitNumberError as error:
            raise HostError(
                f"{host.name}: {environment.root}/exec/started.*: this is the number of no submission: {error}",
                hint="somebody else wrote to the environment; remove that folder if it is none of yours",
            ) from error
        founders = read_notes(known.notes)
        if len(founders) != 1:
            raise foreign_error([], environment.root, host.name)
        parts = _parts(swarm, host, environment, result.stdout[start:])
        chunks = (chunk for part in parts for chunk in parse_plan(part, founders[0].id))
        try:
            damaged = session.ledger.rebuild(chunks, known.submissions)
        except ForgedPlanError as error:
            raise HostError(f"{host.name}: {environment.root}: {error.message}", hint=error.hint) from error
        set_known(session.site, session.ledger, None)  # until all has come
        notes = _recall_tree(session) if swarm.is_custom else []
        set_known(session.site, session.ledger, founders[0].id)
        ours = replace(session, site=known_site(swarm, session.site, session.ledger))
        ours.poll()
        status = ours.status()
    if damaged:
        plan = f"the plan of {counted(damaged, 'chunk')} is damaged"
        notes.append(f"{plan}; `locusts submit` runs anew what of it has not ended")
    return replace(status, notes=[*status.notes, *notes])


def _recall_tree(session: Session) -> list[str]:
    """Take over what both sides of the tree of a custom environment last agreed on.

    :returns: what the user should know, if it is lost on the target.
    :raises HostError: it cannot be brought.
    """
    swarm, site = session.swarm, replace(session.site, tasks=session.ledger.counts().total)
    if recall_manifest(swarm, site) or read_manifest(swarm) is not None or not is_tree_used(swarm, site):
        return []
    lost = unknown_tree(swarm, site)
    return [f"{lost.message}; {lost.hint}"]


def _read_part(swarm: Swarm, host: Host, environment: Environment, after: str) -> Result:
    """Return what `templates/remote/read_plan.sh` prints of the plan.

    :param after: the file of the chunk before this part; empty: it is the first.
    :raises StateError: there is no environment, or it is not ours alone.
    :raises HostError: it cannot be read.
    """
    result = host.run(remote_script("read_plan"), environment.root, after, str(_PART), most=_ANSWER)
    if result.exit_status == RemoteExit.OPEN:
        raise open_error(result.text, environment.root, host.name)
    if result.exit_status == RemoteExit.NO_ENVIRONMENT:
        raise StateError(
            f"there is no environment of swarm {swarm.name} at {environment.root} ({host.name})",
            hint="see that root and the swarm's name are those it was submitted with",
        )
    if result.exit_status != 0:
        raise HostError.of_script(
            f"{host.name}: the plan in {environment.root} cannot be read",
            result.stderr,
            hint="repeat this when it can be read there",
        )
    return result


def _parts(swarm: Swarm, host: Host, environment: Environment, first: bytes) -> Iterator[bytes]:
    """Yield the plan, part after part.

    :param first: the first of them.
    :raises HostError: there are more of them than can be.
    """
    part = first
    for _ in range(_MOST_PARTS):
        yield part
        if not part.endswith(_MORE):
            return
        if len(part) < _PART:  # where there is more, it is full
            break
        last = part[part.rfind(b"\n" + _CHUNK) + 1 :].removeprefix(_CHUNK).partition(b"\n")[0]
        part = _read_part(swarm, host, environment, os.fsdecode(last)).stdout
    raise HostError(
        f"{host.name}: the plan in {environment.root} does not end, or not as ours do",
        hint="somebody else wrote to the environment, or its files are damaged; nothing was taken from it",
    )


def _read_known(swarm: Swarm, head: str) -> _Known:
    """Return what `templates/remote/read_plan.sh` prints before the plan.

    :raises UnfitNumberError: a submission has a number that none of ours has.
    """
    known = _Known()
    for line in head.split("\n"):
        kind, *fields = line.split("\t")
        if kind == "id":
            known.notes.append("\t".join(fields))
        elif kind == "submission" and len(fields) == _FIELDS:
            name, token, _first, last, job = fields
            number = whole(name, 1, MOST_OF_OURS)
            last_chunk = whole_or_none(last, 1, MOST_OF_OURS) or 0
            job_id = scheduler_of(swarm).read_job_id(job)
            known.submissions.append(Submission(number, last_chunk, "started", time.time(), token, job_id))
    known.submissions.sort(key=lambda submission: submission.number)
    return known
