"""Where a swarm runs while things break: this machine, one behind an sshd, or one with a SLURM."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.sshd import ALIAS, Sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.slurm import Slurm

MODES = ("local", "crowd", "remote", "shared", "slurm")

#: Waits at a gate if what it was told holds some words, and is then the command that it stands for; but one that waited
#: does what somebody put there to be done `instead`, once.
_HOLDS = """#!/bin/bash
case "$PWD $*" in *{words}*)
  if [[ ! -e {gate}/go ]]; then
    : >{gate}/at-work.$$
    until [[ -e {gate}/go ]]; do sleep 0.05; done
    mv {gate}/instead {gate}/done.$$ 2>/dev/null && exec bash {gate}/done.$$ "$@"
  fi
  ;;
esac
exec {{real}} "$@"
"""


@dataclass
class Place:
    """A target: where its environments are, and what a person there could do.

    :param mode: one of MODES.
    :param folder: where this place keeps what it needs.
    :param sshd: the way there; None: it is this machine.
    """

    mode: str
    folder: Path
    sshd: Sshd | None = None
    slurm: Slurm | None = None
    holds: set[str] = field(default_factory=set)

    @property
    def bin(self) -> Path:
        """A folder that its PATH begins with."""
        return self.sshd.bin if self.sshd else self.folder / "bin"

    @property
    def env(self) -> dict[str, str]:
        """Variables that the program finds set here."""
        given = {"TMPDIR": str(self.folder / "tmp"), "SLURM_CONF": "/nowhere"}
        if self.sshd:
            return {**given, "HOME": str(self.sshd.client_home), **(self.slurm.env if self.slurm else {})}
        return {**given, "PATH": f"{self.bin}:{os.environ['PATH']}"}

    @property
    def is_account(self) -> bool:
        """Whether tasks run as somebody else than us, for whom permissions count."""
        return self.sshd is not None and self.sshd.own_account

    def make_root(self, name: str) -> Path:
        """Make a folder that can be the root of a target, for whoever runs tasks."""
        for each in ("bin", "tmp"):
            (self.folder / each).mkdir(exist_ok=True)
        root = (self.sshd.home if self.is_account and self.sshd else self.folder) / name
        root.mkdir(mode=0o700)
        self.give(root)
        return root

    def give(self, path: Path) -> None:
        """Make something belong to whoever runs tasks."""
        if self.is_account and self.sshd:
            owner = self.sshd.home.stat()
            os.chown(path, owner.st_uid, owner.st_gid)

    def target(self, root: Path, slots: int, nodes: int, setup: list[str], slurm: str = "") -> str:
        """Write the table of the target `there`."""
        lines = ["[targets.there]", f'root = "{root}"', f"slots = {slots}", f"setup = {json.dumps(setup)}"]
        if self.mode in {"local", "crowd"}:
            return "\n".join([*lines, 'mode = "local"', ""])
        lines += [f'host = "{ALIAS}"', 'mode = "remote"' if self.mode != "shared" else 'mode = "remote-shared"']
        lines += [f'shared_root = "{root}"'] if self.mode == "shared" else []
        if self.slurm is None:
            return "\n".join([*lines, 'scheduler = "none"', ""])
        return "\n".join([*lines, f"nodes = {nodes}", "[targets.there.slurm]", 'time = "00:10:00"', slurm, ""])

    def hold(self, name: str, words: str, gate: Path) -> None:
        """Let a command there wait at a gate if its folder and arguments hold some words."""
        script = _HOLDS.format(words=shlex.quote(words), gate=shlex.quote(str(gate)))
        self.holds.add(name)
        if self.sshd:
            self.sshd.wrap(name, script)
            return
        real = shutil.which(name) or name
        new = self.bin / f".{name}.new"  # in one step: managers of the fault before may be just about to run it
        new.write_text(script.replace("{real}", shlex.quote(real)))
        new.chmod(0o755)
        new.replace(self.bin / name)

    def cut(self) -> None:
        """Break the link."""
        if self.sshd:
            self.sshd.cut()

    def stall(self, number: signal.Signals) -> None:
        """Let nothing through the link (SIGSTOP), or again (SIGCONT)."""
        for pid in self.sshd._servants() if self.sshd else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def restore(self) -> None:
        """Take back what a cell did to it."""
        for name in self.holds:
            (self.bin / name).unlink(missing_ok=True)
        self.holds.clear()
        self.stall(signal.SIGCONT)
        if self.slurm:
            self.slurm.restore()
        if self.sshd and not self.sshd.authentications() and self.sshd._process is None:
            self.sshd.start()


class Places:
    """The places of one worker, each opened when it is first asked for.

    :param slurm: an sshd and a SLURM behind it that are there already; without, cells in mode slurm start their own.
    """

    def __init__(self, slurm: tuple[Sshd, Slurm] | None = None) -> None:
        self._stack = contextlib.ExitStack()
        self._slurm = slurm
        self._sshds: dict[bool, Sshd] = {}

    def __enter__(self) -> Places:  # noqa: PYI034 - no one derives from it
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def open(self, mode: str) -> Iterator[Place]:
        """Give a place, in order, within."""
        folder = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
        folder.chmod(0o755)
        try:
            place = self._place(mode, folder)
            try:
                yield place
            finally:
                place.restore()
        finally:
            _remove(folder)

    def _place(self, mode: str, folder: Path) -> Place:
        if mode in {"local", "crowd"}:
            return Place(mode, folder)
        if mode == "slurm":
            sshd, slurm = self._slurm or self._start_slurm()
            sshd.account.write_start_up("")
            return Place(mode, folder, sshd, slurm)
        own_account = mode == "remote" and os.geteuid() == 0
        if own_account not in self._sshds:
            self._sshds[own_account] = self._stack.enter_context(Sshd(own_account=own_account))
            self._sshds[own_account].account.write_start_up("")
        return Place(mode, folder, self._sshds[own_account])

    def _start_slurm(self) -> tuple[Sshd, Slurm]:
        from tests.cluster.slurm import Slurm  # noqa: PLC0415 - the rest works without it

        slurm = self._stack.enter_context(Slurm())
        self._slurm = self._stack.enter_context(Sshd(slurm.env)), slurm
        return self._slurm


def _remove(folder: Path) -> None:
    """Remove a folder, into which something may be written yet."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.2)
