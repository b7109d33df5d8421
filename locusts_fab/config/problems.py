"""Words for what is wrong in a config: the place, the cause, and what would be right."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from locusts_fab.config.schema import Container, Slurm, SwarmSettings, Table, Target
from locusts_fab.text import nearest, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic_core import ErrorDetails

#: The table that a key belongs in, for one that stands in another.
_TABLES: dict[type[Table], str] = {
    Target: "[targets.NAME]",
    Slurm: "[targets.NAME.slurm]",
    Container: "container",
    SwarmSettings: "[swarms.NAME]",
}

#: Tables inside tables.
_INNER: dict[str, type[Table]] = {"slurm": Slurm, "container": Container}

#: Words that people try, and what to write here instead.
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


def describe(error: ErrorDetails, where: tuple[str, ...], model: type[Table]) -> str:
    """Return in words what pydantic found wrong: the key's path, and what would be right."""
    loc = [part for part in error["loc"] if part != "[key]"]
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        inner = _INNER.get(str(loc[0]), model) if loc[1:] else model
        return unknown_key(str(loc[-1]), (*where, *loc[:-1]), keys_of(inner), inner)
    if kind == "missing":
        message = "missing; " + (
            'expected "local", "remote" or "remote-shared"' if loc[-1] == "mode" else "this table needs it"
        )
    elif kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        expected = context["expected"].replace("'", '"')
        message = f"expected {expected}; found {shown(value)}"
        if isinstance(value, str) and (guess := nearest(value, choices)):
            message += f'; did you mean "{guess}"?'
    elif kind == "greater_than_equal":
        message = f"expected at least {context['ge']}; found {shown(value)}"
    elif kind == "less_than_equal":
        message = f"expected at most {context['le']}; found {shown(value)}"
    elif kind == "too_short":
        message = "expected at least one; found none"
    elif kind == "value_error":
        in_key = "[key]" in error["loc"]  # the path shows the key already
        message = str(context["error"]) if in_key else f"{context['error']}; found {shown(value)}"
    else:
        message = f"expected {_EXPECTED.get(kind, 'something else')}; found {shown(value)}"
    return f"{dotted(*where, *loc)}: {message}"


def unknown_key(key: str, where: Sequence[str | int], keys: Iterable[str], model: type[Table] | None = None) -> str:
    """Return a line on an unknown key: where it belongs, or which key it may be meant to be."""
    keys = list(keys)
    problem = f"{dotted(*where, key)}: unknown key"
    foreign = _FOREIGN.get(model, {}) if model is not None else {}
    if key in foreign:
        return f"{problem}; {foreign[key]}"
    guess = nearest(key, [*foreign, *keys])
    for other, place in _TABLES.items():
        if key in keys_of(other) and not (model is None and guess):  # [target.x] is a misspelled [targets.x]
            return f"{problem} here; it belongs in {place}"
    if guess in foreign:
        return f"{problem}; did you mean {guess}? Then {foreign[guess]}"
    return f"{problem}; did you mean {guess}?" if guess else f"{problem}; the keys here are {', '.join(keys)}"


def no_such(kind: str, name: str, names: Iterable[str]) -> str:
    """Return a line on an unknown target or swarm: which was probably meant, or which there are.

    :param kind: `target` or `swarm`.
    """
    names = list(names)
    guess = nearest(name, names)
    rest = f"did you mean {guess}?" if guess else f"the {kind}s are {', '.join(map(printable, names))}"
    return f"no {kind} named {shown(name)}; {rest}"


def keys_of(model: type[Table]) -> list[str]:
    """Return the keys of a table as they are written in TOML."""
    return [field.alias or name for name, field in model.model_fields.items()]


def dotted(*parts: str | int) -> str:
    """Return a key's path as TOML writes it: parts that are no bare keys in quotes, places in arrays as [0]."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else shown(part))
    return text


def shown(value: object) -> str:
    """Return a value as errors show it: short, on one line, and with the name of its type where that helps."""
    limit = 60
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "an array"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = printable(value[: limit + 1].replace("\\", "\\\\").replace('"', '\\"'), keep="")
        return f'"{text}"' if len(value) <= limit else f'"{text}…"'
    if isinstance(value, (dt.date, dt.time)):
        return f"{value.isoformat()} without quotes, which is a date or time in TOML"
    try:
        return str(value)[:limit]
    except ValueError:  # a whole number of thousands of digits
        return "a very long number"
