r"""Handles: the places in a template, such as `<id>`, that each task fills with a value of its own.

A value is data. In a command it is quoted for the place where its handle stands, so no value can become shell code;
to know the place, `_Lexer` reads the template as bash would, once. `_Lexer` refuses places where no quoting helps.

* `<id>`, `<arg0>`, `<temperature>`: the task's value. A `<word>` that is no handle stays as it is.
* `<shared>key`: the path of a shared file; the longest known key that fits counts.
* `<id:raw>`: the value as it is, unquoted, anywhere: for shell text that is meant as such.
* `\<id>`: the text `<id>` itself, in every kind of quotes.
* `sort <<id>` reads from the file that `<id>` names: `<` and a handle.

Commands that take their arguments for code (`eval`, `let`, `bash -c`, `declare`) still do so: quoting
cannot change that.
"""

from __future__ import annotations

import difflib
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING, NoReturn

from .errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

_KEYWORDS = """! [[ ]] { } case coproc do done elif else esac fi for function if in select then time until while"""
_BUILTINS = """. : [ alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown
    echo enable eval exec exit export false fc fg getopts hash help history jobs kill let local logout mapfile popd
    printf pushd pwd read readarray readonly return set shift shopt source suspend test times trap true type typeset
    ulimit umask unalias unset wait"""
#: Words that bash takes for syntax where a command may begin.
KEYWORDS = frozenset(_KEYWORDS.split())
#: Commands that are part of bash itself, up to version 5.3.
BUILTINS = frozenset(_BUILTINS.split())

# ---------------------------------------------------------------------------------------------------------------------
# Quoting: one function for each kind of place

#: Values that need no quotes. `=` is not among them (it could make an assignment), nor `%` in front (a job of bash).
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_@+:,./-][A-Za-z0-9_@%+:,./-]*")
_IN_DOUBLE = str.maketrans({char: "\\" + char for char in '\\$`"'})


def quote_always(value: str) -> str:
    """Quote a value as (a part of) a bare word, whatever it is."""
    return "'" + value.replace("'", "'\\''") + "'"


def quote_word(value: str) -> str:
    """Quote a value as (a part of) a bare word, unless it reads the same without quotes."""
    if _PLAIN_VALUE.fullmatch(value) and value not in KEYWORDS:
        return value
    return "'" + value.replace("'", "'\\''") + "'"


def quote_in_single(value: str) -> str:
    """Quote a value that stands in '…'."""
    return value.replace("'", "'\\''")


def quote_in_double(value: str) -> str:
    """Quote a value that stands in "…"."""
    return value.translate(_IN_DOUBLE)


def quote_in_ansi(value: str) -> str:
    """Quote a value that stands in $'…'."""
    return value.replace("\\", "\\\\").replace("'", "\\'")


def as_it_is(value: str) -> str:
    """Quote nothing: for `:raw` and for file names."""
    return value


# ---------------------------------------------------------------------------------------------------------------------
# Templates


@dataclass
class _Hole:
    """A handle in a template; `constant` is its value if that is known already, as for `<shared>key`."""

    handle: str
    quote: Callable[[str], str]
    start: int
    end: int
    constant: str | None = None


