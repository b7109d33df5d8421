"""Words in a command that look like handles and are none: bash would take them for something else, in every task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError
from locusts_fab.shell.quoting import excerpt
from locusts_fab.text import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_WORD = re.compile(r"(?<!\\)<([A-Za-z_][\w.-]*(?::\w+)?)>")
_IN_BRACES = re.compile(r"(?<![$\\])\{([A-Za-z_][\w.-]*)\}")
#: How GNU parallel writes what it puts in: {}, {.}, {/}, {//}, {/.}, {#}, {1}, {2.}.
_OF_PARALLEL = re.compile(r"(?<![$\\\w\"'])\{(?:[./#]|//|/\.|[0-9]+[./]*)?\}(?!\s*[;(])")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
#: Programs to which {} means something.
_KNOWS_BRACES = re.compile(r"\b(?:find|xargs|parallel|fd|rush|git)\b")
_VARIABLE = re.compile(r"(?<!\\)\$\{?([A-Za-z_]\w*)\b")
_ALIKE = 0.7
#: A word of so many letters that a handle begins with is short for it.
_SHORTEST = 3


def refuse_misspelt(text: str, handles: Collection[str], shared: Mapping[str, str]) -> None:
    """See that nothing in a command looks like a handle that is misspelt.

    :param handles: those that every task has a value for.
    :param shared: the path on the target for each shared key.
    :raises PlanError: something does; the error says what was probably meant, and what to write if not.
    """
    found = [*_words(text, handles), *_braces(text, handles)]
    if not found:
        return
    start, end, word, near = found[0]
    others = "".join(f"; {other} is none either" for _, _, other, _ in found[1:3])
    means = f"did you mean {near}? " if near else ""
    names = ", ".join(f"<{name}>" for name in sorted({*handles, *(["shared"] if shared else [])}))
    if word.startswith("<"):
        name = word[1:-1]
        escape = f"A redirection that is meant needs blanks: < {name} >; \\<{name}> is the text itself"
    else:
        escape = f"\\{word} is the text itself"
    raise PlanError(
        f"{word} is no handle here{others}:\n{excerpt(text, start, end)}",
        hint=f"{means}The handles are {names}. {escape}",
    )


def _words(text: str, handles: Collection[str]) -> Iterator[tuple[int, int, str, str]]:
    """Yield the place of each <word> that is near to a handle, with the word, and what was probably meant."""
    known = {form for handle in (*handles, "shared") for form in (handle, f"{handle}:raw")}
    for found in _WORD.finditer(text):
        if found[1] not in known and (near := _near(found[1], known)):
            yield *found.span(), found[0], f"<{near}>"


def _near(word: str, known: Collection[str]) -> str | None:
    """Return the handle that a word was probably meant for, or is short for."""
    near = nearest(word, sorted(known), _ALIKE)
    if near is not None or len(word) < _SHORTEST:
        return near
    return next((handle for handle in sorted(known) if handle.lower().startswith(word.lower())), None)


def _braces(text: str, handles: Collection[str]) -> Iterator[tuple[int, int, str, str]]:
    """Yield the place of each handle that is written as elsewhere, {id} or {}, where the command has no other."""
    if any(f"<{handle}>" in text or f"<{handle}:raw>" in text for handle in handles):
        return
    for found in _IN_BRACES.finditer(text):
        if found[1] in handles:
            yield *found.span(), found[0], f"<{found[1]}>"
    if not _KNOWS_BRACES.search(text):
        for found in _OF_PARALLEL.finditer(_QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)):
            yield *found.span(), found[0], "<arg0>" if "arg0" in handles else "<id>"


def variables_like_handles(text: str, handles: Collection[str]) -> Iterator[str]:
    """Yield a warning for each variable that has the name of a handle and is given no value, in a command without any.

    It may have its value from elsewhere: from `env`, or `setup`.
    """
    if any(f"<{handle}" in text for handle in handles):
        return
    for name in dict.fromkeys(_VARIABLE.findall(text)):
        is_given = re.search(rf"\b{name}\+?=|\b(?:for|read|local|declare|export)\b.*\b{name}\b", text)
        if name in handles and not is_given:
            yield f"${name} is a variable of bash, and nothing here gives it a value; write <{name}> for the task's own"
