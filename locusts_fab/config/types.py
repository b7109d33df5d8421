"""Types of values in locusts.toml: each checks one kind, and its error says what it expects."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from locusts_fab.config.hostnames import parse_host

#: Names of swarms, targets, shared files and sweep columns. They become folder names, so they stay plain.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NAME_RULE = "a name is a letter or digit, then letters, digits, dots, dashes or underscores (100 at most)"

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}d)?\s*(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s)?")
_DURATION_RULE = 'expected a time such as 90, "90s", "10m", "2h", "1d" or "1h30m", above 0 and at most 366 days'
_LONGEST_S = 366 * 86400.0

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


def _sbatch_option(text: str) -> str:
    if not text.startswith("-"):
        raise ValueError('expected an sbatch option such as "--hint=nomultithread"')
    return _one_line(text)


def _host(text: str) -> str:
    """Return the host, which may hold nothing that OpenSSH refuses: ssh_config may hand it to a shell."""
    parse_host(_clean(text))
    return text


def _inner_path(text: str) -> str:
    """Return the path, which may not lead out of the folder that it is relative to."""
    if _filled(text).startswith("/"):
        raise ValueError("must be a relative path; take the leading / off")
    return _downward(text)


def _input_path(text: str) -> str:
    """Return the path, which is relative to the folder of inputs."""
    if text.startswith("/"):
        raise ValueError("must be relative to indir; set indir to its folder, or list it in shared")
    return _inner_path(text)


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


def _whole_number(value: object) -> object:
    return _scalar(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _switch(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _one_line(value)
    raise ValueError('expected true, false, "user" or "mcs"')


def parse_duration(value: object) -> float:
    """Return a time in seconds, from how people write it.

    :param value: seconds as a number, or text such as `90`, `90s`, `10m`, `2h`, `1d`, `1h30m`.
    :returns: seconds.
    :raises ValueError: it is no such time, not above 0, or longer than a year.
    """
    seconds = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(min(value, _LONGEST_S + 1))
    elif isinstance(value, str):
        text = value.strip()
        if re.fullmatch(_NUMBER, text):
            seconds = float(text)
        elif text and (match := _DURATION.fullmatch(text)):
            units_s = (86400, 3600, 60, 1)
            seconds = sum(float(count) * unit for count, unit in zip(match.groups(), units_s, strict=True) if count)
    if not 0 < seconds <= _LONGEST_S:  # false for nan too
        raise ValueError(_DURATION_RULE)
    return seconds


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
Line = Annotated[str, AfterValidator(_one_line)]
SlurmValue = Annotated[str, BeforeValidator(_whole_number), AfterValidator(_one_line)]
InnerPath = Annotated[str, AfterValidator(_inner_path)]
InputPath = Annotated[str, AfterValidator(_input_path)]
Scalar = Annotated[str, BeforeValidator(_scalar), AfterValidator(_clean)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
SbatchOption = Annotated[str, AfterValidator(_sbatch_option)]
Switch = Annotated[bool | str, BeforeValidator(_switch)]
Host = Annotated[str, AfterValidator(_host)]
SharedPath = Annotated[str, AfterValidator(_shared_path)]
Most = Annotated[str, BeforeValidator(_most)]
Name = Annotated[str, AfterValidator(_name)]
Column = Annotated[str, AfterValidator(_column)]
Variable = Annotated[str, AfterValidator(_variable)]