class Template:
    """A command or a file name with handles in it; compiled once, rendered for each task.

    :param text: the template as the user wrote it.
    :param parts: its literal texts and its handles, in order.
    :param suspects: warnings about every `<word>` that is no handle but looks like one misspelt.
    """

    def __init__(self, text: str, parts: Collection[str | _Hole], suspects: Collection[str] = ()) -> None:
        self.text = text
        self.suspects = list(suspects)
        self._parts = [
            part.quote(part.constant) if isinstance(part, _Hole) and part.constant is not None else part
            for part in parts
        ]
        holes = [part for part in self._parts if isinstance(part, _Hole)]
        self.handles = frozenset(hole.handle for hole in holes)
        # printf-style formatting is the fastest way to put many values into one text
        self._format = "".join("%s" if isinstance(part, _Hole) else part.replace("%", "%%") for part in self._parts)
        self._fields = tuple((hole.handle, hole.quote) for hole in holes)
        self._pattern: re.Pattern[str] | None = None

    @classmethod
    def command(cls, text: str, handles: Collection[str], shared: Mapping[str, str] | None = None) -> Template:
        """Compile a bash command.

        :param handles: the names that every task has a value for, such as `id` and `arg0`.
        :param shared: the path on the target for each shared key.
        :raises PlanError: a handle stands where no quoting makes its value safe, `<shared>` has an unknown key, or
            quotes and brackets do not close.
        """
        if "<" not in text:
            return cls(text, [text])
        lexer = _Lexer(text, handles, shared or {})
        if lexer.handle.search(text):
            lexer.read()
        else:  # whatever it is, it needs no quoting
            lexer.parts.append(text)
        return cls(text, lexer.parts, _find_suspects(text, handles, shared or {}))

    @classmethod
    def name(cls, text: str, handles: Collection[str], shared: Mapping[str, str] | None = None) -> Template:
        r"""Compile a file name: values stand in it as they are.

        :raises PlanError: a `<word>` is no handle (write `\<word>` if the name really holds it), or `<shared>` has an
            unknown key.
        """
        return cls(text, list(_split_name(text, handles, shared or {})))

    def render(self, values: Mapping[str, str]) -> str:
        """Put the values in for their handles. No value may hold a NUL: no command line can."""
        return self._format % tuple([quote(values[handle]) for handle, quote in self._fields])

    def match(self, name: str) -> str | None:
        """Find the id with which this file-name template gives `name`.

        :returns: the id, never empty and without `/`; None if there is none or `<id>` is not the template's one handle.
        """
        if self._pattern is None:
            self._pattern = self._make_pattern()
        found = self._pattern.fullmatch(name)
        return found["id"] if found else None

    def _make_pattern(self) -> re.Pattern[str]:
        if self.handles != {"id"}:
            return re.compile(r"(?P<id>(?!))")  # matches nothing
        id_patterns = chain(["(?P<id>[^/]+)"], repeat("(?P=id)"))
        patterns = (re.escape(part) if isinstance(part, str) else next(id_patterns) for part in self._parts)
        return re.compile("".join(patterns), re.DOTALL)


_NAME_HANDLE = re.compile(r"(\\?)<([^<>/]+?)(:raw)?>")
_HANDLE_LIKE = re.compile(r"[A-Za-z_][\w.-]*(:\w+)?")


