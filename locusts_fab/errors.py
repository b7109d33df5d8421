"""What can go wrong, as exceptions that carry data, and the exit code of each.

Every error that a person may meet is a `LocustsError`: its text names the cause, `hint` the next step.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitStatus(IntEnum):
    """The exit codes of every command; scripts rely on them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONNECTION = 3
    SCHEDULER = 4
    INTERRUPTED = 130


class LocustsError(Exception):
    """The base of all errors of this package.

    :param message: what failed and why, for a person.
    :param hint: what to do next, if there is something to do.
    """

    exit_status: ClassVar[ExitStatus] = ExitStatus.USAGE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


class ConfigError(LocustsError):
    """The config file cannot be used; `problems` has a line for each thing that is wrong in it.

    :param path: the file, as the user named it.
    :param problems: lines such as `targets.cluster.prot: unknown key; did you mean port?`.
    """

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{path}: {problem}" for problem in self.problems))


class PlanError(LocustsError):
    """The config is sound, but no plan can be made of it: inputs are missing, names collide.

    :param message: what is wrong.
    :param task_ids: the tasks that it is about, if any.
    """

    def __init__(self, message: str, *, hint: str | None = None, task_ids: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.task_ids = tuple(task_ids)


class StateError(LocustsError):
    """The command does not fit the state of the swarm (nothing submitted, still running, another command running)."""


class UnfinishedError(StateError):
    """A swarm that this one comes after has tasks that are not done."""

    exit_status = ExitStatus.FAILED


class BusyError(StateError):
    """Another command is working on the swarm, and has been for long."""


class SetupError(LocustsError):
    """An entry of `setup` failed where a manager was to start, so it runs nothing."""

    exit_status = ExitStatus.FAILED


class HostError(LocustsError):
    """A machine could not be reached, or a script or a transfer failed on it.

    :param message: what failed.
    :param stderr: the last lines that the other side printed, if any.
    :param may_pass: the machine was there, and another try may well help: a link broke, an answer is late.
    """

    exit_status = ExitStatus.CONNECTION

    def __init__(self, message: str, *, hint: str | None = None, stderr: str = "", may_pass: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.stderr = stderr
        self.may_pass = may_pass

    @classmethod
    def of_script(cls, message: str, stderr: str, *, hint: str) -> HostError:
        """Return the error for a script that failed; what it complained of follows the message, if it did."""
        said = stderr.strip()
        return cls(message + (f":\n{said}" if said else ""), hint=hint, stderr=stderr)


class EntriesError(HostError):
    """More entries came than can be right for what was asked for; whoever asked for much may ask for less at a time."""


class LoginRefusedError(HostError):
    """The host, or we, said no: trying again changes nothing, and may get the user banned."""


class TransferError(HostError):
    """Files did not arrive: rsync failed, the disk is full, the link broke."""


class SchedulerError(LocustsError):
    """The scheduler refused a job or answered something that cannot be understood."""

    exit_status = ExitStatus.SCHEDULER
