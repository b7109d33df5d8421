"""Where a swarm runs, as three independent parts: how commands travel, how files travel, and who starts managers.

`open_site` is the one place that looks at a target's mode; everything above holds a `Site` and asks nothing.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .collect import collect_here
from .errors import ConfigError
from .hosts import Here
from .layout import Environment
from .stage import make_environment, stage_shared, stage_tasks, write_whole
from .starters import Detached

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import fabric

    from .config import Swarm
    from .hosts import Host
    from .layout import Results
    from .ledger import Ledger
    from .model import Chunk
    from .progress import Progress
    from .rows import PlannedTask, Submission


class Files(Protocol):
    """How files travel between this machine and an environment."""

    def stage(self, swarm: Swarm, tasks: Iterable[PlannedTask], chunks: Iterable[Chunk], progress: Progress) -> None:
        """Put the plan, the inputs and the shared files in place.

        :raises TransferError: something did not arrive; to stage again carries on.
        """

    def write_scripts(self, scripts: Mapping[str, str]) -> None:
        """Put scripts in place, by their paths in the environment.

        :raises TransferError: they cannot be written.
        """

    def collect(self, ledger: Ledger, results: Results, progress: Progress) -> int:
        """Bring back what has ended since the last time.

        :returns: the number of tasks.
        :raises TransferError: something did not arrive; to collect again carries on.
        """

    def read(self, path: str) -> bytes | None:
        """Read a file of the environment; None if it is not there."""

    def remove(self) -> None:
        """Remove the environment.

        :raises TransferError: something of it is still there.
        """


class Starter(Protocol):
    """Who starts, stops and watches over managers."""

    def start(self, submission: int) -> str:
        """Start the managers of a submission, once; returns what identifies them to the scheduler, if there is one."""

    def fence(self, submissions: Iterable[int]) -> None:
        """Let the managers of earlier submissions take no more tasks."""

    def stop(self, managers: Iterable[str]) -> None:
        """Ask managers to leave."""

    def bury(self, managers: Iterable[str]) -> None:
        """Mark managers that are no more as having left."""

    def is_alive(self, submission: Submission) -> bool:
        """Tell whether a submission may still come to life, though no manager has said anything yet."""


@dataclass(frozen=True)
class Site:
    """The three parts, and the environment that they serve."""

    environment: Environment
    host: Host
    files: Files
    starter: Starter


@dataclass(frozen=True)
class Linked:
    """Files of an environment on this machine: linked, not copied."""

    environment: Environment

    def stage(self, swarm: Swarm, tasks: Iterable[PlannedTask], chunks: Iterable[Chunk], progress: Progress) -> None:
        """See `Files.stage`."""
        make_environment(self.environment)
        stage_shared(swarm, self.environment)
        stage_tasks(swarm, self.environment, tasks, chunks, progress.update)

    def write_scripts(self, scripts: Mapping[str, str]) -> None:
        """See `Files.write_scripts`."""
        for path, text in scripts.items():
            write_whole(Path(self.environment.absolute(path)), os.fsencode(text))

    def collect(self, ledger: Ledger, results: Results, progress: Progress) -> int:
        """See `Files.collect`."""
        return collect_here(ledger, self.environment, results, progress.update)

    def read(self, path: str) -> bytes | None:
        """See `Files.read`."""
        try:
            return Path(self.environment.absolute(path)).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        """See `Files.remove`."""
        remove_tree(Path(self.environment.root))


def remove_tree(folder: Path) -> None:
    """Remove a folder, also where a task left folders in it that may not be written."""

    def mend(function: object, path: str, _error: object) -> None:
        parent = Path(path).parent
        parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path)
        elif function is not None:
            Path(path).unlink(missing_ok=True)

    if folder.exists():
        shutil.rmtree(folder, onerror=mend)


def open_site(swarm: Swarm, connection: fabric.Connection | None = None) -> Site:
    """Choose the three parts for a target.

    :param connection: an open Fabric connection to use instead of an own one.
    :raises ConfigError: the target's mode cannot run yet.
    """
    target = swarm.target
    if target.mode != "local" or target.scheduler != "none" or connection is not None:
        raise ConfigError(
            str(swarm.folder / "locusts.toml"),
            [f"targets.{swarm.target_name}: mode {target.mode} with scheduler {target.scheduler} cannot run yet"],
        )
    if swarm.settings.environment == "custom":
        raise ConfigError(
            str(swarm.folder / "locusts.toml"), [f"swarms.{swarm.name}.environment: custom cannot run yet"]
        )
    environment = Environment(swarm.environment_dir)
    host = Here()
    return Site(environment, host, Linked(environment), Detached(host, environment))
