r"""Handles: the places in a template, such as `<id>`, that each task fills with a value of its own.

A value is data. In a command it is quoted for the place where its handle stands, so no value can become shell code;
to know the place, `lexer.py` reads the template as bash would, once. It refuses places where no quoting helps.

* `<id>`, `<arg0>`, `<temperature>`: the task's value. A `<word>` that is no handle stays as it is.
* `<shared>key`: the path of a shared file; the longest known key that fits counts.
* `<id:raw>`: the value as it is, unquoted, anywhere: for shell text that is meant as such.
* `\<id>`: the text `<id>` itself, in every kind of quotes.
* `sort <<id>` reads from the file that `<id>` names: `<` and a handle.

Commands that take their arguments for code (`eval`, `let`, `bash -c`, `declare`) still do so: quoting
cannot change that.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.shell.lexer import Lexer
from locusts_fab.shell.misspelt import refuse_misspelt, variables_like_handles
from locusts_fab.shell.quoting import KEYWORDS, Hole, as_it_is, excerpt, find_key
from locusts_fab.text import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


class Template:
    """A command or a file name with handles in it; compiled once, rendered for each task.

    :param text: the template as the user wrote it.
    :param parts: its literal texts and its handles, in order.
    :param suspects: warnings about every shared key with a tail, and about every value that is taken for code.
    """

    def __init__(self, text: str, parts: Collection[str | Hole], suspects: Collection[str] = ()) -> None:
        self.text = text
        self.suspects = list(suspects)
        self._parts = [
            part.quote(part.constant) if isinstance(part, Hole) and part.constant is not None else part
            for part in parts
        ]
        holes = [part for part in self._parts if isinstance(part, Hole)]
        self.names = tuple(dict.fromkeys(hole.handle for hole in holes))
        self.handles = frozenset(self.names)
        # printf-style formatting is the fastest way to put many values into one text
        self._format = "".join("%s" if isinstance(part, Hole) else part.replace("%", "%%") for part in self._parts)
        self._fields = tuple((hole.handle, hole.quote) for hole in holes)

    @classmethod
    def command(cls, text: str, handles: Collection[str], shared: Mapping[str, str] | None = None) -> Template:
        """Return a bash command, compiled.

        :param handles: the names that every task has a value for, such as `id` and `arg0`.
        :param shared: the path on the target for each shared key.
        :raises PlanError: a handle stands where no quoting makes its value safe, `<shared>` has an unknown key, quotes
            and brackets do not close, or something looks like a handle that is misspelt.
        """
        refuse_misspelt(text, handles, shared or {})
        if "<" not in text:
            return cls(text, [text], list(variables_like_handles(text, handles)))
        lexer = Lexer(text, handles, shared or {})
        if lexer.handle.search(text):
            lexer.read()
        else:  # whatever it is, it needs no quoting
            lexer.parts.append(text)
        return cls(text, lexer.parts, [*_find_tails(text, shared or {}), *lexer.warnings()])

    @classmethod
    def name(cls, text: str, handles: Collection[str], shared: Mapping[str, str] | None = None) -> Template:
        r"""Return a file name, compiled: values stand in it as they are.

        :raises PlanError: a `<word>` is no handle (write `\<word>` if the name really holds it), or `<shared>` has an
            unknown key.
        """
        return cls(text, list(_split_name(text, handles, shared or {})))

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with the values put in for their handles.

        :param values: by the names of the handles; none may hold a NUL, for no command line can.
        :raises PlanError: a value that stands in arithmetic is no integer, or none that bash reads as such.
        """
        return self._format % tuple([quote(values[handle]) for handle, quote in self._fields])

    def match(self, name: str) -> tuple[str, ...] | None:
        """Return the values with which this file-name template gives `name`, in the order of `names`.

        Where several would do, the first handle takes as much as it can, then the second, and so on: what Python's
        `re.fullmatch` finds if each handle is `([^/]+)` where it first stands and a reference to that later.

        :returns: the values, none of them empty or with a `/`; None if there are none.
        """
        found = self.pattern.fullmatch(name)
        return found.groups() if found else None

    def match_otherwise(self, name: str) -> tuple[str, ...] | None:
        """Return other values with which this template gives `name`; None if there are none but those of `match`.

        Here the first handle takes as little as it can, and so on; if that comes to the same, there is no other way.
        """
        least, most = self._least_pattern.fullmatch(name), self.pattern.fullmatch(name)
        return least.groups() if least and most and least.groups() != most.groups() else None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The regular expression for names, with a group for each of `names`."""
        return self._make_pattern("[^/]+")

    @cached_property
    def _least_pattern(self) -> re.Pattern[str]:
        return self._make_pattern("[^/]+?")

    def _make_pattern(self, value: str) -> re.Pattern[str]:
        pieces, known = [], dict[str, str]()
        for part in self._parts:
            if isinstance(part, str):
                pieces.append(re.escape(part))
            else:
                pieces.append(known.get(part.handle, f"({value})"))
                known[part.handle] = f"(?:\\{self.names.index(part.handle) + 1})"
        return re.compile("".join(pieces), re.DOTALL)

    @property
    def run_together(self) -> tuple[str, str] | None:
        """Two handles with nothing between them, so that no name says where one ends; None if there are none."""
        known: set[str] = set()
        for one, other in pairwise([part for part in self._parts if part]):
            if isinstance(one, str):
                continue
            is_new = one.handle not in known
            known.add(one.handle)
            if is_new and isinstance(other, Hole) and other.handle not in known:
                return one.handle, other.handle
        return None


_NAME_HANDLE = re.compile(r"(\\?)<([^<>/]+?)(:raw)?>")
_HANDLE_LIKE = re.compile(r"[A-Za-z_][\w.-]*(:\w+)?")
_FILE_HANDLE = re.compile(r"(?!(?:shared|arg[0-9]+)\Z)[A-Za-z_][A-Za-z0-9_.-]*")


def handles_of_name(text: str) -> list[str]:
    """Return what can be a handle in a file-name template whose handles are not known beforehand, in order.

    `<shared>` and `<arg0>` have meanings of their own, so they are not among them.
    """
    words = [found[2] for found in _NAME_HANDLE.finditer(text) if not found[1]]
    return [word for word in dict.fromkeys(words) if _FILE_HANDLE.fullmatch(word)]


def _split_name(text: str, handles: Collection[str], shared: Mapping[str, str]) -> Iterator[str | Hole]:
    """Return the parts of a file-name template.

    :raises PlanError: see `Template.name`.
    """
    at = 0
    for found in _NAME_HANDLE.finditer(text):
        escaped, handle = found[1], found[2]
        yield text[at : found.start()]
        at = found.end()
        if escaped:
            yield found[0][1:]
        elif handle == "shared":
            key = find_key(text, found.start(), at, shared)
            yield shared[key]
            at += len(key)
        elif handle in handles:
            yield Hole(handle, as_it_is, found.start(), at)
        elif _HANDLE_LIKE.fullmatch(handle):
            raise PlanError(
                f"<{handle}> is no handle here:\n{excerpt(text, found.start(), at)}",
                hint=_did_you_mean(handle, handles) or f"write \\<{handle}> if the name really holds this text",
            )
        else:
            yield found[0]
    yield text[at:]


def _find_tails(text: str, shared: Mapping[str, str]) -> list[str]:
    """Return warnings of shared keys with a tail."""
    suspects = []
    for word in dict.fromkeys(re.findall(r"(?<!\\)<shared(?::raw)?>(\w+)", text)):
        if not any(key.startswith(word) for key in shared):
            key = max((key for key in shared if word.startswith(key)), key=len, default=word)
            suspects.append(f"<shared>{word}: no shared file has this key, so it is the path of {key} with a tail")
    return suspects


def _did_you_mean(word: str, known: Collection[str]) -> str:
    """Return the handle that `word` may have been meant for, in words; empty if none is close."""
    near = nearest(word, sorted(known), 0.7)
    return f"did you mean <{near}>?" if near else ""


# ---- commands that need no shell of their own ----

_BUILTINS = """. : [ alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown
    echo enable eval exec exit export false fc fg getopts hash help history jobs kill let local logout mapfile popd
    printf pushd pwd read readarray readonly return set shift shopt source suspend test times trap true type typeset
    ulimit umask unalias unset wait"""
#: Commands that are part of bash itself, up to version 5.3.
BUILTINS = frozenset(_BUILTINS.split())

#: One program with plain words, quotes and redirections; anything else is left to bash.
_SIMPLE_COMMAND = re.compile(
    r"""[ \t]*
    (?P<program>[A-Za-z0-9_./+][A-Za-z0-9_./+-]*)
    (?:[ \t]
        (?: [^'"\\$`;|&(){}!<>\#\n]       # plain text, blanks too
        | \\[^\n]                        # an escaped character
        | '[^'\n]*'                      # '…'
        | "(?:[^"\\$`\n]|\\[^\n])*"      # "…" without expansions
        | (?<=[ \t0-9])>&[0-9](?=[ \t]|\Z) # 2>&1
        | (?<=[ \t])&>>?                 # &> file
        | <(?!<) | >                     # < file, > file, >> file, or the brackets of a handle
        )*
    )?""",
    re.VERBOSE,
)


def is_direct(text: str) -> bool:
    """Return whether a command template is one simple command, which a slot may start without a shell between.

    :returns: True only where that is sure: nothing expands, nothing is joined by operators, and the program is a plain
        name that is neither a handle nor part of bash. (It may still be a function: the manager looks, and then
        does not start it itself.)
    """
    found = _SIMPLE_COMMAND.fullmatch(text)
    if found is None or found["program"] in KEYWORDS | BUILTINS:
        return False
    # what reads as a redirection may be a handle with a blank in its name, and the `&` after it an operator
    return ":raw>" not in text and not re.search(r"<[^<>]*>&", text)
