"""Look at a target before anything is sent there: will it take the swarm, and if not, why.

One script looks at all that is there (`probe.py`); what it saw is judged in `findings.py` and `slurm_findings.py`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import ExitStatus, HostError, LocustsError
from locusts_fab.fs import remove_tree
from locusts_fab.model import Finding
from locusts_fab.operations.scripts import render_scripts
from locusts_fab.plan.tasks import make_chunks, make_plan
from locusts_fab.preflight.machine import judge_root, judge_rsync, judge_shell, judge_target, judge_tools
from locusts_fab.preflight.probe import Questions, look
from locusts_fab.preflight.space import estimate
from locusts_fab.replica.manifest import select_replica
from locusts_fab.schedulers.slurm.preflight import judge_slurm
from locusts_fab.target import open_access

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.plan.tasks import Plan
    from locusts_fab.preflight.probe import Seen
    from locusts_fab.preflight.space import Need
    from locusts_fab.replica.walk import Selection
    from locusts_fab.target import Access

_PATIENCE_S = 20


def check(swarm: Swarm, connection: fabric.Connection | None = None) -> list[Finding]:
    """Look at the target of a swarm, in one round trip; what is made to see whether it can be is removed again.

    :param connection: an open Fabric connection to use.
    :returns: what was found, good or bad; what is wrong raises nothing.
    """
    access = open_access(swarm, connection)
    findings, plan, need = _judge_plan(swarm, access)
    with _letter(access.mounted) as letter:
        try:
            seen = look(access.host, _questions(swarm, plan, need, letter))
        except HostError as error:
            return [*findings, _login_failed(error), *_judge_rsync_here(access)]
        answer = letter.answer()
    if not seen.is_whole:
        trouble = HostError(f"{access.host.name}: what looks at it ended half-way", hint="try again")
        return [*findings, _login_failed(trouble)]
    return [
        *findings,
        *_judge_host(swarm, access, seen),
        *judge_root(swarm, seen, need),
        *_judge_letter(swarm, access, seen, letter, answer),
        *judge_target(swarm, seen),
        *(judge_slurm(swarm, seen) if swarm.target.scheduler == "slurm" else ()),
    ]


def _judge_plan(swarm: Swarm, access: Access) -> tuple[list[Finding], Plan | None, Need | None]:
    """See whether the config gives a set of tasks, and what they take up."""
    try:
        plan = make_plan(swarm, swarm.environment_dir)
        need = estimate(plan, _tree(swarm), is_linked=not access.needs_rsync and access.mounted is None)
    except LocustsError as error:
        return [Finding("plan", "error", error.message, error.hint or "")], None, None
    if plan.warnings:
        return [Finding("plan", "warning", "\n".join([f"{need.tasks} tasks", *plan.warnings]))], plan, need
    if not need.tasks:
        return [Finding("plan", "warning", "no tasks", "see indir and inputs in the config")], plan, need
    return [Finding("plan", "ok", f"{need.tasks} tasks in {need.chunks} chunks")], plan, need


def _tree(swarm: Swarm) -> Selection | None:
    """Find what of a custom environment's tree will be replicated; None where tasks run elsewhere, or in the tree."""
    is_replicated = swarm.is_custom and not swarm.is_in_place
    return select_replica(swarm) if is_replicated else None


def _questions(swarm: Swarm, plan: Plan | None, need: Need | None, letter: Letter) -> Questions:
    """Say what the script shall look at."""
    target, job, elements = swarm.target, "", 1
    if plan is not None and need is not None and need.tasks and target.scheduler == "slurm":
        chunks = make_chunks(need.tasks, swarm.slots * target.nodes, 1)
        scripts = render_scripts(plan, 1, chunks)
        job = next(text for path, text in scripts.items() if path.endswith(".sbatch"))
        elements = min(target.nodes, len(chunks))
    scratch = target.scratch or ""
    return Questions(
        root=swarm.root,
        scratch=scratch if scratch.startswith("/") else "",
        setup="\n".join(target.setup),
        runtime=target.container.runtime if target.container else "",
        image=target.container.image if target.container else "",
        letter=(letter.name, letter.text),
        scheduler=target.scheduler,
        job=job,
        elements=elements,
    )


