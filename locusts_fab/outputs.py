"""Outputs come whole or not at all: what keeps one from coming, in words, and which symlinks in a folder may come.

Pure. Both ways by which outputs come, over a login and from a folder of this machine, judge by this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

GONE = "it is not there any more"
#: Of what came once, and was removed here after its environment had gone. There may be a million: all say the same.
ABSENT = "it is not here, and the target has it no more; `locusts submit --redo --only TASK` makes it anew"
ODD = "it is neither a file nor a folder"
NOWHERE = "it is a link that leads nowhere"
UNREADABLE = "it cannot be read"
#: How the reason begins why nothing comes of a whole piece of an archive; that may be put right by somebody.
ITS_ARCHIVE = "its archive, "
NOT_WHOLE = "it did not come whole: it changed while it was fetched, or cannot be read to its end"

#: The kernel follows no more symlinks than this on the way to a file: what needs more leads nowhere.
MOST_LINKS = 40


def in_folder(path: str, reason: str) -> str:
    """Return why a folder does not come, because of something in it.

    :param path: what is in it, relative to the folder.
    :param reason: one of those of this module.
    """
    return f"{path} in it: {reason}"


class LeadsOutError(Exception):
    """A symlink in a folder leads out of it; the text is a reason as this module has them."""


def links_to_make(links: Mapping[str, str], homes: Collection[str]) -> dict[str, str]:
    """Return what each symlink of a folder shall hold where the folder comes to.

    Relative ones, broken ones and circles stay as they are. An absolute one that points into the folder itself becomes
    a relative one, for there the folder has another path.

    :param links: what each holds, by its path relative to the folder.
    :param homes: what the folder may be called: absolute paths; or the last parts of them, in which no other folder
        ends, such as `000012.1.0f3c5a7e/17/out`.
    :raises LeadsOutError: one of them leads out of the folder.
    """
    made = {}
    for path, text in links.items():
        relative = _as_relative(path, text, homes)
        if relative is None:
            raise LeadsOutError(in_folder(path, f"it is a link that leads out of the folder, to {text}"))
        made[path] = relative
    for path in made:
        if not stays_inside(path, made):
            raise LeadsOutError(in_folder(path, f"it is a link that leads out of the folder, to {links[path]}"))
    return made


def _as_relative(path: str, text: str, homes: Collection[str]) -> str | None:
    """Return what a symlink shall hold; None if it is absolute and does not point into the folder."""
    if not text.startswith("/"):
        return text or None
    parts = [part for part in text.split("/") if part not in {"", "."}]
    for home in homes:
        named = home.strip("/").split("/")
        starts = range(1) if home.startswith("/") else range(len(parts))
        for start in starts:
            if parts[start : start + len(named)] == named:
                return "/".join([*[".."] * path.count("/"), *parts[start + len(named) :]]) or "."
    return None


def stays_inside(path: str, links: Mapping[str, str]) -> bool:
    """Return whether a symlink of a folder leads to something in it, or nowhere, whatever others it leads over.

    :param links: what all symlinks of the folder hold, by their paths relative to it.
    """
    place = path.split("/")
    waiting = [""]
    followed = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            if not place:
                return False
            place.pop()
        elif part not in {"", "."}:
            place.append(part)
        text = links.get("/".join(place)) if part not in {".", ".."} else None
        if text is not None:
            followed += 1
            if followed > MOST_LINKS:
                return True  # a circle
            if text.startswith("/"):
                return False
            place.pop()
            waiting.extend(reversed(text.split("/")))
    return True
