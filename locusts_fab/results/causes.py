"""Why tasks failed: failures whose reasons differ only in numbers, names and places have one cause."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from locusts_fab.model.swarms import Cause
from locusts_fab.model.tasks import TaskReason
from locusts_fab.results.lists import describe
from locusts_fab.shell.quoting import quote_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from locusts_fab.model.tasks import Outcome

#: Tasks that are named for each cause.
EXAMPLES = 3
#: On one node alone, so many failures are no accident.
_NODE_WORTH = 3
#: With more causes of one exit code than that, reasons that begin alike are taken for one.
MOST_ALIKE = 12
_FIRST_WORDS = 4
#: What follows in a reason is cut off somewhere, so it may not tell two causes apart.
_COMPARED = 160
#: Exit codes of bash.
_NOT_EXECUTABLE, _NOT_FOUND, _BROKEN_PIPE, _SIGNALS = 126, 127, 141, 128
_KILLED = 9

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = re.compile(rf"(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?\b(?:{_MONTHS})[a-z]* +(?=[0-9])")
#: Between quotes that begin and end a word; an apostrophe does neither.
_QUOTED = re.compile(
    r"(?<!\w)(?:'[^']*'|\"[^\"]*\"|`[^'`]*['`]|\u2018[^\u2019]*\u2019|\u201c[^\u201d]*\u201d|«[^»]*»)(?!\w)"
)
_URL = re.compile(r"\w+://[^\s'\"<>]+")
_EDGES = r"\s'\"`()\[\]{}<>,;:="
_PATH = re.compile(rf"[^{_EDGES}]*/[^{_EDGES}]*(?::?[^{_EDGES}]*/[^{_EDGES}]*)*")
_FILE = re.compile(r"(?<![\w.])[\w+@%~-]+(?:\.[\w+-]+)*\.[A-Za-z][A-Za-z0-9]{0,4}(?![\w.])")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_HEX = re.compile(r"\b[0-9a-fA-F]{7,}\b")
#: A word with a digit in it is a number, a time, or a name with a number.
_NUMBER = re.compile(r"[^\W\d]*[+-]?\d[\w.,:%+-]*\w|[^\W\d]*\d")
_SAME = re.compile(r"(?:#[\s.,:;/+-]*)+#")


def find_causes(failures: Iterable[Outcome], done_by_node: Mapping[str, int]) -> list[Cause]:
    """Return the causes of failures, the most frequent first.

    :param failures: tasks that failed, in any order.
    :param done_by_node: how many tasks went well on each node.
    """
    reasons = [(outcome, *_parts(outcome)) for outcome in sorted(failures, key=lambda outcome: outcome.number)]
    plain: Callable[[str], str] = _Memory()
    common: dict[tuple[str, str], int] = defaultdict(int)
    for _, stem, line in reasons:
        common[stem, plain(line)] += 1
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome, stem, line in reasons:
        key = plain(line)
        if common[stem, key] == 1:  # no other task says so: it may be because each says its own name
            key = normalised(line, outcome.id)
        groups[stem, key].append(outcome)
    nodes = {outcome.node for outcome, _, _ in reasons} | done_by_node.keys()
    causes = [_cause(group, done_by_node, nodes) for group in _merged(groups).values()]
    return sorted(causes, key=lambda cause: (-cause.count, cause.reason, cause.examples))


class _Memory:
    """The normalised form of lines, each worked out once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, line: str) -> str:
        known = self._known.get(line)
        if known is None:
            known = self._known[line] = normalised(line)
        return known


def _parts(outcome: Outcome) -> tuple[str, str]:
    """Return how a task ended, such as `exit 3`, and what else is known of it.

    Outputs that are not there are told apart by their places in the list of all, for their names differ anyway.
    """
    if outcome.cause in {TaskReason.MISSING_OUTPUT, TaskReason.EMPTY_OUTPUT}:
        absent = [str(at) for at, _ in outcome.absent]
        return f"{outcome.cause.value} {' '.join(absent)}", outcome.reason
    stem, _, line = describe(outcome).partition(": ")
    return stem, line


