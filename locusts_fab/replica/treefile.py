"""Which part of a local tree a custom environment replicates: the tree file, and rsync's patterns.

`parse_tree` reads a tree file, `select` walks the root by it; `select_patterns` walks it by include and exclude
patterns. What both mean stands in docs/tree-files.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from locusts_fab.errors import ConfigError
from locusts_fab.replica.patterns import ANY_DEPTH, RsyncPattern, wildcards_regex
from locusts_fab.replica.walk import Selection, walk

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["Kind", "Rule", "Selection", "Tree", "escape_name", "parse_tree", "select", "select_patterns"]


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
        """True for `**`, which takes folders along with files."""
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
    """Read the text of a tree file; read the file itself with `errors="surrogateescape"`, for names may be any bytes.

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
    """The rules read so far, and the folders that the next line may stand in."""

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
        """Take in one line, or note what is wrong in it."""
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
        """Take in what a line asks for: one rule, or two for `name : pattern`."""
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


# ---- selecting by a tree file ----


def select(root: Path, tree: Tree) -> Selection:
    """Find what the rules of a tree file select below a root.

    :raises PlanError: a folder or a file cannot be read.
    """
    rules = _Rules(tree)
    found = walk(root, rules.start(), rules.judge)
    found.unmatched = rules.unmatched()
    return found


@dataclass(frozen=True)
class _Inside:
    """What the rules know in one folder.

    :param live: (rule, how many of its parts are matched already), for each rule that may match something in here.
    :param bare: a `!!` rule leaves out every file from here down.
    """

    live: tuple[tuple[int, int], ...]
    bare: bool


_IS_LINK = "a symlink is replicated as it is and never entered"


class _Rules:
    """The rules of a tree at work, and which of them have matched."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.rules = tree.rules
        self.patterns = [[re.compile(wildcards_regex(part), re.DOTALL) for part in rule.parts] for rule in tree.rules]
        self.matched = {index for index, rule in enumerate(tree.rules) if not rule.parts}  # `. :`, the root itself
        self.reasons: dict[int, str] = {}

    def start(self) -> _Inside:
        """Tell what is known in the root: every rule is at its first part."""
        return _Inside(tuple((index, 0) for index, rule in enumerate(self.rules) if rule.parts), bare=False)

    def judge(self, inside: _Inside, _name: str, entry: os.DirEntry[str]) -> tuple[bool, _Inside | None]:
        """See `walk`. What one rule leaves out, no other brings back."""
        is_folder = entry.is_dir(follow_symlinks=False)
        hits, live = self._advance(inside.live, entry.name)
        hits = {index for index in hits if self._applies(index, entry, is_folder=is_folder)}
        omitting = {index for index in hits if self.rules[index].kind in {Kind.OMIT, Kind.OMIT_FILES}}
        bare = inside.bare or any(self.rules[index].kind is Kind.OMIT_FILES for index in omitting)
        if any(self.rules[index].kind is Kind.OMIT for index in omitting) or (bare and not is_folder):
            self.matched |= omitting
            return False, None
        self.matched |= hits
        enter = is_folder and any(self.rules[index].kind in {Kind.FOLDER, Kind.FILES} for index, _ in live)
        selected = bool(hits - omitting)
        return selected, _Inside(tuple(live), bare) if enter else None

    def _advance(self, live: Iterable[tuple[int, int]], name: str) -> tuple[set[int], set[tuple[int, int]]]:
        """Match one name.

        :returns: the rules whose last part it matches, and those alive in the folder of that name.
        """
        hits: set[int] = set()
        below: set[tuple[int, int]] = set()
        for index, first in live:
            parts = self.rules[index].parts
            for at in range(first, len(parts)):
                any_depth = parts[at] == ANY_DEPTH
                if any_depth or self.patterns[index][at].fullmatch(name):
                    below.add((index, at if any_depth else at + 1))
                    if at + 1 == len(parts):
                        hits.add(index)
                        below.discard((index, at + 1))
                if not any_depth:
                    break
                # `**` stands for no folder at all, too: so the part after it may match this very name
        return hits, below

    def _applies(self, index: int, entry: os.DirEntry[str], *, is_folder: bool) -> bool:
        """Tell whether a rule whose pattern matches is meant for such an entry; if not, note it for the user."""
        rule = self.rules[index]
        if rule.kind is Kind.FOLDER and not is_folder:
            if entry.is_symlink():
                self.reasons[index] = _IS_LINK
                return True
            self.reasons[index] = "what is called so is no folder; write it without the colon"
            return False
        if rule.kind is Kind.FILES and is_folder and not rule.takes_all:
            self.reasons[index] = "what is called so is a folder; write it with a colon, `name :`"
            return False
        return is_folder or not rule.folders_only

    def unmatched(self) -> list[str]:
        """Write a line about each rule that matched nothing, but not about those inside a folder that is not there."""
        lines = []
        for index, rule in enumerate(self.rules):
            if index in self.matched or (rule.parent is not None and rule.parent not in self.matched):
                continue
            reason = self._reason(index, rule)
            above = () if rule.parent is None else self.rules[rule.parent].parts
            if not reason and rule.kind is Kind.FILES and rule.parts in {(*above, "*"), (*above, ANY_DEPTH)}:
                continue  # an empty folder, as folders for results are at first
            lines.append(f"{self.tree.path}: line {rule.line}: `{rule.text}` matches nothing{reason}")
        return lines

    def _reason(self, index: int, rule: Rule) -> str:
        """Tell in brackets why a rule matched nothing, if that is known."""
        if rule.parent is not None and self.reasons.get(rule.parent) == _IS_LINK:
            return f" ({_IS_LINK})"
        return f" ({self.reasons[index]})" if index in self.reasons else ""


# ---- selecting by rsync's patterns ----


def select_patterns(root: Path, include: Sequence[str], exclude: Sequence[str]) -> Selection:
    """Find what rsync's filter patterns select below a root, without rsync.

    :param include: take only what one of these matches; empty: take everything.
    :param exclude: never take what one of these matches, nor anything below it.
    :raises PlanError: a folder or a file cannot be read.
    """
    takers = [RsyncPattern("include", text) for text in include]
    droppers = [RsyncPattern("exclude", text) for text in exclude]

    def judge(_state: int, name: str, entry: os.DirEntry[str]) -> tuple[bool, int | None]:
        is_folder = entry.is_dir(follow_symlinks=False)
        if _matching(droppers, name, is_folder=is_folder):
            return False, None
        taken = not takers or bool(_matching(takers, name, is_folder=is_folder))
        return taken, 0 if is_folder else None

    found = walk(root, 0, judge)
    found.unmatched = [
        f"{pattern.role}: `{pattern.text}` matches nothing" for pattern in (*takers, *droppers) if not pattern.matched
    ]
    return found


def _matching(patterns: list[RsyncPattern], name: str, *, is_folder: bool) -> list[RsyncPattern]:
    """Ask every pattern, not only the first that matches, so that each knows whether it ever did."""
    return [pattern for pattern in patterns if pattern.matches(name, is_folder=is_folder)]