def _split_name(text: str, handles: Collection[str], shared: Mapping[str, str]) -> Iterator[str | _Hole]:
    """Split a file-name template into its parts.

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
            key = _find_key(text, found.start(), at, shared)
            yield shared[key]
            at += len(key)
        elif handle in handles:
            yield _Hole(handle, as_it_is, found.start(), at)
        elif _HANDLE_LIKE.fullmatch(handle):
            raise PlanError(
                f"<{handle}> is no handle here:\n{_excerpt(text, found.start(), at)}",
                hint=_did_you_mean(handle, handles) or f"write \\<{handle}> if the name really holds this text",
            )
        else:
            yield found[0]
    yield text[at:]


def _find_key(text: str, start: int, end: int, shared: Mapping[str, str]) -> str:
    """Find the shared key that stands at `end`, right after the handle `<shared>` that stands at `start`.

    :raises PlanError: none does.
    """
    key = max((key for key in shared if key and text.startswith(key, end)), key=len, default=None)
    if key is not None:
        return key
    written = re.compile(r"[A-Za-z0-9._-]*").match(text, end)
    word = written[0] if written else ""
    near = difflib.get_close_matches(word, shared, 1, 0.5)
    known = ", ".join(sorted(shared)) or "none: the swarm has no `shared` files"
    raise PlanError(
        f"<shared>{word}: no shared file has this key:\n{_excerpt(text, start, end + len(word))}",
        hint=(f"did you mean <shared>{near[0]}? " if near else "") + f"known keys: {known}",
    )


def _find_suspects(text: str, handles: Collection[str], shared: Mapping[str, str]) -> list[str]:
    """Warn of each `<word>` in a command that is no handle but close to one, and of shared keys with a tail."""
    known = {form for handle in (*handles, "shared") for form in (handle, f"{handle}:raw")}
    words = dict.fromkeys(found[1] for found in re.finditer(r"(?<!\\)<([A-Za-z_][\w.-]*(?::\w+)?)>", text))
    advice = ((word, _did_you_mean(word, known)) for word in words if word not in known)
    suspects = [f"<{word}> is no handle here and stays as it is; {near}" for word, near in advice if near]
    for word in dict.fromkeys(re.findall(r"(?<!\\)<shared(?::raw)?>(\w+)", text)):
        if not any(key.startswith(word) for key in shared):
            key = max((key for key in shared if word.startswith(key)), key=len, default=word)
            suspects.append(f"<shared>{word}: no shared file has this key, so it is the path of {key} with a tail")
    return suspects


def _did_you_mean(word: str, known: Collection[str]) -> str:
    """Name the handle that `word` may have been meant for, if one is close."""
    by_lower = {name.lower(): name for name in sorted(known)}
    near = difflib.get_close_matches(word.lower(), by_lower, 1, 0.7)
    return f"did you mean <{by_lower[near[0]]}>?" if near else ""


def _excerpt(text: str, start: int, end: int) -> str:
    """Show the line in which text[start:end] stands, with carets under it."""
    left = max(text.rfind("\n", 0, start) + 1, start - 50)
    right = text.find("\n", start)
    right = min(len(text) if right < 0 else right, end + 40)
    line = "".join(char if char.isprintable() else " " for char in text[left:right])
    return f"    {line}\n    {' ' * (start - left)}{'^' * max(1, min(end, right) - start)}"


# ---------------------------------------------------------------------------------------------------------------------
# Reading bash

#: Where values cannot be made safe: the place in words, and what to write instead.
_BACKTICKS = ("in backticks", "write $(…) instead of `…`")
_ARITHMETIC = ("in arithmetic", "write $(expr HANDLE + 1), or ( ( … ) with a blank if subshells are meant")
_BRACES = ("in ${…}", "give it to a variable first: x=HANDLE; … ${x}")
_HEREDOC = ("in a here-document", "write printf '%s\\n' HANDLE | … instead, or a here-string <<< HANDLE")
_DELIMITER = ("after <<", "write < HANDLE to read from a file, <<< HANDLE for a here-string, each with the blank")
_SUBSCRIPT = ("in an array subscript, which is arithmetic", "number the elements of the array yourself")
_NUMBER_TEST = ("in a [[ … ]] that compares numbers or asks for a variable", "write [ … ] instead of [[ … ]]")
_DOLLAR = ("right after a dollar sign", "write \\$HANDLE for the sign and the value, or HANDLE for the value alone")
_DUPLICATE = ("after >& or <&, where a number is a descriptor", "write > HANDLE 2>&1 to send both outputs to a file")
_NAMED_BADLY = ("in a command with a name that means something to bash", "rename the column")
_SPLIT = ("a line may not end right after this sign", "put a blank before the backslash")

#: A bare word, each handle in it as \0, in which plain values need no quotes: nothing in it is special to bash.
_PLAIN_WORD = re.compile(r"[\w@%+:,./=-]*(\0[\w@%+:,./-]*)*", re.ASCII)
_MAYBE_KEYWORD = re.compile(r"[a-z\0]+")
_VARIABLE_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_END_OF_SUBSCRIPT = re.compile(r"\]\+?=")
#: After these the next word is again the first of a command.
_LEADING = frozenset(["!", "{", "if", "then", "elif", "else", "while", "until", "do", "time", "coproc"])
_NUMBER_TESTS = frozenset(["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"])
_REDIRECTION = re.compile(r"<<<|<<-?|<>|<&|>&|>>|>\||[<>]")
_DELIMITER_WORD = re.compile(r"""[ \t]*((?:\\.|'[^']*'|"[^"]*"|[^\s;&|()<>'"\\])*)""", re.DOTALL)
_BACKTICKED = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)
#: A $name right before a handle would swallow the letters of the value.
_NAME_BEFORE = re.compile(r"\$(?:\w|\\\n)+\Z")
#: An escape of $'…' that may not have ended yet.
_ESCAPE_BEFORE = re.compile(r"\\(?:[xuUc]|[0-7])[0-9A-Fa-f]{0,7}\Z")
_BAD_NAME = re.compile(r"""['"`\\$\n]""")
_MAX_DEPTH = 50


@dataclass
class _Level:
    """How far a list of commands has been read: the outermost, or one in ( … )."""

    array: bool = False  # the words of name=( … )
    test: bool = False  # within [[ … ]]
    first: bool = True  # the next word is the first of a command
    cases: int = 0  # `case`s that wait for their `esac`; there ) ends a pattern
    duplicate: bool = False  # the word follows >& or <&
    word: str = ""  # the word so far, each handle in it as \0
    holes: list[_Hole] = field(default_factory=list)  # the bare handles of the word


