"""A hostile host, behind a real sshd: it does what it is asked, until an exchange for which it has another answer.

Its bash, tar, rsync, find and so on stand first on the PATH of each session. Each is the real one, but where an answer
is armed for it. Beside it a laptop: a home folder with much that is nobody's business, and a project in it.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import hostile_program
from tests.support.forker import Done, Forker
from tests.support.hostile_program import BEGIN, END
from tests.support.processes import end_all_with
from tests.support.sshd import running_sshd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.sshd import Sshd

#: What the host has of its own, and what it has not, as bash.
_REAL = ("bash", "tar", "rsync", "find", "cat", "readlink")
_FAKE = {
    "sbatch": "echo 17",
    "squeue": "echo '17_0|17|0|PENDING|1|(Priority)'",
    "scancel": ":",
    "scontrol": ":",
    "sinfo": ":",
}
#: Much longer than any of this takes: who is not at the end by then hangs.
LIMIT_S = 100.0
#: What there is to wait for in earnest, and not here.
_KNOBS: dict[str, object] = {
    "locusts_fab.hosts.link:ATTEMPT_DELAYS_S": [0, 0, 0],
    "locusts_fab.hosts.ssh:TRANSFER_DELAYS_S": [0, 0],
    "locusts_fab.target:POLL_FAR_S": [0.05, 0.2],
    "locusts_fab.operations.look.status:RETRY_S": [0],
    "locusts_fab.operations.submit:FENCE_S": 0,
    "locusts_fab.operations.cancel:FENCE_S": 0,
    "locusts_fab.operations.cancel:GRACE_S": -14,
}

Step = tuple[object, ...]


@dataclass(frozen=True)
class Answer:
    """A hostile answer.

    :param program: who gives it.
    :param match: what its script, or its arguments, hold when it is time for it.
    :param does: the steps, of `hostile_program.py`.
    :param after: so many exchanges of this kind are let pass first.
    """

    program: str
    match: str
    does: tuple[Step, ...]
    after: int = 0


def text(data: bytes | str) -> str:
    """Return bytes as what JSON can hold."""
    return (data.encode() if isinstance(data, str) else data).decode("latin-1")


def script(name: str) -> str:
    """Return how a script of `templates/remote` is recognised."""
    return f"usage: bash {name}.sh"


def prints(data: bytes | str, stream: int = 1) -> Step:
    """Print something; @MARK@ is the mark of a poll."""
    return ("prints", text(data), stream)


def says(name: str, data: bytes | str, status: int | str = 0, *, after: int = 0) -> Answer:
    """Answer in place of a script, as if it had printed this and ended with that status."""
    body = data.encode() if isinstance(data, str) else data
    framed = BEGIN + body + END + f"{status}\n".encode()
    return Answer("bash", script(name), (prints(BEGIN, 2), prints(framed)), after)


def breaks(name: str, *steps: Step, after: int = 0) -> Answer:
    """Answer in place of a script in whatever form."""
    return Answer("bash", script(name), steps, after)


def changes(name: str, pattern: str, instead: bytes | str, *, after: int = 0) -> Answer:
    """Let a script run, and replace the first thing that matches a pattern in what it prints."""
    return Answer("bash", script(name), (("changes", pattern, text(instead)),), after)


# ---- the two machines ----


def photograph(folder: Path, *, without: tuple[Path, ...] = ()) -> dict[str, tuple[object, ...]]:
    """Return all that is in a folder: kind and mode, time, and content of each entry.

    :param without: what may change, with all that is in it.
    """
    found: dict[str, tuple[object, ...]] = {}
    for above, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(above, name) not in without]
        for path in (Path(above), *(Path(above, name) for name in files)):
            if path not in without:
                found[str(path)] = seen(path)
    return found


def seen(path: Path) -> tuple[object, ...]:
    """Return what is seen of an entry."""
    status = path.lstat()
    if stat.S_ISDIR(status.st_mode):
        return oct(status.st_mode), status.st_mtime_ns
    content: object = str(path.readlink()) if stat.S_ISLNK(status.st_mode) else None
    if stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    return oct(status.st_mode), status.st_mtime_ns, status.st_ino, status.st_nlink, content


@dataclass
class World:
    """A laptop and a host, in one folder.

    :param folder: what holds both: `home`, of the laptop, and `far`, of the host.
    """

    folder: Path
    sshd: Sshd
    forker: Forker
    knobs: dict[str, object] = field(default_factory=lambda: dict(_KNOBS))

    @property
    def home(self) -> Path:
        """The home folder of the laptop."""
        return self.folder / "home"

    @property
    def project(self) -> Path:
        """The folder of locusts.toml."""
        return self.home / "project"

    @property
    def state(self) -> Path:
        """The local state of the swarm."""
        return self.project / ".locusts/s"

    @property
    def outdir(self) -> Path:
        """Where results come to."""
        return self.project / "results/s"

    @property
    def environment(self) -> Path:
        """The environment, on the host."""
        return self.folder / "far/root/s"

    @property
    def id(self) -> str:
        """The id of the environment."""
        (found,) = self.environment.glob("exec/id.*")
        return found.name[3:]

    def victims(self) -> dict[str, tuple[object, ...]]:
        """Return all of the laptop that is none of the swarm's business."""
        ours = (self.state, self.outdir, self.project / "world/data")
        mine = self.outdir / "mine.txt"
        left = {"what is left of temporary files": tuple(os.listdir(self.folder / "tmp"))}
        return photograph(self.home, without=ours) | {str(mine): seen(mine)} | left

    def run(self, words: str) -> Done:
        """Run a command on the laptop."""
        env = {"HOME": str(self.home), "TMPDIR": str(self.folder / "tmp"), "PATH": os.environ["PATH"], "COLUMNS": "200"}
        return self.forker.run(*words.split(), folder=self.project, env=env, knobs=self.knobs, limit_s=LIMIT_S)

    def arm(self, *answers: Answer) -> None:
        """Let the host give hostile answers from now on."""
        for program in {answer.program for answer in answers}:
            mine = [vars(answer) for answer in answers if answer.program == program]
            part = self._armed / f"{program}.part"
            part.write_text(json.dumps(mine), encoding="utf-8")
            part.rename(self._armed / program)

    def disarm(self) -> set[str]:
        """Let the host be honest; return the programs that were asked for an answer."""
        sprung = {path.name.removesuffix(".sprung") for path in self._armed.glob("*.sprung")}
        shutil.rmtree(self._armed)
        self._armed.mkdir()
        return sprung

    @property
    def _armed(self) -> Path:
        return self.folder.with_name("armed")


