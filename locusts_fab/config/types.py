"""Types of values in locusts.toml: each checks one kind, and its error says what it expects."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from locusts_fab.bounds.entries import mark
from locusts_fab.config.directives import refusal
from locusts_fab.config.hostnames import parse_host
from locusts_fab.config.units import parse_duration, parse_memory, parse_slurm_time
from locusts_fab.text import printable

#: Names of swarms, targets, shared files and sweep columns. They become folder names, so they stay plain.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NAME_RULE = "a name is a letter or digit, then letters, digits, dots, dashes or underscores (100 at most)"

#: bash refuses to set these, whatever the value.
_READONLY_VARIABLES = frozenset({"BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID"})


def _clean(text: str) -> str:
    """Return the text, which may hold no NUL: no command line, file name or variable can hold it."""
    if "\0" in text:
        raise ValueError("the character NUL cannot be used here")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return _clean(text)


def _one_line(text: str) -> str:
    """Return the text, which must be one line: in a job script a second one would be a line of its own."""
    if "\n" in text or "\r" in text:
        raise ValueError("must be one line; take the line break out")
    return _filled(text)


def _bash_entry(text: str) -> str:
    """Return the text, which must be complete bash by itself; bash is asked, if this machine has one."""
    command = ["bash", "-O", "extglob", "-n", "-c", _clean(text)]
    surroundings = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        said = subprocess.run(
            command, env=surroundings, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=10
        ).stderr
    except (OSError, subprocess.TimeoutExpired, UnicodeEncodeError):
        return text
    if said:  # a here-document that does not end is only a warning
        first = os.fsdecode(said.partition(b"\n")[0])
        why = re.sub(r"^bash: (-c: )?(line [0-9]+: )?", "", first)
        raise ValueError(f"not complete bash ({printable(why)}); each entry is run by itself")
    return text


def _sbatch_option(text: str) -> str:
    if not text.startswith("-"):
        raise ValueError('expected an sbatch option such as "--hint=nomultithread"')
    if why := refusal(_one_line(text)):
        raise ValueError(why)
    return text


def _host(text: str) -> str:
    """Return the host, which may hold nothing that OpenSSH refuses: ssh_config may hand it to a shell."""
    parse_host(_clean(text))
    return text


def _inner_path(text: str) -> str:
    """Return the path, which may not lead out of the folder that it is relative to."""
    if _filled(text).startswith(("/", "~/")):
        raise ValueError(
            "must be a relative path: of an output, to the folder that its task runs in; of workdir, to root"
        )
    return _downward(text)


def _here_path(text: str) -> str:
    """Return a path of this machine, in which `~` means the home folder and no variable means anything."""
    if re.match(r"\$\{?[A-Za-z_]", _filled(text)):
        raise ValueError("variables are not put in here; write the path itself, or ~ for your home folder")
    return text


def _scratch(text: str) -> str:
    """Return the path on a node, which may begin with one variable."""
    _one_line(text)
    if text.startswith("~"):
        raise ValueError('~ is not put in here; write "$HOME/…"')
    if text.startswith("$") and not re.match(r"\$(?:[A-Za-z_][A-Za-z_0-9]*|\{[A-Za-z_][A-Za-z_0-9]*\})(?:/|$)", text):
        raise ValueError('expected a path, or one that begins with a variable, such as "$TMPDIR" or "$TMPDIR/me"')
    return text


def _scratches(places: tuple[str, ...]) -> tuple[str, ...]:
    """Return several such paths."""
    return tuple(map(_scratch, places))


def _places(value: object) -> object:
    """Return one place as the only one of several."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _output_path(text: str) -> str:
    """Return an output of a task: a path, or a pattern of paths."""
    mark(_inner_path(text))  # it says what is wrong
    return text


