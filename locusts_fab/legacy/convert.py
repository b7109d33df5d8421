"""The conversion of the original's parameter file to a locusts.toml: its target, and its swarm or an example of one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locusts_fab.errors import ConfigError
from locusts_fab.legacy.launch import LAUNCH_NAMES, check, swarm_table
from locusts_fab.legacy.parfile import read_parameters
from locusts_fab.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from locusts_fab.legacy.parfile import Parameters

#: Examples for parts of the swarm that are not given; the tutorial of the original.
EXAMPLE: dict[str, Any] = {
    "cmd": "cat inputfile_<id>.txt <shared>sf1 > cat_output_<id>.txt",
    "indir": "my_input_dir",
    "outdir": "my_output_dir",
    "spcins": ["inputfile_<id>.txt"],
    "outs": ["cat_output_<id>.txt"],
    "shdins": ["sf1:sharedfile.txt"],
}
#: Without these there is no swarm.
_NEEDED = ("cmd", "indir", "outdir", "spcins")
_COMMENTS_AT = 48


def convert(path: str, code: str = "swarm", given: Mapping[str, Any] | None = None) -> str:
    """Return the text of a locusts.toml.

    :param path: the parameter file.
    :param code: the name of the swarm.
    :param given: arguments of `launch` by name; parts that are needed and not given are taken from an example.
    :returns: the text; parts that are only an example are marked as such.
    :raises ConfigError: with all that is wrong.
    """
    parameters = read_parameters(path)
    parts = {name: value for name, value in (given or {}).items() if value}
    examples = {name: EXAMPLE[name] for name in (_NEEDED if parts else EXAMPLE) if name not in parts}
    if "<shared>" in examples.get("cmd", "") and parts:
        examples["cmd"] = "cat inputfile_<id>.txt > cat_output_<id>.txt"
    table, problems, _ = swarm_table({**parts, **examples})
    check(code, table, parameters, problems)
    text = _write(parameters, code, table, examples)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(path, ["a value holds bytes that are not UTF-8, and a locusts.toml cannot"]) from error
    return text


def save(text: str, path: str, *, force: bool = False) -> None:
    """Write a text to a file.

    :param force: also if there is one.
    :raises ConfigError: there is one, or it cannot be written.
    """
    try:
        with Path(path).open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(path, ["it is there already; --force writes over it"]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(path, [f"it cannot be written: {reason}"]) from error


def _write(parameters: Parameters, code: str, table: dict[str, Any], examples: Mapping[str, Any]) -> str:
    """Return the tables as TOML, each key with the name that it had before."""
    name = parameters.target_name
    lines = [
        f"# Made by `locusts convert` from {_comment(parameters.path)}; the names behind # are those of the original."
    ]
    if parameters.notes:
        lines += ["#", "# To know:", *(f"# * {_comment(note)}" for note in parameters.notes)]
    lines += ["", f"[targets.{name}]"]
    plain = {key: value for key, value in parameters.target.items() if key != "slurm"}
    lines += [_line(key, value, parameters.names.get(key, "")) for key, value in plain.items()]
    if "slurm" in parameters.target:
        lines += ["", f"[targets.{name}.slurm]"]
        slurm = parameters.target["slurm"]
        lines += [_line(key, value, parameters.names.get(f"slurm.{key}", "")) for key, value in slurm.items()]
    lines += ["", *_explain(parameters, examples), f"[swarms.{_key(code)}]", _line("target", name)]
    old_names = {key: LAUNCH_NAMES.get(key, "") for key in table}
    for key, value in table.items():
        example = "an example; " if old_names[key] in examples else ""
        lines.append(_line(key, value, f"{example}{old_names[key]}"))
    return "\n".join(lines) + "\n"


def _explain(parameters: Parameters, examples: Mapping[str, Any]) -> list[str]:
    """Return comments on the swarm, and on the commands that do what two of the parameters did."""
    lines = ["# Paths are relative to the folder of this file. A command for the whole job: locusts run"]
    if examples:
        lines.append("# What is an example here stands in your script, in the call of launch.")
    if parameters.redoes:
        lines.append("# force_redo True is now: locusts submit --redo")
    if parameters.only_gathers:
        lines.append("# only_gather True is now: locusts collect")
    return lines


def _line(key: str, value: Any, comment: str = "") -> str:
    """Return the line of a key, with a comment behind it if there is one."""
    line = f"{key} = {_value(value)}"
    return f"{line:<{_COMMENTS_AT}}  # {comment}" if comment else line


def _value(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return _array(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # else TOML escapes as JSON does


def _array(values: Sequence[Any]) -> str:
    """Return an array as TOML, on several lines if it is long."""
    texts = [_value(value) for value in values]
    line = f"[{', '.join(texts)}]"
    if len(line) < _COMMENTS_AT * 2:
        return line
    return "[\n" + "".join(f"  {text},\n" for text in texts) + "]"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _comment(text: str) -> str:
    """Return a text that is safe in a comment."""
    return printable(text).replace("\n", "\\n")
