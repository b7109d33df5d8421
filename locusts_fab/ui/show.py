"""Printing what rich draws: as wide as a terminal is; elsewhere each line as long as it is."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from locusts_fab.text import UNBROKEN, unbroken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from rich.console import ConsoleOptions, RenderableType

#: As wide as a line ever gets, where no terminal sets an end to it.
_WIDE = 100_000


def show(renderable: RenderableType, file: TextIO | None = None) -> None:
    """Print something that rich draws. Where there is no terminal it has no colours, and no blanks end a line.

    :param file: where to; standard output if not given.
    """
    file = file or sys.stdout
    console = Console(file=file, highlight=False)
    if console.is_terminal:
        console.print(renderable)
        return
    plain = Console(file=io.StringIO(), width=_WIDE, highlight=False, force_terminal=False)
    with plain.capture() as captured:
        plain.print(renderable)
    file.write("".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines()))
    file.flush()


class Hanging:
    """A text whose lines are indented; it is broken between words.

    :param first: what stands before its first line; blanks stand before the others.
    """

    def __init__(self, text: Text, first: Text | str = "") -> None:
        self._text, self._first = text, first if isinstance(first, Text) else Text(first)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield it line by line."""
        width = max(20, options.max_width - self._first.cell_len)
        before = self._first
        text = self._text.copy()
        text.plain = unbroken(text.plain)
        for line in text.wrap(console, width):
            line.rstrip()
            line.plain = line.plain.replace(UNBROKEN, " ")
            yield Text.assemble(before, line)
            before = Text(" " * self._first.cell_len)
