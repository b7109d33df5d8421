"""Handles as they stand in a template, and how a value is quoted for the place where its handle stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.text import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KEYWORDS = """! [[ ]] { } case coproc do done elif else esac fi for function if in select then time until while"""
#: Words that bash takes for syntax where a command may begin.
KEYWORDS = frozenset(_KEYWORDS.split())

# ---- one function for each kind of place ----

#: Values that need no quotes. `=` is not among them (it could make an assignment), nor `%` in front (a job of bash).
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_@+:,./-][A-Za-z0-9_@%+:,./-]*")
_IN_DOUBLE = str.maketrans({char: "\\" + char for char in '\\$`"'})


def quote_always(value: str) -> str:
    """Return a value quoted as (a part of) a bare word, whatever it is."""
    return "'" + value.replace("'", "'\\''") + "'"


def quote_word(value: str) -> str:
    """Return a value quoted as (a part of) a bare word, unless it reads the same without quotes."""
    if _PLAIN_VALUE.fullmatch(value) and value not in KEYWORDS:
        return value
    return "'" + value.replace("'", "'\\''") + "'"


def quote_in_single(value: str) -> str:
    """Return a value quoted to stand in '…'."""
    return value.replace("'", "'\\''")


def quote_in_double(value: str) -> str:
    """Return a value quoted to stand in "…"."""
    return value.translate(_IN_DOUBLE)


def quote_in_ansi(value: str) -> str:
    """Return a value quoted to stand in $'…'."""
    return value.replace("\\", "\\\\").replace("'", "\\'")


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
