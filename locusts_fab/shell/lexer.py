"""The reading of a command template as bash would: where each handle stands decides how its values are quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.shell.expansions import ARITHMETIC, SPLIT, Expansions
from locusts_fab.shell.lint import Word, places_of_code, uses_in_arithmetic, variables_of_values
from locusts_fab.shell.quoting import Hole, as_it_is, excerpt, quote_always, quote_word

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Where values cannot be made safe: the place in words, and what to write instead.
_HEREDOC = ("in a here-document", "write printf '%s\\n' HANDLE | … instead, or a here-string <<< HANDLE")
_DELIMITER = ("after <<", "write < HANDLE to read from a file, <<< HANDLE for a here-string, each with the blank")
_IN_ARRAY = ("an operator stands among the words of an array", "write ) before it, or quote it if it is a word")
#: How a variable may be taken for code, and what to do where that is arithmetic.
_EVALUATED = "where bash evaluates it, and it holds a value"
_INTEGER = "; in arithmetic write the handle itself, of which nothing but integers is taken"
_SUBSCRIPT = ("in an array subscript, which is arithmetic", "number the elements of the array yourself")
_NUMBER_TEST = ("in a [[ … ]] that compares numbers or asks for a variable", "write [ … ] instead of [[ … ]]")
_DUPLICATE = ("after >& or <&, where a number is a descriptor", "write > HANDLE 2>&1 to send both outputs to a file")

#: A bare word, each handle in it as \0, in which plain values need no quotes: nothing in it is special to bash.
_PLAIN_WORD = re.compile(r"[\w@%+:,./=-]*(\0[\w@%+:,./-]*)*", re.ASCII)
_MAYBE_KEYWORD = re.compile(r"[a-z\0]+")
_VARIABLE_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
#: After these the next word is again the first of a command.
_LEADING = frozenset(["!", "{", "if", "then", "elif", "else", "while", "until", "do", "time", "coproc"])
_NUMBER_TESTS = frozenset(["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"])
_REDIRECTION = re.compile(r"<<<|<<-?|<>|<&|>&|>>|>\||[<>]")
_DELIMITER_WORD = re.compile(r"""[ \t]*((?:\\.|'[^']*'|"[^"]*"|[^\s;&|()<>'"\\])*)""", re.DOTALL)


@dataclass
class _Level:
    """The state of reading a list of commands: the outermost, or one in ( … )."""

    array: bool = False  # the words of name=( … )
    test: bool = False  # within [[ … ]]
    first: bool = True  # the next word is the first of a command
    cases: int = 0  # `case`s that wait for their `esac`; there ) ends a pattern
    duplicate: bool = False  # the word follows >& or <&
    word: str = ""  # the word so far, each handle in it as \0
    holes: list[Hole] = field(default_factory=list)  # the bare handles of the word
    begun: int = 0  # where the word began
    is_target: bool = False  # the word is one of a redirection
    words: list[Word] = field(default_factory=list)  # the command so far


