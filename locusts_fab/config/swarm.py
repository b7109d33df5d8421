"""A swarm and the target that it runs on: what the config says of one run, with paths made absolute."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locusts_fab.bounds.entries import mark
from locusts_fab.config.problems import dotted
from locusts_fab.config.tables import check_together, make_config
from locusts_fab.errors import ConfigError
from locusts_fab.layout import is_of_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Unpack

    from locusts_fab.config.keys import SwarmKeys
    from locusts_fab.config.schema import SwarmSettings, Target
    from locusts_fab.config.tables import Config


#: Chunks are cut for so many slots on a node of which nobody knows how many it will have: too many do no harm.
_MANY_SLOTS = 64


def _as_in_toml(value: Any) -> Any:
    """Return a value of Python as TOML would give it: text, numbers, lists, dictionaries; anything else as it is."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {key: _as_in_toml(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_as_in_toml(each) for each in value]
    return value


def allowed_cpus() -> int:
    """Return how many CPUs of this machine we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Swarm:
    """A swarm and the target that it runs on.

    :param folder: the absolute folder of locusts.toml; the paths in it are relative to this.
    :param config_path: the config file, if there is one.
    :param others: the other swarms of the config, by name.
    :param before: of these, those that it comes after, each with its target.
    """

    name: str
    settings: SwarmSettings
    target_name: str
    target: Target
    folder: Path
    config_path: Path | None = None
    others: Mapping[str, SwarmSettings] = field(default_factory=dict)
    before: Mapping[str, Swarm] = field(default_factory=dict)

    @classmethod
    def from_command(
        cls,
        command: str | None = None,
        *,
        name: str,
        target: Mapping[str, Any] | None = None,
        target_name: str = "here",
        folder: str | os.PathLike[str] = ".",
        **keys: Unpack[SwarmKeys],
    ) -> Swarm:
        """Return a swarm that stands in no config file, checked as one that does.

        :param command: the command template; None if `command_file` has the commands.
        :param name: its name. Two swarms of one name in one folder are one and the same, with one local state.
        :param target: what `[targets.NAME]` would hold; without it, tasks run on this machine.
        :param target_name: the name of the target.
        :param folder: takes the place of the folder of `locusts.toml`: paths are relative to it, and the local state
            is in its `.locusts/NAME`.
        :param keys: what `[swarms.NAME]` would hold besides, such as `inputs` and `outputs`. Paths may be `Path`s, and
            arrays any sequences.
        :returns: the swarm.
        :raises ConfigError: with all that is wrong, in the words of a config file.
        """
        table = {key: _as_in_toml(value) for key, value in {"command": command, **keys}.items() if value is not None}
        targets = {target_name: {"mode": "local"} if target is None else _as_in_toml(target)}
        config = make_config("Swarm.from_command", {"targets": targets, "swarms": {name: table}})
        check_together(config, name, target_name)
        made = cls(name, config.swarms[name], target_name, config.targets[target_name], Path(folder).absolute())
        refuse_taken_places(config, made)
        return made

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
    def designated_of_final(self) -> list[str]:
        """The outputs of the task that comes after all others, as `designated` has those of the others."""
        final = self.settings.final
        nonempty = self.settings.nonempty
        return [] if final is None else [mark(text, optional=False, nonempty=nonempty) for text in final.outputs]

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
    def most_slots(self) -> int | None:
        """The most tasks that can run at a time on a node, each with GPUs of its own; None if they need none."""
        each = self.settings.gpus_per_task
        return (self.target.gpus or 0) // each if each else None

    @property
    def slots(self) -> int:
        """The number of tasks at a time on each node; 0: as many as it has CPUs for, which only the node knows.

        There are never more than its GPUs allow.
        """
        slots, most = self.target.slots, self.most_slots
        if slots is None and self.is_here:
            slots = max(1, allowed_cpus() // self.settings.cpus_per_task)
        if slots is None:  # a job is to ask for the CPUs that go with its GPUs; elsewhere there may be too few of them
            return most or 0 if self.has_scheduler else 0
        return slots if most is None else min(slots, most)

    @property
    def all_slots(self) -> int:
        """The number of tasks at a time on all nodes, at most; where it is not known, one that few nodes exceed."""
        return (self.slots or _MANY_SLOTS) * self.target.nodes

    @property
    def job_cpus(self) -> int:
        """The CPUs that a job needs on its node; where the number of slots is not known, those of one task."""
        return max(1, self.slots) * self.settings.cpus_per_task

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


# ---------------------------------------------------------------------------------------------------------------------
# Places on this machine: `.locusts/S` is what is known of swarm S, and by default the environments of target T are in
# `.locusts/T`, each under the name of its swarm. Where a target and a swarm have one name, these are one folder.


def refuse_taken_places(config: Config, swarm: Swarm) -> None:
    """See that no environment of a config lies where the state of a swarm has, or may get, a file.

    :param swarm: one of its swarms, on its target. The others are looked at too, on the targets that the config gives
        them: what comes into its state may be in their way.
    :raises ConfigError: one does.
    """
    only = next(iter(config.targets)) if len(config.targets) == 1 else None
    states, placed = {swarm.state_dir: swarm}, [swarm]
    for name, settings in config.swarms.items():
        if name != swarm.name:
            target = settings.target or only or swarm.target_name
            other = Swarm(name, settings, target, config.targets[target], swarm.folder)
            states[other.state_dir] = other
            placed += [other] * bool(settings.target or only)  # else nobody knows where it is going to run
    problems = [problem for each in placed for problem in _taken_place(each, states)]
    if problems:
        raise ConfigError(str(config.path), problems)


def _taken_place(swarm: Swarm, states: Mapping[Path, Swarm]) -> Iterator[str]:
    """Yield what is wrong with the place of a swarm's environment, if it belongs to the state of another one.

    :param states: swarms by the folders of their state.
    """
    root = None if swarm.root_here is None else Path(os.path.normpath(swarm.resolve(swarm.root_here)))
    other = None if root is None else states.get(root)
    if other is not None and is_of_state(swarm.name, has_results=Path(os.path.normpath(other.outdir)) == root):
        yield (
            f"{dotted('targets', swarm.target_name, 'root')}: the place for swarm {swarm.name}, {root}/{swarm.name},"
            f" is one of the files that are kept here of swarm {other.name};"
            " give the target another root, or a swarm another name"
        )
