"""The three ways files travel between this machine and an environment: linked, through a shared folder, over SSH."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from locusts_fab.errors import TransferError
from locusts_fab.layout import Environment
from locusts_fab.results.collect import collect_from, wanted_files
from locusts_fab.shell.scripts import remote_script
from locusts_fab.transfer.stage import make_environment, put_link, stage_shared, stage_tasks, write_whole
from locusts_fab.transfer.tarball import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.hosts.base import Carrier
    from locusts_fab.layout import Results
    from locusts_fab.model import Chunk, PlannedTask
    from locusts_fab.progress import Progress, Silent
    from locusts_fab.state.ledger import Ledger
    from locusts_fab.ui.screen import Screen

#: The replica of a custom environment, in the environment.
TREE = "tree"
#: What staging removes on the host: in the folder of a task that is staged again, inputs that it has no more.
ONLY_OLD_INPUTS = ("P /*", "P /inputs/*", "P /inputs/*/*", "R /inputs/**", "P **")
#: Tasks whose results travel together; if the link breaks, what came with earlier ones stays.
PULL_TASKS = 5_000


class Files(Protocol):
    """How files travel between this machine and an environment."""

    def stage(
        self,
        swarm: Swarm,
        tasks: Callable[[], Iterable[PlannedTask]],
        chunks: Iterable[Chunk],
        scripts: Mapping[str, str],
        screen: Screen | Silent,
    ) -> None:
        """Put the plan, the inputs, the shared files and the scripts in place.

        :param tasks: gives the tasks, each time that it is called.
        :param scripts: by their paths in the environment.
        :raises TransferError: something did not arrive; to stage again carries on.
        """

    def collect(self, ledger: Ledger, results: Results, screen: Screen | Silent, *, limit: int | None = None) -> int:
        """Bring back what has ended since the last time.

        :param limit: no more than so many tasks.
        :returns: the number of tasks.
        :raises TransferError: something did not arrive; to collect again carries on.
        """

    def send_tree(self, root: Path, names: list[str], screen: Screen | Silent) -> None:
        """Take entries of a local tree to the replica; folders come empty, symlinks as symlinks.

        :raises TransferError: something did not arrive.
        """

    def fetch_tree(self, names: list[str], folder: Path, screen: Screen | Silent) -> None:
        """Bring files of the replica into a local folder; what is not there any more, or no file, does not come.

        :raises TransferError: not all came; those that are in the folder are whole.
        """

    def read(self, path: str) -> bytes | None:
        """Read a file of the environment; None if it is not there."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file of the environment.

        :raises TransferError: it cannot be written.
        """

    def forget(self) -> None:
        """Remove what was planned and run; inputs and shared files stay, so that they need not travel again.

        :raises TransferError: something of it is still there.
        """

    def remove(self) -> None:
        """Remove the whole environment.

        :raises TransferError: something of it is still there.
        """


@dataclass(frozen=True)
class Reachable:
    """Files of an environment that is a folder of this machine, or a folder that this machine mounts.

    :param environment: the environment as this machine sees it.
    :param put: how inputs and shared files come there: by `put_link` where tasks see this machine's files as we do, by
        `put_copy` where they do not.
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
        """See `Files.stage`."""
        chunks = list(chunks)
        make_environment(self.environment)
        stage_shared(swarm, self.environment, self.put)
        with screen.step("staging", sum(chunk.size for chunk in chunks)) as progress:
            stage_tasks(swarm, self.environment, tasks(), chunks, progress.update, self.put)
        try:
            for path, text in scripts.items():
                write_whole(Path(self.environment.absolute(path)), os.fsencode(text))
        except OSError as error:
            raise TransferError(
                f"scripts cannot be written: {error}", hint="mend the cause and submit again"
            ) from error

    def collect(self, ledger: Ledger, results: Results, screen: Screen | Silent, *, limit: int | None = None) -> int:
        """See `Files.collect`."""
        outcomes = ledger.uncollected(limit)
        with screen.step("collecting", len(outcomes)) as progress:
            collect_from(self.environment, ledger, outcomes, results, progress.update)
        return len(outcomes)

    def send_tree(self, root: Path, names: list[str], screen: Screen | Silent) -> None:
        """See `Files.send_tree`."""
        tree = Path(self.environment.absolute(TREE))
        with screen.step("copying the tree", len(names)) as progress:
            try:
                tree.mkdir(mode=0o700, exist_ok=True)
                for count, name in enumerate(sorted(names), 1):
                    _copy_entry(root / name, tree / name)
                    progress.update(count)
            except OSError as error:
                raise TransferError(f"the tree cannot be copied: {error}", hint="mend the cause and repeat") from error

    def fetch_tree(self, names: list[str], folder: Path, screen: Screen | Silent) -> None:
        """See `Files.fetch_tree`."""
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
            more = f"\nand {len(failures) - 1} more like this" if len(failures) > 1 else ""
            raise TransferError(failures[0] + more, hint="mend the cause and collect again")

    def read(self, path: str) -> bytes | None:
        """See `Files.read`."""
        try:
            return Path(self.environment.absolute(path)).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """See `Files.write`."""
        try:
            write_whole(Path(self.environment.absolute(path)), data)
        except OSError as error:
            raise TransferError(f"{path} cannot be written: {error}", hint="mend the cause and repeat this") from error

    def forget(self) -> None:
        """See `Files.forget`."""
        for folder in ("exec", "work", TREE):
            remove_tree(Path(self.environment.absolute(folder)))

    def remove(self) -> None:
        """See `Files.remove`."""
        remove_tree(Path(self.environment.root))