def normalised(line: str, task_id: str = "") -> str:
    """Return a line with all in it made equal that differs between tasks with the same fault.

    Numbers, times, hexadecimal numbers, paths, names of files and quoted names become signs.

    :param task_id: a name that is made equal too, where it stands as a word.
    """
    if task_id and task_id in line:  # most do not say it, and each is an expression of its own to compile
        line = re.sub(rf"(?<!\w){re.escape(task_id)}(?!\w)", "#", line)
    line = _QUOTED.sub("'", line)
    line = _PATH.sub("/", _URL.sub("/", line))
    line = _DATE.sub("0 ", line)
    line = _FILE.sub("/", line)
    line = _UUID.sub("#", line)
    line = _HEX.sub(lambda found: "#" if any(map(str.isdigit, found[0])) else found[0], line)
    line = _SAME.sub("#", _NUMBER.sub("#", line))
    return " ".join(line.split())[:_COMPARED]


def _merged(groups: Mapping[tuple[str, str], list[Outcome]]) -> Mapping[tuple[str, str], list[Outcome]]:
    """Return the groups; where too many have one way of ending, those whose first words are the same as one."""
    by_stem: dict[str, int] = defaultdict(int)
    for stem, _ in groups:
        by_stem[stem] += 1
    merged: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for (stem, line), outcomes in groups.items():
        key = " ".join(line.split()[:_FIRST_WORDS]) if by_stem[stem] > MOST_ALIKE else line
        merged[stem, key] += outcomes
    return merged


def _cause(group: list[Outcome], done_by_node: Mapping[str, int], nodes: set[str]) -> Cause:
    group = sorted(group, key=lambda outcome: outcome.number)
    first = group[0]
    there = {outcome.node for outcome in group}
    is_on_one = len(group) >= _NODE_WORTH and len(there) == 1 and len(nodes - {""}) > 1
    node = first.node if is_on_one else ""
    return Cause(
        reason=describe(first),
        kind=first.cause.value or first.reason,
        exit_code=first.exit_code,
        count=len(group),
        examples=[outcome.id for outcome in group[:EXAMPLES]],
        node=node,
        advice=_advice(first, node, done_by_node),
    )


def _advice(first: Outcome, node: str, done_by_node: Mapping[str, int]) -> str:
    """Return what to do about a cause, by its first task."""
    dashes = "-- " if first.id.startswith("-") else ""  # else it would be taken for an option
    show = f"`locusts logs {dashes}{quote_word(first.id)}`"
    if node and not done_by_node.get(node) and any(done_by_node.values()):
        return f"nothing went well on {node}: see what is wrong there, with {show}"
    if first.cause is TaskReason.EXIT and first.exit_code in _EXIT_ADVICE:
        return f"{_EXIT_ADVICE[first.exit_code]}; {show}"
    if first.cause is TaskReason.SIGNAL and first.exit_code == _SIGNALS + _KILLED:
        return f"most likely too little memory: {_MORE_MEMORY.format(show=show)}"
    usual = "{show} shows all that it printed" if first.log else "it printed nothing; {show} shows its command"
    return _ADVICE.get(first.cause, usual).format(show=show)


_EXIT_ADVICE = {
    _NOT_FOUND: "a program is not there: see its name, or let `setup` load it",
    _NOT_EXECUTABLE: "a program cannot be run: see its name, and `chmod +x` it",
    _BROKEN_PIPE: "a program in a pipe wrote to one that had ended, such as `head`",
}
_MORE_MEMORY = "raise `mem` of the job, or lower `slots`; {show}"
_ADVICE = {
    TaskReason.OUT_OF_MEMORY: _MORE_MEMORY,
    TaskReason.LIKELY_OUT_OF_MEMORY: _MORE_MEMORY,
    TaskReason.TIMEOUT: "raise `timeout`, or see with {show} where it stands",
    TaskReason.MISSING_OUTPUT: "see with {show} what it did, and whether `outputs` names what it makes",
    TaskReason.EMPTY_OUTPUT: "see with {show} what it did; with `nonempty = false` what is empty counts as there",
    TaskReason.NO_SANDBOX: "see that its inputs are there and that the disk is not full, with `locusts check`",
    TaskReason.TOO_LONG: "raise `time` of the job",
    TaskReason.NOT_RUN: '`locusts retry` runs the others again and then this; or set `when = "ended"`',
    TaskReason.LOST: "it may end its manager, by using up memory, say: {show}",
}
