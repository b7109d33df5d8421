"""Project folders from which somebody has the same swarm: two users, two laptops, or one with a copy."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import locusts_fab
from locusts_fab.tsv import unescape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fabric import Connection

    from locusts_fab.config.swarm import Swarm
    from tests.support.sshd import Sshd


def laptop_in(mode: str, folder: Path, sshd: Callable[[], Sshd]) -> Laptop:
    """Return the project folder `first` of whoever uses the environment `there`, both in a folder, in a mode.

    :param sshd: gives the server; asked only if the mode needs one. There is no scheduler.
    """
    there = json.dumps(str(folder / "there"))
    lines = ["[targets.far]", f"mode = {json.dumps(mode)}", "slots = 2", f"root = {there}"]
    connect = None
    if mode != "local":
        lines += ['host = "cluster"', 'scheduler = "none"']
        connect = sshd().connection
    if mode == "remote-shared":
        lines.append(f"shared_root = {there}")
    return Laptop(folder / "first", "\n".join(lines), connect)


@dataclass
class Laptop:
    """A project folder, and the way from it to the target.

    :param folder: where its locusts.toml lies.
    :param target: the lines of its target, `[targets.far]`.
    :param connect: makes a connection; None where none is needed.
    """

    folder: Path
    target: str
    connect: Callable[[], Connection] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)

    def connection(self) -> Connection | None:
        """Return a connection for one call."""
        return self.connect() if self.connect else None

    def swarm(self, words: Sequence[str], command: str = "printf '%s\\n' <arg0> > out.txt") -> Swarm:
        """Write a config whose tasks each write a word, and load it."""
        args = json.dumps([[word] for word in words])
        self.folder.joinpath("locusts.toml").write_text(
            f"{self.target}\n[swarms.s]\ncommand = {json.dumps(command)}\nargs = {args}\noutputs = ['out.txt']\n",
            encoding="utf-8",
        )
        loaded: Swarm = locusts_fab.load(self.folder / "locusts.toml")
        return loaded

    @property
    def state(self) -> Path:
        """The local state of the swarm."""
        return self.folder / ".locusts/s"

    def run(self, swarm: Swarm) -> None:
        """Submit, wait, and collect."""
        locusts_fab.submit(swarm, self.connection())
        locusts_fab.collect(swarm, self.connection(), wait=True)

    def results(self) -> dict[str, str]:
        """Return what is in the output of each task that is done, by the tables."""
        lines = (self.folder / "results/s/outputs.tsv").read_text().splitlines()[1:]
        rows = [list(map(unescape, line.split("\t"))) for line in lines]
        return {
            row[0]: (self.folder / "results/s" / row[3]).read_text().rstrip("\n") for row in rows if row[2] == "present"
        }

    def copy(self, folder: Path) -> Laptop:
        """Copy the project folder, and all that is known there."""
        shutil.copytree(self.folder, folder)
        return Laptop(folder, self.target, self.connect)
