"""The environment as a whole: made, or found to be ours, for a submission; removed, whatever cuts that off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError, StateError, TransferError
from locusts_fab.hosts.patience import LONG_S
from locusts_fab.layout import TREE
from locusts_fab.manager.records import new_environment_id
from locusts_fab.model.swarms import ManagerState
from locusts_fab.replica.sync import forget_manifest
from locusts_fab.shell.scripts import RemoteExit, remote_script
from locusts_fab.state.identity import foreign_error, open_error, read_notes, strangers_error, write_note
from locusts_fab.target import identified

if TYPE_CHECKING:
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.swarms import Submission
    from locusts_fab.model.tasks import Chunk
    from locusts_fab.state.ledger import Ledger
    from locusts_fab.target import Site

#: What is removed; see `mark_removal`.
RESULTS, ALL = "results", "all"


# ---- where it is ----

# $1 the environment, $2 its id
_IS_THERE = "[[ -e $1/exec/id.$2 || -e $1/.removed.$2 ]]"


def settle(swarm: Swarm, site: Site, ledger: Ledger) -> None:
    """Enter where a swarm is: its target, and the place there.

    :raises StateError: it was elsewhere, and tasks run or may be begun there, or results have not come from there. Then
        nothing was entered.
    """
    root, target = site.environment.root, swarm.target_name
    known, known_root = ledger.fact("target"), ledger.fact("root")
    place = f"{site.host.name}:{root}"
    if known_root is not None and _is_elsewhere(site, ledger, place):
        if _is_held(ledger):
            raise StateError(
                f"swarm {swarm.name} was submitted to target {known} ({known_root}), and is not wholly collected from"
                " there",
                hint=f"`locusts cancel --target {known}` first if it still runs there, then"
                f" `locusts collect --target {known}`; `locusts clean --force --target {known}` gives it up",
            )
        ledger.enter_place(place, is_other=True)
    elif ledger.fact("place") != place:
        ledger.enter_place(place, is_other=False)
    if (known, known_root) != (target, root):
        ledger.set_fact("target", target)
        ledger.set_fact("root", root)


def _is_elsewhere(site: Site, ledger: Ledger, place: str) -> bool:
    """Return whether a place is another one than that where the swarm was, so far as can be seen.

    Hosts may see the same files, or have others in folders of one name; the id of the environment tells.
    """
    root = site.environment.root
    if ledger.fact("root") != root:
        return True
    environment_id = ledger.fact(_fact("environment", site)) or _founding_id(site, ledger)
    if ledger.fact("place") in {None, place} or not environment_id:
        return False
    return site.host.run(_IS_THERE, root, environment_id).exit_status != 0


def _is_held(ledger: Ledger) -> bool:
    """Return whether a swarm is held where it was: tasks run, or may be begun, or their results have not come.

    Nobody there is asked. What the scheduler of another target said last is not understood here: any job counts.
    """
    counts, latest = ledger.counts(), ledger.latest_submission()
    if counts.running or ledger.count_collected() < counts.ended:
        return True
    if latest is None or not ledger.may_begin_more(latest):
        return False
    managers = ledger.managers(latest.number)
    may_have_jobs = bool(latest.job) and (bool(ledger.jobs()) or ledger.fact("scheduler_silent") is not None)
    return may_have_jobs or not managers or any(each.state is not ManagerState.LEFT for each in managers)


# ---- whose it is ----


def known_site(swarm: Swarm, site: Site, ledger: Ledger) -> Site:
    """Return a site that works on the environment that the ledger knows at this place, and on no other.

    One that we began to make is ours too: a command may have been killed before it heard that it was made.
    """
    known = identified(site, swarm, ledger.fact(_fact("environment", site)) or _founding_id(site, ledger))
    return replace(known, tasks=ledger.counts().total) if swarm.is_custom else known


def set_known(site: Site, ledger: Ledger, environment_id: str | None) -> None:
    """Enter which environment at this place is ours; None: none is."""
    ledger.set_fact(_fact("environment", site), environment_id)
    ledger.set_fact(_fact("founding", site), None)


def _founding_id(site: Site, ledger: Ledger) -> str:
    """Return the id of an environment that we may have begun to make at this place; empty if we have not."""
    return ledger.fact(_fact("founding", site)) or ""


def _fact(name: str, site: Site) -> str:
    """Return the name of a fact about a place."""
    return f"{name} {site.environment.root}"


def reserve(
    swarm: Swarm, site: Site, ledger: Ledger, submission: Submission, chunks: list[Chunk], *, is_there: bool
) -> Site:
    """Reserve the number of a submission on the target before anything is put there; return the site to work with.

    :param is_there: whether there is an environment, which is ours; if not, one is made.
    :raises StateError: the environment is somebody else's, or somebody else has submitted; nothing was changed there.
    :raises HostError: it cannot be made.
    """
    note = ""
    if not is_there:
        note = write_note(swarm)
        made = _founding_id(site, ledger) or new_environment_id()
        ledger.set_fact(_fact("founding", site), made)  # first, for the answer may be lost
        site = identified(site, swarm, made)
    environment, host = site.environment, site.host.name
    numbers = (str(submission.number), f"{chunks[0].number} {chunks[-1].number}")
    earlier = ledger.tokens().replace(f" {submission.number}:{submission.token} ", " ")
    result = site.host.run(
        remote_script("reserve"), environment.root, environment.id, note, earlier, *numbers, submission.token
    )
    said = result.text.strip()
    if result.exit_status == RemoteExit.OPEN:
        raise open_error(said, environment.root, host)
    if result.exit_status == RemoteExit.FOREIGN:
        raise foreign_error(read_notes(said.split("\n")), environment.root, host)
    if result.exit_status == RemoteExit.TAKEN:
        raise strangers_error(said, environment.root, host)
    if result.exit_status != 0:
        raise HostError(
            f"{host}: the environment {environment.root} cannot be made or written:\n{said}",
            hint="see its permissions and the free space there, or choose another root for the target in the config",
            stderr=said,
        )
    set_known(site, ledger, environment.id)
    return site


# ---- removing it ----


def mark_removal(ledger: Ledger, what: str) -> None:
    """Enter that the environment is going to be removed; `complete_removal` does it, now or when a command comes next.

    :param what: ALL, or RESULTS: what was planned and run, so that inputs and shared files need not travel again.
    """
    ledger.set_fact("removing", what)


def complete_removal(swarm: Swarm, site: Site, ledger: Ledger) -> None:
    """Do what `mark_removal` announced, if it did and was cut off before its end.

    :raises TransferError: something is still there.
    """
    what = ledger.fact("removing")
    if what is None:
        return
    environment = site.environment
    folders = ("work", TREE) if what == RESULTS else ()
    arguments = (environment.root, environment.id, *folders)
    result = site.host.run(remote_script("remove"), *arguments, quiet_s=LONG_S, timeout_s=LONG_S)
    if result.exit_status not in {0, RemoteExit.FOREIGN}:  # somebody else's: then nothing of ours is left there
        raise TransferError(
            f"{site.host.name}: {environment.root} cannot be removed:\n{result.stderr.strip()}",
            hint="see what still uses it there, then repeat this",
            stderr=result.stderr,
        )
    forget_manifest(swarm)
    if what == RESULTS:
        ledger.forget_results()
    else:
        set_known(site, ledger, None)
        ledger.give_up()
