"""What can be seen of this machine without a script: the folder for results, inputs, programs, scratch.

It leaves everything as it was: folders that it makes to see whether they can be made, it removes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.config.swarm import allowed_cpus
from locusts_fab.layout import input_path, named_swarm
from locusts_fab.model.findings import Finding
from locusts_fab.preflight.machine import NOT_SET, judge_target
from locusts_fab.preflight.probe import Seen
from locusts_fab.preflight.slots import judge_cpus
from locusts_fab.text import first_few, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Task

#: The programs that managers use; templates/remote/probe.sh looks for the same.
TOOLS = (
    *("cat", "cp", "dd", "head", "ln", "mkdir", "mkfifo", "mktemp"),
    *("mv", "rm", "rmdir", "sed", "sleep", "tail", "timeout", "tr"),
)
_SHOWN = 5
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z_0-9]*)\}?(.*)", re.DOTALL)


def why_unwritable(folder: Path) -> str:
    """Return why a folder cannot be made or written; empty if it can."""
    made: list[Path] = []
    try:
        made.extend(above for above in (folder, *folder.parents) if not os.path.lexists(above))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix=".locusts-"):
            pass
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    finally:
        for above in made:
            with contextlib.suppress(OSError):
                above.rmdir()
    return ""


def judge_outdir(swarm: Swarm) -> Iterator[Finding]:
    """Yield the finding on the folder for results, if nothing can be put there."""
    outdir = swarm.outdir
    if complaint := why_unwritable(outdir):
        advice = "results would have no place to come to; choose another outdir in the config, or see its permissions"
        yield Finding("outdir", "error", f"{outdir} cannot be made or written: {complaint}", advice)


def judge_shared(swarm: Swarm) -> Iterator[Finding]:
    """Yield the finding on shared files that lie side by side here, and look as if one was needed beside the other.

    On the target each entry of `shared` has a folder of its own.
    """
    sources = sorted({swarm.shared_source(key) for key in swarm.settings.shared})
    together = {
        (one, other)
        for one, other in itertools.combinations(sources, 2)
        if one.parent == other.parent and one.name.split(".")[0] == other.name.split(".")[0]
    }
    if together:
        names = ", ".join(dict.fromkeys(path.name for pair in sorted(together) for path in pair))
        found = f"{names} lie side by side here; on the target each entry of shared has a folder of its own"
        advice = (
            'if a program looks for one beside the other, share their folder: db = "FOLDER", and write <shared>db/NAME'
        )
        yield Finding("shared files", "warning", found, advice)


class DanglingInputs:
    """The inputs that are links to nothing, noted while the tasks of a plan go by."""

    def __init__(self, swarm: Swarm) -> None:
        self._indir = str(swarm.indir)
        self._found: dict[str, str] = {}  # by task

    def passing(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """Yield tasks as they come, and look at their inputs."""
        for task in tasks:
            for name in task.inputs:
                if named_swarm(name) is not None:
                    continue
                path = input_path(self._indir, name)
                if not os.path.exists(path):
                    self._found.setdefault(task.id, f"task {task.id}: {name} {_why_not_there(path)}")
            yield task

    def judge(self, will_run: Callable[[str], bool] = lambda _id: True) -> Iterator[Finding]:
        """Yield the finding on them, if there are any.

        :param will_run: whether the task with an id is going to be run.
        """
        lines = [line for task_id, line in self._found.items() if will_run(task_id)]
        if lines:
            shown = "\n".join(printable(line, keep="") for line in first_few(lines, _SHOWN))
            yield Finding("inputs", "error", shown, f"make those files whole in {self._indir}, or remove the links")


def _why_not_there(path: str) -> str:
    try:
        return f"is a link to {os.readlink(path)}, where nothing is"
    except OSError:
        return "is not there, or cannot be looked at"


def judge_here(swarm: Swarm) -> Iterator[Finding]:
    """Yield findings on this machine as the one where tasks run; managers get our variables."""
    missing = [tool for tool in ("bash", *TOOLS) if shutil.which(tool) is None]
    if missing:
        yield Finding("programs", "error", f"missing: {', '.join(missing)}", "put them on the PATH; managers need them")
    if swarm.is_custom and shutil.which("find") is None:
        yield Finding("find", "error", "missing", "GNU find tells what tasks changed; install it")
    facts: dict[str, str] = {}
    target = swarm.target
    if target.scratch and (complaint := _scratch_complaint(target.scratch[0])):
        facts["scratch_complaint"] = complaint
    if target.container is not None:
        image = target.container.image
        facts["runtime"] = shutil.which(target.container.runtime) or ""
        if not image.startswith("/") or os.path.exists(image):
            facts["image"] = "yes"
    yield from judge_cpus(swarm, allowed_cpus(), has_taskset=shutil.which("taskset") is not None)
    yield from judge_target(swarm, Seen(facts))


def _scratch_complaint(scratch: str) -> str:
    """Return why sandboxes cannot be made in a scratch folder, which may begin with a variable; empty if they can."""
    found = _VARIABLE.fullmatch(scratch)
    if found is None:
        return why_unwritable(Path(scratch)) if scratch.startswith("/") else ""
    value = os.environ.get(found[1], "")
    return why_unwritable(Path(value + found[2])) if value else f"{found[1]} {NOT_SET}"
