"""Lines of a locusts.toml, written for people: keys with comments, and the tables of a first target."""

from __future__ import annotations

import json

_COMMENTS_AT = 44


def target_here() -> list[str]:
    """Return the lines of a target that is this machine."""
    return [
        toml_line("mode", "local", "tasks run on this machine"),
        "# slots = 2                                  # so many at a time; default: as many as there are cores",
    ]


def target_there(host: str) -> list[str]:
    """Return the lines of a target that is another machine."""
    return [
        toml_line("mode", "remote", "tasks run there, over one SSH login"),
        toml_line("host", host),
        toml_line("root", "~/locusts", "a folder there that all nodes see"),
        toml_line("scheduler", "slurm", '"none": a plain machine'),
        "# nodes = 4                                  # so many nodes",
        "# slots = 16                                 # so many tasks at a time on each",
        '# setup = ["module load openmpi"]            # run on each node, before any task',
        "# [targets.there.slurm]",
        '# partition = "short"',
        '# time = "04:00:00"',
    ]


def toml_line(key: str, value: object, comment: str = "") -> str:
    """Return the line of a key, with a comment behind it if there is one."""
    line = f"{key} = {toml_value(value)}"
    return f"{line:<{_COMMENTS_AT}} # {comment}" if comment else line


def toml_value(value: object) -> str:
    """Return a text, or a list, as TOML, which escapes as JSON does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
