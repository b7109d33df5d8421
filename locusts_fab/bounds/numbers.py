"""Numbers that came from elsewhere, as text: records, plans, frames, what a scheduler or a probe printed.

`int` and `float` take more than anybody writes (other digits than ours, underscores, blanks, `nan`), raise for the
longest, and hold what neither the ledger, bash nor a clock can. So no such text is read by them but here.
"""

from __future__ import annotations

import re

#: SQLite and bash count to 2^63; so far, and some more may be added to it.
MOST = 10**18 - 1
#: Of the numbers of submissions and chunks, so that those which follow them have no more than nine digits.
MOST_OF_OURS = 10**8 - 1
#: What a process may end with.
MOST_STATUS = 255
#: The last second of the year 9999: no calendar goes further.
LATEST_S = 253_402_300_799.0

_LONGEST = 20
_SHOWN = 40
#: bash writes the separator of the locale: a point, a comma, or the Arabic one.
_SECONDS = re.compile("[0-9]{1,12}(?:[.,\u066b][0-9]{1,9})?")


class UnfitNumberError(ValueError):
    """A text is no number that can stand where it came; the message holds the text and what may stand there."""

    def __init__(self, text: str, wanted: str) -> None:
        super().__init__(f"{text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}: expected {wanted}")


def whole(text: str, least: int = 0, most: int = MOST) -> int:
    """Return the whole number in a text that may hold anything: up to 20 of the digits 0 to 9, and nothing else.

    :raises UnfitNumberError: it holds none, or none from `least` to `most`.
    """
    if text.isdecimal() and text.isascii() and len(text) <= _LONGEST and least <= (number := int(text)) <= most:
        return number
    raise UnfitNumberError(text, f"a whole number from {least} to {most}")


def whole_or_none(text: str, least: int = 0, most: int = MOST) -> int | None:
    """Return the whole number in a text that may hold anything; None if it holds none from `least` to `most`."""
    try:
        return whole(text, least, most)
    except UnfitNumberError:
        return None


def seconds(text: str) -> float:
    """Return the time in a text that may hold anything: seconds since the epoch, with or without a fraction.

    :raises UnfitNumberError: it holds none, or one that no calendar has.
    """
    if _SECONDS.fullmatch(text) and (number := float(text.replace(",", ".").replace("\u066b", "."))) <= LATEST_S:
        return number
    raise UnfitNumberError(text, "a time in seconds, not later than the year 9999")
