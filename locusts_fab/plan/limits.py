"""What the kernel takes: how long a command, an environment, and a path may be.

What is longer would be accepted here, sent, and fail there, one task after another, with a word that explains nothing
(`Argument list too long`, `File name too long`). So it is refused when the plan is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.bounds.names import LONGEST_PATH_BYTES
from locusts_fab.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Of one argument, such as the command that bash gets, without the NUL that ends it: MAX_ARG_STRLEN is 131,072.
LONGEST_ARGUMENT_BYTES = 131_071
#: Of all arguments and variables of a program together, with the usual limit of the stack.
LONGEST_ARGUMENTS_BYTES = 2_097_152
#: Of these, what is left for the variables that a login or a job has by itself.
_LOGIN_BYTES = 262_144
#: What stands between the environment and the name of an output or input at most: `work/…/17.2/` and the like; and here
#: between a folder and what is made in it under a name of ours before it is renamed.
_BETWEEN_BYTES = 96

_MOST_BYTES_OF_A_CHARACTER = 4
HINT = "put what is long into a file, an input or a shared one, and let the command read it"


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _exceeds(text: str, limit: int) -> bool:
    """Return whether a text has more bytes than that; most are so short that nobody has to count."""
    return len(text) * _MOST_BYTES_OF_A_CHARACTER > limit and _bytes(text) > limit


@dataclass(frozen=True)
class Limits:
    """What is left for a task's names, where its swarm lies.

    :param name_bytes: the longest name of an output or input, relative to the sandbox.
    """

    name_bytes: int

    @classmethod
    def of(cls, environment_dir: str, outdir: str) -> Limits:
        """Return them for an environment, and a folder of results.

        :raises PlanError: one of them is itself too long.
        """
        left = LONGEST_PATH_BYTES - _BETWEEN_BYTES - max(_bytes(environment_dir), _bytes(outdir))
        if left <= 0:
            raise PlanError(
                f"a path may have {LONGEST_PATH_BYTES} bytes, and that of the environment or of outdir leaves no space",
                hint="choose a shorter root for the target, or a shorter outdir",
            )
        return cls(left)

    def why_too_long(self, task_id: str, command: str, names: tuple[str, ...]) -> str | None:
        """Return what of a task is too long, in words; None if nothing is."""
        if _exceeds(command, LONGEST_ARGUMENT_BYTES):
            return f"its command has {_bytes(command)} bytes; a program takes at most {LONGEST_ARGUMENT_BYTES} at once"
        limit = self.name_bytes - _bytes(task_id)
        for name in names:
            if _exceeds(name, limit):
                return (
                    f"{name[:40]!r}… has {_bytes(name)} bytes; in its folder a path may have {limit},"
                    f" and {LONGEST_PATH_BYTES} in all"
                )
        return None


def check_variables(variables: Mapping[str, str]) -> None:
    """See that programs can be started with the variables of `env`.

    :raises PlanError: they are too long.
    """
    for name, value in variables.items():
        size = _bytes(name) + 1 + _bytes(value)
        if size > LONGEST_ARGUMENT_BYTES:
            raise PlanError(
                f"env.{name}: with its name it has {size} bytes; a program takes at most {LONGEST_ARGUMENT_BYTES}",
                hint=HINT,
            )
    total = sum(_bytes(name) + _bytes(value) + 2 + 8 for name, value in variables.items())  # a pointer to each
    most = LONGEST_ARGUMENTS_BYTES - LONGEST_ARGUMENT_BYTES - _LOGIN_BYTES
    if total > most:
        raise PlanError(
            f"env: its variables have {total} bytes together; beside a command, programs can be given about {most}",
            hint=HINT,
        )


def check_shared(paths: Mapping[str, str]) -> None:
    """See that shared files can lie where they are to lie.

    :param paths: on the target, by key.
    :raises PlanError: one of them is too long.
    """
    for key, path in paths.items():
        if _bytes(path) + _BETWEEN_BYTES > LONGEST_PATH_BYTES:
            raise PlanError(
                f"shared.{key}: its path on the target, with {_bytes(path)} bytes, would be longer than one may be",
                hint="choose a shorter key, a shorter name for the file, or a shorter root for the target",
            )
