"""A user whose tasks run on the test cluster, what a failed command may say, and disks that are soon full."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import secrets
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support import disks
from tests.support.processes import Started
from tests.support.workspace import Workspace

from .sshd import ALIAS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .accounts import Account
    from .sshd import Sshd

#: What a start-up file does for a user without rsync: every command is there but that one.
NO_RSYNC = "mkdir -p ~/some && ln -sf /usr/bin/* ~/some && rm -f ~/some/rsync && PATH=~/some\n"


@dataclass
class FarWorkspace(Workspace):
    """A user's folder whose swarm `s` runs on the test cluster.

    Each task makes one file of its input, and says that it ran in a file that all have in common.

    :param env: what the program finds set besides.
    :param login: the account on the host, if not the one that `ALIAS` logs into.
    """

    sshd: Sshd
    env: dict[str, str] = field(default_factory=dict)
    login: Account | None = None
    name: str = field(default_factory=lambda: f"swarms-{secrets.token_hex(3)}")

    @property
    def variables(self) -> dict[str, str]:
        """All variables that the program finds set."""
        inherited = {name: value for name, value in super().variables.items() if name != "SSH_AUTH_SOCK"}
        return {**inherited, "HOME": str(self.sshd.client_home), **self.env}

    @property
    def account(self) -> Account:
        """The account on the host."""
        return self.login or self.sshd.account

    @property
    def host(self) -> str:
        """The host as the config names it."""
        return f"{self.login.name}@{ALIAS}" if self.login else ALIAS

    @property
    def prompt(self) -> str:
        """How the program asks for the password."""
        return f"{self.account.name}@{ALIAS}'s password: "

    @property
    def root(self) -> Path:
        """The root of the target."""
        return self.account.home / self.name

    @property
    def ran_path(self) -> Path:
        """The file in which every run of a task leaves a line."""
        return self.account.home / f"{self.name}.ran"

    def swarm(
        self,
        *target: str,
        count: int = 4,
        size: int = 0,
        wait_for: Path | None = None,
    ) -> None:
        """Write the config, and inputs if there are none yet.

        :param target: further lines of the target; `scheduler = "none"` if none is given.
        :param size: bytes of each input.
        :param wait_for: a file on the host without which no task ends.
        """
        wait = f"while [ ! -e {wait_for} ]; do sleep 0.1; done; " if wait_for else ""
        lines = [
            "[targets.far]",
            'mode = "remote"',
            f'host = "{self.host}"',
            f'root = "{self.root}"',
            "slots = 2",
            *(target or ('scheduler = "none"',)),
            "[swarms.s]",
            'target = "far"',
            f"command = '{wait}echo <id> >> {self.ran_path} && cat f_<id>.txt > o_<id>.txt'",
            'indir = "in"',
            'outdir = "results/s"',
            'inputs = ["f_<id>.txt"]',
            'outputs = ["o_<id>.txt"]',
        ]
        self.write("\n".join(lines) + "\n")
        if not (self.folder / "in").exists():
            (self.folder / "in").mkdir()
            for number in range(count):
                # Random, for what can be compressed or found elsewhere would not have to move.
                (self.folder / "in" / f"f_{number}.txt").write_bytes(f"{number}\n".encode() + secrets.token_bytes(size))

    def start(self, *words: str, **more: Any) -> Started:
        """Start the program as the user of the cluster, far from any terminal, and do not wait."""
        return Started(
            [sys.executable, "-m", "locusts_fab", *words],
            cwd=self.folder,
            env=self.variables,
            start_new_session=True,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
        )

    @contextlib.contextmanager
    def listen(self, *words: str) -> Iterator[Conversation]:
        """Run the program within, far from any terminal, and read what it prints meanwhile."""
        with self.start(*words, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            try:
                yield Conversation(process, process.stdout.fileno())
            finally:
                process.kill()

    @contextlib.contextmanager
    def at_terminal(self, *words: str) -> Iterator[Conversation]:
        """Run the program within, at a terminal of its own."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "locusts_fab", *words],
            cwd=self.folder,
            env={**self.variables, "TERM": "xterm", "COLUMNS": "200"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        with process:
            try:
                yield Conversation(process, ours)
            finally:
                process.kill()
                os.close(ours)

    def give(self, path: Path) -> None:
        """Make something the account's own."""
        owner = self.account.home.stat()
        os.chown(path, owner.st_uid, owner.st_gid)

    def fail(self, exit_code: int, *says: str, words: tuple[str, ...] = ("run",)) -> None:
        """Run the program and see that it fails as it should; see `assert_clear`."""
        code, text = self.locusts(*words)
        assert code == exit_code, text
        assert_clear(text, *says)

    def finish(self) -> str:
        """Run `locusts run` and see that it comes to its end with every task run once; return what it printed."""
        self.account.write_start_up("")  # it makes every step slow, and is no news here
        code, text = self.locusts("run")
        assert code == 0, text
        self.assert_finished()
        return text

    def finish_at_terminal(self) -> None:
        """Do as `finish` does, and type the password when it is asked for, which is once."""
        self.account.write_start_up("")
        with self.at_terminal("run") as terminal:
            terminal.read_until(self.prompt)
            terminal.type(self.account.password)
            assert terminal.end() == 0, terminal.text
        assert terminal.text.count(self.prompt) == 1, terminal.text
        self.assert_finished()

    def assert_finished(self) -> None:
        """See that every task ran once, and that what it made is here."""
        inputs = sorted((self.folder / "in").iterdir())
        numbers = [path.stem.removeprefix("f_") for path in inputs]
        tasks = self.tasks()
        assert {task: (row["state"], row["attempts"]) for task, row in tasks.items()} == dict.fromkeys(
            numbers, ("done", "1")
        )
        assert Counter(self.ran_path.read_text().split()) == Counter(numbers)
        for number, path in zip(numbers, inputs, strict=True):
            assert self.result(f"{number}/o_{number}.txt").read_bytes() == path.read_bytes()


class Conversation:
    """A person who reads what a program prints, and types if it runs at a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.text = ""
        self._descriptor = descriptor

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._descriptor, line.encode() + b"\n")

    def read_until(self, words: str, timeout_s: float = 180) -> None:
        """Read until `words` have come."""
        give_up = time.monotonic() + timeout_s
        while words not in self.text:
            assert time.monotonic() < give_up, self.text
            assert self._read(1), self.text

    def wait_for(self, path: Path, timeout_s: float = 180) -> None:
        """Read on until there is a file `path`."""
        give_up = time.monotonic() + timeout_s
        while not path.exists():
            assert time.monotonic() < give_up, self.text
            assert self._read(0.05), self.text

    def end(self, timeout_s: float = 180) -> int:
        """Read on until the program has ended; return its exit code."""
        give_up = time.monotonic() + timeout_s
        while self._read(1):
            assert time.monotonic() < give_up, self.text
        assert "Traceback" not in self.text, self.text
        return self.process.wait(timeout=timeout_s)

    def _read(self, timeout_s: float) -> bool:
        """Read what there is; False once the program has let go of the terminal."""
        if not select.select([self._descriptor], [], [], timeout_s)[0]:
            return True
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:  # Linux's way to say that nobody holds the other end
            return False
        self.text += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


def assert_clear(text: str, *says: str) -> None:
    """See that a command which failed said why and what to do next, each once, and nothing else at length.

    :param says: words of the cause and of the next step.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert len(lines) == len(set(lines)) <= 8, text
    assert "rsync error" not in text, text
    for words in says:
        assert unwrapped(text).count(words) == 1, (words, text)


def unwrapped(text: str) -> str:
    """Undo the breaking of lines for a terminal: what follows a break is indented."""
    return re.sub(r"\n +", " ", text)


@dataclass
class Disk:
    """A small disk; see `small_disk`."""

    folder: Path

    def fill(self) -> None:
        """Leave no room."""
        room = os.statvfs(self.folder)
        (self.folder / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize))

    def grow(self) -> None:
        """Make room."""
        subprocess.run(["mount", "-o", "remount,size=64m", self.folder], check=True)


@contextlib.contextmanager
def small_disk(folder: Path, owner: Path) -> Iterator[Disk]:
    """Have a disk of one megabyte at `folder` within; the test is skipped where nobody may mount one.

    :param owner: whose owner it belongs to.
    """
    whose = owner.stat()
    with disks.small_disk(folder, f"size=1m,mode=0700,uid={whose.st_uid},gid={whose.st_gid}"):
        yield Disk(folder)
