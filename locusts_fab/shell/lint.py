"""Places in a command that take what stands there for code, however it is quoted: `bash -c`, `eval`, `printf -v`, ….

What is found here becomes a warning, no error: the list cannot be whole, and who wrote the command may know the values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


@dataclass(frozen=True)
class Word:
    """A word of a command, as it is written at `start`, and the places of the values in it."""

    raw: str
    start: int
    values: tuple[tuple[int, int], ...]

    @property
    def plain(self) -> str:
        """The word without its quotes."""
        return re.sub(r"\\(.)|['\"]", r"\1", self.raw, flags=re.DOTALL)


#: Programs that start the command that follows them, so that it may begin at any of their words.
_STARTERS = frozenset(
    [
        "builtin",
        "chroot",
        "command",
        "coproc",
        "do",
        "docker",
        "else",
        "env",
        "exec",
        "find",
        "flock",
        "if",
        "ionice",
        "mpiexec",
        "mpirun",
        "nice",
        "nohup",
        "numactl",
        "parallel",
        "podman",
        "setsid",
        "singularity",
        "apptainer",
        "srun",
        "stdbuf",
        "strace",
        "sudo",
        "taskset",
        "then",
        "time",
        "timeout",
        "until",
        "while",
        "xargs",
        "!",
    ]
)
#: The options after which code stands, by the program, without its version.
_CODE_OPTIONS = {
    **dict.fromkeys(
        ["bash", "sh", "dash", "ksh", "zsh", "ash", "su", "runuser", "script", "flock"], r"-[a-zA-Z]*c|--command"
    ),
    **dict.fromkeys(["perl", "ruby"], r"-[a-zA-Z0-9.]*[eE]"),
    **dict.fromkeys(["python", "pypy", "vim", "psql", "expect"], r"-[a-zA-Z]*c|--command"),
    **dict.fromkeys(["node", "julia", "php", "lua", "R", "Rscript", "octave", "gnuplot"], r"-[eEpr]|--eval|--print"),
    **dict.fromkeys(["gdb"], r"-ex|-eval-command"),
    "matlab": r"-r|-batch",
    "env": r"-[a-z0]*S|--split-string",
    "tar": r"-I|--use-compress-program|--to-command|--checkpoint-action",
    "rsync": r"-e|--rsh|--rsync-path",
    "mapfile": r"-C",
    "readarray": r"-C",
    "printf": r"-v",
    "test": r"-v|-R",
    "[": r"-v|-R",
    "wait": r"-p",
    "sed": r"-[nEruz]*e|--expression",
    "gawk": r"-e|--source",
    "find": r"-exec|-execdir|-ok|-okdir",
}
#: Programs all of whose words are code, or names of variables (whose subscripts are code).
_ALL_CODE = frozenset(["eval", "let", "unset", "alias", "parallel", "watch"])
#: Programs whose first word that is no option is code, and their options that take a word.
_FIRST_CODE = {
    "trap": "", "source": "", ".": "", "awk": "-F -v", "gawk": "-F -v -i -l", "mawk": "-F -v -W", "nawk": "-F -v",
    "sed": "-l", "jq": "-L --arg", "getopts": "",
}  # fmt: skip
#: The options of `read`, `mapfile` and `ssh` that take a word; what else stands there is a name, or code.
_NAMES = {"read": "-d -i -n -N -p -t -u", "mapfile": "-c -d -n -O -s -t -u", "readarray": "-c -d -n -O -s -t -u"}
_SSH = "-b -c -D -E -F -i -I -J -l -L -m -O -p -Q -R -S -w -W -B"
_DECLARING = frozenset(["declare", "typeset", "local", "export", "readonly"])
_CODE_VARIABLES = re.compile(r"(PS4|PROMPT_COMMAND|BASH_ENV|ENV|LD_PRELOAD)\+?=")
_NUMBER_TESTS = frozenset(["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"])
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)


def places_of_code(words: Sequence[Word]) -> Iterator[tuple[int, int, str]]:
    """Yield where in a simple command a value stands that is taken for code: its start, its end, and by what."""
    words = list(words)
    while words and (_ASSIGNMENT.match(words[0].raw) or words[0].raw in _STARTERS):
        first = words.pop(0)
        if found := _CODE_VARIABLES.match(first.raw):
            yield from _all([first], f"in {found[1]}, which is run")
        if first.raw in _STARTERS:
            yield from _judge(first.raw, words)
            for number, word in enumerate(words):
                yield from _judge(_name(word), words[number + 1 :])
            return
    if words:
        yield from _judge(_name(words[0]), words[1:])


def _name(word: Word) -> str:
    """Return the program that a word names, without its folder and version."""
    name = word.plain.rsplit("/", 1)[-1]
    return re.sub(r"(?<=[a-zA-Z])[0-9.]+\Z", "", name)


def _judge(program: str, words: Sequence[Word]) -> Iterator[tuple[int, int, str]]:
    by = f"where {program} takes it for code"
    if program in _ALL_CODE:
        yield from _all(words, by)
    elif program == "[[":
        if any(word.raw in _NUMBER_TESTS for word in words):
            yield from _all(words, by)
    elif program in _DECLARING:
        yield from _declared(words, by)
    elif program in _NAMES:
        yield from _all(_operands(words, _NAMES[program]), by)
    elif program == "ssh":
        yield from _all(_operands(words, _SSH)[1:], by)
    elif program in _FIRST_CODE and not any(
        re.match(r"-[a-zA-Z]*[ef]|--(file|expression)", word.raw) for word in words
    ):
        yield from _all(_operands(words, _FIRST_CODE[program])[:1], by)
    if options := _CODE_OPTIONS.get(program):
        yield from _after_options(options, words, by)


def _after_options(options: str, words: Sequence[Word], by: str) -> Iterator[tuple[int, int, str]]:
    """Yield the values in the word after an option, or in the same word."""
    for number, word in enumerate(words):
        found = re.match(rf"({options})(=|(?=.))?", word.plain, re.DOTALL)
        if found and found.end() < len(word.plain) and word.values:
            yield from _all([word], by)
        elif found and found.end() == len(word.plain):
            yield from _all([each for each in words[number + 1 :] if not re.match(r"[-+]\w", each.raw)][:1], by)


def _declared(words: Sequence[Word], by: str) -> Iterator[tuple[int, int, str]]:
    """Yield the values in names, and in what becomes a number, a reference, or an array."""
    special = any(re.match(r"-\w*[inaA]", word.raw) for word in words)
    for word in words:
        name_end = word.start + max(0, word.raw.find("="))
        for start, end in word.values:
            if special or "=" not in word.raw or start < name_end:
                yield start, end, by


def _operands(words: Sequence[Word], with_word: str) -> list[Word]:
    """Return the words that are no options, nor belong to one."""
    left, skip = [], False
    for word in words:
        if not skip and not re.match(r"-.", word.raw):
            left.append(word)
        skip = not skip and word.raw in with_word.split()
    return left


def _all(words: Sequence[Word], by: str) -> Iterator[tuple[int, int, str]]:
    for word in words:
        for start, end in word.values:
            yield start, end, by


def variables_of_values(words: Sequence[Word]) -> Iterator[str]:
    """Yield the variables that a simple command gives a value to, as `x=<id>` and `for x in <id>` do."""
    if len(words) > 1 and words[0].raw == "for" and any(word.values for word in words[1:]):
        yield words[1].raw
    for word in words:
        found = _ASSIGNMENT.match(word.raw)
        if (
            found and word.values and words[0].raw != "let" and "$(" not in word.raw
        ):  # what a command prints is not the value
            yield found[0].rstrip("+=")


def uses_in_arithmetic(text: str, names: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield where arithmetic, an indirection or a subscript uses one of the variables."""
    if not names:
        return
    name = rf"\b({'|'.join(map(re.escape, sorted(names)))})\b"
    for span in re.finditer(
        r"\$?\(\((?:(?!\)\)).)*|\$\[[^]]*|\$\{![^}]*|\$\{\w+(?:\[|:(?![-=?+]))[^}]*", text, re.DOTALL
    ):
        for found in re.finditer(name, span[0]):
            yield span.start() + found.start(), span.start() + found.end()
    for words in re.finditer(r"(?:^|[\s;&|(])(?:let\s|\[\[(?=[^\n]*\s-(?:eq|ne|lt|le|gt|ge|v)\s))[^\n;]*", text):
        for found in re.finditer(name, words[0]):
            yield words.start() + found.start(), words.start() + found.end()
