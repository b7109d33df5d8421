"""Directives for schedulers: which options of sbatch a config may not add, and which lines of commands are directives.

Of the options, some would hide the jobs from us or keep managers from running in them, others are given anyway, so that
they would mean nothing; each is refused with its reason. All others are the user's own matter. Seen in the sources of
SLURM 22.05 to 26.05.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Lines in files of commands by which other programs are told what to do; here they would mean nothing.
DIRECTIVE = re.compile(r"\s*#(DISBATCH|SWARM|SBATCH|DSQ|PBS|BSUB|OAR|\$)\b.*")

#: The letters of options that take a value, in the same word or in the next; `k` only in the same.
_VALUED = frozenset("AabBCcDdeFGiJkLMmNnopqStwx")


@dataclass(frozen=True)
class _Refused:
    """An option that is refused.

    :param names: what it is called, without `--`.
    :param reason: what it would do, or what to write instead.
    :param letter: its short form; empty if it has none.
    :param value: it is refused only if this is in its value.
    """

    names: tuple[str, ...]
    reason: str
    letter: str = ""
    value: str = ""

    def name_of(self, name: str, value: str) -> str | None:
        """Return what an option is called in full if it is this one; getopt_long takes the beginning of a name, too."""
        if self.value not in value:
            return None
        if len(name) == 1:
            return self.names[0] if name == self.letter else None
        return name if name in self.names else next((each for each in self.names if each.startswith(name)), None)


_REFUSED = (
    # what hides the jobs from us, or has them run otherwise than we know
    _Refused(
        ("clusters", "cluster"),
        "nobody here would see the jobs of another cluster, or cancel them; let host be a login host of that cluster",
        "M",
    ),
    _Refused(("time",), "managers plan their end by the key time; write time = … instead", "t"),
    _Refused(("exclude",), "it would take the place of bad nodes that are excluded; write exclude = … instead", "x"),
    _Refused(("uid",), "the jobs would run as somebody who may not write there; let host be USER@HOST"),
    _Refused(
        ("dependency",),
        "it goes by names, and jobs have one that no other has, so they would wait for nothing; `after` orders swarms",
        "d",
        value="singleton",
    ),
    # what makes no job, or not one of ours
    _Refused(("wait",), "the submit would not come to an end; `locusts run` and `locusts collect --wait` wait", "W"),
    _Refused(("test-only",), "no job would be made; `locusts check` asks that"),
    _Refused(("wrap",), "jobs run managers and nothing else; what comes before them goes into setup"),
    _Refused(("external",), "nothing would run in the jobs"),
    # what is given anyway
    _Refused(("array",), "it has an element for each manager; nodes of the target says how many", "a"),
    _Refused(("nodes",), "each manager has one; nodes of the target says how many managers", "N"),
    _Refused(("ntasks",), "it is 1; slots of the target says how many tasks run at a time on a node", "n"),
    _Refused(("cpus-per-task",), "it is slots of the target times cpus_per_task of the swarm", "c"),
    _Refused(("job-name",), "jobs are found by their names, so each gets one that no other has", "J"),
    _Refused(("output",), "it is in exec/logs of the environment; `locusts logs` shows what tasks print", "o"),
    _Refused(("error",), "it is in exec/logs of the environment; `locusts logs` shows what tasks print", "e"),
    _Refused(("chdir",), "each task has a sandbox of its own; what is to run elsewhere begins with cd", "D"),
    _Refused(("open-mode",), "a job that comes back goes on in the same log"),
    _Refused(("requeue", "no-requeue"), "jobs come back until no task is left; `locusts cancel` ends that"),
    _Refused(("signal",), "managers are given word ahead of their time limit"),
)


def refusal(line: str) -> str | None:
    """Return why further options of sbatch, a line of them, cannot be; None if nothing is known against them."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a quote without its end, which sbatch refuses
        return None
    for name, value in _options(words):
        for option in _REFUSED:
            if full := option.name_of(name, value):
                return f"--{full}{'=' if option.value else ''}{option.value} cannot be here: {option.reason}"
    return None


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the options among words, each with its value, as getopt_long finds them."""
    for place, word in enumerate(words):
        following = words[place + 1] if words[place + 1 :] else ""
        if word.startswith("--"):
            name, has_value, value = word.removeprefix("--").partition("=")
            if len(name) > 1:
                yield name, value if has_value else following
        elif word.startswith("-"):
            yield from _letters(word.removeprefix("-"), following)


def _letters(letters: str, following: str) -> Iterator[tuple[str, str]]:
    """Yield the options in a word of letters: all of them, up to one that takes what comes after it as its value."""
    for place, letter in enumerate(letters, 1):
        if letter in _VALUED:
            yield letter, letters[place:] or following
            return
        yield letter, ""
