"""The scripts that run on a target by themselves: where their files are, and the exit codes that they share with us."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import cache
from pathlib import Path

#: What bash says where there is no find, and what others than GNU find say of what we ask of them.
_NO_FIND = re.compile(
    r"find: (command not found|not found|No such file or directory)$"
    r"|find: (unknown predicate|unrecognized|illegal option|bad option|-printf)",
    re.MULTILINE,
)
#: Where a user or a site exports these, bash, tar and grep do other things than their scripts say. Managers have the
#: same in templates/manager/environment.sh.
PUT_AWAY = "unset -v CDPATH GLOBIGNORE GREP_OPTIONS POSIXLY_CORRECT TAR_OPTIONS"
#: What is started inherits the variables of the user; scripts that say so call nothing on which any of those bears.
_INHERITED = "here inherits the variables of this shell."
_HEADER = re.compile(r"(?:#.*\n)+")
_FROM_LIBRARY = re.compile(r"^# shellcheck source=(lib/[a-z_]+\.sh)\n\. .*\n", re.MULTILINE)


class RemoteExit(IntEnum):
    """The exit codes by which a script reports what went wrong; its header has the same names and numbers.

    0 is success, and 1 any failure that only its output explains.
    """

    #: The environment is not there, or cannot be written.
    NO_ENVIRONMENT = 3
    #: The manager ended at once, or the scheduler refused the job.
    NOT_STARTED = 4
    #: The scheduler does not answer, so it is unknown whether there is a job.
    NO_ANSWER = 5
    #: The environment is not the one that was asked for: somebody else made it, or nobody knows who did.
    FOREIGN = 6
    #: Somebody else has submitted in this environment.
    TAKEN = 7
    #: Others than us may change what is in the environment, or own it.
    OPEN = 8
    #: An entry of `setup` failed, so the manager runs nothing.
    SETUP_FAILED = 9
    #: There is no file under that name, for certain.
    NO_FILE = 10


@cache
def templates_folder() -> Path:
    """Return the folder of our templates: inside the package where it was installed, beside it in a checkout."""
    above = Path(__file__).resolve().parents
    return next(found for found in (folder / "templates" for folder in above) if (found / "remote").is_dir())


@cache
def remote_script(name: str) -> str:
    """Return the text of a script, for `Host.run`, with what it takes from `lib/` in place of the line that says so.

    All but those that start something first put away what would change the meaning of their words.

    :param name: its name in `templates/remote`, without `.sh`.
    """
    folder = templates_folder() / "remote"
    text = (folder / f"{name}.sh").read_text(encoding="utf-8")
    if _INHERITED not in text:
        text = _HEADER.sub(lambda header: f"{header[0]}\n{PUT_AWAY}\n", text, count=1)
    return _FROM_LIBRARY.sub(lambda line: (folder / line[1]).read_text(encoding="utf-8"), text)


def lacks_gnu_find(complaint: str) -> bool:
    """Return whether a script failed for want of GNU find, by what was printed on stderr."""
    return _NO_FIND.search(complaint) is not None
