"""Build the environment of a swarm: its folders, the plan, the inputs and the shared files.

Where tasks run on this machine nothing is copied: inputs and shared files are symlinks to where the user has them,
and sandboxes are copied from there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import TransferError
from .plan import shared_source
from .records import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .config import Swarm
    from .layout import Environment
    from .model import Chunk
    from .rows import PlannedTask

    Progress = Callable[[int], None]
    Put = Callable[[str, str], None]


def make_environment(environment: Environment) -> None:
    """Make the folders of an environment on this machine, for its owner alone.

    :raises TransferError: a folder cannot be made.
    """
    root = Path(environment.root)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in environment.FOLDERS:
            (root / folder).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise TransferError(
            f"the environment {root} cannot be made: {error.strerror}",
            hint="choose another root for the target in the config",
        ) from error


def stage_tasks(
    swarm: Swarm,
    environment: Environment,
    tasks: Iterable[PlannedTask],
    chunks: Iterable[Chunk],
    progress: Progress = lambda _count: None,
    put: Put | None = None,
) -> None:
    """Write the plan of the chunks and lay out the inputs of their tasks.

    :param progress: called with the number of tasks staged so far.
    :param put: how an input comes to its place, `put_link` if not given.
    :raises TransferError: something cannot be written.
    """
    tasks = iter(tasks)
    root = Path(environment.root)
    staged = 0
    made: set[str] = set()
    try:
        for chunk in chunks:
            members = list(islice(tasks, chunk.size))
            for task in members:
                _stage_inputs(swarm.indir, environment, task, made, put or put_link)
            lines = [_plan_line(task) for task in members]
            write_whole(root / environment.chunk(chunk.number), os.fsencode("".join(lines)))
            staged += len(members)
            progress(staged)
    except OSError as error:
        raise TransferError(f"staging failed: {error}", hint="mend the cause and submit again") from error


def _plan_line(task: PlannedTask) -> str:
    fields = [str(task.number), escape(task.id), escape(task.command), *map(escape, task.outputs)]
    return "\t".join(fields) + "\n"


def _stage_inputs(indir: Path, environment: Environment, task: PlannedTask, made: set[str], put: Put) -> None:
    """Lay out what the sandboxes of a task start with.

    :param made: folders that are known to be there; most tasks share theirs, and asking costs.
    """
    if not task.inputs:
        return
    folder = environment.absolute(environment.inputs(task.number))
    parent = os.path.dirname(folder)  # noqa: PTH120 - strings: this runs for every file of a million tasks
    if parent not in made:
        os.makedirs(parent, mode=0o700, exist_ok=True)  # noqa: PTH103 - the same
        made.add(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, mode=0o700)  # noqa: PTH102 - the same
    for name in task.inputs:
        link = f"{folder}/{name}"
        if "/" in name:
            os.makedirs(os.path.dirname(link), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - the same
        put(f"{indir}/{name}", link)


def put_link(source: str, link: str) -> None:
    """Make a symlink, in place of an older one that points elsewhere."""
    try:
        os.symlink(source, link)  # noqa: PTH211 - strings: this runs for every file of a million tasks
    except FileExistsError:
        if not os.path.islink(link) or os.readlink(link) != source:  # noqa: PTH114, PTH115 - the same
            os.unlink(link)  # noqa: PTH108 - the same
            os.symlink(source, link)  # noqa: PTH211 - the same


def put_copy(source: str, destination: str) -> None:
    """Copy a file or folder to where this machine's own paths mean nothing; what is there as it should be stays."""
    if os.path.isdir(source):  # noqa: PTH112 - strings, as above
        os.makedirs(destination, mode=0o700, exist_ok=True)  # noqa: PTH103 - the same
        for entry in os.scandir(source):
            put_copy(entry.path, f"{destination}/{entry.name}")
        return
    wanted = os.stat(source)  # noqa: PTH116 - the same
    with contextlib.suppress(FileNotFoundError):
        there = os.stat(destination)  # noqa: PTH116 - the same
        if (there.st_size, there.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns):
            return
    part = f"{destination}.locusts-part"
    shutil.copyfile(source, part)
    os.chmod(part, (wanted.st_mode & 0o700) | 0o400)  # noqa: PTH101 - the same
    os.utime(part, ns=(wanted.st_atime_ns, wanted.st_mtime_ns))
    os.replace(part, destination)  # noqa: PTH105 - the same


def stage_shared(swarm: Swarm, environment: Environment, put: Put | None = None) -> None:
    """Lay out the shared files and folders.

    :param put: how they come to their places, `put_link` if not given.

    :raises TransferError: a link cannot be made.
    """
    try:
        for key in swarm.settings.shared:
            source = shared_source(swarm, key)
            link = environment.absolute(environment.shared(key, source.name))
            Path(link).parent.mkdir(mode=0o700, exist_ok=True)
            (put or put_link)(str(source), link)
    except OSError as error:
        raise TransferError(f"shared files cannot be staged: {error}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also for a bash that is just reading an older one."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    Path(temporary).replace(path)
