"""What tests of whole swarms on the test cluster share: a workspace that leads there, and sees behind the scenes."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.processes import Started
from tests.support.workspace import Workspace

from .accounts import NOISE
from .failures import Conversation
from .sshd import ALIAS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .slurm import Slurm
    from .sshd import Sshd


@dataclass
class ClusterWorkspace(Workspace):
    """A workspace from which the program finds the test cluster.

    :param root: the folder on the host that holds the environments; no other test has it.
    :param env: variables that the program finds set.
    :param patches: what the constants of `manager/times.py` are instead; they are rendered into the managers too.
    """

    root: Path = Path("/nowhere")
    env: dict[str, str] = field(default_factory=dict)
    patches: dict[str, int] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """All variables that the program finds set."""
        return {**super().variables, **self.env}

    @property
    def is_as_usual(self) -> bool:
        """Whether the program is started as it is, and not with other constants."""
        return not self.patches

    def start(self, *words: str, **more: Any) -> Started:
        """Start the program and do not wait."""
        if not self.patches:
            return self.python("-m", "locusts_fab", *words, **more)
        patches = "".join(f"times.{name} = {value}; " for name, value in self.patches.items())
        source = f"from locusts_fab.manager import times; {patches}from locusts_fab.cli.program import main; main()"
        return self.python("-c", source, *words, **more)

    def python(self, *words: str, before: tuple[str, ...] = (), **more: Any) -> Started:
        """Start Python as the program is started.

        :param before: a command that runs it.
        """
        given: dict[str, Any] = {
            "cwd": self.folder,
            "env": self.variables,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
        }
        return Started([*before, sys.executable, *words], **{**given, **more})

    @contextlib.contextmanager
    def listen(self, *words: str) -> Iterator[Conversation]:
        """Run the program within, and read what it prints meanwhile."""
        with self.start(*words, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            try:
                yield Conversation(process, process.stdout.fileno())
            finally:
                process.kill()

    def environment(self, swarm: str = "s") -> Path:
        """Find the environment of a swarm on the host."""
        return self.root / swarm

    def records(self, swarm: str = "s", target: str = "") -> list[list[str]]:
        """Read the records of all managers as fields."""
        del target  # there is one
        cache = self.environment(swarm) / "exec" / "cache"
        return [line.split("\t") for file in sorted(cache.glob("*.tsv")) for line in file.read_text().splitlines()]

    def begun(self, swarm: str = "s") -> Counter[str]:
        """Count the attempts of each task, by its number."""
        return Counter(fields[2] for fields in self.records(swarm) if fields[0] == "began")

    def status(self, *words: str) -> dict[str, Any]:
        """Look once."""
        code, text = self.locusts("status", "--json", *words)
        assert code in {0, 1}, text
        found: dict[str, Any] = json.loads(text[text.index("{") :])
        return found

    def wait_for(self, *states: str, timeout_s: float = 180) -> dict[str, Any]:
        """Look until the swarm is in one of these states."""
        give_up = time.monotonic() + timeout_s
        while (found := self.status())["state"] not in states:
            assert time.monotonic() < give_up, found
            time.sleep(0.3)
        return found


def target(root: Path | str, mode: str = "remote", more: str = "", slurm: str = "", **keys: object) -> str:
    """Write the table of a target called `far`.

    :param more: further lines.
    :param slurm: the lines of its slurm table.
    :param keys: numbers and plain words.
    """
    lines = ["[targets.far]", f"mode = {json.dumps(mode)}", f"root = {json.dumps(str(root))}"]
    if mode != "local":
        lines.append(f"host = {json.dumps(keys.pop('host', ALIAS))}")
    lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    table = f"[targets.far.slurm]\n{slurm}\n" if slurm else ""
    return "\n".join([*lines, more, table])


def together(environment: Path, nodes: int) -> str:
    """Write a condition in bash: so many managers of an environment have begun a task each."""
    return f"[ $(grep -ls ^began {shlex.quote(str(environment))}/exec/cache/*.tsv | wc -l) -ge {nodes} ]"


def processes_of(folder: Path) -> dict[int, str]:
    """List the processes that are at home in a folder or have it in their command line: managers, slots, tasks."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        # a process may end while we look at it
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if str(folder) in line or folder in [(process / "cwd").readlink(), *(process / "cwd").readlink().parents]:
                found[int(process.name)] = line
    return found


def kill_processes_of(folder: Path) -> None:
    """Kill what a test left running."""
    while found := processes_of(folder):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


@contextlib.contextmanager
def cluster_workspace(tmp_path: Path, sshd: Sshd, slurm: Slurm | None = None) -> Iterator[ClusterWorkspace]:
    """Set up a workspace, and let nothing that was started from it outlive it.

    The account's start-up file talks but does not dawdle, for the sake of those who wait for the tests.
    """
    sshd.account.write_start_up(NOISE.replace("sleep", ": sleep"))
    folder = tmp_path / "workspace"
    folder.mkdir()
    root = sshd.home / tmp_path.name
    env = {**(slurm.env if slurm else {}), "HOME": str(sshd.client_home)}
    try:
        yield ClusterWorkspace(folder, root, env)
    finally:
        if slurm is not None:
            slurm.cancel_all()
        kill_processes_of(root)
        kill_processes_of(tmp_path)
