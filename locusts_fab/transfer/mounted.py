"""The transfer of files where the environment is a folder of this machine, or one that it mounts."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.errors import TransferError
from locusts_fab.fs import remove, write_whole
from locusts_fab.layout import TREE
from locusts_fab.model import Fetched
from locusts_fab.text import first_few
from locusts_fab.transfer.stage import make_environment, put_link, stage_shared, stage_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.layout import Environment
    from locusts_fab.model import Chunk, PlannedTask
    from locusts_fab.progress import Silent
    from locusts_fab.ui.screen import Screen


@dataclass(frozen=True)
class MountedTransfer:
    """The transfer of files where the environment is a folder of this machine, or one that it mounts.

    :param environment: the environment as this machine sees it.
    :param put: the function that puts inputs and shared files there: `put_link` where tasks see this machine's files
        as we do, `put_copy` where they do not.
    """

    environment: Environment
    put: Callable[[str, str], None] = put_link

    def stage(
        self,
        swarm: Swarm,
        tasks: Callable[[], Iterable[PlannedTask]],
        chunks: Iterable[Chunk],
        scripts: Mapping[str, str],
        screen: Screen | Silent,
    ) -> None:
        """See `Transfer.stage`."""
        chunks = list(chunks)
        make_environment(self.environment)
        stage_shared(swarm, self.environment, self.put)
        with screen.step("staging", sum(chunk.size for chunk in chunks)) as progress:
            stage_tasks(swarm, self.environment, tasks(), chunks, progress.update, self.put)
        try:
            for path, text in scripts.items():
                write_whole(Path(self.environment.absolute(path)), os.fsencode(text))
        except OSError as error:
            raise TransferError(f"scripts cannot be written: {error}", hint="fix the cause and submit again") from error

    @contextmanager
    def fetched(self, _names: Sequence[str], _screen: Screen | Silent) -> Iterator[Fetched]:
        """See `Transfer.fetched`. All of it is reachable already."""
        yield Fetched(self.environment, is_ours=False)

    def send_tree(self, root: Path, names: list[str], screen: Screen | Silent) -> None:
        """See `Transfer.send_tree`."""
        tree = Path(self.environment.absolute(TREE))
        with screen.step("copying the tree", len(names)) as progress:
            try:
                tree.mkdir(mode=0o700, exist_ok=True)
                for count, name in enumerate(sorted(names), 1):
                    _copy_entry(root / name, tree / name)
                    progress.update(count)
            except OSError as error:
                raise TransferError(f"the tree cannot be copied: {error}", hint="fix the cause and repeat") from error

    def fetch_tree(self, names: list[str], folder: Path, screen: Screen | Silent) -> None:
        """See `Transfer.fetch_tree`."""
        tree = Path(self.environment.absolute(TREE))
        failures = []
        with screen.step("copying the tree back", len(names)) as progress:
            for count, name in enumerate(names, 1):
                try:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(tree / name, folder / name, follow_symlinks=False)
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError, shutil.SpecialFileError):
                    pass  # it is gone, or is something else now
                except OSError as error:
                    with suppress(OSError):
                        (folder / name).unlink()  # it may be cut off
                    failures.append(f"{tree / name} cannot be brought: {error}")
                progress.update(count)
        if failures:
            raise TransferError("\n".join(first_few(failures, 1)), hint="fix the cause and collect again")

    def read(self, path: str) -> bytes | None:
        """See `Transfer.read`."""
        try:
            return Path(self.environment.absolute(path)).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """See `Transfer.write`."""
        try:
            write_whole(Path(self.environment.absolute(path)), data)
        except OSError as error:
            raise TransferError(f"{path} cannot be written: {error}", hint="fix the cause and repeat this") from error


def _copy_entry(source: Path, destination: Path) -> None:
    """Copy one entry of a tree: a folder empty, a symlink as such, a file with its time and mode.

    What is something else there makes way for it: nothing is written through a symlink or into a pipe of a task.
    """
    is_folder = source.is_dir() and not source.is_symlink()
    is_alike = destination.is_dir() if is_folder else destination.is_file()
    if os.path.lexists(destination) and (destination.is_symlink() or not is_alike):
        remove(destination)
    if source.is_symlink():
        destination.unlink(missing_ok=True)
        destination.symlink_to(source.readlink())
    elif source.is_dir():
        destination.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(source, destination)
