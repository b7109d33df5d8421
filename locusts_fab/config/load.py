"""locusts.toml, read: TOML in, a typed `Config` out, or one `ConfigError` with everything that is wrong in it.

What the keys mean stands in `settings.py`. Here it is checked, and errors are put into words.
"""

from __future__ import annotations

import datetime as dt
import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import tomli
from pydantic import ValidationError

from locusts_fab.config.schema import (
    NAME,
    NAME_RULE,
    Container,
    Slurm,
    SwarmSettings,
    Table,
    Target,
    conflicts_of_swarm,
    conflicts_of_target,
)
from locusts_fab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pydantic_core import ErrorDetails

    Conflicts = Callable[[Any, frozenset[str]], Iterator[tuple[str, str]]]

AnyTable = TypeVar("AnyTable", bound=Table)

#: Where a key belongs that stands in the wrong table.
_TABLES: dict[type[Table], str] = {
    Target: "[targets.NAME]",
    Slurm: "[targets.NAME.slurm]",
    Container: "container",
    SwarmSettings: "[swarms.NAME]",
}

#: Tables inside tables.
_INNER: dict[str, type[Table]] = {"slurm": Slurm, "container": Container}

#: Words that people try, and how it is said here instead.
_FOREIGN: dict[type[Table], dict[str, str]] = {
    Target: dict.fromkeys(("port", "user"), 'write it into host = "user@host:port"'),
    SwarmSettings: {"cmd": "it is called command", "outs": "it is called outputs"},
}

_EXPECTED = {
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": 'an array, in brackets: ["…"]',
    "dict_type": "a table",
    "model_type": "a table",
}


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


@dataclass(frozen=True)
class Swarm:
    """A swarm and the target that it runs on.

    :param folder: the absolute folder of locusts.toml; the paths in it are relative to this.
    """

    name: str
    settings: SwarmSettings
    target_name: str
    target: Target
    folder: Path

    def resolve(self, path: str) -> Path:
        """Make a path of the config absolute: `~` is the user's home, the rest is relative to locusts.toml."""
        try:
            return self.folder / Path(path).expanduser()
        except RuntimeError:  # ~somebody who has no home here: then it is a name like any other
            return self.folder / path

    @property
    def state_dir(self) -> Path:
        """Where this machine keeps what it knows of the swarm."""
        return self.folder / ".locusts" / self.name

    @property
    def indir(self) -> Path:
        """The folder of the inputs."""
        return self.folder if self.settings.indir is None else self.resolve(self.settings.indir)

    @property
    def outdir(self) -> Path:
        """The folder for what comes back."""
        if self.settings.outdir is not None:
            return self.resolve(self.settings.outdir)
        if self.settings.environment == "custom":  # its files come back into the tree; only the lists need a place
            return self.state_dir
        return self.folder / "results" / self.name

    @property
    def slots(self) -> int:
        """Tasks at a time on each node; where the node is this machine, by default as many as its cores can take."""
        if self.target.slots is not None:
            return self.target.slots
        if self.target.mode != "local" or self.target.scheduler != "none":
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
        """The environment of this swarm on the target."""
        return f"{self.root}/{self.name}"


def load(path: str | Path = "locusts.toml", swarm: str | None = None, target: str | None = None) -> Swarm:
    """Read a config and choose a swarm of it.

    :param path: the config file.
    :param swarm: the name of the swarm; needed only if there are several.
    :param target: the name of the target, in place of what the swarm says.
    :raises ConfigError: the config is wrong, or a name is unknown or missing.
    """
    config = load_config(path)
    if swarm is None and len(config.swarms) > 1:
        raise ConfigError(str(path), [f"swarms: there are several; choose with --swarm: {', '.join(config.swarms)}"])
    name = next(iter(config.swarms)) if swarm is None else swarm
    if name not in config.swarms:
        raise ConfigError(str(path), [f"swarms: {_no_such('swarm', name, config.swarms)}"])
    settings = config.swarms[name]
    target_name = target or settings.target
    if target_name is None and len(config.targets) > 1:
        names = ", ".join(config.targets)
        raise ConfigError(str(path), [f"swarms.{name}.target: missing; choose one, here or with --target: {names}"])
    target_name = target_name or next(iter(config.targets))
    if target_name not in config.targets:
        raise ConfigError(str(path), [f"targets: {_no_such('target', target_name, config.targets)}"])
    return Swarm(name, settings, target_name, config.targets[target_name], Path(path).absolute().parent)


