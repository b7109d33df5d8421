"""Names that came from elsewhere: of tasks, outputs, entries of trees and archives, before anything is done with them.

Whoever wrote them, a `Name` leads to something below the folder that it is used in, and nowhere else by its own words.
It is made by its constructor alone, which refuses all others. That no symlink leads out either, a name cannot say.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

#: Of one name in a path: NAME_MAX.
LONGEST_NAME_BYTES = 255
#: Of a path, without its NUL: PATH_MAX is 4,096.
LONGEST_PATH_BYTES = 4_095
#: `<id>.log` must be a file name.
LONGEST_ID_BYTES = LONGEST_NAME_BYTES - len(".log")

#: Names under outdir that are ours; `Results` in layout.py and `replica/` make them.
_RESERVED = re.compile(r"\.{1,2}|logs|failed|(tasks|outputs|modified)\.tsv|batch_[0-9]{3,}")
_NOWHERE = frozenset({"", ".", ".."})
#: What nearly all ids are like, asked in one step, for a run has ten thousands of them.
_IS_ORDINARY_ID = re.compile(rf"(?!(?:{_RESERVED.pattern})\Z)[A-Za-z0-9_][A-Za-z0-9_.-]*").fullmatch
_made = str.__new__
_SHOWN = 80


class UnsafeNameError(ValueError):
    """A name that cannot be used below a folder; the text holds the name and why."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}: {why}")


class Name(str):
    """A relative path that stays below its folder by its own words.

    :raises UnsafeNameError: it is absolute, empty or too long, or holds a NUL or an empty part, `.` or `..`.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Return the name in a text that may hold anything."""
        why = why_not_plain(text)
        if why is not None:
            raise UnsafeNameError(text, why)
        return _made(cls, text)

    def __truediv__(self, below: str) -> Name:
        """Return the name of what lies below this one."""
        return Name(f"{self}/{below}")


class TaskId(Name):
    """The id of a task, which is the name of a folder and of a log among the results.

    :raises UnsafeNameError: no task can have it.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Return the id in a text that may hold anything."""
        if len(text) > LONGEST_ID_BYTES or not _IS_ORDINARY_ID(text):
            why = why_id_is_unusable(text)
            if why is not None:
                raise UnsafeNameError(text, why)
        return _made(cls, text)


def names(texts: Sequence[str]) -> tuple[Name, ...]:
    """Return the names in texts that may hold anything, in less time than one by one.

    :raises UnsafeNameError: one of them is none.
    """
    if why_not_plain("/".join(texts)) is None:
        return tuple([_made(Name, text) for text in texts])
    return tuple([Name(text) for text in texts])


def small(name: str) -> str:
    """Return a name as file systems know it that take capital letters for small ones."""
    return name.casefold() if name.isascii() else normalize("NFC", name).casefold()


def why_not_plain(text: str) -> str | None:
    """Return why a text is no name of something below a folder, in words; None if it is one."""
    parts = text.split("/")
    if not _NOWHERE.isdisjoint(parts):
        return _why_it_leads_nowhere(text, parts)
    if "\0" in text:
        return "it holds a NUL"
    return None if text.isascii() and len(text) <= LONGEST_NAME_BYTES else _why_too_long(parts)


def _why_too_long(parts: list[str]) -> str | None:
    try:
        sizes = [len(os.fsencode(part)) for part in parts]
    except UnicodeEncodeError:
        return "it holds what no file name can"
    if max(sizes) > LONGEST_NAME_BYTES:
        return f"a file name has at most {LONGEST_NAME_BYTES} bytes"
    if sum(sizes) + len(sizes) - 1 > LONGEST_PATH_BYTES:
        return f"a path has at most {LONGEST_PATH_BYTES} bytes"
    return None


def _why_it_leads_nowhere(text: str, parts: list[str]) -> str:
    if text.startswith("/"):
        return "it is an absolute path"
    if ".." in parts:
        return "`..` would lead out of its folder"
    return "it is empty" if not text else "it has an empty part" if "" in parts else "`.` is no name"


def why_id_is_unusable(task_id: str) -> str | None:
    """Return why no task can have this id, in words; None if one can."""
    if _RESERVED.fullmatch(task_id):
        return "that name is taken under outdir"
    if "/" in task_id or "\0" in task_id or not task_id:
        return "it cannot be a file name"
    why = why_not_plain(f"{task_id}.log")
    return why if why is None or "bytes" not in why else f"it has more than {LONGEST_ID_BYTES} bytes"
