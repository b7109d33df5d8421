"""Text for people: numbers and times in words, the word that was probably meant, and any text made safe to show.

Nothing here knows what the texts are about, so every package may use it.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: How alike two words must be for one to be taken for the other, from 0 (not at all) to 1 (the same).
LIKENESS = 0.6
_LONGEST_GUESSED = 100
#: Times are written in minutes from so many minutes on, below that in seconds; and in hours from so many on.
_MINUTES_FROM = 2
_HOURS_FROM = 120
_KILO = 1000
_FEW = 10

#: Control characters that only lay out a text; any other could steer the terminal.
LAID_OUT = "\n\t"
_DOUBTFUL = re.compile(r"[^ -~]+")


def counted(count: int, what: str) -> str:
    """Return a number and what is counted: `1 task`, `2,000 tasks`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def rate(per_second: float) -> str:
    """Return how many tasks end in some time as a person would write it: 35 tasks a second, 2.5 tasks a minute."""
    units = {"a second": 1, "a minute": 60, "an hour": 3600}
    unit = next((name for name, seconds in units.items() if per_second * seconds >= 1), "an hour")
    amount = per_second * units[unit]
    return f"{amount:,.0f} tasks {unit}" if amount >= _FEW else f"{amount:.2g} tasks {unit}"


def duration(seconds: float) -> str:
    """Return a time in seconds as a person would write it: 45 s, 12 min, 3 h 20 min."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < _MINUTES_FROM:
        return f"{minutes * 60 + rest} s"
    if minutes < _HOURS_FROM:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Return a number of bytes as a person would write it: 12 kB, 3.4 MB."""
    amount, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= _KILO and len(units) > 1:
        amount, units = amount / _KILO, units[1:]
    return f"{amount:.3g} {units[0]}"


def printable(text: str, keep: str = "\n") -> str:
    """Return a text that is safe to show: control characters and bytes that are no text become escapes.

    :param keep: control characters that stay as they are.
    """

    def shown(found: re.Match[str]) -> str:
        run = found[0]
        return run if run.isprintable() else "".join([char if char in keep else _safe(char) for char in run])

    return _DOUBTFUL.sub(shown, text)


@lru_cache(maxsize=4096)
def _safe(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()


#: Stands for a blank that no line is broken at.
UNBROKEN = "\ue000"
_CODE = re.compile(r"`[^`\n]+`")


def unbroken(text: str) -> str:
    """Return a text in which the blanks in `a command` are marked, so that no line is broken there."""
    return _CODE.sub(lambda found: found[0].replace(" ", UNBROKEN), text)


def fitted(text: str, width: int) -> str:
    """Return a text whose lines are broken between words, for a terminal would break them anywhere.

    What a line goes on with is indented. Words that are longer than a line stay whole, for paths are to be copied.
    """
    return "\n".join(_fitted(line, width) if len(line) > width else line for line in text.split("\n"))


def _fitted(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip(" "))] + "  "
    lines = textwrap.wrap(
        unbroken(line),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        expand_tabs=False,
    )
    return "\n".join(lines).replace(UNBROKEN, " ")


def nearest(word: str, words: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """Return the word that was probably meant: the same letters in another order, or else the most similar one.

    :param likeness: how alike it must be, from 0 to 1.
    :returns: one of `words`; None if none is alike enough.
    """
    plain = word.lower().replace("-", "_")[:_LONGEST_GUESSED]  # difflib's time grows with the square of the length
    by_plain = {known.lower().replace("-", "_"): known for known in words}
    for candidate, known in by_plain.items():
        if sorted(candidate) == sorted(plain):
            return known
    close = difflib.get_close_matches(plain, by_plain, n=1, cutoff=likeness)
    return by_plain[close[0]] if close else None


def first_few(items: Sequence[str], most: int) -> list[str]:
    """Return no more than `most` of the items, then `and N more` if there are more."""
    return [*items[:most], *([f"and {len(items) - most} more"] if len(items) > most else [])]
