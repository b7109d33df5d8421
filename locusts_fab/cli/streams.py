"""Standard output and standard error, so that whatever they lead to, no command breaks on it.

What a terminal has no characters for is shown in others. Notes whose reader has gone are dropped, and the command goes
on; an answer whose reader has gone ends it, without a word; one that cannot be written is an error.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from locusts_fab import early
from locusts_fab.errors import TransferError
from locusts_fab.text import fitted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_OUT, _ERR = 1, 2
#: What stands for the characters that we draw with, where a terminal has none of them.
_PLAIN = {"━": "=", "─": "-", "╌": "-", "╺": "-", "╸": "=", "…": "...", "→": "->", "•": "*"}
_BRAILLE = range(0x2800, 0x2900)  # a spinner
_LIKEWISE = "locusts_fab.likewise"

#: That of a terminal which does not say how wide it is.
_USUAL_WIDTH = 80


class ReaderGoneError(Exception):
    """Nobody reads our answer any more, such as after `| head`."""


def _likewise(error: UnicodeError) -> tuple[str, int]:
    """Return what is shown instead of characters that an encoding does not have, for `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = []
    for char in error.object[error.start : error.end]:
        plain = "." if ord(char) in _BRAILLE else _PLAIN.get(char)
        shown.append(plain or char.encode("unicode_escape", "surrogatepass").decode("ascii"))
    return "".join(shown), error.end


codecs.register_error(_LIKEWISE, _likewise)


class _Notes(io.FileIO):
    """Standard error: what nobody can read is dropped, for it is no reason to stop."""

    def write(self, data: Any, /) -> int:
        """Write, and never fail."""
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


class _Answers(io.FileIO):
    """Standard output: the first failure is told, what comes after it is dropped."""

    is_broken = False

    def write(self, data: Any, /) -> int:
        """Write.

        :raises ReaderGoneError: nobody reads it.
        :raises TransferError: it cannot be written.
        """
        if self.is_broken:
            return memoryview(data).nbytes
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            self.is_broken = True
            raise ReaderGoneError from None
        except OSError as error:
            self.is_broken = True
            raise TransferError(
                f"what this command prints cannot be written: {error.strerror}", hint="see where its output goes"
            ) from error


def _text_on(raw: io.FileIO, like: TextIO, *, is_lively: bool) -> TextIO:
    """Return a text stream on a raw one, in the encoding of another stream."""
    encoding = sys._xoptions.get(early.TERMINAL_ENCODING) or like.encoding or "utf-8"  # noqa: SLF001 - as documented
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=str(encoding), errors=_LIKEWISE, line_buffering=is_lively, newline="\n"
    )


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Let standard output and error be such streams within; where somebody has put others there, only forgiving ones.

    :raises ReaderGoneError: nobody read what was left to write.
    :raises TransferError: it could not be written.
    """
    if isinstance(getattr(getattr(sys.stderr, "buffer", None), "raw", None), _Notes):
        yield
        return
    early.open_closed_streams()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _safe(sys.stdout, _OUT), _safe(sys.stderr, _ERR)
    try:
        yield
    finally:
        try:
            sys.stderr.flush()
            sys.stdout.flush()
        finally:
            sys.stdout, sys.stderr = before


def _safe(stream: TextIO | None, number: int) -> TextIO:
    """Return the stream to use in the place of standard output or error."""
    if stream is None:  # it was closed when we were started
        return nothing()
    own = sys.__stdout__ if number == _OUT else sys.__stderr__
    if own is not None and stream is own:
        own.flush()
        raw = _Answers(number, "wb", closefd=False) if number == _OUT else _Notes(number, "wb", closefd=False)
        return _text_on(raw, own, is_lively=number == _ERR or own.isatty())
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_LIKEWISE)
    return stream


def nothing() -> TextIO:
    """Return a stream that drops all that is written."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Nothing()),
        encoding="utf-8",
        errors=_LIKEWISE,
    )


class _Nothing(io.RawIOBase):
    """A raw stream that drops all."""

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def write(self, data: Any, /) -> int:
        """Drop it."""
        return memoryview(data).nbytes


def for_person(text: str) -> str:
    """Return a text as standard error shows it: made safe, and broken between words where there is a terminal."""
    if not sys.stderr.isatty():
        return printable(text)
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # it is closed, or says nothing of its size
        width = 0
    return fitted(printable(text), width or _USUAL_WIDTH)
