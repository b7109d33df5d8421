"""The making of a swarm's environment: its folders, the plan, the inputs and the shared files.

Where tasks run on this machine nothing is copied: inputs and shared files are symlinks to where the user has them,
and sandboxes are copied from there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.errors import TransferError
from locusts_fab.fs import new_beside, remove, write_whole
from locusts_fab.layout import folders_above
from locusts_fab.manager.planfile import plan_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Environment
    from locusts_fab.model import Chunk, PlannedTask

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
        for archive in (root / "inputs").glob("*.tar"):  # left from when this was reached over SSH only
            archive.unlink()
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
    :param put: the function that puts an input in its place, `put_link` if not given.
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
            write_whole(root / environment.chunk(chunk.number), os.fsencode(plan_text(members, environment.id)))
            staged += len(members)
            progress(staged)
    except OSError as error:
        raise TransferError(f"staging failed: {error}", hint="fix the cause and submit again") from error


def _stage_inputs(indir: Path, environment: Environment, task: PlannedTask, made: set[str], put: Put) -> None:
    """Lay out the inputs that the sandboxes of a task start with.

    :param made: folders that are known to be there; most tasks share theirs, and asking costs.
    """
    if not task.inputs:
        return
    folder = environment.absolute(environment.inputs(task.number))
    parent = os.path.dirname(folder)
    if parent not in made:
        os.makedirs(parent, mode=0o700, exist_ok=True)
        made.add(parent)
    names = outermost(task.inputs)
    try:
        os.mkdir(folder, mode=0o700)
    except FileExistsError:
        _tidy(folder, names)
    for name in names:
        place = f"{folder}/{name}"
        if "/" in name:
            os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        put(f"{indir}/{name}", place)


def outermost(names: tuple[str, ...]) -> Iterable[str]:
    """Return the names without those that lie in a folder that is named too: they come with the folder."""
    if not any("/" in name for name in names):
        return names
    named = dict.fromkeys(names)
    return [name for name in named if not any(folder in named for folder in folders_above(name))]


def _tidy(folder: str, names: Iterable[str]) -> None:
    """Remove what an earlier submit staged and this one does not mean.

    Afterwards the folders above each name are real ones, so nothing is ever written through a symlink into the folder
    of inputs.
    """
    folders = {above for name in names for above in folders_above(name)}
    meant = set(names)
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for entry in list(os.scandir(f"{folder}/{above}")):
            name = above + entry.name
            if name in folders and entry.is_dir(follow_symlinks=False):
                waiting.append(f"{name}/")
            elif name not in meant:
                remove(entry.path)


def put_link(source: str, link: str) -> None:
    """Make a symlink, in place of whatever was there."""
    try:
        os.symlink(source, link)
    except FileExistsError:
        if not os.path.islink(link) or os.readlink(link) != source:
            remove(link)
            os.symlink(source, link)


def put_copy(source: str, destination: str) -> None:
    """Make a file or folder a copy of its source, where this machine's own paths mean nothing.

    What is there already as it should be stays as it is; what the source does not hold goes.
    """
    wanted = os.stat(source)
    if stat.S_ISDIR(wanted.st_mode):
        _put_folder(source, destination)
        return
    with contextlib.suppress(FileNotFoundError):
        there = os.lstat(destination)
        if stat.S_ISDIR(there.st_mode):
            remove(destination)
        elif stat.S_ISREG(there.st_mode) and (there.st_size, there.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns):
            return
    with new_beside(destination) as part:
        shutil.copyfile(source, part)
        os.chmod(part, (wanted.st_mode & 0o700) | 0o400)
        os.utime(part, ns=(wanted.st_atime_ns, wanted.st_mtime_ns))
        os.replace(part, destination)


def _put_folder(source: str, destination: str) -> None:
    """Make a folder a copy of its source, a real folder even where a symlink to one was."""
    names = os.listdir(source)
    try:
        os.mkdir(destination, mode=0o700)
    except FileExistsError:
        if os.path.islink(destination) or not os.path.isdir(destination):
            remove(destination)
            os.mkdir(destination, mode=0o700)
        for name in set(os.listdir(destination)).difference(names):
            remove(f"{destination}/{name}")
    for name in names:
        put_copy(f"{source}/{name}", f"{destination}/{name}")


def stage_shared(swarm: Swarm, environment: Environment, put: Put | None = None) -> None:
    """Lay out the shared files and folders.

    :param put: the function that puts them in their places, `put_link` if not given.
    :raises TransferError: a link cannot be made.
    """
    try:
        for key in swarm.settings.shared:
            source = swarm.shared_source(key)
            link = environment.absolute(environment.shared(key, source.name))
            Path(link).parent.mkdir(mode=0o700, exist_ok=True)
            (put or put_link)(str(source), link)
    except OSError as error:
        raise TransferError(f"shared files cannot be staged: {error}") from error
