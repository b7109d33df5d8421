"""The line that tells why a task failed, chosen from the end of what it printed.

A manager adds the last lines to the reason of a failed attempt (`add_last_words` in templates/manager/words.sh); which
of them tells, is judged here.
"""

from __future__ import annotations

import re

from locusts_fab.model.tasks import TaskReason

#: What stands before each line in the reason of a record; nothing else there holds it.
MARK = "\x1f"
#: How many lines a manager adds, and how long each may be; words.sh has the same numbers.
MOST_LINES = 4
MOST_LETTERS = 200
#: What one record may say of a line, whoever wrote it.
_LONGEST = 300

_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
#: Lines that stand after the one that tells: bash quotes its source, R says where it was, Rust how to see more.
_AFTERWORDS = re.compile(
    r"^.*line [0-9]+: `.*'$|^Execution halted$|^Calls: |^note: run with |^In addition: Warning|^Stacktrace:$"
    r"|^During handling of the above|^The above exception was|^Aborted( \(core dumped\))?$"
)
#: The bar of a progress, even if it was printed without carriage returns.
_BAR = re.compile(r"[0-9] ?%\s*(?:[|\[]|$)|^\W*[0-9]+ ?%|[#=━█▉▊▋▌▍▎▏░▒▓-]{4,}[>╸\s.]*[]|]")
#: A bar whose line was not ended before something else was printed: what follows it was not drawn, but said.
_UNENDED_BAR = re.compile(r"^(?:.*[]|])?\W*[0-9]+ ?%(?:\|[^|]*\|[^]]*\])?(?=[^\W\d])")
_TELLING = re.compile(
    r"abort|assert|can'?t\b|cannot|corrupt|could ?n[o']t|denied|error|exceed|exception|expected|fail|fatal|illegal"
    r"|invalid|killed|missing|no space|no such|not (?:a|an|be|exist|found|permitted|recognized|set)\b|no module"
    r"|out of memory|panic|quota|refused|required|segmentation|time[d ]? ?out|unable|unbound|undefined|unknown"
    r"|unrecogni[sz]ed|unsupported|usage:|wrong",
    re.IGNORECASE,
)


def read_reason(text: str) -> str:
    """Return the reason of an attempt, with the line that tells why, from that of its record.

    :param text: the reason, and the last lines that the task printed, each after a `MARK`.
    """
    reason, *lines = text.split(MARK)
    return with_words(reason, lines)


_OF_OUTPUTS = {TaskReason.MISSING_OUTPUT.value, TaskReason.EMPTY_OUTPUT.value}


def with_words(reason: str, lines: list[str]) -> str:
    r"""Return a reason with the line that tells why.

    Of a task that a signal or its outputs ended, what it printed last need not be the reason, and is told only if it
    speaks of something that went wrong.

    :param lines: the last lines that the task printed, the latest last; one that was drawn over begins with `\\r`.
    """
    line = telling_line(lines)
    if not line:
        return reason
    if reason.startswith(f"{TaskReason.EXIT.value} "):
        return f"{reason}: {line}"
    if not _TELLING.search(line):
        return reason
    if reason.startswith(f"{TaskReason.SIGNAL.value} "):
        return f"{reason}: {line}"
    return f"{reason} ({line})" if reason in _OF_OUTPUTS else reason


def telling_line(lines: list[str]) -> str:
    """Return the line that tells most of why a task failed; empty if none tells anything.

    :param lines: the last lines that it printed, as for `with_words`.
    """
    kept: list[str] = []
    drawn: list[str] = []
    said, is_exception = "", False
    for raw in lines:
        line = _COLOURS.sub("", raw)[:_LONGEST]
        is_drawn, line = line.startswith("\r"), _UNENDED_BAR.sub("", line.strip())
        if is_exception and line:
            said, is_exception = line, False
        if _TRACEBACK.search(line):
            is_exception = True
        elif _says_something(line):
            (drawn if is_drawn and not _TELLING.search(line) else kept).append(line)
    if said and not is_exception:
        return _shown(said)
    telling = [line for line in kept if _TELLING.search(line)] or kept or drawn
    return _shown(telling[-1]) if telling else ""


def _says_something(line: str) -> bool:
    """Return whether a line is neither a rule, nor a bar, nor only more about the line before."""
    return any(map(str.isalnum, line)) and not _AFTERWORDS.search(line) and not _BAR.search(line)


def _shown(line: str) -> str:
    """Return a line as text that the ledger can hold: bytes that are no text become question marks."""
    return " ".join("".join("?" if "\ud800" <= char <= "\udfff" else char for char in line).split())


def last_lines(tail: bytes) -> list[str]:
    """Return the last lines in the end of a log, as a manager adds them to a reason.

    :param tail: the last bytes; what stands before the first newline may be cut off.
    """
    kept: list[str] = []
    indented = ""
    for raw in reversed(tail.decode("utf-8", "surrogateescape").replace("\0", "").split("\n")):
        line = raw.removesuffix("\r")
        _, drawn, line = line.rpartition("\r")
        if not line.strip(" \t"):
            continue
        is_indented = not drawn and line[0] in " \t"
        line = line.replace("\t", " ")
        line = drawn + (f"{line[:MOST_LETTERS]}..." if len(line) > MOST_LETTERS else line)
        if is_indented:
            indented = indented or line
        else:
            kept.insert(0, line)
        if len(kept) == MOST_LINES:
            break
    return kept or ([indented] if indented else [])
