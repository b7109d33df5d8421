"""Whether a text is a complete bash command, goes on in the next line, or is none: bash itself is asked.

Most lines of a file of commands are plain, or look like one that was asked about before, so bash is started seldom.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import Literal, NamedTuple

from locusts_fab.shell.quoting import KEYWORDS


class Judgement(NamedTuple):
    """What bash says of a text.

    :param kind: `open`: the next line belongs to it.
    :param why: in bash's words; empty if it is complete.
    """

    kind: Literal["complete", "open", "wrong"]
    why: str = ""


_COMPLETE = Judgement("complete")

#: A part of a word that is whole by itself.
_PIECE = r"""(?:[^\s'"\\$`(){}<>#;&|!]|'[^'\n]*'|"(?:[^"\\$`\n]|\\[^\n])*"|\\[^\n]|\$\w+|\$\{\w+\})"""
_SIMPLE = rf"[ \t]*{_PIECE}+(?:[ \t]+(?:(?:[0-9]?>>?|<|&>>?)[ \t]*)?{_PIECE}+|[ \t]+2>&1)*[ \t]*"
_PLAIN = re.compile(rf"{_SIMPLE}(?:(?:\|\|?|;|&&){_SIMPLE})*")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_WORD = re.compile(r"[A-Za-z0-9_./:=,+@%-]+")
#: Backslashes at the end of which the last one escapes the end of the line.
_ESCAPED_END = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_OPEN = ("unexpected end of file", "unexpected EOF", "delimited by end-of-file")
_NEEDED_BASH = 4
_PATIENCE_S = 60


class Judge:
    """Tells complete commands from open and wrong ones."""

    def __init__(self) -> None:
        self._known: dict[str, Judgement] = {}

    def judge(self, text: str) -> Judgement:
        """Return what bash would say of a text, in which no handles stand any more."""
        if _PLAIN.fullmatch(text) and KEYWORDS.isdisjoint(_QUOTED.sub("q", text).split()):
            return _COMPLETE
        # what words there are makes no difference, but where one ends a here-document
        shape = text if "<<" in text else _WORD.sub(lambda word: word[0] if word[0] in KEYWORDS else "w", text)
        if shape not in self._known:
            self._known[shape] = _ask(text)
        return self._known[shape]


def _ask(text: str) -> Judgement:
    status, said = _parse(text)
    if any(mark in said for mark in _OPEN):
        return Judgement("open", _first_line(said))
    if status == 0:
        # if the backslash joins two lines, `;` ends the command in the first
        is_joined = _ESCAPED_END.search(text) and _parse(text + "\n;")[0] == 0
        return Judgement("open", "its last character is a backslash") if is_joined else _COMPLETE
    return Judgement("wrong", _first_line(said)) if _is_new_enough() else _COMPLETE


def _parse(text: str) -> tuple[int, str]:
    """Return the exit code of `bash -n`, and what it printed; 0 where there is no bash."""
    try:
        done = _bash(["-n"], text)
    except (OSError, subprocess.TimeoutExpired):
        return 0, ""
    return done.returncode, done.stderr.decode("utf-8", "surrogateescape")


def _is_new_enough() -> bool:
    """Return whether the bash of this machine knows all the syntax that the one of a target may have."""
    return int(_bash(["-c", "echo ${BASH_VERSINFO[0]}"]).stdout or 0) >= _NEEDED_BASH


def _bash(arguments: list[str], text: str = "") -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    return subprocess.run(
        ["bash", *arguments], input=os.fsencode(text), capture_output=True, check=False, env=env, timeout=_PATIENCE_S
    )


def _first_line(said: str) -> str:
    """Return the first line of what bash said, without its own name and the line in a text that nobody sees."""
    return re.sub(r"^.*?line [0-9]+: ", "", said.strip().split("\n")[0])