@dataclass(frozen=True)
class Carried:
    """Files of an environment on a host that is reached over SSH only.

    :param host: the host.
    :param environment: the environment there.
    :param state_dir: a folder of this machine for what is on its way.
    """

    host: Carrier
    environment: Environment
    state_dir: Path

    def stage(
        self,
        swarm: Swarm,
        tasks: Callable[[], Iterable[PlannedTask]],
        chunks: Iterable[Chunk],
        scripts: Mapping[str, str],
        screen: Screen | Silent,
    ) -> None:
        """See `Files.stage`. The first time all goes in one archive; later, and if that fails, rsync sees what is new.

        Nothing is copied here first: a tree of links is laid out, and rsync follows them.
        """
        chunks = list(chunks)
        with screen.step("sending") as progress:
            if chunks[0].number == 1 and self.host.unpack(
                self.environment.root,
                lambda send: pack(send, swarm, tasks(), chunks, scripts, progress.update_bytes),
            ):
                return
        self._unpack_inputs()
        with fresh_folder(self.state_dir, "stage-") as folder:
            Reachable(Environment(str(folder))).stage(swarm, tasks, chunks, scripts, screen)
            with screen.step("sending") as progress:
                self.host.push(folder, self.environment.root, delete=ONLY_OLD_INPUTS, progress=progress.update_bytes)

    def _unpack_inputs(self) -> None:
        """Put what the first submit left packed where rsync will look for it."""
        result = self.host.run(remote_script("unpack_inputs"), self.environment.root)
        if result.exit_status != 0:
            raise TransferError(
                f"{self.host.name}: staged inputs cannot be unpacked:\n{result.stderr.strip()}",
                hint="make room there, or see permissions; then the same command again carries on",
                stderr=result.stderr,
            )

    def collect(self, ledger: Ledger, results: Results, screen: Screen | Silent, *, limit: int | None = None) -> int:
        """See `Files.collect`. Everything is first brought to a folder of its own, and put in place from there."""
        outcomes = ledger.uncollected(limit)
        for start in range(0, len(outcomes), PULL_TASKS):
            batch = outcomes[start : start + PULL_TASKS]
            with fresh_folder(self.state_dir, "incoming-") as folder:
                names = [
                    os.fsencode(name) for outcome in batch for name in wanted_files(outcome, self.environment, results)
                ]
                if names:
                    with screen.step("fetching") as progress:
                        self._fetch(names, folder, progress)
                with screen.step("collecting", len(outcomes)) as progress:
                    collect_from(Environment(str(folder)), ledger, batch, results, progress.update, move=True)
        return len(outcomes)

    def _fetch(self, names: list[bytes], folder: Path, progress: Progress) -> None:
        root = self.environment.root
        if not self.host.fetch(root, names, folder, progress=progress.update_bytes):
            self.host.pull(root, names, folder, progress=progress.update_bytes)

    def send_tree(self, root: Path, names: list[str], screen: Screen | Silent) -> None:
        """See `Files.send_tree`."""
        with screen.step("sending the tree", len(names)) as progress:
            tree = self.environment.absolute(TREE)
            self.host.push_names(root, map(os.fsencode, names), tree, progress=progress.update_bytes)

    def fetch_tree(self, names: list[str], folder: Path, screen: Screen | Silent) -> None:
        """See `Files.fetch_tree`."""
        with screen.step("fetching the tree", len(names)) as progress:
            tree = self.environment.absolute(TREE)
            self.host.pull(tree, map(os.fsencode, names), folder, progress=progress.update_bytes)

    def read(self, path: str) -> bytes | None:
        """See `Files.read`."""
        result = self.host.run('[[ -e $1 ]] && cat -- "$1"', self.environment.absolute(path))
        return result.stdout if result.exit_status == 0 else None

    def write(self, path: str, data: bytes) -> None:
        """See `Files.write`."""
        with fresh_folder(self.state_dir, "note-") as folder:
            (folder / path).parent.mkdir(parents=True)
            (folder / path).write_bytes(data)
            self.host.push(folder, self.environment.root)

    def forget(self) -> None:
        """See `Files.forget`."""
        self._remove(*map(self.environment.absolute, ("exec", "work", TREE)))

    def remove(self) -> None:
        """See `Files.remove`."""
        self._remove(self.environment.root)

    def _remove(self, *folders: str) -> None:
        result = self.host.run(remote_script("remove"), *folders)
        if result.exit_status != 0:
            raise TransferError(
                f"{self.host.name}: {folders[0]} cannot be removed:\n{result.stderr.strip()}",
                hint="see what still uses it there, then repeat this",
                stderr=result.stderr,
            )


def _copy_entry(source: Path, destination: Path) -> None:
    """Copy one entry of a tree: a folder empty, a symlink as such, a file with its time and mode."""
    if source.is_symlink():
        destination.unlink(missing_ok=True)
        destination.symlink_to(source.readlink())
    elif source.is_dir():
        destination.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(source, destination)


@contextmanager
def fresh_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a new folder for our eyes only, and remove it afterwards, with those that killed commands left behind."""
    for old in parent.glob(f"{prefix}*"):
        remove_tree(old)
    try:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    except OSError as error:
        raise TransferError(
            f"no folder can be made in {parent}: {error.strerror}", hint="make room there, or see its permissions"
        ) from error
    try:
        yield folder
    finally:
        remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder, also where a task left folders in it that may not be written.

    :raises TransferError: something of it cannot be removed.
    """

    def mend(_function: object, path: str, _error: object) -> None:
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)

    try:
        if folder.exists():
            shutil.rmtree(folder, onerror=mend)
    except OSError as error:
        raise TransferError(f"{folder} cannot be removed: {error}", hint="see what still uses it") from error
