"""What was found: by a look at a target beforehand, and of files that came from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from locusts_fab.errors import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locusts_fab.layout import Environment
    from locusts_fab.model.tasks import Piece


@dataclass(frozen=True)
class Fetched:
    """The place where files of an environment can be read on this machine.

    :param environment: the environment, or a folder with the files that were asked for under the same names.
    :param is_ours: whether it is a copy for us alone, so that files may be moved out of it.
    :param troubles: why one of them is not there whole, by its name; a part of it may be.
    :param homes: where another machine writes to it: what the environment is called there and here, so that symlinks
        which lead to something in it can be followed, and no others are. None: symlinks in it are ours.
    """

    environment: Environment
    is_ours: bool
    troubles: Mapping[str, str] = field(default_factory=dict)
    homes: tuple[str, ...] | None = None


class Packed(NamedTuple):
    """A piece of the archive of a claim, such as `000012.1.c0ffee12`; see `Environment.packed`."""

    claim: str
    piece: Piece


class Kept(NamedTuple):
    """The place of an output in an archive that stays.

    :param offset: of its first byte; of a folder that of its part of the archive, which is an archive of its own.
    :param size: in bytes.
    """

    offset: int
    size: int
    is_folder: bool = False


#: How serious a finding is.
FindingState = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that `check` looked at.

    :param what: what was looked at.
    :param found: what it is like.
    :param advice: what to do about it, if anything.
    :param exit_status: the exit code of `check` if it is an error.
    :param may_pass: a submit may come through all the same, so that none is refused for it.
    """

    what: str
    state: FindingState
    found: str
    advice: str = ""
    exit_status: ExitStatus = ExitStatus.USAGE
    may_pass: bool = False


def exit_status_of(findings: Iterable[Finding]) -> ExitStatus:
    """Return the exit code of findings: the first kind of error, in the order in which a submit would meet them."""
    kinds = {finding.exit_status for finding in findings if finding.state == "error"}
    order = (ExitStatus.CONNECTION, ExitStatus.SCHEDULER, ExitStatus.USAGE)
    return next((kind for kind in order if kind in kinds), ExitStatus.DONE)
