"""locusts.toml, read: TOML in, a typed `Config` out, or one `ConfigError` with everything that is wrong in it.

`tables.py` checks what the file holds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tomli

from locusts_fab.config.problems import no_such
from locusts_fab.config.swarm import Swarm, refuse_taken_places
from locusts_fab.config.syntax import advise, why_no_text
from locusts_fab.config.tables import Config, check_together, in_order, make_config, predecessors
from locusts_fab.errors import ConfigError
from locusts_fab.text import printable


class _WrittenFloat(float):
    """A number that remembers how it was written, so that 1e-5 or 1.10 reach a command as they stand."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("_", "")

    def __str__(self) -> str:
        return self.text


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
    return _choose(config, path, name, target)


def load_all(path: str | Path = "locusts.toml", target: str | None = None, *, to_run: bool = False) -> list[Swarm]:
    """Return all swarms of a config, each with its target: in the order in which they stand there, or are to run.

    :param path: as in `load`.
    :param target: as in `load`, for each.
    :param to_run: those that come after others stand after them.
    :raises ConfigError: as `load`.
    """
    config = load_config(path)
    names = in_order(config.swarms) if to_run else config.swarms
    return [_choose(config, path, name, target) for name in names]


def _choose(
    config: Config, path: str | Path, name: str, target: str | None, known: dict[str, Swarm] | None = None
) -> Swarm:
    """Return a swarm with the target that was named, or that it names, or that is the only one.

    :param known: those that came before others, by name: they are made once.
    """
    settings = config.swarms[name]
    target_name = target or settings.target
    if target_name is None and len(config.targets) > 1:
        names = ", ".join(config.targets)
        raise ConfigError(str(path), [f"swarms.{name}.target: missing; choose one, here or with --target: {names}"])
    target_name = target_name or next(iter(config.targets))
    if target_name not in config.targets:
        raise ConfigError(str(path), [f"targets: {no_such('target', target_name, config.targets)}"])
    check_together(config, name, target_name)
    file = Path(path).absolute()
    others = {other: each for other, each in config.swarms.items() if other != name}
    known, before = {} if known is None else known, {}
    for other in predecessors(settings):
        if other not in known:
            known[other] = _choose(config, path, other, config.swarms[other].target or target, known)
        before[other] = known[other]
    made = Swarm(name, settings, target_name, config.targets[target_name], file.parent, file, others, before)
    refuse_taken_places(config, made)
    return made


def load_config(path: str | Path) -> Config:
    """Return what a config file holds.

    :raises ConfigError: with all that is wrong in it.
    """
    return make_config(path, _parse(str(path), _read(path)))


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
