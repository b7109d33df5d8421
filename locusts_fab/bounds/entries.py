r"""Entries of `outputs`: names of files and folders, and what says more than a name.

As the config has it, an entry may be a pattern of the shell: `*` and `?` stand for what is in one name, `[…]` for one
of several characters, a part `**` for any folders; `[*]`, `[?]` and `[[]` for the character itself. Values of handles
are literal wherever they stand. So before they are put in, all that has a meaning is marked by a NUL, which no value
holds.

From there on a plain entry is its name. Any other is an `Entry`, `/LETTERS/TEXT`, which cannot be taken for a name: in
plans, in the ledger and in `templates/manager/outputs.sh`, which matches it.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from locusts_fab.bounds.names import Name, UnsafeNameError, names, why_not_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

#: The letters of an entry: a pattern; of folders only; it may be missing; it may not be empty.
GLOB, FOLDERS, OPTIONAL, NONEMPTY = "g", "d", "o", "n"
#: What an input of a task begins with that stands among its outputs in a plan: it is no output if it was not changed.
INPUT = "/i/"
#: How characters are written in a pattern that stand for themselves.
_LITERAL = {"*": "[*]", "?": "[?]", "[": "[[]", "\\": "[\\\\]"}
_MEANT = re.compile(r"\[([*?\[])\]")
_ONE = r"(?:\[:[a-z]+:\]|[^\]/])"
_BRACKET = rf"\[(?:[!^](?:\]|{_ONE})|\]|(?![!^]){_ONE}){_ONE}*\]"
#: Of the config: a character that is meant, or one with a meaning.
_PIECE = re.compile(rf"\[(?P<meant>[*?\[])\]|(?P<wild>[*?])|(?P<bracket>{_BRACKET})")
#: Of a marked text.
_MARKED = re.compile(rf"\0(?P<wild>[*?]|{_BRACKET})|(?P<other>[*?\[\\])", re.DOTALL)
_ENTRY = re.compile(r"/([a-z]+)/(.+)", re.DOTALL)
_LETTERS = re.compile(f"(?:{GLOB}{FOLDERS}?)?{OPTIONAL}?{NONEMPTY}?")
#: What begins a part that matches no name with a dot at its beginning.
_WILD = re.compile(r"[*?]|\[(?![*?\[.]\]|\\\\\])")
#: What `**/` matches.
_FOLDERS = b"(?:[^/.][^/]*/)*"
_made = str.__new__


class Entry(str):
    """An entry of `outputs` that says more than a name: `/LETTERS/TEXT`.

    :raises UnsafeNameError: it is none, or leads out of its folder.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Return the entry in a text that may hold anything."""
        found = _ENTRY.fullmatch(text)
        if found is None or not _LETTERS.fullmatch(found[1]):
            raise UnsafeNameError(text, why_not_plain(text) or "it is no entry of outputs")
        why = why_not_plain(found[2])
        if why is not None:
            raise UnsafeNameError(text, why)
        return _made(cls, text)

    @property
    def _letters(self) -> str:
        return self[1:].partition("/")[0]

    @property
    def text(self) -> str:
        """The name, or the pattern."""
        return self[1:].partition("/")[2]

    @property
    def is_pattern(self) -> bool:
        """Whether it is no name."""
        return GLOB in self._letters

    @property
    def is_optional(self) -> bool:
        """Whether it need not be there."""
        return OPTIONAL in self._letters

    @property
    def shown(self) -> str:
        """The text as people write it."""
        return f"{self.text}/" if FOLDERS in self._letters else self.text

    @property
    def name(self) -> Name | None:
        """The name; None if it is a pattern."""
        return None if self.is_pattern else Name(self.text)

    def matches(self, name: Name) -> bool:
        """Return whether a name may be one that the pattern matched. What is in brackets counts as any character."""
        return self.is_pattern and _expression(self.text).fullmatch(os.fsencode(name)) is not None


def outputs_of(texts: Sequence[str]) -> tuple[Name | Entry, ...]:
    """Return the names and other entries in texts that may hold anything.

    :raises UnsafeNameError: one of them is none.
    """
    if not texts or texts[0][:1] != "/":  # in one step, as nearly always
        try:
            return names(texts)
        except UnsafeNameError:
            pass  # see which
    return tuple([Entry(text) if text.startswith("/") else Name(text) for text in texts])


def shown(output: str) -> str:
    """Return an output as people know it: the name, or the pattern."""
    return output.shown if isinstance(output, Entry) else output


def mark(text: str, *, optional: bool = False, nonempty: bool = False) -> str:
    """Return an entry as the config has it, with all marked that has a meaning; `written` reads it.

    :raises ValueError: a handle stands in brackets.
    """
    is_pattern = False
    parts = []
    end = 0
    path = text.rstrip("/")
    for found in _PIECE.finditer(path):
        parts.append(path[end : found.start()])
        end = found.end()
        if found["meant"]:
            parts.append(found["meant"])
            continue
        if found["bracket"] and "<" in found[0]:
            raise ValueError(f"{found[0]}: a handle cannot stand in brackets; {LITERALS}")
        is_pattern = True
        parts.append(f"\0{found[0]}")
    marked = "".join([*parts, path[end:]])
    letters = GLOB + (FOLDERS if path != text else "") if is_pattern else ""
    letters += (OPTIONAL if optional else "") + (NONEMPTY if nonempty else "")
    return f"\0{letters}/{marked}" if letters else marked


#: How names are written that hold such characters.
LITERALS = "in a name that really has such characters write [*] for *, [?] for ?, [[] for ["


def written(marked: str) -> str:
    """Return a marked entry, with all values put in, as its name or its `Entry`; the name may be unusable."""
    if "\0" not in marked:
        return marked
    letters, _, text = marked[1:].partition("/")
    if GLOB in letters:
        text = _MARKED.sub(lambda found: found["wild"] or _LITERAL[found["other"]], text)
    return _made(Entry, f"/{letters}/{text}")


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[bytes]:
    """Return a regular expression for all names that a pattern matches."""
    *folders, last = pattern.split("/")
    made = [_FOLDERS if part == "**" else _part(part) + b"/" for part in folders]
    made.append(_FOLDERS + _part("*") if last == "**" else _part(last))
    return re.compile(b"".join(made), re.DOTALL)


def _part(part: str) -> bytes:
    """Return an expression for what one part of a pattern matches; if it begins with a wildcard, nothing hidden."""
    made = [b"(?!\\.)"] if _WILD.match(part) else []
    end = 0
    for found in re.finditer(rf"\[\\\\\]|[*?]|{_BRACKET}", part):
        made.append(re.escape(os.fsencode(part[end : found.start()])))
        end = found.end()
        meant = _MEANT.fullmatch(found[0])
        if meant:
            made.append(re.escape(os.fsencode(meant[1])))
        else:
            made.append({"*": b"[^/]*", "[\\\\]": b"\\\\"}.get(found[0], b"[^/]"))
    return b"".join([*made, re.escape(os.fsencode(part[end:]))])
