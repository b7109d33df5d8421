"""locusts.toml, read: TOML in, a typed `Config` out, or one `ConfigError` with everything that is wrong in it.

`schema.py` has the keys and what they mean, `problems.py` the words for what is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import tomli
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
from locusts_fab.config.swarm import Swarm
from locusts_fab.config.syntax import advise, why_no_text
from locusts_fab.errors import ConfigError
from locusts_fab.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_core import ErrorDetails

    Conflicts = Callable[[Any, frozenset[str]], Iterator[tuple[str, str]]]

AnyTable = TypeVar("AnyTable", bound=Table)


class _WrittenFloat(float):
    """A number that remembers how it was written, so that 1e-5 or 1.10 reach a command as they stand."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("_", "")

    def __str__(self) -> str:
        return self.text


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


def load(path: str | Path = "locusts.toml", swarm: str | None = None, target: str | None = None) -> Swarm:
    """Return a swarm of a config, with its target.

    :param path: the config file.
    :param swarm: the name of the swarm; needed only if there are several.
    :param target: the name of the target, in place of what the swarm says.
    :returns: the swarm with its target.
    :raises ConfigError: the config is wrong, or a name is unknown or missing.
    """
    config = load_config(path)
    if swarm is None and len(config.swarms) > 1:
        raise ConfigError(str(path), [f"swarms: there are several; choose with --swarm: {', '.join(config.swarms)}"])
    name = next(iter(config.swarms)) if swarm is None else swarm
    if name not in config.swarms:
        raise ConfigError(str(path), [f"swarms: {no_such('swarm', name, config.swarms)}"])
    settings = config.swarms[name]
    target_name = target or settings.target
    if target_name is None and len(config.targets) > 1:
        names = ", ".join(config.targets)
        raise ConfigError(str(path), [f"swarms.{name}.target: missing; choose one, here or with --target: {names}"])
    target_name = target_name or next(iter(config.targets))
    if target_name not in config.targets:
        raise ConfigError(str(path), [f"targets: {no_such('target', target_name, config.targets)}"])
    if problems := list(missing_gpus(target_name, config.targets[target_name].gpus, settings.gpus_per_task)):
        raise ConfigError(str(path), [f"{dotted('swarms', name, 'gpus_per_task')}: {each}" for each in problems])
    file = Path(path).absolute()
    others = {other: each for other, each in config.swarms.items() if other != name}
    return Swarm(name, settings, target_name, config.targets[target_name], file.parent, file, others)


def load_config(path: str | Path) -> Config:
    """Return what a config file holds.

    :raises ConfigError: with all that is wrong in it.
    """
    return make_config(path, _parse(str(path), _read(path)))


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


def _read(path: str | Path) -> str:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            str(path),
            ["no such file; write one with a [swarms.NAME] table, or say where it is with --config FILE"],
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(str(path), [f"cannot be read: {reason}; say which file it is with --config FILE"]) from None
    kind = why_no_text(data)
    if kind:
        raise ConfigError(str(path), [f"line 1: not TOML: {kind}; save the file as UTF-8 text"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise ConfigError(
            str(path), [f"line {line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8 text"]
        ) from None


def _parse(path: str, text: str) -> dict[str, Any]:
    try:
        return tomli.loads(text, parse_float=_WrittenFloat)
    except tomli.TOMLDecodeError as error:
        what, _, where = str(error).removesuffix(")").rpartition(" (at ")
        lines = text.replace("\r\n", "\n").split("\n")
        found = re.fullmatch(r"line (\d+), column (\d+)", where)  # else tomli says "end of document"
        line, column = (int(found[1]), int(found[2])) if found else (len(lines), len(lines[-1]) + 1)
        what = what[:1].lower() + what[1:]
        advice = advise(what, lines[line - 1], column)
        told = f"{what}; {advice}" if advice else what
        problem = f"line {line}, column {column}: not TOML: {printable(told, keep='')}"
    except RecursionError:
        problem = "not TOML that can be read: arrays or tables are nested too deeply"
    except ValueError:  # Python reads no decimal number of more than 4300 digits
        problem = "not TOML that can be read: a number in it is too long; put it in quotes"
    raise ConfigError(path, [problem])


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
