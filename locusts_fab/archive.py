"""Pack what a swarm needs into one stream, for a target where nothing of it lies yet.

There it is unpacked by a single `tar`. For many small files that takes a fraction of what rsync needs, which talks
about each of them; whatever is sent later goes by rsync, which moves only what is new. The inputs of a chunk stay
packed until a manager makes its sandboxes, so that small inputs are made there once, not twice.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import tarfile
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from .layout import Environment
from .plan import shared_source
from .stage import outermost, plan_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .config import Swarm
    from .model import Chunk
    from .rows import PlannedTask

    Send = Callable[[bytes], object]
    Progress = Callable[[int, int], None]

#: How much is sent at once.
_PIECE = 1 << 18
#: The inputs of a chunk that have more bytes are not packed once more; for large files it is of no use.
_SMALL = 1 << 24


def pack(
    send: Send,
    swarm: Swarm,
    tasks: Iterable[PlannedTask],
    chunks: Iterable[Chunk],
    scripts: Mapping[str, str],
    progress: Progress,
) -> None:
    """Send an environment: folders, plan, inputs, shared files, scripts, as a tar archive of relative names.

    Symlinks are followed. Folders are to come out 0700, files with their owner's part of their mode, and their times.

    :param send: takes pieces of the archive.
    :param scripts: by their paths in the environment.
    :param progress: called with (files packed, bytes sent) now and then.
    :raises OSError: a file cannot be read, or is neither a file nor a folder.
    """
    packer = _Packer(send, progress)
    try:
        _pack(packer, swarm, iter(tasks), chunks, scripts)
        packer.close()
    except BaseException:
        packer.cut()
        raise


def _pack(
    packer: _Packer,
    swarm: Swarm,
    tasks: Iterator[PlannedTask],
    chunks: Iterable[Chunk],
    scripts: Mapping[str, str],
) -> None:
    """Add everything."""
    environment = Environment("")
    for folder in environment.FOLDERS:
        packer.add_folder(folder)
    for key in swarm.settings.shared:
        source = shared_source(swarm, key)
        packer.add(str(source), environment.shared(key, source.name))
    for chunk in chunks:
        members = list(islice(tasks, chunk.size))
        packer.add_bytes(environment.chunk(chunk.number), os.fsencode(plan_text(members)))
        if any(task.inputs for task in members):
            _pack_inputs(packer, f"{swarm.indir}/", environment, chunk, members)
    for path, text in scripts.items():
        packer.add_bytes(path, os.fsencode(text))


def _pack_inputs(
    packer: _Packer, indir: str, environment: Environment, chunk: Chunk, tasks: Iterable[PlannedTask]
) -> None:
    """Add the inputs of a chunk: all in an archive of their own if they are small, else each at its place."""
    names = {task.number: list(outermost(task.inputs)) for task in tasks}
    if sum(_size(indir + name) for each in names.values() for name in each) > _SMALL:
        for task, each in names.items():
            for name in each:
                packer.add(indir + name, f"{environment.inputs(task)}/{name}")
        return
    pieces: list[bytes] = []
    inner = _Packer(pieces.append, lambda _files, _sent: None)
    for task, each in names.items():
        folder = environment.inputs(task).removeprefix("inputs/")
        if not each:
            inner.add_folder(folder)
        for name in each:
            inner.add(indir + name, f"{folder}/{name}")
    inner.close()
    packer.add_bytes(environment.archive(chunk.number), b"".join(pieces), files=inner.files)


def _size(path: str) -> int:
    """Tell how many bytes a file has, or a folder with all that is in it."""
    status = os.stat(path)  # noqa: PTH116 - strings: this runs for every file of a million tasks
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size
    return sum(_size(f"{path}/{entry}") for entry in os.listdir(path))  # noqa: PTH208 - the same


class _Packer:
    """A tar archive that is sent while it is made."""

    def __init__(self, send: Send, progress: Progress) -> None:
        self._send, self._progress = send, progress
        self.files = self._sent = 0
        self._tar = tarfile.open(  # noqa: SIM115 - `close` closes it
            fileobj=self,  # type: ignore[call-overload]  # only `write` is ever called
            mode="w|",
            bufsize=_PIECE,
            copybufsize=_PIECE,
            format=tarfile.GNU_FORMAT,
            encoding=sys.getfilesystemencoding(),
            errors="surrogateescape",
        )

    def close(self) -> None:
        """Send what is left, and the end."""
        self._tar.close()

    def cut(self) -> None:
        """Send no more: the archive is not whole, and looks like it."""
        self._send = lambda _data: None

    def write(self, data: bytes) -> None:
        """Take a piece of the archive from tarfile."""
        self._send(data)
        self._sent += len(data)
        self._progress(self.files, self._sent)

    def add(self, source: str, name: str) -> None:
        """Add a file or a folder with all that is in it. The folders above come by themselves."""
        status = os.stat(source)  # noqa: PTH116 - strings: this runs for every file of a million tasks
        if stat.S_ISDIR(status.st_mode):
            self.add_folder(name)
            for entry in sorted(os.listdir(source)):  # noqa: PTH208 - the same
                self.add(f"{source}/{entry}", f"{name}/{entry}")
        elif stat.S_ISREG(status.st_mode):
            with open(source, "rb") as file:  # noqa: PTH123 - the same
                self._add(name, file, status.st_size, (status.st_mode & 0o700) | 0o400, int(status.st_mtime))
        else:
            raise OSError(f"{source} is neither a file nor a folder")

    def add_folder(self, name: str) -> None:
        """Add an empty folder."""
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o700
        self._tar.addfile(info)

    def add_bytes(self, name: str, data: bytes, files: int = 1) -> None:
        """Add a file that does not lie here, which counts as so many."""
        self._add(name, io.BytesIO(data), len(data), 0o600, 0)
        self.files += files - 1

    def _add(self, name: str, file: BinaryIO, size: int, mode: int, mtime_s: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, mode, mtime_s
        self._tar.addfile(info, file)
        self._tar.members.clear()  # it would remember each of a million files
        self.files += 1
