"""Wildcards in patterns of names, as tree files and as rsync understand them."""

from __future__ import annotations

import os
import re

#: The part of a pattern that stands for any number of folders.
ANY_DEPTH = "**"

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t-\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def wildcards_regex(pattern: str) -> str:
    r"""Return the regular expression for a pattern of `*`, `**`, `?`, `[...]` and `\`; only `**` matches a slash.

    :raises ValueError: a bracket has no end, or a backslash nothing after it.
    """
    pieces = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "[":
            piece, at = _bracket_regex(pattern, at)
        elif char == "*":
            piece = ".*" if pattern.startswith("*", at) else "[^/]*"
            while pattern.startswith("*", at):
                at += 1
        elif char == "?":
            piece = "[^/]"
        elif char == "\\":
            if at == len(pattern):
                raise ValueError("nothing follows the last backslash")
            piece = re.escape(pattern[at])
            at += 1
        else:
            piece = re.escape(char)
        pieces.append(piece)
    return "".join(pieces)


def _bracket_regex(pattern: str, at: int) -> tuple[str, int]:
    """Translate one `[...]`, `at` being the place after its opening bracket.

    :returns: the regular expression, and the place after the closing bracket.
    :raises ValueError: there is no closing bracket, or no such class as `[:word:]`.
    """
    negated = pattern[at : at + 1] in {"!", "^"}
    at += negated
    items: list[str] = []
    first = at
    while pattern[at : at + 1] != "]" or at == first:
        if named := re.compile(r"\[:([^]]*):\]").match(pattern, at):
            if named[1] not in _CLASSES:
                raise ValueError(f"there is no class [:{named[1]}:]")
            items.append(_CLASSES[named[1]])
            at = named.end()
            continue
        low, at = _bracket_char(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in {"", "]"}:
            high, at = _bracket_char(pattern, at + 1)
            items.append(re.escape(low))  # rsync takes the first end even of a range that runs backwards
        if low <= high:
            items.append(f"{re.escape(low)}-{re.escape(high)}")
    # Whatever is in it, a bracket matches no slash.
    return f"(?!/)[{'^' if negated else ''}{''.join(items)}]", at + 1


def _bracket_char(pattern: str, at: int) -> tuple[str, int]:
    """Return one character of a bracket, perhaps written with a backslash before it, and the place after it."""
    if pattern[at : at + 1] == "\\":
        at += 1
    if at >= len(pattern):
        raise ValueError("a `[` has no `]`")
    return pattern[at], at + 1


class RsyncPattern:
    """One of rsync's filter patterns; as in rsync, it matches bytes, so `é` takes two `?` in UTF-8.

    :param role: `include` or `exclude`, for messages.
    :param text: the pattern.
    :ivar matched: whether it has matched anything so far.
    """

    def __init__(self, role: str, text: str) -> None:
        self.role = role
        self.text = text
        self.matched = False
        self.folders_only = len(text) > 1 and text.endswith("/")
        pattern = _byte_chars(text[:-1] if self.folders_only else text)
        # `dir/***` is to match `dir` too: rsync lets it see a folder's name with a slash behind it.
        self.sees_slash = pattern.endswith("***")
        try:
            # Without a wildcard, a backslash is a letter like any other.
            regex = wildcards_regex(pattern) if re.search(r"[*?[]", pattern) else re.escape(pattern)
        except ValueError:
            regex = "(?!)"  # rsync does not complain of a broken pattern, it never matches
        # A name is seen with a slash before it. `/x` starts at the root, and so does `**x`; any other at any slash.
        self.regex = re.compile(regex if pattern.startswith(("/", "**")) else f".*/{regex}", re.DOTALL)

    def matches(self, name: str, *, is_folder: bool) -> bool:
        """Return whether it matches an entry, and remember if it did.

        :param name: the entry, relative to the root of the tree.
        :param is_folder: the entry is a folder.
        """
        if self.folders_only and not is_folder:
            return False
        seen = f"/{_byte_chars(name)}/" if is_folder and self.sees_slash else f"/{_byte_chars(name)}"
        matches = self.regex.fullmatch(seen) is not None
        self.matched = self.matched or matches
        return matches


def _byte_chars(text: str) -> str:
    """Return a text with one character for each byte of a name."""
    return os.fsencode(text).decode("latin-1")