def load_config(path: str | Path) -> Config:
    """Read a config file.

    :raises ConfigError: with all that is wrong in it.
    """
    return make_config(path, _parse(str(path), _read(path)))


def make_config(path: str | Path, document: dict[str, Any]) -> Config:
    """Check what a config file holds, or would hold if there were one.

    :param path: what errors call it.
    :param document: its tables.
    :raises ConfigError: with all that is wrong in it.
    """
    problems = [_unknown_key(key, (), ("targets", "swarms")) for key in document if key not in {"targets", "swarms"}]
    if document.get("swarms", {}) == {} and not problems:
        problems.append("swarms: there is none; add a table [swarms.NAME] with a command")
    targets = _read_tables(document, "targets", Target, conflicts_of_target, problems)
    swarms = _read_tables(document, "swarms", SwarmSettings, conflicts_of_swarm, problems)
    if document.get("targets", {}) == {}:
        targets["here"] = Target(mode="local")
    named = document.get("targets") or targets
    for name, settings in swarms.items():
        if settings.target is not None and isinstance(named, dict) and settings.target not in named:
            problems.append(f"{_dotted('swarms', name, 'target')}: {_no_such('target', settings.target, named)}")
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
        if not where.startswith("line"):  # tomli says "end of document"
            last_line = text.rpartition("\n")[2]
            where = f"line {text.count(chr(10)) + 1}, column {len(last_line) + 1}"
        problem = f"{where}: not TOML: {_printable(what[:1].lower() + what[1:])}"
    except RecursionError:
        problem = "not TOML that can be read: arrays or tables are nested too deeply"
    except ValueError:  # Python reads no decimal number of more than 4300 digits
        problem = "not TOML that can be read: a number in it is too long; put it in quotes"
    raise ConfigError(path, [problem])


def _read_tables(
    document: dict[str, Any], kind: str, model: type[AnyTable], conflicts: Conflicts, problems: list[str]
) -> dict[str, AnyTable]:
    """Read all tables of a kind, `[targets.*]` or `[swarms.*]`; what is wrong goes to `problems`."""
    tables = document.get(kind, {})
    if not isinstance(tables, dict):
        problems.append(f"{kind}: expected tables, [{kind}.NAME]; found {_found(tables)}")
        return {}
    found = {}
    for name, table in tables.items():
        if not NAME.fullmatch(name):
            problems.append(f"{_dotted(kind, name)}: {NAME_RULE}")
        if not isinstance(table, dict):
            problems.append(f"{_dotted(kind, name)}: expected a table, [{kind}.NAME]; found {_found(table)}")
        elif (settings := _read_table((kind, name), table, model, conflicts, problems)) is not None:
            found[name] = settings
    return found


