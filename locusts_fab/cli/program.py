"""The `locusts` program: the commands without a tasks.py, from any folder."""

from __future__ import annotations

import contextlib
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from invoke.exceptions import ParseError
from invoke.program import Program

from locusts_fab.cli.collection import make_collection
from locusts_fab.errors import ExitStatus
from locusts_fab.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


class LocustsProgram(Program):
    """Invoke's program, with our exit code for a command line that cannot be understood."""

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse the arguments before the command."""
        with _usage_explained():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        """Parse the command and its arguments."""
        with _usage_explained():
            super().parse_tasks()


@contextlib.contextmanager
def _usage_explained() -> Iterator[None]:
    """Replace Invoke's `ParseError` by a message and exit code 2."""
    try:
        yield
    except ParseError as error:
        sys.stderr.write(
            f"{printable(str(error))}\n  `locusts --list` shows the commands, `locusts --help COMMAND` their options\n"
        )
        raise SystemExit(int(ExitStatus.USAGE)) from None


def main() -> None:
    """Run the program."""
    LocustsProgram(name="Locusts", binary="locusts", namespace=make_collection(), version=version("locusts-fab")).run()
