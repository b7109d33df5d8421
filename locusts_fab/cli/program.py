"""The `locusts` program: the commands without a tasks.py, from any folder."""

from __future__ import annotations

import sys
from importlib.metadata import version

from invoke.exceptions import ParseError
from invoke.program import Program

from locusts_fab.cli.commands import make_collection
from locusts_fab.errors import ExitStatus


class LocustsProgram(Program):
    """Invoke's program, with our exit code for a command line that cannot be understood."""

    def parse_core(self, argv: list[str] | None) -> None:
        """Read the arguments before the command."""
        with _usage():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        """Read the command and its arguments."""
        with _usage():
            super().parse_tasks()


class _usage:  # noqa: N801 - reads as what it is, a context
    """Turn Invoke's ParseError into a message and exit code 2."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ParseError):
            sys.stderr.write(
                f"{error}\n  `locusts --list` shows the commands, `locusts --help COMMAND` their options\n"
            )
            raise SystemExit(int(ExitStatus.USAGE)) from None


def main() -> None:
    """Run the program."""
    LocustsProgram(name="Locusts", binary="locusts", namespace=make_collection(), version=version("locusts-fab")).run()