class Lexer(Expansions):
    """A reader of a command template that finds out how each handle has to be quoted.

    Every method reads one construct that begins at `at`, and appends what it read to `parts`.
    """

    def __init__(self, text: str, handles: Collection[str], shared: Mapping[str, str]) -> None:
        super().__init__(text, handles, shared)
        self.heredocs: list[tuple[str, bool, bool]] = []  # those whose bodies begin after this line
        self.test_parts: list[int] = []  # where in `parts` the open [[ began
        self.test_of_numbers = False
        self.simple_commands: list[list[Word]] = []

    def read(self) -> None:
        """Read the whole template.

        :raises PlanError: see `Template.command`.
        """
        self.commands(_Level())

    def substitution(self) -> None:
        """Read the commands in the ( … ) of $( … )."""
        self.parenthesis(_Level())

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
        level.begun = self.at
        while self.at < len(self.text):
            char = self.text[self.at]
            self.keep_apart("''")
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
                self.end_command(level, char)
                if char == ")" and not level.cases and self.depth:
                    self.take(1)
                    return True
                self.operator(level, char, words)
                level.begun = self.at
            else:
                self.take(1)
                level.word += char
        self.end_word(level, "")
        self.end_command(level, "\n")
        return False

    def end_command(self, level: _Level, char: str) -> None:
        """Keep the words of a command that has ended, for warnings."""
        if char in "\n;&|()" and level.words:
            self.simple_commands.append(level.words)
            level.words = []

    def is_subscript(self, level: _Level) -> bool:
        """Return whether this bracket may open the subscript of an assignment, which may hold blanks: a[1 + 2]=x."""
        named = _VARIABLE_NAME.fullmatch(level.word) or (level.array and not level.word)
        return bool(named) and max(self.text.rfind("]="), self.text.rfind("]+=")) >= self.at

    def backslash(self, level: _Level) -> None:
        """Read a backslash outside quotes; one at the end of a line joins it with the next."""
        if not self.text.startswith("\\\n", self.at):
            level.word += "\\"
            self.take_escape(quote_always)
        elif self.text[self.at - 1 : self.at] in {"<", "("}:
            self.fail(self.at - 1, self.at, *SPLIT)
        else:
            self.take(2)

    def end_word(self, level: _Level, terminator: str) -> str:
        """Decide how the handles of a bare word are quoted, now that all of it is known.

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
        if not level.is_target:
            self.add_word(level)
        level.word, level.holes, level.is_target = "", [], False
        level.duplicate = level.duplicate and terminator in {"<", ">"}
        return word

    def add_word(self, level: _Level) -> None:
        """Keep a word of a command, with the places of the values in it."""
        holes = [hole for hole in self.quoted_holes_from(level.begun) if hole.constant is None]
        places = tuple((hole.start, hole.end) for hole in holes)
        level.words.append(Word(self.text[level.begun : self.at], level.begun, places))

    def warnings(self) -> list[str]:
        """Return warnings of the values that will be taken for code, each with the first such place marked."""
        found = dict.fromkeys(place for words in self.simple_commands for place in places_of_code(words))
        names = {name for words in self.simple_commands for name in variables_of_values(words)}
        found |= dict.fromkeys((start, end, _EVALUATED) for start, end in uses_in_arithmetic(self.text, names))
        places: dict[str, list[str]] = {}
        for start, end, by in found:
            where = f"{self.text[start:end]} stands {by}, which no quoting can prevent"
            advice = _INTEGER if by == _EVALUATED else ""
            places.setdefault(f"{where}{advice}", []).append(excerpt(self.text, start, end))
        return [
            f"{where}{f' ({len(marked)} times)' if len(marked) > 1 else ''}:\n{marked[0]}"
            for where, marked in places.items()
        ]

    def note_test(self, level: _Level, word: str) -> None:
        """Note how far a [[ … ]] is; where it compares numbers, it evaluates its words as arithmetic."""
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
        if level.array:
            self.check_array(char)
        if char in "<>":
            self.redirection(level)
        elif char != "(":
            self.take(1)
            if char not in " \t":
                level.first = not level.array
            if char == "\n":
                self.heredoc_bodies()
        elif self.text.startswith("((", self.at) and not word:
            self.span("((", "(", ")", ARITHMETIC)
        else:
            array = word.endswith("=")
            substitution = self.text[self.at - 1 : self.at] in {"<", ">"}
            self.parenthesis(_Level(array=array, test=level.test, first=not array))
            level.first = not (array or substitution)

    def check_array(self, char: str) -> None:
        """Refuse an operator among the words of an array: bash drops that line, and runs the next one of a value."""
        substitution = "<>" if char == "(" else "("
        beside = self.text[self.at - 1] if char == "(" else self.text[self.at + 1 : self.at + 2]
        if char in ";&|" or (char in "<>(" and (not beside or beside not in substitution)):
            self.fail(self.at, self.at + 1, *_IN_ARRAY)

    def redirection(self, level: _Level) -> None:
        """Read a redirection's operator; `<` and a handle after it (`<<id>`) stay what they are."""
        arrows = 0
        while self.text.startswith("<", self.at + arrows):
            arrows += 1
        found = self.handle.match(self.text, self.at + arrows - 1) if arrows else None
        operator = "<" * (arrows - 1) if found else ""
        if not found:
            matched = _REDIRECTION.match(self.text, self.at)
            operator = matched[0] if matched else ""
        self.take(len(operator))
        level.first = False
        level.is_target = True
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
