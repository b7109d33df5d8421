"""The tree file: the rules that choose which part of a local tree a custom environment replicates.

What they mean stands in docs/tree-files.md; `locusts_fab.replica.select` walks a tree by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from locusts_fab.errors import ConfigError
from locusts_fab.replica.patterns import ANY_DEPTH, wildcards_regex


class Kind(Enum):
    """What a rule does with an entry that its pattern matches."""

    FOLDER = "enter a folder"
    FILES = "take files"
    OMIT = "leave out files and folders"
    OMIT_FILES = "leave out files"


@dataclass(frozen=True)
class Rule:
    """One thing that a line of a tree file asks for; `name : pattern` asks for two, the folder and what to take in it.

    :param kind: what to do with what matches.
    :param parts: one pattern for each name on the way down from the root; the part `**` stands for any number of names.
    :param line: the line's number in the tree file.
    :param text: the line, for messages.
    :param folders_only: the pattern ended in `/`: only a folder can match.
    :param parent: the index of the folder rule that this one stands in, or None at the top.
    """

    kind: Kind
    parts: tuple[str, ...]
    line: int
    text: str
    folders_only: bool = False
    parent: int | None = None

    @property
    def takes_all(self) -> bool:
        """Whether it takes folders along with files, as `**` does."""
        return self.kind is Kind.FILES and self.parts[-1] == ANY_DEPTH


@dataclass(frozen=True)
class Tree:
    """A tree file that makes sense.

    :param path: the file, as the user named it.
    :param rules: in the order of the lines.
    :param workdir: where commands start, relative to the root (`.` is the root itself), or None.
    """

    path: str
    rules: tuple[Rule, ...]
    workdir: str | None


# ---- the tree file ----

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r"}
_WORKDIR = re.compile(r"#WORKDIR\b\s*(?P<colon>:?)(?P<path>.*)", re.DOTALL)


def escape_name(name: str) -> str:
    """Write a file's name so that a tree file takes it letter by letter, for programs that write tree files.

    :param name: the name, or a path relative to the folder that the line stands in.
    :returns: what to write for it.
    """
    letters = {char: "\\" + letter for letter, char in _ESCAPES.items()}
    return "".join(letters.get(char) or (f"\\{char}" if char in " #!:*?[]\\" else char) for char in name)


def parse_tree(text: str, path: str) -> Tree:
    """Return the rules and the workdir that the text of a tree file asks for.

    :param text: read from the file with `errors="surrogateescape"`, for names may be any bytes.
    :param path: the file, for messages.
    :raises ConfigError: some lines make no sense; it lists them all.
    """
    parser = _Parser()
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        parser.read(number, line.removesuffix("\r"))
    if parser.problems:
        raise ConfigError(path, parser.problems)
    return Tree(path, tuple(parser.rules), parser.workdir)


class _Parser:
    """Reads a tree file line by line: the rules so far, and the folders that the next line may stand in."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.workdir: str | None = None
        self.problems: list[str] = []
        self.line = 0
        self.text = ""
        #: `folders[n]` is what a line behind n tabs stands in: the index of a folder's rule,
        #: or None for the root and for a folder whose own line is wrong.
        self.folders: list[int | None] = [None]

    def read(self, number: int, line: str) -> None:
        """Read one line, or note what is wrong in it."""
        self.line, self.text = number, line.strip(" \t")
        try:
            if found := _WORKDIR.fullmatch(self.text):
                self._read_workdir(found["colon"], found["path"].strip(" \t"))
            elif self.text and not self.text.startswith("#"):
                self._indent(line)
                self._read_rules(_tokens(line.lstrip("\t")))
        except ValueError as error:
            self.problems.append(f"line {number}: {error}")

    def _read_workdir(self, colon: str, path: str) -> None:
        if not colon or not path:
            raise ValueError("write `#WORKDIR : path`")
        if self.workdir is not None:
            raise ValueError("a second #WORKDIR; one is enough")
        # The replica needs the folder too, whatever the rules say: so it is one of them, without wildcards.
        rule = self.rules[self._add(Kind.FOLDER, escape_name(path), None)]
        self.workdir = "/".join(part for part in path.split("/") if part not in {"", "."}) if rule.parts else "."

    def _indent(self, line: str) -> None:
        """Leave the folders that this line does not stand in."""
        depth = len(line) - len(line.lstrip("\t"))
        del self.folders[depth + 1 :]
        if line[depth] == " ":
            raise ValueError("indented with spaces; write one tab for each folder that the line stands in")
        if depth >= len(self.folders):
            raise ValueError(f"too many tabs: {depth}, where {len(self.folders) - 1} folders (`name :`) are open")

    def _read_rules(self, tokens: list[str]) -> None:
        """Add what a line asks for: one rule, or two for `name : pattern`."""
        parent = self.folders[-1]
        marks = next(mark for mark in ("!!", "!", "") if "".join(tokens).startswith(mark))
        tokens = tokens[len(marks) :]
        colons = [at for at, char in enumerate(tokens) if char == ":"]
        if marks and colons:
            raise ValueError(
                f"a line with `{marks}` takes no colon: write the pattern alone, `\\:` for a colon in a name"
            )
        if not colons:
            kinds = {"": Kind.FILES, "!": Kind.OMIT, "!!": Kind.OMIT_FILES}
            self._add(kinds[marks], _join(tokens), parent)
            return
        self.folders.append(None)  # so that a mistake in this line is not charged to those that stand in it
        if len(colons) > 1:
            raise ValueError("more than one colon; write `\\:` for a colon in a name")
        folder = self._add(Kind.FOLDER, _join(tokens[: colons[0]]), parent)
        self.folders[-1] = folder
        if inside := _join(tokens[colons[0] + 1 :]):
            self._add(Kind.FILES, inside, folder)

    def _add(self, kind: Kind, pattern: str, parent: int | None) -> int:
        """Add a rule whose pattern is relative to its folder, and return its index.

        :raises ValueError: the pattern is none of a path below the root.
        """
        parts = tuple(part for part in pattern.split("/") if part not in {"", "."})
        if pattern.startswith("/") or ".." in parts:
            raise ValueError(f"`{pattern}` may lead out of the root; write a path relative to its folder, without `..`")
        if not pattern or (not parts and kind is not Kind.FOLDER):
            raise ValueError("no name; write `*` for the files here, `**` for everything below, `. :` for the root")
        if kind is Kind.FILES and pattern.endswith("/"):
            raise ValueError(f"`{pattern}` is a folder; write it with a colon: `{pattern.rstrip('/')} :`")
        for part in parts:
            wildcards_regex(part)
        above = () if parent is None else self.rules[parent].parts
        self.rules.append(Rule(kind, above + parts, self.line, self.text, pattern.endswith("/"), parent))
        return len(self.rules) - 1


def _tokens(body: str) -> list[str]:
    r"""Cut a line into characters, an escaped one with its backslash, up to the comment at its end.

    `\t`, `\n` and `\r` become a backslash and the character itself: from here on, a backslash only says "literally".

    :raises ValueError: a backslash before a letter or digit that means nothing.
    """
    tokens: list[str] = []
    for char in re.findall(r"\\.|.|\\$", body, re.DOTALL):
        if char == "#" and tokens and tokens[-1] in {" ", "\t"}:
            break
        letter = char[1:]
        if letter in _ESCAPES:
            tokens.append("\\" + _ESCAPES[letter])
        elif letter.isalnum() or char in {"\\", "\\/"}:
            raise ValueError(f"`{char}` means nothing; write `\\\\` for a backslash in a name")
        else:
            tokens.append(char)
    return tokens


def _join(tokens: list[str]) -> str:
    r"""Put tokens together to a pattern, without the blanks around it; a blank with a backslash belongs to the name."""
    start, end = 0, len(tokens)
    while start < end and tokens[start] in {" ", "\t"}:
        start += 1
    while end > start and tokens[end - 1] in {" ", "\t"}:
        end -= 1
    return "".join(tokens[start:end])
