"""Which part of a local tree a custom environment replicates: by the rules of a tree file, or by rsync's patterns.

What both mean stands in docs/tree-files.md.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import ConfigError, PlanError
from locusts_fab.replica.patterns import ANY_DEPTH, RsyncPattern, wildcards_regex
from locusts_fab.replica.treefile import Kind, parse_tree
from locusts_fab.replica.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.replica.treefile import Rule, Tree
    from locusts_fab.replica.walk import Selection


# ---- what a swarm replicates ----


def select_replica(swarm: Swarm) -> Selection:
    """Return the part of the local tree that the config selects: by the tree file, or by include and exclude.

    :raises PlanError: the root, something in it, or the tree file cannot be read.
    :raises ConfigError: the tree file makes no sense.
    """
    settings = swarm.settings
    root = swarm.local_tree
    if not root.is_dir():
        raise PlanError(f"root: there is no folder {root}", hint="fix root in the config")
    if settings.tree is None:
        return select_patterns(root, settings.include, settings.exclude)
    return select(root, _tree_file(swarm))


def _tree_file(swarm: Swarm) -> Tree:
    name = swarm.settings.tree or ""
    try:
        text = swarm.resolve(name).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise PlanError(f"tree: {name} cannot be read: {error.strerror}", hint="fix tree in the config") from error
    return parse_tree(text, name)


def workdir(swarm: Swarm) -> str:
    """Return the folder in which commands start, relative to the root of the tree; `.` is the root itself.

    :raises PlanError: the tree file cannot be read.
    :raises ConfigError: the tree file makes no sense, or names another folder than the config does.
    """
    said = swarm.settings.workdir
    from_tree = _tree_file(swarm).workdir if swarm.settings.tree is not None else None
    if said is not None and from_tree is not None and os.path.normpath(said) != os.path.normpath(from_tree):
        raise ConfigError(
            str(swarm.folder / "locusts.toml"),
            [f"swarms.{swarm.name}.workdir: {said}, but #WORKDIR in {swarm.settings.tree} says {from_tree}; keep one"],
        )
    return os.path.normpath(said or from_tree or ".")


# ---- selecting by a tree file ----


def select(root: Path, tree: Tree) -> Selection:
    """Return what the rules of a tree file select below a root.

    :param root: a folder of this machine.
    :param tree: the tree file.
    :returns: what is selected, with a line about each rule that matches nothing.
    :raises PlanError: a folder or a file cannot be read.
    """
    rules = _Rules(tree)
    found = walk(root, rules.start(), rules.judge)
    found.unmatched = rules.unmatched()
    return found


@dataclass(frozen=True)
class _Inside:
    """How far the rules have come in one folder.

    :param live: (rule, how many of its parts are matched already), for each rule that may match something in here.
    :param bare: a `!!` rule leaves out every file from here down.
    """

    live: tuple[tuple[int, int], ...]
    bare: bool


_IS_LINK = "a symlink is replicated as it is and never entered"


class _Rules:
    """The rules of a tree file, matched against entries of a tree, and which of them have matched so far."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.rules = tree.rules
        self.patterns = [[re.compile(wildcards_regex(part), re.DOTALL) for part in rule.parts] for rule in tree.rules]
        self.matched = {index for index, rule in enumerate(tree.rules) if not rule.parts}  # `. :`, the root itself
        self.reasons: dict[int, str] = {}

    def start(self) -> _Inside:
        """Return where the rules are in the root: each at its first part."""
        return _Inside(tuple((index, 0) for index, rule in enumerate(self.rules) if rule.parts), bare=False)

    def judge(self, inside: _Inside, _name: str, entry: os.DirEntry[str]) -> tuple[bool, _Inside | None]:
        """Decide on an entry, as `walk` asks. What one rule leaves out, no other selects again."""
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
        """Return whether a rule whose pattern matches is meant for such an entry; if not, note why, for the user."""
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
        """Return a line about each rule that matched nothing, but not about those inside a folder that is not there."""
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
        """Return why a rule matched nothing, in brackets; nothing if that is not known."""
        if rule.parent is not None and self.reasons.get(rule.parent) == _IS_LINK:
            return f" ({_IS_LINK})"
        return f" ({self.reasons[index]})" if index in self.reasons else ""


# ---- selecting by rsync's patterns ----


def select_patterns(root: Path, include: Sequence[str], exclude: Sequence[str]) -> Selection:
    """Return what rsync's filter patterns select below a root, without rsync.

    :param root: a folder of this machine.
    :param include: take only what one of these matches; empty: take everything.
    :param exclude: never take what one of these matches, nor anything below it.
    :returns: what is selected, with a line about each pattern that matches nothing.
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
    """Return the patterns that match. All are asked, not only the first, so that each knows whether it ever did."""
    return [pattern for pattern in patterns if pattern.matches(name, is_folder=is_folder)]
