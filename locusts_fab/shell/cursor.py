"""The single steps of reading a command template: take text, take a handle, or refuse it."""

from __future__ import annotations

import re
from bisect import bisect_left
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from locusts_fab.errors import PlanError
from locusts_fab.shell.quoting import Hole, as_it_is, excerpt, find_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

_BAD_NAME = re.compile(r"""['"`\\$\n]""")
#: Signs of bash, and digits, that later bytes of characters may look like in some locale.
_LATER_BYTES = frozenset("\\`|}0123456789")
#: What would make another number of one that comes next, or right before.
_OF_NUMBER = re.compile(r"[\w#@.]")
_NAMED_BADLY = ("in a command with a name that means something to bash", "rename the column")


class Cursor:
    """A place in a template, the next one to be read, and the parts read so far.

    What is asked of these at each word must not go through all of them: a command may have 128 KiB.
    """

    def __init__(self, text: str, handles: Collection[str], shared: Mapping[str, str]) -> None:
        self.text = text
        self.shared = shared
        self.at = 0
        self.parts: list[str | Hole] = []
        self.holes: list[Hole] = []  # those among the parts
        self.hole_parts: list[int] = []  # the number of each among the parts
        self.banned: tuple[str, str] | None = None  # within a place where handles are refused
        names = sorted({*handles, "shared"}, key=len, reverse=True)
        self.handle = re.compile(f"<({'|'.join(map(re.escape, names))})(:raw)?>")

    def take(self, count: int) -> None:
        """Take the next characters as they are."""
        self.parts.append(self.text[self.at : self.at + count])
        self.at += count

    def keep_apart(self, nothing: str) -> None:
        """Put `nothing`, two quotes, between a character that is not ASCII and what must not be taken for part of it.

        The last byte of a UTF-8 character and a backslash, say, are one character in GBK, where both would mean
        something else; so may be that byte, a digit, and a quote. A quote right after it is not: see quoting.py.
        """
        here = self.text[self.at : self.at + 1]
        if self.text[self.at - 1 : self.at].isascii() or not self.at:
            return
        if here in _LATER_BYTES or (here == "<" and self.handle.match(self.text, self.at)):
            self.parts.append(nothing)

    def take_hole(self, quote: Callable[[str], str]) -> Hole | None:
        """Take the handle that stands here, if one does."""
        found = self.handle.match(self.text, self.at)
        if found is None:
            return None
        hole = Hole(found[1], as_it_is if found[2] else quote, self.at, found.end())
        if _BAD_NAME.search(hole.handle):
            self.refuse(hole, _NAMED_BADLY)
        if self.banned and not found[2]:
            self.refuse(hole, self.banned)
        if hole.handle == "shared":
            key = find_key(self.text, self.at, hole.end, self.shared)
            hole.constant = self.shared[key]
            hole.end += len(key)
        self.holes.append(hole)
        self.hole_parts.append(len(self.parts))
        self.parts.append(hole)
        self.at = hole.end
        return hole

    def take_integer(self) -> Hole | None:
        """Take the handle that stands here in arithmetic, if one does: a whole number of its own, or after `10#`."""
        found = self.handle.match(self.text, self.at)
        if found is None:
            return None
        begin = self.at
        while begin and _OF_NUMBER.match(self.text, begin - 1):
            begin -= 1
        before = self.text[begin : self.at]
        is_alone = not (before or _OF_NUMBER.match(self.text, found.end())) and not isinstance(self.parts[-1], Hole)
        is_based = before == "10#"
        if found[2] or found[1] == "shared" or not (is_alone or is_based):
            return self.take_hole(as_it_is)
        banned, self.banned = self.banned, None
        hole = self.take_hole(as_it_is)
        self.banned = banned
        if hole is not None:
            hole.demand_integers(self.text, is_based=is_based)
        return hole

    def take_escape(self, quote: Callable[[str], str]) -> None:
        """Take a backslash and what it escapes; a handle loses the backslash and stays as text."""
        found = self.handle.match(self.text, self.at + 1)
        if found:
            self.parts.append(quote(found[0]))
            self.at = found.end()
        else:
            self.take(2)

    def refuse(self, hole: Hole, reason: tuple[str, str]) -> NoReturn:
        """Raise that a handle cannot stand where it does."""
        place, instead = reason
        handle = f"<{hole.handle}>"
        self.fail(
            hole.start,
            hole.start + len(handle),
            f"{handle} stands {place}: no quoting makes its value safe there",
            f"{instead.replace('HANDLE', handle)}; <{hole.handle}:raw> puts values in as they are, if you trust them",
        )

    def unclosed(self, start: int, opener: str) -> NoReturn:
        """Raise that what opens at `start` does not end."""
        self.fail(
            start, start + len(opener), f"no end is found for the {opener} here", "close it, or write \\ before it"
        )

    def fail(self, start: int, end: int, problem: str, hint: str) -> NoReturn:
        """Raise a PlanError that shows the text[start:end] to blame."""
        raise PlanError(f"{problem}:\n{excerpt(self.text, start, end)}", hint=hint)

    def quoted_holes(self, since: int) -> list[Hole]:
        """Return the handles among the parts from number `since` on, other than raw ones."""
        return _quoted(self.holes[bisect_left(self.hole_parts, since) :])

    def quoted_holes_from(self, start: int) -> list[Hole]:
        """Return the handles that stand at `start` or after it, other than raw ones."""
        return _quoted(self.holes[bisect_left(self.holes, start, key=lambda hole: hole.start) :])

    @contextmanager
    def ban(self, reason: tuple[str, str]) -> Iterator[None]:
        """Refuse handles, other than raw ones, within the context."""
        outer = self.banned
        self.banned = outer or reason
        yield
        self.banned = outer


def _quoted(holes: Sequence[Hole]) -> list[Hole]:
    return [hole for hole in holes if hole.quote is not as_it_is and not hole.is_integer]
