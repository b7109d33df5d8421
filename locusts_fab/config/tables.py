"""The tables of a config, checked: plain dictionaries in, a typed `Config` out, or a `ConfigError`.

`schema.py` has the keys and what they mean, `problems.py` the words for what is wrong. The tables come from a file, see
`load.py`, or from Python, see `Swarm.from_command`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from locusts_fab.config.given import missing_gpus
from locusts_fab.config.problems import describe, dotted, meant_key, nameless, no_such, shown, unknown_key
from locusts_fab.config.schema import (
    NAME,
    NAME_RULE,
    SwarmSettings,
    Table,
    Target,
    conflicts_of_swarm,
    conflicts_of_target,
)
from locusts_fab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_core import ErrorDetails

    Conflicts = Callable[[Any, frozenset[str]], Iterator[tuple[str, str]]]

AnyTable = TypeVar("AnyTable", bound=Table)


@dataclass(frozen=True)
class Config:
    """A locusts.toml that holds no errors.

    :param path: the file.
    :param targets: the targets by name; this machine, as `here`, if the file has none.
    :param swarms: the swarms by name, at least one.
    """

    path: Path
    targets: dict[str, Target]
    swarms: dict[str, SwarmSettings]


def make_config(path: str | Path, document: dict[str, Any]) -> Config:
    """Return what the tables of a config file mean, checked; there need not be a file.

    :param path: the file, as errors name it.
    :param document: its tables.
    :raises ConfigError: with all that is wrong in it.
    """
    problems = [unknown_key(key, (), ("targets", "swarms")) for key in document if key not in {"targets", "swarms"}]
    if document.get("swarms", {}) == {} and not problems:
        problems.append("swarms: there is none; add a table [swarms.NAME] with a command")
    targets = _read_tables(document, "targets", Target, conflicts_of_target, problems)
    swarms = _read_tables(document, "swarms", SwarmSettings, conflicts_of_swarm, problems)
    if document.get("targets", {}) == {}:
        targets["here"] = Target(mode="local")
    named = document.get("targets") or targets
    for name, settings in swarms.items():
        if settings.target is not None and isinstance(named, dict) and settings.target not in named:
            problems.append(f"{dotted('swarms', name, 'target')}: {no_such('target', settings.target, named)}")
    if problems:
        raise ConfigError(str(path), problems)
    return Config(Path(path), targets, swarms)


def check_together(config: Config, name: str, target_name: str) -> None:
    """See that a swarm of a config can run on one of its targets.

    :raises ConfigError: it cannot.
    """
    settings, target = config.swarms[name], config.targets[target_name]
    if problems := list(missing_gpus(target_name, target.gpus, settings.gpus_per_task)):
        raise ConfigError(str(config.path), [f"{dotted('swarms', name, 'gpus_per_task')}: {each}" for each in problems])


def _read_tables(
    document: dict[str, Any], kind: str, model: type[AnyTable], conflicts: Conflicts, problems: list[str]
) -> dict[str, AnyTable]:
    """Return all tables of a kind by name, `[targets.*]` or `[swarms.*]`; what is wrong goes to `problems`."""
    tables = document.get(kind, {})
    if not isinstance(tables, dict):
        problems.append(f"{kind}: expected tables, [{kind}.NAME]; found {shown(tables)}")
        return {}
    found = {}
    if (
        tables
        and not any(isinstance(table, dict) for table in tables.values())
        and meant_key(next(iter(tables)), model)
    ):
        problems.append(nameless(kind, next(iter(tables))))
        return {}
    for name, table in tables.items():
        if not NAME.fullmatch(name):
            problems.append(f"{dotted(kind, name)}: {NAME_RULE}")
        if not isinstance(table, dict):
            problems.append(f"{dotted(kind, name)}: expected a table, [{kind}.NAME]; found {shown(table)}")
        elif (settings := _read_table((kind, name), table, model, conflicts, problems)) is not None:
            found[name] = settings
    return found


def _read_table(
    where: tuple[str, str], table: dict[str, Any], model: type[AnyTable], conflicts: Conflicts, problems: list[str]
) -> AnyTable | None:
    """Return one table, checked; None if too much of it is wrong.

    A table with bad keys is read again without them, so that conflicts among the others show at once too.
    A key that was misspelled or has a bad value counts as given: one mistake makes one problem.
    """
    errors: list[ErrorDetails] = []
    try:
        settings = model.model_validate(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    problems += [describe(error, where, model) for error in errors]
    bad = {str(error["loc"][0]) for error in errors}
    if bad & {"mode", "scheduler", "environment"}:  # the other keys are right or wrong by these
        return None
    if bad:
        settings = model.model_validate({key: value for key, value in table.items() if key not in bad})
    meant = {meant_key(key, model) for key in bad}
    given = frozenset(table) | {key for key in meant if key}
    for key, message in conflicts(settings, given):
        if key not in bad:
            problems.append(f"{dotted(*where, *([key] if key else []))}: {message}")
    return settings
