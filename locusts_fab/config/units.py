"""Times and amounts of memory as people write them, and what is probably meant by those that are none."""

from __future__ import annotations

import math
import re

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}d)?\s*(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s)?")
_DURATION_RULE = 'expected a time such as 90, "90s", "10m", "2h", "1d" or "1h30m", above 0 and at most 366 days'
_LONGEST_S = 366 * 86400.0
#: Only so much of a text is looked at to see what it may mean.
_LONGEST_TEXT = 100


class UnitError(ValueError):
    """A value is no time, or no amount of memory.

    :param rule: what is expected.
    :param hint: what was probably meant; empty if nobody knows.
    """

    def __init__(self, rule: str, hint: str = "") -> None:
        super().__init__(rule)
        self.hint = hint


#: Times as people say them, and the letter that they have here.
_SAID = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)\b", re.IGNORECASE
)
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _seconds_in_words(text: str) -> float | None:
    """Return a time in seconds, from words such as `10 minutes`, `2 hrs`, `1:30:00`; None if it is none."""
    clock = re.fullmatch(r"\s*([0-9]{1,4}):([0-9]{2})(?::([0-9]{2}))?\s*", text)
    if clock:
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
    if not text.strip() or _SAID.sub("", text).strip(" ,"):
        return None
    return sum(float(count) * _UNIT_S[unit[0].lower()] for count, unit in _SAID.findall(text))


def _duration_text(seconds: float) -> str:
    """Return a time as it is written here."""
    parts, left = "", round(seconds)
    for unit in "dhms":
        count, left = divmod(left, _UNIT_S[unit])
        parts += f"{count}{unit}" if count else ""
    return parts


def parse_duration(value: object) -> float:
    """Return a time in seconds, from how people write it.

    :param value: seconds as a number, or text such as `90s`, `10m`, `2h`, `1d`, `1h30m`.
    :returns: seconds.
    :raises ValueError: it is no such time, not above 0, or longer than a year.
    """
    seconds = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(min(value, _LONGEST_S + 1))
    elif isinstance(value, str):
        text = value.strip()
        if re.fullmatch(_NUMBER, text):
            raise UnitError(_DURATION_RULE, f'say which unit: "{text}s", "{text}m" or "{text}h"')
        if text and (match := _DURATION.fullmatch(text)):
            units_s = (86400, 3600, 60, 1)
            seconds = sum(float(count) * unit for count, unit in zip(match.groups(), units_s, strict=True) if count)
    if not 0 < seconds <= _LONGEST_S:  # false for nan too
        said = _seconds_in_words(value[:_LONGEST_TEXT]) if isinstance(value, str) else None
        hint = f'did you mean "{_duration_text(said)}"?' if said and said <= _LONGEST_S else ""
        raise UnitError(_DURATION_RULE, hint)
    return seconds


_SLURM_TIME = re.compile(
    r"[0-9]+|[0-9]+:[0-9]{1,2}(:[0-9]{1,2})?|[0-9]+-[0-9]{1,2}(:[0-9]{1,2}){0,2}|infinite|unlimited"
)


def parse_slurm_time(value: object) -> object:
    """Return a time as SLURM writes it; what is neither text nor a number is left for pydantic to judge.

    :raises UnitError: it is no such time, or a number alone, which SLURM takes for minutes.
    """
    rule = 'expected "HH:MM:SS" or "D-HH:MM:SS"'
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**6:
        minutes, hours = f"{value // 60:02d}:{value % 60:02d}:00", f"{value:02d}:00:00"
        raise UnitError(rule, f'SLURM takes a number for minutes: write "{minutes}" for that, or "{hours}" for hours')
    if isinstance(value, str) and not _SLURM_TIME.fullmatch(value.strip().lower()):
        seconds = _seconds_in_words(value[:_LONGEST_TEXT])
        days, rest = divmod(int(seconds or 0), 86400)
        clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
        raise UnitError(
            f"{rule}, or minutes", f'did you mean "{f"{days}-" if days else ""}{clock}"?' if seconds else ""
        )
    return value


def parse_memory(value: object) -> object:
    """Return an amount of memory as SLURM writes it; what is neither text nor a number is left for pydantic to judge.

    :raises UnitError: it is no such amount, or a few megabytes, which nobody means.
    """
    rule = 'expected memory such as "8G" or "500M"'
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return value
    if isinstance(value, int) and not 0 <= value < 10**12:
        raise UnitError(rule)
    text = str(value).strip()
    if re.fullmatch(r"[1-9][0-9]?", text):
        raise UnitError(rule, f'a number alone is megabytes: write "{text}M" if that is meant, or "{text}G"')
    if re.fullmatch(r"[0-9]{1,12}(?:[KMGT][Bb]?)?", text, re.IGNORECASE):
        return text
    found = re.match(r"([0-9]{1,9})(\.[0-9]{1,9})?\s*([KMGT])", text, re.IGNORECASE)
    if found is None:
        raise UnitError(rule)
    unit = found[3].upper()
    smaller = {"T": "G", "G": "M", "M": "K"}.get(unit)
    is_broken = found[2] and smaller
    meant = f"{round(float(found[1] + found[2]) * 1024)}{smaller}" if is_broken else f"{found[1]}{unit}"
    raise UnitError(rule, f'did you mean "{meant}"?')
