"""A swarm and the target that it runs on: what the config says of one run, with paths made absolute."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locusts_fab.config.schema import SwarmSettings, Target


@dataclass(frozen=True)
class Swarm:
    """A swarm and the target that it runs on.

    :param folder: the absolute folder of locusts.toml; the paths in it are relative to this.
    :param config_path: the config file, if there is one.
    :param others: the other swarms of the config, by name.
    """

    name: str
    settings: SwarmSettings
    target_name: str
    target: Target
    folder: Path
    config_path: Path | None = None
    others: Mapping[str, SwarmSettings] = field(default_factory=dict)

    def resolve(self, path: str) -> Path:
        """Return a path of the config made absolute: `~` is the user's home, the rest is relative to locusts.toml."""
        try:
            return self.folder / Path(path).expanduser()
        except RuntimeError:  # ~NAME of a user who has no home here: a name like any other
            return self.folder / path

    @property
    def state_dir(self) -> Path:
        """The folder of this machine with what it knows of the swarm."""
        return self.folder / ".locusts" / self.name

    @property
    def designated(self) -> list[str]:
        """The outputs, and then the optional ones, as templates in which all is marked that says more than a name."""
        settings = self.settings
        texts = [*((text, False) for text in settings.outputs), *((text, True) for text in settings.optional_outputs)]
        return [mark(text, optional=optional, nonempty=settings.nonempty) for text, optional in texts]

    @property
    def is_custom(self) -> bool:
        """Whether all tasks share one tree: the custom environment."""
        return self.settings.environment == "custom"

    @property
    def is_in_place(self) -> bool:
        """Whether tasks of a custom environment run in the local tree itself, not in a replica of it."""
        return self.is_custom and self.target.mode == "local" and self.settings.in_place

    @property
    def has_scheduler(self) -> bool:
        """Whether a scheduler starts the managers, on machines that it chooses."""
        return self.target.scheduler != "none"

    @property
    def is_here(self) -> bool:
        """Whether tasks run on this machine, and no scheduler is asked."""
        return self.target.mode == "local" and not self.has_scheduler

    @property
    def root_here(self) -> str | None:
        """The root of the environment as this machine sees it; None if it does not."""
        return self.root if self.target.mode == "local" else self.target.shared_root

    @property
    def local_tree(self) -> Path:
        """The tree of a custom environment, as it is on this machine."""
        return self.resolve(self.settings.root or ".")

    def shared_source(self, key: str) -> Path:
        """Return the path of a shared file or folder on this machine."""
        path = self.settings.shared[key]
        return self.resolve(path) if path.startswith(("/", "~")) else self.indir / path

    @property
    def indir(self) -> Path:
        """The folder of the inputs."""
        return self.folder if self.settings.indir is None else self.resolve(self.settings.indir)

    @property
    def outdir(self) -> Path:
        """The folder for what comes back."""
        if self.settings.outdir is not None:
            return self.resolve(self.settings.outdir)
        if self.is_custom:  # its files come back into the tree; only the lists need a place
            return self.state_dir
        return self.folder / "results" / self.name

    @property
    def slots(self) -> int:
        """The number of tasks at a time on each node; on this machine, by default as many as its cores can take."""
        if self.target.slots is not None:
            return self.target.slots
        if self.target.mode != "local" or self.has_scheduler:
            return 1
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // self.settings.cpus_per_task)

    @property
    def root(self) -> str:
        """The folder on the target that holds environments: absolute on this machine, as written on others."""
        if self.target.mode != "local":
            return self.target.root or ""
        return str(self.resolve(self.target.root or f".locusts/{self.target_name}"))

    @property
    def environment_dir(self) -> str:
        """The folder of the swarm's environment on the target."""
        return f"{self.root}/{self.name}"
