"""The packing of what a swarm needs into one stream, for a target where nothing of it lies yet.

There it is unpacked by a single `tar`. For many small files that takes a fraction of what rsync needs, which talks
about each of them; whatever is sent later goes by rsync, which moves only what is new. The inputs of a chunk stay
packed until a manager makes its sandboxes, so that small inputs are made there once, not twice. The other direction,
from the target to here, is hosts/untar.py.
"""

from __future__ import annotations

import os
import stat
import sys
import tarfile
from itertools import islice
from typing import TYPE_CHECKING

from locusts_fab.bounds.follow import Follow, place_size
from locusts_fab.layout import Environment
from locusts_fab.manager.planfile import ValuesFiles, plan_text
from locusts_fab.transfer.stage import is_as_it_was, open_at_once, placed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from io import FileIO

    from locusts_fab.bounds.follow import Place
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Chunk, PlannedTask

    Send = Callable[[bytes], object]
    Progress = Callable[[int, int], None]

#: How much is sent at once.
_PIECE = 1 << 18
#: Inputs of a chunk of more bytes than this are not packed once more; for large files that gains nothing.
_SMALL = 1 << 24


def pack(
    send: Send,
    swarm: Swarm,
    environment_id: str,
    tasks: Iterable[PlannedTask],
    chunks: Iterable[Chunk],
    scripts: Mapping[str, str],
    progress: Progress,
    follow: Follow | None = None,
) -> None:
    """Send an environment as a tar archive of relative names: folders, plan, inputs, shared files, scripts.

    Symlinks are followed, as `Follow` does. Folders are to come out 0700, files with their owner's part of their mode,
    and their times.

    :param send: the function that gets the pieces of the archive.
    :param scripts: by their paths in the environment.
    :param progress: called with (files packed, bytes sent) now and then.
    :param follow: notes what is left out.
    :raises OSError: a file cannot be read, or changed while it was.
    """
    environment, tasks, chunks = Environment("", environment_id), iter(tasks), list(chunks)
    values = ValuesFiles(environment)
    packer = _Packer(send, progress, follow or Follow())
    for folder in environment.FOLDERS:
        packer.add_folder(folder)
    for key in swarm.settings.shared:
        source = swarm.shared_source(key)
        packer.add(str(source), environment.shared(key, source.name))
    for chunk in chunks:
        members = list(islice(tasks, chunk.size))
        packer.add_bytes(environment.chunk(chunk.number), os.fsencode(plan_text(members, environment.id)))
        if file := values.add(members, chunk, is_last=chunk is chunks[-1]):
            packer.add_bytes(*file)
        if any(task.inputs for task in members):
            _pack_inputs(packer, str(swarm.indir), environment, chunk, members)
    for path, text in scripts.items():
        packer.add_bytes(path, os.fsencode(text))
    packer.close()


def _pack_inputs(
    packer: _Packer, indir: str, environment: Environment, chunk: Chunk, tasks: Iterable[PlannedTask]
) -> None:
    """Add the inputs of a chunk: all in an archive of their own if they are small, else each at its place."""
    start = packer.follow.start
    inputs = {task.number: {name: start(path) for name, path in placed(indir, task.inputs).items()} for task in tasks}
    if sum(place_size(place)[1] for each in inputs.values() for place in each.values()) > _SMALL:
        for task, each in inputs.items():
            for name, place in each.items():
                packer.add_place(place, f"{environment.inputs(task)}/{name}")
        return
    pieces: list[bytes] = []
    inner = _Packer(pieces.append, lambda _files, _sent: None, packer.follow)
    for task, each in inputs.items():
        folder = environment.inputs(task).removeprefix("inputs/")
        if not each:
            inner.add_folder(folder)
        for name, place in each.items():
            inner.add_place(place, f"{folder}/{name}")
    inner.close()
    packer.add_bytes(environment.archive(chunk.number), b"".join(pieces), files=inner.files)


class _Packer:
    """A tar archive that is sent while it is made."""

    def __init__(self, send: Send, progress: Progress, follow: Follow) -> None:
        self._send, self._progress, self.follow = send, progress, follow
        self._waiting = bytearray()
        self._sent = 0
        self.files = 0

    def add(self, source: str, name: str) -> None:
        """Add a file or a folder with all that is in it. The folders above come by themselves."""
        self.add_place(self.follow.start(source), name)

    def add_place(self, place: Place | None, name: str) -> None:
        """Add what was found, as `add` does; nothing, if it was left out."""
        if place is None:
            return
        if place.is_folder:
            self.add_folder(name)
            for entry, inner in self.follow.within(place):
                self.add_place(inner, f"{name}/{entry}")
        else:
            with open(place.path, "rb", buffering=0, opener=open_at_once) as file:
                self._add_file(file, name)

    def add_folder(self, name: str) -> None:
        """Add an empty folder."""
        self._add_header(name, 0, 0o700, 0, tarfile.DIRTYPE)

    def add_bytes(self, name: str, data: bytes, files: int = 1) -> None:
        """Add a file that is not on this machine, which counts as so many."""
        self._add_header(name, len(data), 0o600, 0)
        self._put(data)
        self._end_file(len(data), files)

    def close(self) -> None:
        """Send what is left, and the end; without it the archive is recognised as cut off."""
        self._put(bytes(2 * tarfile.BLOCKSIZE))
        self._flush()

    def _add_file(self, file: FileIO, name: str) -> None:
        """Add a file as it is now, which may not be as it was when it was looked at.

        :raises OSError: it is no file any more, or changed while it was read: in an archive it cannot be taken back.
        """
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{file.name!r} is no file any more")
        self._add_header(name, status.st_size, (status.st_mode & 0o700) | 0o400, int(status.st_mtime))
        left = status.st_size
        while left:
            data = file.read(min(left, _PIECE))
            if not data:
                raise OSError(f"{file.name!r} was cut short while it was read")
            self._put(data)
            left -= len(data)
        if file.read(1) or not is_as_it_was(file, status):
            raise OSError(f"{file.name!r} changed while it was read")
        self._end_file(status.st_size)

    def _add_header(self, name: str, size: int, mode: int, mtime_s: int, kind: bytes = tarfile.REGTYPE) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime, info.type = size, mode, mtime_s, kind
        self._put(info.tobuf(tarfile.GNU_FORMAT, sys.getfilesystemencoding(), "surrogateescape"))

    def _end_file(self, size: int, files: int = 1) -> None:
        self._put(bytes(-size % tarfile.BLOCKSIZE))
        self.files += files

    def _put(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= _PIECE:
            self._flush()

    def _flush(self) -> None:
        self._send(bytes(self._waiting))
        self._sent += len(self._waiting)
        self._waiting.clear()
        self._progress(self.files, self._sent)
