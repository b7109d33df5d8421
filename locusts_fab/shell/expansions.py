"""The reading of quotes and expansions: '…', "…", $'…', `…`, ${…}, $((…)), and what of them handles may stand in."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from locusts_fab.shell.cursor import Cursor
from locusts_fab.shell.quoting import as_it_is, quote_in_ansi, quote_in_double, quote_in_single

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Where values cannot be made safe: the place in words, and what to write instead.
_BACKTICKS = ("in backticks", "write $(…) instead of `…`")
ARITHMETIC = ("in arithmetic", "write $(expr HANDLE + 1), or ( ( … ) with a blank if subshells are meant")
_BRACES = ("in ${…}", "give it to a variable first: x=HANDLE; … ${x}")
_DOLLAR = ("right after a dollar sign", "write \\$HANDLE for the sign and the value, or HANDLE for the value alone")
SPLIT = ("a line may not end right after this sign", "put a blank before the backslash")

_BACKTICKED = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)
#: A $name right before a handle would swallow the letters of the value.
_NAME = re.compile(r"\$(?:\w|\\\n)+")
_MAX_DEPTH = 50


class Expansions(Cursor, ABC):
    """A reader of what begins with a quote, a backtick or a dollar sign.

    Every method reads one construct that begins at `at`, and appends what it read to `parts`.
    """

    def __init__(self, text: str, handles: Collection[str], shared: Mapping[str, str]) -> None:
        super().__init__(text, handles, shared)
        self.depth = 0

    @abstractmethod
    def substitution(self) -> None:
        """Read the commands in the ( … ) of $( … )."""

    def quoted(self, *, double: bool = False) -> None:
        """Read what begins with a quote, a backtick or a dollar sign; `double`: it stands in "…"."""
        char = self.text[self.at]
        if char == "'":
            self.single()
        elif char == '"':
            self.double()
        elif char == "`":
            self.backticks()
        else:
            self.dollar(double=double)

    def single(self) -> None:
        """Read '…'."""
        start = self.at
        self.take(1)
        while not self.text.startswith("'", self.at):
            if self.at >= len(self.text):
                self.unclosed(start, "'")
            self.keep_apart("''")
            if self.text.startswith("\\\\", self.at):
                self.take(2)
            elif self.text.startswith("\\<", self.at) and self.handle.match(self.text, self.at + 1):
                self.take_escape(quote_in_single)
            elif not self.take_hole(quote_in_single):
                self.take(1)
        self.take(1)

    def ansi(self) -> None:
        """Read the '…' of $'…'."""
        start = self.at
        self.take(1)
        while not self.text.startswith("'", self.at):
            if self.at >= len(self.text):
                self.unclosed(start, "'")
            self.keep_apart("'$'")
            if self.text.startswith("\\", self.at):
                self.take_escape(quote_in_ansi)
            elif not self.take_hole(quote_in_ansi):
                self.take(1)
        self.take(1)

    def double(self) -> None:
        """Read "…"."""
        start = self.at
        self.take(1)
        while not self.text.startswith('"', self.at):
            if self.at >= len(self.text):
                self.unclosed(start, '"')
            char = self.text[self.at]
            self.keep_apart('""')
            if char == "\\":
                self.take_escape(quote_in_double)
            elif char in "$`":
                self.quoted(double=True)
            else:
                if self.handle.match(self.text, self.at) and self.is_after_name(start):
                    self.parts.append('""')  # end the name before the value begins
                if not self.take_hole(quote_in_double):
                    self.take(1)
        self.take(1)

    def is_after_name(self, start: int) -> bool:
        """Return whether the name of a variable, such as $name, stands right before this place, after `start`."""
        dollar = self.text.rfind("$", start, self.at)
        return dollar >= 0 and _NAME.fullmatch(self.text, dollar, self.at) is not None

    def backticks(self) -> None:
        """Read `…`, where the rules of quoting change with every backslash."""
        found = _BACKTICKED.match(self.text, self.at)
        if not found:
            self.unclosed(self.at, "`")
        self.opaque(found.end(), _BACKTICKS)

    def opaque(self, end: int, reason: tuple[str, str]) -> None:
        """Take the text up to `end` as it is; only raw handles may stand in it."""
        with self.ban(reason):
            while self.at < end:
                if self.text.startswith("\\<", self.at):
                    self.take_escape(as_it_is)
                elif not self.take_hole(as_it_is):
                    self.take(1)

    def dollar(self, *, double: bool) -> None:
        """Read what begins with a dollar sign; `double`: it stands in "…"."""
        if self.text.startswith("$((", self.at):
            self.span("$((", "(", ")", ARITHMETIC)
        elif self.text.startswith("$[", self.at):
            self.span("$[", "[", "]", ARITHMETIC)
        elif self.text.startswith("${", self.at):
            self.span("${", "", "}", _BRACES, double=double)
        elif self.text.startswith("$(", self.at):
            self.take(1)
            self.substitution()
        elif self.text.startswith("$'", self.at) and not double:
            self.take(1)
            self.ansi()
        elif self.text.startswith("$\\\n", self.at):
            self.fail(self.at, self.at + 1, *SPLIT)
        else:
            special = self.text[self.at + 1 : self.at + 2] in {"$", "#", "?", "!", "@", "*", "-"}
            self.take(2 if special else 1)
            if not special:
                with self.ban(_DOLLAR):
                    self.take_hole(as_it_is)

    def span(self, opener: str, nested: str, closer: str, reason: tuple[str, str], *, double: bool = False) -> None:
        """Read ${…} or arithmetic, up to the `closer` that fits.

        :param nested: what opens another pair within; ${…} ends at the first brace.
        :param double: it stands in "…".
        """
        start = self.at
        if self.text.startswith(("${ ", "${\t", "${\n", "${|"), self.at):
            self.fail(start, start + 2, "${ and a blank: only the newest bash knows what it means", "write $(…)")
        self.take(len(opener))
        depth = max(1, opener.count("("))
        with self.ban(reason):
            while depth:
                char = self.text[self.at : self.at + 1]
                if not char:
                    self.unclosed(start, opener)
                self.keep_apart('""')
                if char == "\\":
                    self.take_escape(as_it_is)
                elif char in "'\"`$":  # single quotes come in pairs here, even within "…"
                    self.nest(start, opener)
                    self.quoted(double=double)
                    self.depth -= 1
                elif not (self.take_integer() if self.banned is ARITHMETIC else self.take_hole(as_it_is)):
                    depth += (char == nested) - (char == closer)
                    self.take(1)

    def nest(self, start: int, opener: str) -> None:
        """Go one level deeper."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            problem = f"more than {_MAX_DEPTH} levels of brackets and quotes"
            self.fail(start, start + len(opener), problem, "put the command into a script of its own")
