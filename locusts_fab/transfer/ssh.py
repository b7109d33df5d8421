"""The transfer of files to a host that is reached over SSH only: everything travels through the one login."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import Most
from locusts_fab.bounds.follow import Follow
from locusts_fab.errors import TransferError
from locusts_fab.fs import fresh_folder
from locusts_fab.hosts.patience import LONG_S
from locusts_fab.layout import TREE, Environment
from locusts_fab.model.findings import Fetched
from locusts_fab.shell.scripts import RemoteExit, remote_script
from locusts_fab.transfer.arrived import complete, fetch_files
from locusts_fab.transfer.mounted import MountedTransfer
from locusts_fab.transfer.pieces import fetch_pieces
from locusts_fab.transfer.stage import put_laid_out
from locusts_fab.transfer.tarball import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.fs import Span
    from locusts_fab.hosts.base import Carrier
    from locusts_fab.model.findings import Packed
    from locusts_fab.model.tasks import Chunk, PlannedTask
    from locusts_fab.progress import Silent
    from locusts_fab.ui.screen import Screen

#: What staging removes on the host: from the folder of a task that is staged again, inputs that it has no longer.
ONLY_OLD_INPUTS = ("P /*", "P /inputs/*", "P /inputs/*/*", "R /inputs/**", "P **")


_SIZE = re.compile(rb" *[0-9]{1,18}")
_SIZE_BYTES = 100

#: Times of scripts are counted from here, in seconds since the epoch; see `stage`.
_SCRIPTS_SINCE_S = 1_000_000_000


@dataclass(frozen=True)
class SshTransfer:
    """The transfer of files to an environment on a host that is reached over SSH only.

    :param host: the host.
    :param environment: the environment there.
    :param state_dir: a folder of this machine for what is on its way.
    """

    host: Carrier
    environment: Environment
    state_dir: Path

    @property
    def is_linking(self) -> bool:
        """See `Transfer.is_linking`."""
        return False

    def stage(
        self,
        swarm: Swarm,
        tasks: Callable[[], Iterable[PlannedTask]],
        chunks: Iterable[Chunk],
        scripts: Mapping[str, str],
        screen: Screen | Silent,
    ) -> dict[str, str]:
        """See `Transfer.stage`. Into a new environment all goes in one archive.

        Else, and if that fails, rsync sees what is new. Nothing is copied here first: a tree of links is laid out,
        and rsync follows them.
        """
        chunks, follow = list(chunks), Follow()

        def send_all(send: Callable[[bytes], object]) -> None:
            pack(send, swarm, self.environment.id, tasks(), chunks, scripts, progress.update_bytes, follow)

        with screen.step("sending") as progress:
            if self.host.unpack(self.environment, send_all):
                return follow.left_out
        self._unpack_inputs()
        with fresh_folder(self.state_dir, "stage-") as folder:
            staged = MountedTransfer(Environment(str(folder), self.environment.id), put_laid_out)
            left_out = staged.stage(swarm, tasks, chunks, scripts, screen)
            # rsync passes over what has the same size and second as before, and two submits may come within one: so
            # their scripts get a time that no other submit has, for no other has this chunk
            for path in scripts:
                os.utime(folder / path, (_SCRIPTS_SINCE_S + chunks[0].number,) * 2)
            with screen.step("sending") as progress:
                self.host.push(folder, self.environment.root, delete=ONLY_OLD_INPUTS, progress=progress.update_bytes)
        return left_out

    def _unpack_inputs(self) -> None:
        """Unpack what the first submit left packed, so that rsync finds it."""
        script, environment = remote_script("unpack_inputs"), self.environment
        result = self.host.run(script, environment.root, environment.id, quiet_s=LONG_S)
        if result.exit_status != 0:
            raise TransferError(
                f"{self.host.name}: staged inputs cannot be unpacked:\n{result.stderr.strip()}",
                hint="free some space there, or see permissions; then the same command again carries on",
                stderr=result.stderr,
            )

    @contextmanager
    def fetched(self, names: Sequence[str], screen: Screen | Silent) -> Iterator[Fetched]:
        """See `Transfer.fetched`."""
        with fresh_folder(self.state_dir, "incoming-") as folder:
            troubles = {}
            if names:
                fetch_files(self.host, self.environment.root, names, folder, screen)
                troubles = complete(self.host, self.environment.root, names, folder, self.state_dir, screen)
            yield Fetched(Environment(str(folder)), is_ours=True, troubles=troubles, homes=(self.environment.root,))

    def pieces(
        self, wanted: Collection[Packed], screen: Screen | Silent
    ) -> AbstractContextManager[Mapping[Packed, Span | str]]:
        """See `Transfer.pieces`."""
        return fetch_pieces(self.host, self.environment, wanted, self.state_dir, screen)

    def send_tree(
        self, root: Path, names: list[str], screen: Screen | Silent, alike: Collection[str] = frozenset()
    ) -> None:
        """See `Transfer.send_tree`."""
        others = [name for name in names if name not in alike]
        with screen.step("sending the tree", len(names)) as progress:
            tree, update = self.environment.absolute(TREE), progress.update_bytes
            self.host.push_names(root, map(os.fsencode, others), tree, progress=update)
            if alike:
                self.host.push_names(root, map(os.fsencode, alike), tree, ignores_times=True, progress=update)

    def fetch_tree(self, names: list[str], folder: Path, screen: Screen | Silent) -> None:
        """See `Transfer.fetch_tree`."""
        with screen.step("fetching the tree", len(names)) as progress:
            tree = self.environment.absolute(TREE)
            self.host.pull(tree, map(os.fsencode, names), folder, progress=progress.update_bytes)

    def read(self, path: str, most: Most) -> bytes | None:
        """See `Transfer.read`."""
        return self._read_file(path, "", most)

    def read_end(self, path: str, most: int) -> tuple[bytes, int] | None:
        """See `Transfer.read_end`."""
        answer = self._read_file(path, str(most), Most(most + _SIZE_BYTES))
        if answer is None:
            return None
        size, _, data = answer.partition(b"\n")
        if not _SIZE.fullmatch(size):
            raise self._unread(path, "what came is not what was asked for")
        return data, max(0, int(size) - len(data))

    def _read_file(self, path: str, end: str, most: Most) -> bytes | None:
        """Return what `templates/remote/read_file.sh` prints of a file; None if there is none.

        :param end: its `MOST`.
        :raises TransferError: it cannot be read, or it cannot be seen whether it is there.
        """
        result = self.host.run(remote_script("read_file"), self.environment.root, path, end, most=most)
        if result.exit_status == RemoteExit.NO_FILE:
            return None
        if result.exit_status != 0:
            raise self._unread(path, result.stderr.strip())
        return result.stdout

    def _unread(self, path: str, why: str) -> TransferError:
        return TransferError(
            f"{self.host.name}: {self.environment.absolute(path)} cannot be read:\n{why}",
            hint="see what the lines above name; then repeat this",
            stderr=why,
        )

    def write(self, path: str, data: bytes) -> None:
        """See `Transfer.write`."""
        with fresh_folder(self.state_dir, "note-") as folder:
            (folder / path).parent.mkdir(parents=True)
            (folder / path).write_bytes(data)
            self.host.push(folder, self.environment.root)
