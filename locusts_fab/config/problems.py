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

_HOST = 'write it into host = "user@host:port"'
_KEYS = "keys and the like come from ~/.ssh/config; give its alias as host"
_TIME = "the time of a job is time in [targets.NAME.slurm], that of a task is timeout in [swarms.NAME]"
_SETUP = 'write setup = ["module load NAME"] in [targets.NAME]'
_SLOTS = "how many tasks run at a time is slots in [targets.NAME]"
_CPUS = "it is called cpus_per_task, in [swarms.NAME]"
_OURS = "it is not for the config, for it is set by what starts the jobs"
_GPUS = "it is called gpus, in [targets.NAME], and gpus_per_task, in [swarms.NAME]"

#: Words that people try, and what to write here instead.
_FOREIGN: dict[type[Table], dict[str, str]] = {
    Target: {
        **dict.fromkeys(("port", "user", "username"), _HOST),
        **dict.fromkeys(("password", "key_file", "keyfile", "ssh_key", "identity_file", "key_filename"), _KEYS),
        **dict.fromkeys(("module", "modules"), _SETUP),
        **dict.fromkeys(("cpus", "cores", "ncpus", "threads"), f"{_SLOTS}; how many CPUs each takes: {_CPUS}"),
        **dict.fromkeys(("workers", "jobs", "processes"), _SLOTS),
        **dict.fromkeys(("walltime", "time_limit"), _TIME),
        **dict.fromkeys(("sbatch", "resources"), "it is called slurm, a table: [targets.NAME.slurm]"),
        "queue": "it is called partition, in [targets.NAME.slurm]",
        **dict.fromkeys(("gpu", "gpus_per_node", "gpus_per_task"), _GPUS),
    },
    Slurm: {
        **dict.fromkeys(
            ("ntasks", "array", "output", "error", "job_name", "job-name", "ntasks_per_node", "wrap"), _OURS
        ),
        **dict.fromkeys(("cpus", "ncpus", "cores"), f"a job asks for slots x cpus_per_task CPUs; {_CPUS}"),
        **dict.fromkeys(("walltime", "time_limit", "timelimit"), "it is called time"),
        **dict.fromkeys(("gpus", "gpus_per_node", "gpu"), 'write gpus = 1 in [targets.NAME], or gres = "gpu:1"'),
        "memory": "it is called mem",
        "queue": "it is called partition",
    },
    SwarmSettings: {
        "cmd": "it is called command",
        "outs": "it is called outputs",
        **dict.fromkeys(("cpus", "ncpus", "cores", "threads"), "it is called cpus_per_task"),
        **dict.fromkeys(("workers", "jobs", "processes"), _SLOTS),
        **dict.fromkeys(("memory", "ram"), 'write mem = "8G" in [targets.NAME.slurm]'),
        **dict.fromkeys(("walltime", "time_limit"), _TIME),
        **dict.fromkeys(("gpus", "gpu"), _GPUS),
        **dict.fromkeys(("module", "modules"), _SETUP),
        **dict.fromkeys(("csv", "tsv", "table", "args_table"), "it is called args_file"),
        **dict.fromkeys(
            ("variables", "environment_variables", "env_vars"), 'it is called env: env = { NAME = "value" }'
        ),
        **dict.fromkeys(("dependencies", "depends_on", "needs"), "it is called after"),
        "queue": "it is called partition, in [targets.NAME.slurm]",
        "name": "the name stands in the heading: [swarms.NAME]",
        "shell": "commands are bash; begin the command with another shell, as in: zsh -c '…'",
    },
}

#: Values that people try, and what to write instead, by key.
_FOREIGN_VALUES = {
    ("mode", "ssh"): 'mode = "remote" is a host reached over SSH',
    ("mode", "slurm"): 'write scheduler = "slurm", and mode = "local" if this machine submits jobs, else "remote"',
    ("runtime", "docker"): 'apptainer runs its images: image = "docker://NAME"',
}

_SWITCHES = {"yes": "true", "true": "true", "on": "true", "no": "false", "false": "false", "off": "false"}