def _input_path(text: str) -> str:
    """Return the path, relative to the folder of inputs or absolute; `~` is put in, and parts that say nothing go."""
    if not _filled(text).startswith(("/", "~/")):
        inner = _downward(text)
        return os.path.normpath(inner) if inner.startswith("@") else inner
    try:
        whole = str(Path(text).expanduser()) if text.startswith("~/") else text
    except RuntimeError:
        raise ValueError("nobody knows your home folder here; write the path itself") from None
    return "/" + os.path.normpath(_downward(whole)).lstrip("/")


def _shared_path(text: str) -> str:
    """Return the path, which must name a file; it may lead anywhere, for it is only read."""
    if text.rstrip("/").rpartition("/")[2] in {"", ".", ".."}:
        raise ValueError("names no file")
    return _filled(text)


def _downward(text: str) -> str:
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ValueError("must not lead upward; take the .. out")
    if not parts:
        raise ValueError("names no file")
    return text


def _scalar(value: object) -> object:
    """Return a number or a boolean as the text that was written; anything else is left for pydantic to judge."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        try:
            return str(value)
        except ValueError:
            raise ValueError("too long a number; put it in quotes") from None
    return value


def _variable_value(text: str) -> str:
    """Return the value of a variable. Nothing in it is expanded, so a `$` is most likely meant otherwise."""
    if "$" in text.replace("$$", ""):
        raise ValueError(
            "a $ is not expanded here; set the variable in the command, or export it in setup of the target;"
            " write $$ for a plain $"
        )
    return text.replace("$$", "$")


def _whole_number(value: object) -> object:
    return _scalar(value) if isinstance(value, int) and not isinstance(value, bool) else value


_SWITCH_RULE = 'expected true or false, without quotes, "user", "mcs" or "topo"'


def _switch(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"user", "mcs", "topo"}:
        return value
    raise ValueError(_SWITCH_RULE)


def _most(value: object) -> object:
    """Return a number of tasks, or a share of them such as `5%`, as it was written."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    share = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"([0-9]{1,2}(\.[0-9]{1,6})?|100)%", share) and float(share[:-1]) > 0:
        return share
    raise ValueError('expected a number of tasks such as 100, or a share of them such as "5%"')


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(NAME_RULE)
    return text


def _column(text: str) -> str:
    if text in {"id", "shared"} or re.fullmatch(r"arg[0-9]+", text):
        raise ValueError(f"<{text}> has a meaning of its own; choose another name")
    return _name(text)


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError("expected the name of a shell variable: letters, digits and _, not beginning with a digit")
    if text in _READONLY_VARIABLES:
        raise ValueError("bash lets nobody set this variable")
    return text


Text = Annotated[str, AfterValidator(_clean)]
Filled = Annotated[str, AfterValidator(_filled)]
BashEntry = Annotated[str, AfterValidator(_bash_entry)]
Line = Annotated[str, AfterValidator(_one_line)]
HerePath = Annotated[str, AfterValidator(_here_path)]
Scratch = Annotated[tuple[str, ...], BeforeValidator(_places), AfterValidator(_scratches)]
SlurmTime = Annotated[str, BeforeValidator(parse_slurm_time), AfterValidator(_one_line)]
Memory = Annotated[str, BeforeValidator(parse_memory), AfterValidator(_one_line)]
SlurmValue = Annotated[str, BeforeValidator(_whole_number), AfterValidator(_one_line)]
InnerPath = Annotated[str, AfterValidator(_inner_path)]
OutputPath = Annotated[str, AfterValidator(_output_path)]
InputPath = Annotated[str, AfterValidator(_input_path)]
Scalar = Annotated[str, BeforeValidator(_scalar), AfterValidator(_clean)]
VariableValue = Annotated[Scalar, AfterValidator(_variable_value)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
SbatchOption = Annotated[str, AfterValidator(_sbatch_option)]
Switch = Annotated[bool | str, BeforeValidator(_switch)]
Host = Annotated[str, AfterValidator(_host)]
SharedPath = Annotated[str, AfterValidator(_shared_path)]
Most = Annotated[str, BeforeValidator(_most)]
Name = Annotated[str, AfterValidator(_name)]
Column = Annotated[str, AfterValidator(_column)]
Variable = Annotated[str, AfterValidator(_variable)]
