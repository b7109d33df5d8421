"""Small swarms for tests that run the whole thing: a folder, a config, and the program as a user starts it."""

from __future__ import annotations

import csv
import functools
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locusts_fab.tsv import unescape
from tests.support.forker import Forker
from tests.support.processes import Started

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[2]

#: A target: this machine.
HERE = """
[targets.here]
mode = "local"
slots = 2
"""
#: A swarm whose tasks copy their input.
COPY = """
[swarms.s]
command = "cat f_<id>.txt > out_<id>.txt"
indir = "in"
inputs = ["f_<id>.txt"]
outputs = ["out_<id>.txt"]
"""


_LIMIT_S = 120
#: What Python looks at when it starts, and not again.
_AT_START = re.compile(r"(?:LC_|LANG|PYTHON|LD_)\w*")


def _heeded_at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if _AT_START.fullmatch(name) and name != "PYTHONPATH"}


_HEEDED = _heeded_at_start(os.environ)


@functools.cache
def _forker() -> Forker:
    """Return the process in which all is loaded already; it ends with this one."""
    return Forker()


@dataclass
class Workspace:
    """A user's folder with a locusts.toml in it."""

    folder: Path

    def write(self, config: str) -> None:
        """Write the config."""
        (self.folder / "locusts.toml").write_text(config, encoding="utf-8")

    @property
    def variables(self) -> dict[str, str]:
        """All variables that the program finds set."""
        return {**os.environ, "PYTHONPATH": str(REPOSITORY)}

    @property
    def is_as_usual(self) -> bool:
        """Whether the program is started as it is, and not with other constants."""
        return True

    def start(self, *words: str, **more: Any) -> Started:
        """Start the program and do not wait."""
        given: dict[str, Any] = {
            "cwd": self.folder,
            "env": self.variables,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
        }
        return Started([sys.executable, "-m", "locusts_fab", *words], **{**given, **more})

    def locusts(self, *words: str) -> tuple[int, str]:
        """Run the program.

        :returns: its exit code, and what it printed on both streams.
        """
        env = self.variables
        if self.is_as_usual and _heeded_at_start(env) == _HEEDED:
            done = _forker().run_plain(*words, folder=self.folder, env=env, limit_s=_LIMIT_S)
            assert not done.is_late, f"it hangs: {done}"
            code, text = done.code, done.printed + done.errors
        else:
            with self.start(*words) as process:
                out, err = process.communicate(timeout=_LIMIT_S)
            code, text = process.returncode, (out + err).decode("utf-8", "replace")
        assert "Traceback" not in text, text
        return code, text

    def forget(self, swarm: str = "s") -> None:
        """Lose what this machine knows of a swarm."""
        for path in (self.folder / ".locusts" / swarm).iterdir():
            path.unlink()

    def table(self, name: str, swarm: str = "s") -> list[dict[str, str]]:
        """Read a table of the results, its escapes undone."""
        with (self.folder / "results" / swarm / name).open(
            encoding="utf-8", errors="surrogateescape", newline="\n"
        ) as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            return [{key: unescape(value) for key, value in row.items()} for row in rows]

    def tasks(self, swarm: str = "s") -> dict[str, dict[str, str]]:
        """Read tasks.tsv, by task."""
        return {row["task"]: row for row in self.table("tasks.tsv", swarm)}

    def result(self, path: str, swarm: str = "s") -> Path:
        """Find a file of the results."""
        return self.folder / "results" / swarm / path

    def records(self, swarm: str = "s", target: str = "here") -> list[list[str]]:
        """Read the records of all managers as fields."""
        cache = self.folder / ".locusts" / target / swarm / "exec" / "cache"
        return [line.split("\t") for file in sorted(cache.iterdir()) for line in file.read_text().splitlines()]

    def pairs(self, count: int) -> None:
        """Make inputs f_0.txt, f_1.txt, …, each holding its own number."""
        (self.folder / "in").mkdir()
        for number in range(count):
            (self.folder / "in" / f"f_{number}.txt").write_text(f"{number}\n")