#: Tables as they are written, by key.
_SHAPES = {
    "env": 'env = { NAME = "value" }',
    "shared": 'shared = { name = "path" }',
    "sweep": "sweep = { name = [1, 2, 3] }",
    "container": 'container = { image = "path" }',
    "slurm": "[targets.NAME.slurm]",
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
    if error["type"] == "extra_forbidden":
        inner = _INNER.get(str(loc[0]), model) if loc[1:] else model
        return unknown_key(str(loc[-1]), (*where, *loc[:-1]), keys_of(inner), inner)
    return f"{dotted(*where, *loc)}: {_explain(error, str(loc[-1]))}"


def _explain(error: ErrorDetails, key: str) -> str:
    """Return what is wrong with the value of a key, and what would be right."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return "missing; " + (
            'expected "local", "remote" or "remote-shared"' if key == "mode" else "this table needs it"
        )
    if kind == "too_short":
        return "expected at least one; found none"
    hint = ""
    if kind == "literal_error":
        expected = context["expected"].replace("'", '"')
        hint = _guess_choice(key, value, re.findall(r"'([^']*)'", context["expected"]))
    elif kind in {"greater_than_equal", "less_than_equal"}:
        expected = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
    elif kind == "value_error":
        problem = context["error"]
        if "[key]" in error["loc"]:  # the path shows the key already
            return str(problem)
        expected, hint = str(problem).removeprefix("expected "), getattr(problem, "hint", "")
        if expected == str(problem):
            return f"{problem}; found {shown(value)}"
    else:
        expected, meant = _EXPECTED.get(kind, "something else"), _rewritten(kind, key, value)
        hint = f"write {meant}" if meant else ""
    return f"expected {expected}; found {shown(value)}" + (f"; {hint}" if hint else "")


def _guess_choice(key: str, value: object, choices: list[str]) -> str:
    """Return what is probably meant by a value that is none of those that there are; empty if nobody knows."""
    if key == "environment" and isinstance(value, dict):
        return f"variables go into {_SHAPES['env']}"
    if not isinstance(value, str):
        return ""
    guess = nearest(value, choices)
    return _FOREIGN_VALUES.get((key, value)) or (f'did you mean "{guess}"?' if guess else "")


def _rewritten(kind: str, key: str, value: object) -> str:
    """Return a value of the wrong type as it is probably meant; empty if nobody knows."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    meant = ""
    if kind in {"dict_type", "model_type"}:
        meant = _SHAPES.get(key, "")
    elif kind == "int_type" and isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        meant = f"{value}, without quotes"
    elif kind == "bool_type" and isinstance(value, str) and value.lower() in _SWITCHES:
        meant = f"{_SWITCHES[value.lower()]}, without quotes"
    elif kind == "list_type" and (is_number or isinstance(value, str)):
        meant = f"[{shown(value)}]"
    elif kind == "string_type" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        meant = f"one text, such as {shown((' && ' if key == 'command' else ',').join(value))}"
    elif kind == "string_type" and is_number:
        meant = f'"{shown(value)}"'
    return meant


def nameless(kind: str, key: str) -> str:
    """Return a line on keys that stand in `[targets]` or `[swarms]` itself, where only tables with names may.

    :param key: the first of them.
    """
    return (
        f"{kind}.{dotted(key)}: it stands in no table with a name; write [{kind}.NAME] above it, with a name of yours"
    )


def meant_key(key: str, model: type[Table]) -> str | None:
    """Return the key of a table that an unknown one, or one with a bad value, stands for; None if for none of them."""
    keys = keys_of(model)
    if key in keys:
        return key
    called = re.match(r"it is called (\w+)", _FOREIGN.get(model, {}).get(key, ""))
    if called and called[1] in keys:
        return called[1]
    is_elsewhere = key in _FOREIGN.get(model, {}) or any(key in keys_of(other) for other in _TABLES)
    return None if is_elsewhere else nearest(key, keys)


def unknown_key(key: str, where: Sequence[str | int], keys: Iterable[str], model: type[Table] | None = None) -> str:
    """Return a line on an unknown key: where it belongs, or which key it may be meant to be."""
    keys = list(keys)
    problem = f"{dotted(*where, key)}: unknown key"
    foreign = _FOREIGN.get(model, {}) if model is not None else {}
    if key in foreign:
        return f"{problem}; {foreign[key]}"
    guess = nearest(key, [*foreign, *keys])
    for other, place in _TABLES.items():
        if key in keys_of(other) and not (
            model is None and guess == f"{key}s"
        ):  # [target.x] is a misspelled [targets.x]
            return f"{problem} here; it belongs in {place}"
    if guess in foreign:
        return f"{problem}; did you mean {guess}? Then {foreign[guess]}"
    if guess:
        return f"{problem}; did you mean {guess}?"
    others = '; any other option of sbatch goes into extra = ["--OPTION=VALUE"]' if model is Slurm else ""
    return f"{problem}; the keys here are {', '.join(keys)}{others}"


def no_such(kind: str, name: str, names: Iterable[str]) -> str:
    """Return a line on an unknown target or swarm: which was probably meant, or which there are.

    :param kind: `target` or `swarm`.
    """
    names = list(names)
    guess = nearest(name, names)
    rest = f"did you mean {guess}?" if guess else f"the {kind}s are {', '.join(map(printable, names)) or 'none'}"
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