def _login_failed(error: HostError) -> Finding:
    return Finding("login", "error", error.message, error.hint or "", ExitStatus.CONNECTION)


def _judge_host(swarm: Swarm, access: Access, seen: Seen) -> Iterator[Finding]:
    """Judge the machine: the way there, its shell and its programs."""
    if swarm.target.host is not None:
        yield Finding("login", "ok", access.host.name)
        yield from judge_shell(seen)
    yield from judge_tools(swarm, seen)
    if access.needs_rsync:
        yield judge_rsync(access.host.name, seen.facts.get("rsync"), is_here=False)
    yield from _judge_rsync_here(access)


def _judge_rsync_here(access: Access) -> Iterator[Finding]:
    if access.needs_rsync:
        yield judge_rsync("this machine", _rsync_version_here(), is_here=True)


def _rsync_version_here() -> str | None:
    """Ask our own rsync for its version.

    :returns: the first line that it says; None if there is none, or it cannot be run.
    """
    try:
        said = subprocess.run(["rsync", "--version"], capture_output=True, check=False, timeout=_PATIENCE_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(said.partition(b"\n")[0])


@dataclass(frozen=True)
class Letter:
    """What this machine left in the shared folder for the other to read and answer.

    :param folder: where it lies; None if there is no shared folder, or it could not be left there.
    :param name: of that folder, below the root; empty if there is none.
    :param text: what it says.
    :param complaint: why it could not be left there.
    """

    folder: Path | None = None
    name: str = ""
    text: str = ""
    complaint: str = ""

    def answer(self) -> str:
        """Read what the other machine wrote beside it; nothing if that cannot be read."""
        try:
            return "" if self.folder is None else (self.folder / "there").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


@contextlib.contextmanager
def _letter(mounted: Path | None) -> Iterator[Letter]:
    """Leave a letter in the shared folder, if there is one, and take it and all that was made for it away again."""
    if mounted is None:
        yield Letter()
        return
    made: list[Path] = []
    name = f".locusts-check-{secrets.token_hex(8)}"
    folder, text = mounted / name, secrets.token_hex(8)
    try:
        try:
            made.extend(folder for folder in (mounted, *mounted.parents) if not folder.exists())
            mounted.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
            (folder / "here").write_text(text, encoding="ascii")
        except OSError as error:
            yield Letter(complaint=error.strerror or str(error))
        else:
            yield Letter(folder, name, text)
    finally:
        with contextlib.suppress(LocustsError):  # what cannot be removed is no answer to what was asked
            remove_tree(folder)
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()


def _judge_letter(swarm: Swarm, access: Access, seen: Seen, letter: Letter, answer: str) -> Iterator[Finding]:
    """Judge whether the two machines mean the same folder, and may read what the other writes in it."""
    if access.mounted is None:
        return
    what, status, host = "shared folder", ExitStatus.CONNECTION, access.host.name
    if letter.folder is None:
        advice = "mount it here, or mend shared_root in the config"
        yield Finding(what, "error", f"{access.mounted} cannot be written here: {letter.complaint}", advice, status)
    elif "letter" not in seen.facts:
        root = seen.facts.get("root", swarm.root)
        found = f"what is written to {access.mounted} here is not seen in {root} on {host}"
        yield Finding(what, "error", found, "root and shared_root must be one folder, of one user", status)
    elif answer != letter.text:
        found = f"what {host} writes there cannot be read here, in {access.mounted}"
        yield Finding(what, "error", found, "both machines must know you as the same user", status)
    else:
        yield Finding(what, "ok", f"{access.mounted} is the root as this machine sees it")