def hostile_world(folder: Path) -> Iterator[World]:
    """Yield a host with an sshd and a laptop that knows it, both empty."""
    (folder / "bin").mkdir()
    (folder / "armed").mkdir()
    for name in _REAL:
        _put_before(folder, name, shutil.which(name) or f"/usr/bin/{name}")
    for name, does in _FAKE.items():
        fake = folder / f"fake-{name}"
        fake.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        fake.chmod(0o755)
        _put_before(folder, name, str(fake))
    world = folder / "world"
    options = f"SetEnv PATH={folder / 'bin'}:{os.environ['PATH']} HOME={world / 'far'} TMPDIR={folder / 'far-tmp'}"
    (folder / "far-tmp").mkdir()
    with running_sshd(folder / "sshd", options) as sshd, Forker() as forker:
        sshd.trust()
        yield World(world, sshd, forker)


def _put_before(folder: Path, name: str, real: str) -> None:
    """Put a program on the PATH of the host that is the real one unless an answer is armed."""
    armed, program = folder / "armed" / name, folder / "bin" / name
    python = f"{sys.executable} -I -S -E {hostile_program.__file__} {armed} {real}"
    program.write_text(f'#!/bin/sh\n[ -e {armed} ] || exec {real} "$@"\nexec {python} "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def settle(world: World, files: Mapping[str, str]) -> None:
    """Make the two machines anew: a home with victims, a project, a host without any environment.

    :param files: of the project.
    """
    shutil.rmtree(world.folder, ignore_errors=True)
    (world.folder / "far").mkdir(parents=True)
    (world.folder / "tmp").mkdir()
    victims = {
        ".ssh/id_ed25519": "private",
        ".ssh/authorized_keys": "mine\n",
        ".ssh/config": (world.sshd.folder / "ssh_config").read_text(encoding="utf-8"),
        ".bashrc": "alias ll='ls -l'\n",
        "thesis/results.tex": "42\n",
        "project/results/other/a/out.txt": "of another swarm\n",
        "project/results/s/mine.txt": "no result\n",
        "project/.git/hooks/pre-commit.sample": "exit 0\n",
        "project/.locusts/other/ledger.sqlite": "of another swarm\n",
    }
    for name, content in (victims | dict(files)).items():
        path = world.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for folder in (world.home, world.home / ".ssh"):
        folder.chmod(0o700)
    world.state.mkdir(parents=True)


class Savings:
    """Worlds that were brought to some point once, to begin from again and again."""

    def __init__(self, world: World) -> None:
        self._world, self._known = world, set[str]()

    def take(self, kind: str, bring: Callable[[World], Any]) -> World:
        """Make the world as it is at a point.

        :param bring: brings it there.
        """
        saved = self._world.folder.with_name(f"saved {kind}")
        self._end_managers()
        if kind not in self._known:
            bring(self._world)
            self._end_managers()
            shutil.copytree(self._world.folder, saved, symlinks=True)
            self._known.add(kind)
        shutil.rmtree(self._world.folder)
        shutil.copytree(saved, self._world.folder, symlinks=True)
        return self._world

    def _end_managers(self) -> None:
        """Let nobody write any more: the test before may have started managers and not waited for them."""
        end_all_with(f"HOME={self._world.folder / 'far'}")


@pytest.fixture(scope="module")
def savings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Savings]:
    """Return a hostile host and its laptop, which all tests of a file share."""
    for world in hostile_world(tmp_path_factory.mktemp("hostile")):
        yield Savings(world)
