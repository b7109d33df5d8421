"""The making of a swarm's environment: its folders, the plan, the inputs and the shared files.

Where tasks run on this machine nothing is copied: inputs and shared files are symlinks to where the user has them,
and sandboxes are copied from there. An input folder of which something has to be left out is a folder of such symlinks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from locusts_fab.bounds.follow import Follow
from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name
from locusts_fab.errors import TransferError
from locusts_fab.layout import folders_above, input_path, input_place
from locusts_fab.manager.planfile import ValuesFiles, plan_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from locusts_fab.bounds.follow import Place
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Environment
    from locusts_fab.model.tasks import Chunk, PlannedTask

    Progress = Callable[[int], None]
    Put = Callable[[str, Inside, Name, Follow], None]

#: Of files of the environment that are ours alone.
_MODE = 0o600
#: So often a file is copied that changes meanwhile.
_TRIES = 3


def make_environment(environment: Environment) -> None:
    """Make the folders of an environment on this machine, for its owner alone.

    :raises TransferError: a folder cannot be made.
    """
    root = Path(environment.root)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with Inside(root, folder_mode=0o700) as inside:
            for folder in environment.FOLDERS:
                inside.need_folder(Name(folder))
            inputs = Name("inputs")
            for name, kind in inside.list(inputs):  # left from when this was reached over SSH only
                if kind == "f" and name.endswith(".tar"):
                    inside.remove(inputs / name)
    except OSError as error:
        raise TransferError(
            f"the environment {root} cannot be made: {error.filename or root}: {error.strerror}",
            hint="choose another root for the target in the config",
        ) from error


def stage_tasks(
    swarm: Swarm,
    environment: Environment,
    tasks: Iterable[PlannedTask],
    chunks: Iterable[Chunk],
    progress: Progress = lambda _count: None,
    put: Put | None = None,
    follow: Follow | None = None,
) -> None:
    """Write the plan of the chunks and lay out the inputs of their tasks.

    :param progress: called with the number of tasks staged so far.
    :param put: the function that puts an input in its place, `put_laid_out` if not given.
    :param follow: notes what is left out.
    :raises TransferError: something cannot be written.
    """
    tasks, chunks = iter(tasks), list(chunks)
    put, follow = put or put_laid_out, follow or Follow()
    staged, values = 0, ValuesFiles(environment)
    try:
        with Inside(environment.root, folder_mode=0o700) as inside:
            for chunk in chunks:
                members = list(islice(tasks, chunk.size))
                for task in members:
                    _stage_inputs(swarm.indir, environment, task, inside, put, follow)
                plan = os.fsencode(plan_text(members, environment.id))
                inside.write(Name(environment.chunk(chunk.number)), plan, _MODE)
                if file := values.add(members, chunk, is_last=chunk is chunks[-1]):
                    inside.write(Name(file[0]), file[1], _MODE)
                staged += len(members)
                progress(staged)
    except OSError as error:
        raise TransferError(f"staging failed: {error}", hint=_advice(error, environment.root)) from error


def _advice(error: OSError, root: str) -> str:
    """Return what to do if staging failed."""
    with contextlib.suppress(OSError):
        status = os.statvfs(root)
        if error.errno == errno.ENOSPC and status.f_files and not status.f_favail:
            return "there is no space for more files (inodes); with pack = true a swarm makes few. Then submit again"
    return "fix the cause and submit again"


def _stage_inputs(
    indir: Path, environment: Environment, task: PlannedTask, inside: Inside, put: Put, follow: Follow
) -> None:
    """Lay out the inputs that the sandboxes of a task start with."""
    if not task.inputs:
        return
    folder = Name(environment.inputs(task.number))
    sources = placed(indir, task.inputs)
    names = list(map(Name, sources))
    try:
        inside.make_folder(folder)
    except FileExistsError:
        _tidy(inside, folder, names)
    for name in names:
        put(sources[name], inside, folder / name, follow)


def placed(indir: str | Path, inputs: tuple[str, ...]) -> dict[str, str]:
    """Return the paths of inputs on this machine, by the names that they have in a sandbox."""
    sources = {input_place(name): input_path(str(indir), name) for name in inputs}
    return {name: sources[name] for name in _outermost(tuple(sources))}


def _outermost(names: tuple[str, ...]) -> Iterable[str]:
    """Return the names without those that lie in a folder that is named too: they come with the folder."""
    if not any("/" in name for name in names):
        return names
    named = dict.fromkeys(names)
    return [name for name in named if not any(folder in named for folder in folders_above(name))]


def _tidy(inside: Inside, folder: Name, names: Collection[str]) -> None:
    """Remove what an earlier submit staged and this one does not mean.

    Afterwards the folders above each name are real ones, and so is the folder itself: of what is something else there
    only that is removed, and nothing that it leads to.
    """
    there = inside.look(folder)
    if there is None or not stat.S_ISDIR(there.st_mode):
        inside.remove(folder)
        inside.make_folder(folder)
        return
    folders = {above for name in names for above in folders_above(name)}
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for entry, kind in inside.list(folder / above if above else folder):
            name = f"{above}/{entry}" if above else entry
            if name in folders and kind == "d":
                waiting.append(name)
            elif name not in names:
                inside.remove(folder / name)


def put_link(source: str, inside: Inside, name: Name, _follow: Follow | None = None) -> None:
    """Make a symlink, in place of whatever was there."""
    try:
        inside.symlink(source, name)
    except FileExistsError:
        there = inside.look(name)
        if there is None or not stat.S_ISLNK(there.st_mode) or inside.readlink(name) != source:
            inside.remove(name)
            inside.symlink(source, name)


def put_laid_out(source: str, inside: Inside, name: Name, follow: Follow | None = None) -> None:
    """Make a symlink; where something of a folder has to be left out, a folder of symlinks to all else."""
    follow = follow or Follow()
    if not os.path.lexists(source) or follow.is_whole(source):  # of one that has gone just now the task will tell
        put_link(source, inside, name)
    else:
        _put(source, inside, name, follow, lambda place, name: put_link(place.path, inside, name))


def put_copy(source: str, inside: Inside, name: Name, follow: Follow | None = None) -> None:
    """Make a file or folder a copy of its source, where this machine's own paths mean nothing.

    Symlinks are followed, as `Follow` does. What is there already as it should be stays as it is; what the source does
    not hold goes.
    """

    def copy(place: Place, name: Name) -> None:
        mode, there = (place.status.st_mode & 0o700) | 0o400, inside.look(name)
        if there is not None and _is_as(place.status, there) and _has_mode(mode, there, inside, name):
            return
        with inside.beside(name) as part:
            copy_in(place.path, inside, part, mode)
            inside.replace(part, name)

    _put(source, inside, name, follow or Follow(), copy)


def _put(source: str, inside: Inside, name: Name, follow: Follow, put_file: Callable[[Place, Name], None]) -> None:
    """Make a file or folder what its source is, but for what is left out of it.

    :param put_file: puts a single file in its place.
    """
    place = follow.start(source)
    if place is None:
        inside.remove(name)
    elif place.is_folder:
        _put_folder(place, inside, name, follow, put_file)
    else:
        put_file(place, name)


def _is_as(source: os.stat_result, there: os.stat_result) -> bool:
    """Return whether what is there is a file with the size and the time of its source."""
    return stat.S_ISREG(there.st_mode) and (there.st_size, there.st_mtime_ns) == (source.st_size, source.st_mtime_ns)


def _has_mode(mode: int, there: os.stat_result, inside: Inside, name: Name) -> bool:
    """Return whether a file has a mode, which it is given if it had another one and has no other names."""
    if stat.S_IMODE(there.st_mode) == mode:
        return True
    if there.st_nlink > 1:  # it may be a result of another swarm that was linked there
        return False
    try:
        inside.set_mode(name, mode)
    except OSError:
        return False
    return True


def copy_in(source: str | Path, inside: Inside, name: Name, mode: int) -> None:
    """Copy a file of ours to where nothing is, with its time.

    :raises OSError: it cannot be copied, or changes each time that it is.
    """
    with open(source, "rb", opener=open_at_once) as file, open(inside.new(name, mode), "wb") as copy:
        for _ in range(_TRIES):
            file.seek(0)
            copy.seek(0)
            copy.truncate()
            status = os.fstat(file.fileno())
            shutil.copyfileobj(file, copy)
            copy.flush()
            if is_as_it_was(file, status):
                os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
                return
    raise OSError(f"{os.fspath(source)!r} changes while it is copied")


def open_at_once(path: str, flags: int) -> int:
    """Open a file for `open`; a pipe that came in its place does not hold us."""
    return os.open(path, flags | os.O_NONBLOCK)


def is_as_it_was(file: IO[bytes], status: os.stat_result) -> bool:
    """Return whether an open file has not changed since it had a status."""
    now = os.fstat(file.fileno())
    return (now.st_size, now.st_mtime_ns) == (status.st_size, status.st_mtime_ns)


def _put_folder(
    place: Place, inside: Inside, name: Name, follow: Follow, put_file: Callable[[Place, Name], None]
) -> None:
    """Make a folder what its source is, a real folder even where a symlink to one was."""
    there, entries = inside.look(name), dict(follow.within(place))
    if there is None or not stat.S_ISDIR(there.st_mode):
        inside.remove(name)
        inside.make_folder(name)
    else:
        for entry in {entry for entry, _ in inside.list(name)}.difference(entries):
            inside.remove(name / entry)
    for entry, inner in entries.items():
        if inner.is_folder:
            _put_folder(inner, inside, name / entry, follow, put_file)
        else:
            put_file(inner, name / entry)


def stage_shared(swarm: Swarm, environment: Environment, put: Put | None = None, follow: Follow | None = None) -> None:
    """Lay out the shared files and folders.

    :param put: the function that puts them in their places, `put_link` if not given.
    :param follow: notes what is left out.
    :raises TransferError: a link cannot be made.
    """
    try:
        with Inside(environment.root, folder_mode=0o700) as inside:
            for key in swarm.settings.shared:
                source = swarm.shared_source(key)
                place = Name(environment.shared(key, source.name))
                (put or put_link)(str(source), inside, place, follow or Follow())
    except OSError as error:
        raise TransferError(f"shared files cannot be staged: {error}") from error
