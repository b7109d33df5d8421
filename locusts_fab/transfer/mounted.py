"""The transfer of files where the environment is a folder of this machine, or one that it mounts."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import Account, TooMuchError, pieces
from locusts_fab.bounds.follow import Follow
from locusts_fab.bounds.inside import Inside
from locusts_fab.bounds.names import Name
from locusts_fab.errors import TransferError
from locusts_fab.layout import TREE
from locusts_fab.model.findings import Fetched
from locusts_fab.text import first_few
from locusts_fab.transfer.pieces import read_pieces
from locusts_fab.transfer.stage import copy_in, make_environment, put_laid_out, put_link, stage_shared, stage_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from locusts_fab.bounds.budget import Most
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.fs import Span
    from locusts_fab.layout import Environment
    from locusts_fab.model.findings import Packed
    from locusts_fab.model.tasks import Chunk, PlannedTask
    from locusts_fab.progress import Silent
    from locusts_fab.transfer.stage import Put
    from locusts_fab.ui.screen import Screen

_PIECE = 1 << 20
#: Of files of the environment that are ours alone.
_MODE = 0o600
#: What opening says where there is no file: it has gone, or is a symlink or a socket.
_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}


@dataclass(frozen=True)
class MountedTransfer:
    """The transfer of files where the environment is a folder of this machine, or one that it mounts.

    :param environment: the environment as this machine sees it.
    :param put: the function that puts inputs and shared files there: `put_link` where tasks see this machine's files
        as we do, `put_copy` where they do not, `put_laid_out` where somebody is going to follow all links.
    :param homes: see `Fetched`.
    """

    environment: Environment
    put: Put = put_link
    homes: tuple[str, ...] | None = None

    @property
    def is_linking(self) -> bool:
        """See `Transfer.is_linking`."""
        return self.put is put_link

    def stage(
        self,
        swarm: Swarm,
        tasks: Callable[[], Iterable[PlannedTask]],
        chunks: Iterable[Chunk],
        scripts: Mapping[str, str],
        screen: Screen | Silent,
    ) -> dict[str, str]:
        """See `Transfer.stage`."""
        chunks, follow = list(chunks), Follow()
        make_environment(self.environment)
        stage_shared(swarm, self.environment, self.put, follow)
        # sandboxes are made of what is laid out, and cp cannot copy what leads nowhere
        put = put_laid_out if self.put is put_link else self.put
        with screen.step("staging", sum(chunk.size for chunk in chunks)) as progress:
            stage_tasks(swarm, self.environment, tasks(), chunks, progress.update, put, follow)
        try:
            with self._inside() as inside:
                for path, text in scripts.items():
                    inside.write(Name(path), os.fsencode(text), _MODE)
        except OSError as error:
            raise TransferError(f"scripts cannot be written: {error}", hint="fix the cause and submit again") from error
        return follow.left_out

    @contextmanager
    def fetched(self, _names: Sequence[str], _screen: Screen | Silent) -> Iterator[Fetched]:
        """See `Transfer.fetched`. All of it is reachable already."""
        yield Fetched(self.environment, is_ours=False, homes=self.homes)

    @contextmanager
    def pieces(self, wanted: Collection[Packed], _screen: Screen | Silent) -> Iterator[Mapping[Packed, Span | str]]:
        """See `Transfer.pieces`. They are read where they are."""
        with self._inside() as inside, read_pieces(inside, self.environment, wanted) as found:
            yield found

    def send_tree(
        self, root: Path, names: list[str], screen: Screen | Silent, _alike: Collection[str] = frozenset()
    ) -> None:
        """See `Transfer.send_tree`. All of them are copied."""
        tree = Name(TREE)
        with screen.step("copying the tree", len(names)) as progress:
            try:
                with self._inside() as inside:
                    inside.need_folder(tree)
                    for count, name in enumerate(sorted(names), 1):
                        _copy_entry(root / name, inside, tree / name)
                        progress.update(count)
            except OSError as error:
                raise TransferError(f"the tree cannot be copied: {error}", hint="fix the cause and repeat") from error

    def fetch_tree(self, names: list[str], folder: Path, screen: Screen | Silent) -> None:
        """See `Transfer.fetch_tree`."""
        tree = Name(TREE)
        failures = []
        with (
            screen.step("copying the tree back", len(names)) as progress,
            self._inside() as inside,
            Inside(folder) as incoming,
        ):
            for count, name in enumerate(map(Name, names), 1):
                try:
                    _fetch_file(inside, tree / name, incoming, name)
                except OSError as error:
                    failures.append(f"{self.environment.absolute(tree / name)} cannot be brought: {error}")
                progress.update(count)
        if failures:
            raise TransferError("\n".join(first_few(failures, 1)), hint="fix the cause and collect again")

    def read(self, path: str, most: Most) -> bytes | None:
        """See `Transfer.read`."""
        found = self.read_end(path, most.size + 1)
        if found is None:
            return None
        try:
            Account(most).take(found[0])
        except TooMuchError as error:
            raise TransferError(
                f"{self.environment.absolute(path)} cannot be right: {error}",
                hint="it is damaged, or somebody else wrote to it; nothing was changed here",
            ) from error
        return found[0]

    def read_end(self, path: str, most: int) -> tuple[bytes, int] | None:
        """See `Transfer.read_end`."""
        try:
            with self._inside() as inside:
                status = inside.stat(Name(path))
                if not stat.S_ISREG(status.st_mode):  # a symlink or a pipe, where we wrote none
                    return None
                with os.fdopen(inside.open(Name(path)), "rb") as file:
                    before = max(0, status.st_size - most)
                    file.seek(before)
                    return file.read(most), before
        except OSError as error:
            if error.errno in _NO_FILE:
                return None
            raise TransferError(
                f"{self.environment.absolute(path)} cannot be read: {error.strerror or error}",
                hint="see that it can be read; then repeat this",
            ) from error

    def _inside(self) -> Inside:
        return Inside(self.environment.root, folder_mode=0o700)

    def write(self, path: str, data: bytes) -> None:
        """See `Transfer.write`."""
        try:
            with self._inside() as inside:
                inside.write(Name(path), data, _MODE)
        except OSError as error:
            raise TransferError(f"{path} cannot be written: {error}", hint="fix the cause and repeat this") from error


def _copy_entry(source: Path, inside: Inside, name: Name) -> None:
    """Copy one entry of a tree: a folder empty, a symlink as such, a file with its time and mode.

    What is something else there makes way for it: nothing is written through a symlink or into a pipe of a task.
    """
    status, there = source.lstat(), inside.look(name)
    if stat.S_ISDIR(status.st_mode):
        if there is not None and stat.S_ISDIR(there.st_mode):
            return
        inside.remove(name)
        inside.make_folder(name)
        return
    with inside.beside(name) as part:
        if stat.S_ISLNK(status.st_mode):
            inside.symlink(os.readlink(source), part)
        else:
            copy_in(source, inside, part, stat.S_IMODE(status.st_mode))
        inside.replace(part, name)


def _fetch_file(inside: Inside, source: Name, incoming: Inside, name: Name) -> None:
    """Copy a file of a tree, whole or not at all; what has gone or is no file is passed over."""
    try:
        descriptor = inside.open(source)
    except OSError as error:
        if error.errno in _NO_FILE:
            return
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return
    with open(descriptor, "rb") as file, incoming.beside(name) as part:
        with open(incoming.new(part, stat.S_IMODE(status.st_mode) | stat.S_IRUSR), "wb") as copy:
            copy.writelines(pieces(partial(file.read, _PIECE), status.st_size, incoming.root))
            copy.flush()
            os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        incoming.replace(part, name)
