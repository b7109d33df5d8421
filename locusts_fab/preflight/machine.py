"""The rules for what `check` saw of a machine. Pure; `probe.py` looks.

What was seen of a scheduler is judged in its own package.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from locusts_fab.bounds.numbers import whole_or_none
from locusts_fab.errors import ExitStatus
from locusts_fab.model.findings import Finding
from locusts_fab.state.identity import open_error
from locusts_fab.text import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.findings import FindingState
    from locusts_fab.preflight.probe import Seen
    from locusts_fab.preflight.space import SpaceNeeded


#: Managers need this bash; see docs/design.md.
_OLDEST_BASH = (4, 2)
#: Below this, rsync does not know the options that we give it.
_OLDEST_RSYNC = (3, 1)
#: Below this, rsync lets a hostile host do harm to this machine, unless the distribution has fixed it.
_SAFE_RSYNC = (3, 4)
_RSYNC_VERSION = re.compile(r"rsync +version +v?([0-9]{1,9})\.([0-9]{1,9})\S*")
#: File systems that live in the memory of one machine.
_IN_MEMORY = {"tmpfs", "ramfs"}
#: How a complaint on a variable ends that is not there, or empty; resolve_root.sh writes the same.
NOT_SET = "is not set there"
_MOST_NOISE = 60
#: Numbers that the script gives of a file system: free blocks, their size, all inodes, free inodes.
#: What is used, the soft and the hard limit, of blocks of a KiB and of files.
_NUMBERS_OF_QUOTA, _KIB = 6, 1024
_NUMBERS = 4
#: They have 64 bits.
_MOST_OF_SPACE = 2**64 - 1


def judge_shell(seen: Seen) -> Iterator[Finding]:
    """Yield findings on the login shell of a host, and the bash and tools that managers needed."""
    shell = seen.facts.get("shell") or "not told"
    if seen.noise:
        # all channels of ours skip it; what people do by hand does not
        first = seen.noise.splitlines()[0][:_MOST_NOISE]
        found = f"{shell}; its start-up files print {len(seen.noise)} characters: {first} …"
        advice = "no harm here, but scp and rsync by hand stumble over it"
        yield Finding("login shell", "ok", found, advice)
    else:
        yield Finding("login shell", "ok", f"{shell}; its start-up files print nothing")


def judge_tools(swarm: Swarm, seen: Seen) -> Iterator[Finding]:
    """Yield findings on the bash and the tools that managers needed."""
    version = seen.facts.get("bash", "")
    numbers = [whole_or_none(part) for part in version.split(".")[:2]]
    if tuple(number for number in numbers if number is not None) >= _OLDEST_BASH:
        yield Finding("bash", "ok", version)
    else:
        advice = "managers need bash 4.2 or newer; put one first on the PATH there"
        yield Finding("bash", "error", version or "its version is not known", advice)
    missing = seen.facts.get("missing", "not looked at")
    if missing:
        advice = "managers need GNU coreutils; put them first on the PATH there"
        yield Finding("coreutils", "error", f"missing or of another kind: {missing}", advice)
    else:
        yield Finding("coreutils", "ok", "all there")
    if swarm.settings.pack and seen.facts.get("tar") != "gnu":
        found = "of another kind" if "tar" in seen.facts else "missing"
        yield Finding("tar", "error", found, "pack = true needs GNU tar; install it there, or take pack out")
    if swarm.is_custom and "find" not in seen.facts:
        yield Finding(
            "find", "error", "missing or of another kind", "GNU find tells what tasks changed; install it there"
        )


def judge_rsync(where: str, version_line: str | None, *, is_here: bool) -> Finding:
    """Return the finding on one of the two rsyncs that files travel by.

    :param where: the machine, as messages call it.
    :param version_line: the first line of `rsync --version`; None if there is no rsync.
    :param is_here: it is the one on this machine, which is in danger from what the host serves.
    """
    what, status = f"rsync on {where}", ExitStatus.CONNECTION
    if version_line is None:
        advice = "install it" if is_here else "install it there, or put it on the PATH in the shell's start-up file"
        return Finding(what, "error", "missing", advice, status)
    found = _RSYNC_VERSION.search(version_line)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < _OLDEST_RSYNC:
        shown = version_line.strip() or "its version is not known"
        return Finding(what, "error", shown, "rsync 3.1 or newer is needed, the one of samba.org", status)
    shown = version_line.split("version", 1)[1].split()[0]
    if is_here and version < _SAFE_RSYNC:
        advice = (
            "below 3.4.0 a hostile host can read or write files here (CVE-2024-12086, -12087, -12088), "
            "unless your distribution has fixed it; update it"
        )
        return Finding(what, "warning", shown, advice, status)
    return Finding(what, "ok", shown)


def judge_root(swarm: Swarm, seen: Seen, needed: SpaceNeeded | None) -> Iterator[Finding]:
    """Yield findings on the folder that environments are made in, and on its file system.

    :param needed: the space that the swarm needs; None if that is not known.
    """
    facts = seen.facts
    root = facts.get("root", swarm.root)
    if "root_complaint" in facts or "filesystem" not in facts:
        complaint = facts.get("root_complaint") or "it could not be looked at"
        advice = "choose a folder that you may write, as root of the target in the config"
        yield Finding("root", "error", f"{root}: {complaint}", advice)
        return
    yield Finding("root", "ok", f"{root} can be made and written")
    if "open" in facts:
        error = open_error(facts["open"], f"{root}/{swarm.name}", swarm.target.host or "this machine")
        yield Finding("environment", "error", error.message, error.hint or "")
    if "links" in facts:
        yield Finding("hard links", "ok", "work in the root")
    else:
        advice = "managers take chunks by hard links; choose a root on another file system"
        yield Finding("hard links", "error", f"do not work in {root}", advice)
    yield from _judge_filesystem(swarm, facts["filesystem"], needed)


def _judge_filesystem(swarm: Swarm, said: str, needed: SpaceNeeded | None) -> Iterator[Finding]:
    """Yield findings on the space that is left.

    :param said: free blocks, their size, all inodes, free inodes, and the type of the file system.
    """
    *numbers, kind = said.split(" ", 4)
    counts = [count for number in numbers if (count := whole_or_none(number, most=_MOST_OF_SPACE)) is not None]
    if not len(counts) == len(numbers) == _NUMBERS:
        yield Finding("space", "warning", "nobody knows how much is free", "see `df` and `quota` there")
        return
    blocks, block_bytes, all_inodes, free_inodes = counts
    if swarm.has_scheduler and kind in _IN_MEMORY:
        advice = "choose a root on a file system that all nodes share"
        yield Finding("file system", "warning", f"{kind}, which is in the memory of one machine", advice)
    free = blocks * block_bytes
    if needed is None:
        yield Finding("space", "ok", f"{size(free)} free on {kind}")
        return
    wanted = f"at least {size(needed.size_bytes)} needed: {needed.explain_bytes()}"
    advice = "what tasks write comes on top; a quota may leave less than is free"
    state = _state_of_space(free, needed.size_bytes)
    yield Finding("space", state, f"{size(free)} free on {kind}; {wanted}", advice)
    if not all_inodes:
        yield Finding("inodes", "ok", f"{kind} does not count them; about {needed.inodes:,} needed")
        return
    wanted = f"about {needed.inodes:,} needed: {needed.explain_inodes()}"
    advice = _fewer_files(needed) if free_inodes < 2 * needed.inodes else ""
    yield Finding("inodes", _state_of_space(free_inodes, needed.inodes), f"{free_inodes:,} free; {wanted}", advice)


def _fewer_files(needed: SpaceNeeded) -> str:
    """Return what to do where there is no space for so many files."""
    if needed.is_packed or needed.packed_inodes * 2 > needed.inodes:
        return "choose another root, or let tasks have fewer files"
    return f"pack = true in the swarm needs about {needed.packed_inodes:,}; or choose another root"


def judge_quota(seen: Seen, needed: SpaceNeeded | None) -> Iterator[Finding]:
    """Yield findings on what a quota leaves of the file system of the root, where one is known.

    The limit that counts is the lower one that there is: whoever is above it has some days at most.
    """
    counts = [whole_or_none(number) for number in seen.facts.get("quota", "").split(" ")]
    if needed is None or len(counts) != _NUMBERS_OF_QUOTA or None in counts:
        return
    for what, at, unit, least in (("quota", 0, _KIB, needed.size_bytes), ("quota of files", 3, 1, needed.inodes)):
        used, soft, hard = (int(number or 0) * unit for number in counts[at : at + 3])
        limit = soft or hard
        if limit:
            free = max(0, limit - used)
            show = size if unit > 1 else "{:,}".format
            advice = _fewer_files(needed) if at and free < 2 * least else ""
            found = f"{show(free)} left of {show(limit)}; about {show(least)} needed"
            yield Finding(what, _state_of_space(free, least), found, advice, may_pass=True)


def _state_of_space(free: int, least: int) -> FindingState:
    """Return whether enough is free; as tasks write more than `least`, less than twice that is a warning."""
    if free < least:
        return "error"
    return "warning" if free < 2 * least else "ok"


def judge_target(swarm: Swarm, seen: Seen) -> Iterator[Finding]:
    """Yield findings on what the target's other keys name: scratch, setup, container."""
    target, facts = swarm.target, seen.facts
    runs_there = not swarm.has_scheduler
    if target.scratch:
        finding = _judge_scratch(swarm, target.scratch[0], facts.get("scratch_complaint"))
        if finding.state == "error" and len(target.scratch) > 1:
            others = f"{', '.join(target.scratch[1:])} will be tried where tasks run"
            finding = replace(finding, state="warning", advice=others)
        yield finding
    if target.setup:
        complaint = facts.get("setup_complaint")
        if complaint:
            yield Finding("setup", "error", complaint, "fix the lines of setup in the config")
        else:
            found = f"{len(target.setup)} lines; well formed, but not run here"
            yield Finding("setup", "ok", found, "" if runs_there else "modules and the like may be on nodes only")
    if target.container is not None:
        runtime, image = target.container.runtime, target.container.image
        maybe_on_nodes = not runs_there or bool(target.setup)
        doubt: FindingState = "warning" if maybe_on_nodes else "error"
        where = "it may be on nodes only, or come with setup" if maybe_on_nodes else "install it there"
        if facts.get("runtime"):
            yield Finding("container", "ok", facts["runtime"])
        else:
            yield Finding("container", doubt, f"there is no {runtime}", where)
        if "image" not in facts:
            yield Finding("image", doubt, f"there is no {image}", "fix its path in the config, or take it there")


def _judge_scratch(swarm: Swarm, scratch: str, complaint: str | None) -> Finding:
    """Return the finding on the folder for sandboxes; that of a node can be seen from the node only."""
    if not scratch.startswith("/") and (swarm.has_scheduler or not scratch.startswith("$")):
        return Finding("scratch", "ok", f"{scratch} is known only where tasks run")
    if complaint is None:
        return Finding("scratch", "ok", f"{scratch} can be made and written")
    found = f"{scratch}: {complaint}"
    if swarm.has_scheduler:
        return Finding("scratch", "warning", found, "that is on the login host; nodes may differ")
    if not complaint.endswith(NOT_SET):
        return Finding("scratch", "error", found, "choose another scratch in the config")
    if swarm.target.setup:
        return Finding("scratch", "warning", found, "no harm if setup exports it")
    advice = 'write a folder that is there, such as "/tmp", as scratch in the config, or export the variable in setup'
    return Finding("scratch", "error", found, advice)