class _Lexer:
    """Reads a command template as bash does, and finds out how each handle has to be quoted.

    Every method reads one construct that begins at `at`, and appends what it read to `parts`.
    """

    def __init__(self, text: str, handles: Collection[str], shared: Mapping[str, str]) -> None:
        self.text = text
        self.shared = shared
        self.at = 0
        self.depth = 0
        self.parts: list[str | _Hole] = []
        self.banned: tuple[str, str] | None = None  # within a place where handles are refused
        self.heredocs: list[tuple[str, bool, bool]] = []  # those whose bodies begin after this line
        self.test_parts: list[int] = []  # where in `parts` the open [[ began
        self.test_of_numbers = False
        names = sorted({*handles, "shared"}, key=len, reverse=True)
        self.handle = re.compile(f"<({'|'.join(map(re.escape, names))})(:raw)?>")

    def read(self) -> None:
        """Read the whole template.

        :raises PlanError: see `Template.command`.
        """
        self.commands(_Level())

    # -- small steps --

    def take(self, count: int) -> None:
        """Take the next characters as they are."""
        self.parts.append(self.text[self.at : self.at + count])
        self.at += count

    def take_hole(self, quote: Callable[[str], str]) -> _Hole | None:
        """Take the handle that stands here, if one does."""
        found = self.handle.match(self.text, self.at)
        if found is None:
            return None
        hole = _Hole(found[1], as_it_is if found[2] else quote, self.at, found.end())
        if _BAD_NAME.search(hole.handle):
            self.refuse(hole, _NAMED_BADLY)
        if self.banned and not found[2]:
            self.refuse(hole, self.banned)
        if hole.handle == "shared":
            key = _find_key(self.text, self.at, hole.end, self.shared)
            hole.constant = self.shared[key]
            hole.end += len(key)
        self.parts.append(hole)
        self.at = hole.end
        return hole

    def take_escape(self, quote: Callable[[str], str]) -> None:
        """Take a backslash and what it escapes; a handle loses the backslash and stays as text."""
        found = self.handle.match(self.text, self.at + 1)
        if found:
            self.parts.append(quote(found[0]))
            self.at = found.end()
        else:
            self.take(2)

    def refuse(self, hole: _Hole, reason: tuple[str, str]) -> NoReturn:
        """Say that a handle cannot stand where it does."""
        place, instead = reason
        handle = f"<{hole.handle}>"
        self.fail(
            hole.start,
            hole.start + len(handle),
            f"{handle} stands {place}: no quoting makes its value safe there",
            f"{instead.replace('HANDLE', handle)}; <{hole.handle}:raw> puts values in as they are, if you trust them",
        )

    def unclosed(self, start: int, opener: str) -> NoReturn:
        """Say that what opens at `start` does not end."""
        self.fail(
            start, start + len(opener), f"no end is found for the {opener} here", "close it, or write \\ before it"
        )

    def fail(self, start: int, end: int, problem: str, hint: str) -> NoReturn:
        """Give up, and show the text[start:end] that is to blame."""
        raise PlanError(f"{problem}:\n{_excerpt(self.text, start, end)}", hint=hint)

    def quoted_holes(self, since: int) -> list[_Hole]:
        """List the handles among the parts from number `since` on, other than raw ones."""
        return [part for part in self.parts[since:] if isinstance(part, _Hole) and part.quote is not as_it_is]

    @contextmanager
    def ban(self, reason: tuple[str, str]) -> Iterator[None]:
        """Refuse handles, other than raw ones, while this lasts."""
        outer = self.banned
        self.banned = outer or reason
        yield
        self.banned = outer

    # -- quotes and expansions --

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
            if self.text.startswith("\\", self.at):
                self.take_escape(quote_in_ansi)
                continue
            if self.handle.match(self.text, self.at) and _ESCAPE_BEFORE.search(self.text, start, self.at):
                self.parts.append("'$'")  # end the escape before the value begins
            if not self.take_hole(quote_in_ansi):
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
            if char == "\\":
                self.take_escape(quote_in_double)
            elif char in "$`":
                self.quoted(double=True)
            else:
                if self.handle.match(self.text, self.at) and _NAME_BEFORE.search(self.text, start, self.at):
                    self.parts.append('""')  # end the name before the value begins
                if not self.take_hole(quote_in_double):
                    self.take(1)
        self.take(1)

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
            self.span("$((", "(", ")", _ARITHMETIC)
        elif self.text.startswith("$[", self.at):
            self.span("$[", "[", "]", _ARITHMETIC)
        elif self.text.startswith("${", self.at):
            self.span("${", "", "}", _BRACES, double=double)
        elif self.text.startswith("$(", self.at):
            self.take(1)
            self.parenthesis(_Level())
        elif self.text.startswith("$'", self.at) and not double:
            self.take(1)
            self.ansi()
        elif self.text.startswith("$\\\n", self.at):
            self.fail(self.at, self.at + 1, *_SPLIT)
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
                if char == "\\":
                    self.take_escape(as_it_is)
                elif char in "'\"`$":  # single quotes come in pairs here, even within "…"
                    self.nest(start, opener)
                    self.quoted(double=double)
                    self.depth -= 1
                elif not self.take_hole(as_it_is):
                    depth += (char == nested) - (char == closer)
                    self.take(1)

    # -- commands --

    def nest(self, start: int, opener: str) -> None:
        """Go one level deeper."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            problem = f"more than {_MAX_DEPTH} levels of brackets and quotes"
            self.fail(start, start + len(opener), problem, "put the command into a script of its own")

    def parenthesis(self, level: _Level) -> None:
        """Read the ( … ) of a subshell, a substitution, a list of words or a pattern."""
        start = self.at
        self.nest(start, "(")
        self.take(1)
        if not self.commands(level):
            self.unclosed(start, "(")
        self.depth -= 1

    def commands(self, level: _Level) -> bool:
        """Read commands up to the end or, within ( … ), up to its parenthesis.

        :returns: whether it was a parenthesis.
        """
        while self.at < len(self.text):
            char = self.text[self.at]
            if hole := self.take_hole(quote_word):
                if hole.quote is quote_word:
                    level.holes.append(hole)
                level.word += "\0" if hole.quote is quote_word else "$"
            elif char == "\\":
                self.backslash(level)
            elif char in "'\"`$":
                before = len(self.parts)
                self.quoted()
                level.word += char + "\0" * len(self.quoted_holes(before))
            elif char == "[" and self.is_subscript(level):
                self.span("[", "[", "]", _SUBSCRIPT)
                level.word += "[]"
            elif char == "#" and not level.word:
                end = self.text.find("\n", self.at)
                self.take((end if end >= 0 else len(self.text)) - self.at)
            elif char in " \t\n;&|()<>":
                words = self.end_word(level, char)
                if char == ")" and not level.cases and self.depth:
                    self.take(1)
                    return True
                self.operator(level, char, words)
            else:
                self.take(1)
                level.word += char
        self.end_word(level, "")
        return False

    def is_subscript(self, level: _Level) -> bool:
        """Tell whether the bracket here may open the subscript of an assignment, which may hold blanks: a[1 + 2]=x."""
        named = _VARIABLE_NAME.fullmatch(level.word) or (level.array and not level.word)
        return bool(named and _END_OF_SUBSCRIPT.search(self.text, self.at))

    def backslash(self, level: _Level) -> None:
        """Read a backslash outside quotes; one at the end of a line joins it with the next."""
        if not self.text.startswith("\\\n", self.at):
            level.word += "\\"
            self.take_escape(quote_always)
        elif self.text[self.at - 1 : self.at] in {"<", "("}:
            self.fail(self.at - 1, self.at, *_SPLIT)
        else:
            self.take(2)

    def end_word(self, level: _Level, terminator: str) -> str:
        """Settle how the handles of a bare word are quoted, now that all of it is known.

        `2>out` and `f(` show why what follows matters, `{<arg0>}` and `~<arg0>` what comes before.

        :returns: the word.
        """
        word, holes = level.word, level.holes
        if not word:
            return word
        quiet = _PLAIN_WORD.fullmatch(word) and (word == "\0" or not _MAYBE_KEYWORD.fullmatch(word))
        if not quiet or terminator in {"<", ">", "("} or level.test:
            for hole in holes:
                hole.quote = quote_always
        if "\0" in word and level.duplicate:
            self.refuse(self.quoted_holes(0)[-1], _DUPLICATE)
        self.note_test(level, word)
        if level.first and word == "case" and terminator != ")":
            level.cases += 1
        elif level.first and word == "esac":
            level.cases = max(0, level.cases - 1)
        level.first = (level.first and word in _LEADING) or (word == "in" and level.cases > 0)
        level.word, level.holes = "", []
        level.duplicate = level.duplicate and terminator in {"<", ">"}
        return word

    def note_test(self, level: _Level, word: str) -> None:
        """Follow [[ … ]]: where it compares numbers, it evaluates its words as arithmetic."""
        if level.first and word == "[[":
            level.test = True
            self.test_parts.append(len(self.parts))
            self.test_of_numbers = False
        elif level.test and word in _NUMBER_TESTS:
            self.test_of_numbers = True
        elif level.test and word == "]]" and self.test_parts:
            level.test = False
            tested = self.quoted_holes(self.test_parts.pop())
            if tested and self.test_of_numbers:
                self.refuse(tested[0], _NUMBER_TEST)

    def operator(self, level: _Level, char: str, word: str) -> None:
        """Read what stands between words; `word` is what came right before."""
        if char in "<>":
            self.redirection(level)
        elif char != "(":
            self.take(1)
            if char not in " \t":
                level.first = not level.array
            if char == "\n":
                self.heredoc_bodies()
        elif self.text.startswith("((", self.at) and not word:
            self.span("((", "(", ")", _ARITHMETIC)
        else:
            array = word.endswith("=")
            substitution = self.text[self.at - 1 : self.at] in {"<", ">"}
            self.parenthesis(_Level(array=array, test=level.test, first=not array))
            level.first = not (array or substitution)

    def redirection(self, level: _Level) -> None:
        """Read a redirection's operator; `<` and a handle after it (`<<id>`) stay what they are."""
        arrows = len(self.text[self.at :]) - len(self.text[self.at :].lstrip("<"))
        found = self.handle.match(self.text, self.at + arrows - 1) if arrows else None
        operator = "<" * (arrows - 1) if found else ""
        if not found:
            matched = _REDIRECTION.match(self.text, self.at)
            operator = matched[0] if matched else ""
        self.take(len(operator))
        level.first = False
        # in `>&2>(…)x` bash takes all of `2>(…)x` for the word after >&
        level.duplicate = operator in {"<&", ">&"} or (level.duplicate and self.text.startswith("(", self.at))
        if operator.startswith("<<") and operator != "<<<":
            self.heredoc()

    def heredoc(self) -> None:
        """Read the end mark of a here-document, whose body begins after this line."""
        found = _DELIMITER_WORD.match(self.text, self.at)
        mark = found[1] if found else ""
        strip_tabs = self.text[self.at - 1] == "-"
        self.take(found.end() - self.at if found else 0)
        with self.ban(_DELIMITER):
            self.take_hole(as_it_is)
        plain = re.sub(r"\\(.)|['\"]", r"\1", mark)
        self.heredocs.append((plain, strip_tabs, plain != mark))

    def heredoc_bodies(self) -> None:
        """Read the bodies of the here-documents whose line has just ended."""
        for mark, strip_tabs, literal in self.heredocs:
            # without quotes around the mark, a backslash joins two lines
            line_pattern = re.compile(r"([^\n]*)\n?" if literal else r"((?:[^\\\n]|\\.|\\\Z)*)\n?", re.DOTALL)
            end = self.at
            while end < len(self.text):
                line = line_pattern.match(self.text, end)
                if line is None:
                    break
                end = line.end()
                if (line[1].lstrip("\t") if strip_tabs else line[1]) == mark:
                    break
            self.opaque(end, _HEREDOC)
        self.heredocs.clear()


# ---------------------------------------------------------------------------------------------------------------------
# Commands that need no shell of their own

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
    """Tell whether a command template is one simple command, which `exec` may run without a shell between.

    :returns: True only where that is sure: nothing expands, nothing is joined by operators, and the program is a plain
        name that is neither a handle nor part of bash. (It may still be a function: `exec` does not find those.)
    """
    found = _SIMPLE_COMMAND.fullmatch(text)
    if found is None or found["program"] in KEYWORDS | BUILTINS:
        return False
    # what reads as a redirection may be a handle with a blank in its name, and the `&` after it an operator
    return ":raw>" not in text and not re.search(r"<[^<>]*>&", text)