def _read_table(
    where: tuple[str, str], table: dict[str, Any], model: type[AnyTable], conflicts: Conflicts, problems: list[str]
) -> AnyTable | None:
    """Read one table.

    A table with bad keys is read again without them, so that conflicts among the others show at once too.
    A key that was misspelled or has a bad value counts as given: one mistake makes one problem.
    """
    errors: list[ErrorDetails] = []
    try:
        settings = model.model_validate(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    problems += [_describe(error, where, model) for error in errors]
    bad = {str(error["loc"][0]) for error in errors}
    if bad & {"mode", "scheduler", "environment"}:  # the other keys are right or wrong by these
        return None
    if bad:
        settings = model.model_validate({key: value for key, value in table.items() if key not in bad})
    meant = {_nearest(key, _keys(model)) for key in bad}
    given = frozenset(table) | {key for key in meant if key}
    for key, message in conflicts(settings, given):
        if key not in bad:
            problems.append(f"{_dotted(*where, *([key] if key else []))}: {message}")
    return settings


def _describe(error: ErrorDetails, where: tuple[str, ...], model: type[Table]) -> str:
    """Put what pydantic found wrong into words: the key's path, and what would be right."""
    loc = [part for part in error["loc"] if part != "[key]"]
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        inner = _INNER.get(str(loc[0]), model) if loc[1:] else model
        return _unknown_key(str(loc[-1]), (*where, *loc[:-1]), _keys(inner), inner)
    if kind == "missing":
        message = "missing; " + (
            'expected "local", "remote" or "remote-shared"' if loc[-1] == "mode" else "this table needs it"
        )
    elif kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        expected = context["expected"].replace("'", '"')
        message = f"expected {expected}; found {_found(value)}"
        if isinstance(value, str) and (guess := _nearest(value, choices)):
            message += f'; did you mean "{guess}"?'
    elif kind == "greater_than_equal":
        message = f"expected at least {context['ge']}; found {_found(value)}"
    elif kind == "less_than_equal":
        message = f"expected at most {context['le']}; found {_found(value)}"
    elif kind == "too_short":
        message = "expected at least one; found none"
    elif kind == "value_error":
        in_key = "[key]" in error["loc"]  # the path shows the key already
        message = str(context["error"]) if in_key else f"{context['error']}; found {_found(value)}"
    else:
        message = f"expected {_EXPECTED.get(kind, 'something else')}; found {_found(value)}"
    return f"{_dotted(*where, *loc)}: {message}"


def _unknown_key(key: str, where: Sequence[str | int], keys: Iterable[str], model: type[Table] | None = None) -> str:
    """Say that a key is unknown, and where it belongs or what it may be meant to be."""
    keys = list(keys)
    problem = f"{_dotted(*where, key)}: unknown key"
    foreign = _FOREIGN.get(model, {}) if model is not None else {}
    if key in foreign:
        return f"{problem}; {foreign[key]}"
    guess = _nearest(key, [*foreign, *keys])
    for other, place in _TABLES.items():
        if key in _keys(other) and not (model is None and guess):  # [target.x] is a misspelled [targets.x]
            return f"{problem} here; it belongs in {place}"
    if guess in foreign:
        return f"{problem}; did you mean {guess}? Then {foreign[guess]}"
    return f"{problem}; did you mean {guess}?" if guess else f"{problem}; the keys here are {', '.join(keys)}"


def _no_such(kind: str, name: str, names: Iterable[str]) -> str:
    names = list(names)
    guess = _nearest(name, names)
    rest = f"did you mean {guess}?" if guess else f"the {kind}s are {', '.join(map(_printable, names))}"
    return f"no {kind} named {_found(name)}; {rest}"


def _keys(model: type[Table]) -> list[str]:
    """List the keys of a table as they are written in TOML."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _nearest(word: str, words: Iterable[str]) -> str | None:
    """Find the word that was probably meant: the same letters in another order, or else the most similar ones."""
    words = list(words)
    plain = word.lower().replace("-", "_")[:100]  # difflib's time grows with the square of the length
    for candidate in words:
        if sorted(candidate) == sorted(plain):
            return candidate
    close = difflib.get_close_matches(plain, words, n=1)
    return close[0] if close else None


def _dotted(*parts: str | int) -> str:
    """Write a key's path as TOML would: parts that are no bare keys in quotes, places in arrays as [0]."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else _found(part))
    return text


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _found(value: object) -> str:
    """Show a value in an error: short, on one line, and with the name of its type where that helps."""
    limit = 60
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "an array"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = _printable(value[: limit + 1].replace("\\", "\\\\").replace('"', '\\"'))
        return f'"{text}"' if len(value) <= limit else f'"{text}…"'
    if isinstance(value, (dt.date, dt.time)):
        return f"{value.isoformat()} without quotes, which is a date or time in TOML"
    try:
        return str(value)[:limit]
    except ValueError:  # a whole number of thousands of digits
        return "a very long number"
