"""Handles as they stand in a template, and how a value is quoted for the place where its handle stands."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.text import nearest, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_KEYWORDS = """! [[ ]] { } case coproc do done elif else esac fi for function if in select then time until while"""
#: Words that bash takes for syntax where a command may begin.
KEYWORDS = frozenset(_KEYWORDS.split())

# ---- one function for each kind of place ----
#
# Only single quotes hold in every locale. In GBK, GB18030, Big5 and Shift-JIS a backslash, a backtick or a bracket may
# be the second byte of a character, so an odd byte before it takes its meaning away, and a backslash that we wrote
# escapes nothing. A quote (0x22, 0x27) is no later byte of a character in any encoding of the C library (a test looks
# at all its charmaps): the second bytes of those begin at 0x30. So values leave the quotes that they stand in.
#
# One thing more: GB18030 has characters of four bytes, whose second is a digit, and the C library judges one when all
# four are there. So bash takes a quote after half of one for a part of it: we put a quote before each such digit.

#: Values that need no quotes. `=` is not among them (it could make an assignment), nor `%` in front (a job of bash).
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_@+:,./-][A-Za-z0-9_@%+:,./-]*")
#: Values that read the same in "…", in any locale.
_PLAIN_IN_DOUBLE = re.compile(r"[A-Za-z0-9_@%+:,./=-]*")


#: Where a byte that is not ASCII and a digit have to be kept apart.
_BEFORE_DIGIT = re.compile(r"(?<=[^\0-\x7f])(?=[0-9])")


def quote_always(value: str) -> str:
    """Return a value quoted as (a part of) a bare word, whatever it is."""
    quoted = "'" + value.replace("'", "'\\''") + "'"
    return quoted if value.isascii() else _BEFORE_DIGIT.sub("''", quoted)


def quote_word(value: str) -> str:
    """Return a value quoted as (a part of) a bare word, unless it reads the same without quotes."""
    if _PLAIN_VALUE.fullmatch(value) and value not in KEYWORDS:
        return value
    return quote_always(value)


def quote_words(words: Iterable[str]) -> str:
    """Return words as a part of a command line."""
    return " ".join(map(quote_word, words))


#: What does not read the same between single quotes in every shell: csh looks for `!` there and ends at a newline, fish
#: takes backslashes; and bytes that are not ASCII may be a part of anything.
_ODD_SOMEWHERE = re.compile(rb"[\x00-\x1f!'\\\x7f-\xff]")


def for_login_shell(script: str) -> str:
    r"""Return a command by which a login shell of any kind (sh, csh, fish, one of their kin) has bash run a script.

    :param script: any text without NUL.
    :returns: the command. What is odd in some shell is written as `\ooo` in it, for bash to read.
    """
    text = os.fsencode(script)
    if not _ODD_SOMEWHERE.search(text):
        return f"bash -c '{script}'"
    escaped = _ODD_SOMEWHERE.sub(lambda odd: b"\\%03o" % ord(odd[0]), text).decode("ascii")
    return rf"bash -c 'eval $'\''{escaped}'\'"


def quote_in_single(value: str) -> str:
    """Return a value quoted to stand in '…', which it leaves unless all of it is ASCII."""
    return value.replace("'", "'\\''") if value.isascii() else "'" + quote_always(value) + "'"


def quote_in_double(value: str) -> str:
    """Return a value quoted to stand in "…", which it leaves unless it reads the same there."""
    return value if _PLAIN_IN_DOUBLE.fullmatch(value) else '"' + quote_always(value) + '"'


def quote_in_ansi(value: str) -> str:
    """Return a value quoted to stand in $'…', which it leaves: an escape before it ends there, too."""
    return "'" + quote_always(value) + "$'"


def as_it_is(value: str) -> str:
    """Return a value unquoted: for `:raw` and for file names."""
    return value


# ---- handles ----


@dataclass
class Hole:
    """A handle in a template; `constant` is its value if that is known already, as for `<shared>key`."""

    handle: str
    quote: Callable[[str], str]
    start: int
    end: int
    constant: str | None = None
    is_integer: bool = False

    def demand_integers(self, text: str, *, is_based: bool) -> None:
        """Put values in as they are if they are integers, and refuse all others when they come.

        :param text: the template, to show the place.
        :param is_based: `10#` stands before the handle, so that leading zeros do no harm.
        """

        def quote(value: str) -> str:
            why = _why_no_integer(value, is_based=is_based)
            if why is None:
                return f"({value})" if value[0] in "+-" else value
            handle = f"<{self.handle}>"
            raise PlanError(
                f"{handle} stands in arithmetic, where values have to be integers, and {printable(repr(value[:40]))}"
                f" {why}:\n{excerpt(text, self.start, self.end)}",
                hint=f"write $(expr {handle} + 1) for other values; for leading zeros, $((10#{handle} + 1))",
            )

        self.quote, self.is_integer = quote, True


_INTEGER = re.compile(r"[+-]?[0-9]+")
_LARGEST = str(2**63 - 1)


def _why_no_integer(value: str, *, is_based: bool) -> str | None:
    """Return why bash would not read a value as the integer that it is; None if it does."""
    digits = value.lstrip("+-")
    if not _INTEGER.fullmatch(value):
        return "is none"
    if is_based and digits != value:
        return "has a sign, which may not follow 10#"
    if not is_based and digits.startswith("0") and digits != "0":
        return "begins with a zero, so that bash would read it as octal"
    significant = digits.lstrip("0")
    if (len(significant), significant) > (len(_LARGEST), _LARGEST):
        return "is larger than bash can count"
    return None


def find_key(text: str, start: int, end: int, shared: Mapping[str, str]) -> str:
    """Return the shared key that stands at `end`, right after the handle `<shared>` that stands at `start`.

    :raises PlanError: there is no such key.
    """
    key = max((key for key in shared if key and text.startswith(key, end)), key=len, default=None)
    if key is not None:
        return key
    written = re.compile(r"[A-Za-z0-9._-]*").match(text, end)
    word = written[0] if written else ""
    near = nearest(word, shared, 0.5)
    known = ", ".join(sorted(shared)) or "none: the swarm has no `shared` files"
    raise PlanError(
        f"<shared>{word}: no shared file has this key:\n{excerpt(text, start, end + len(word))}",
        hint=(f"did you mean <shared>{near}? " if near else "") + f"known keys: {known}",
    )


def excerpt(text: str, start: int, end: int) -> str:
    """Return the line in which text[start:end] stands, with carets under it."""
    left = max(text.rfind("\n", 0, start) + 1, start - 50)
    right = text.find("\n", start)
    right = min(len(text) if right < 0 else right, end + 40)
    line = "".join(char if char.isprintable() else " " for char in text[left:right])
    return f"    {line}\n    {' ' * (start - left)}{'^' * max(1, min(end, right) - start)}"
