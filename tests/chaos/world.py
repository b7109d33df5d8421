"""A user's folder while things break: its config, its inputs, and its commands, each with a time limit."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.checker import Case, Fault, check, check_results, executions
from tests.chaos.client import BOUND_S, Client
from tests.chaos.files import CACHE, NOTES, largest_chunk, read_records, read_table
from tests.cluster.runs import kill_processes_of, processes_of
from tests.support.managers import holding
from tests.support.processes import is_alive, wait_until
from tests.support.workspace import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from tests.chaos.place import Place
    from tests.cluster.failures import Disk

#: Managers say more often that they live, and are taken for dead sooner; in seconds, and so that a busy machine may.
TIMES = {"BEAT_S": 1, "STALE_S": 40, "FRESH_S": 20}
#: A link that is dead is given up sooner; in seconds.
LIMITS = {"hosts.patience.QUIET_S": 20, "hosts.rsync.SILENCE_S": 20}
#: So many managers there are in mode crowd.
CROWD = 3
HOOK = Path(__file__).with_name("hook.py")
SWARM = "s"


@dataclass
class World:
    """A swarm, and what happened to it.

    :param tasks: how many.
    :param gate_at: where tasks are held: `before` they write their output, or `after`; or the last one alone: `final`.
    :param has_final: whether a task comes after all others, and puts together what they made; it is one more.
    :param times: constants of manager/times.py that are other than usual.
    :param limits: other constants.
    :param sets_clock: whether the clock of its nodes follows the file `clock`.
    :param is_packed: whether what tasks leave is packed.
    :ivar broken: what was not as promised.
    :ivar deaths: how many managers, or clients amid them, died or were told to leave; each costs what its slots had.
    :ivar runs: how often all tasks are meant to run: once, and once more for each redo.
    :ivar faults: how many faults were injected.
    :ivar damaged: claims of which somebody damaged the archive.
    """

    place: Place
    dice: Random
    tasks: int = 40
    slots: int = 2
    nodes: int = 2
    gate_at: str = "before"
    has_final: bool = False
    times: dict[str, int] = field(default_factory=lambda: dict(TIMES))
    limits: dict[str, int] = field(default_factory=lambda: dict(LIMITS))
    slurm: str = ""
    sets_clock: bool = False
    is_packed: bool = False
    name: str = "w"
    first: int = 0
    root: Path | None = None
    retried: int = 0
    broken: list[Fault] = field(default_factory=list)
    deaths: int = 0
    more: int = 0
    runs: int = 1
    faults: int = 0
    damaged: set[str] = field(default_factory=set)
    clients: list[Client] = field(default_factory=list)
    mounts: list[Path] = field(default_factory=list)
    disk: Disk | None = None

    def __post_init__(self) -> None:
        self.folder = self.place.folder / self.name
        self.folder.mkdir()
        self.shared = self.place.folder / f"{self.name}-ran"
        self.ran, self.gate = self.shared / "ran", self.shared / "gate"
        self.clock = self.shared / "clock"
        for path in (self.shared, self.ran, self.gate):
            path.mkdir()
            path.chmod(0o777)
        shutil.copy(HOOK.with_name("clock.sh"), self.shared)
        self.root = self.root or self.place.make_root(f"{self.place.folder.name}-root")
        self.env = {**self.place.env}
        self._crowded: set[int] = set()
        self._children: list[subprocess.Popen[bytes]] = []
        self.outputs: dict[str, dict[str, bytes]] = {}
        (self.folder / "in").mkdir()
        for number in range(self.first, self.first + self.tasks):
            self.add_task(f"{number:03d}")
        if self.has_final:
            made = [content for files in self.outputs.values() for content in files.values()]
            self.outputs["final"] = {"all.txt": b"".join(made)}
            self.tasks += 1
        self.write_config()

    # ---- the swarm ----

    @property
    def environment(self) -> Path:
        """Its environment on the target."""
        assert self.root is not None
        return self.root / SWARM

    @property
    def outdir(self) -> Path:
        """Its results."""
        return self.folder / "results"

    @property
    def state(self) -> Path:
        """Its local state."""
        return self.folder / ".locusts" / SWARM

    @property
    def passes(self) -> int:
        """So many runs pass the gate before others are held there."""
        return self.tasks // 3

    def add_task(self, name: str) -> None:
        """Make the input of a task, and remember what it must give."""
        content = f"{name} {self.dice.getrandbits(64):x}\n".encode()
        (self.folder / "in" / f"in_{name}.txt").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.outputs[name] = {f"out_{name}.txt": f"{name}\n{digest}  -\n".encode()}

    def write_config(self) -> None:
        """Write locusts.toml."""
        assert self.root is not None
        ran = f"set -e\necho >> {self.ran}/<id>"
        work = "{ echo <id>; sha256sum < in_<id>.txt; } > out_<id>.txt"
        gate = holding(self.gate, self.passes)
        steps = {"before": [ran, gate, work], "after": [ran, work, gate]}.get(self.gate_at, [ran, work])
        clock = f"export CHAOS_CLOCK={self.clock} BASH_ENV={self.shared}/clock.sh"
        setup = [clock] if self.sets_clock else []
        (self.folder / "locusts.toml").write_text(
            self.place.target(self.root, self.slots, self.nodes, setup, self.slurm)
            + f'[swarms.{SWARM}]\ntimeout = "20m"\n' + ("pack = true\n" if self.is_packed else "")
            + "command = '''\n" + "\n".join(steps) + "\n'''\n"
            + 'indir = "in"\noutdir = "results"\ninputs = ["in_<id>.txt"]\noutputs = ["out_<id>.txt"]\n'
            + (self._final() if self.has_final else "")
        )  # fmt: skip

    def _final(self) -> str:
        """Return the part of the config for the task that comes after all others."""
        gate = holding(self.gate) if self.gate_at == "final" else ":"
        steps = ["set -e", f"echo >> {self.ran}/final", gate, "cat <results>/*/out_*.txt > all.txt"]
        command = "\n".join(["'''", *steps, "'''"])
        return f"[swarms.{SWARM}.final]\noutputs = ['all.txt']\ncommand = {command}\n"

    def constants(self) -> dict[str, int]:
        """Return the constants of the package that are other than usual."""
        return {f"manager.times.{name}": value for name, value in self.times.items()} | self.limits

    def case(self, outputs: dict[str, dict[str, bytes]] | None = None) -> Case:
        """Say what it should have left."""
        again = self.faults if self.has_final else 0  # what is made once more is put together once more
        # what has ended may wait to be packed
        at_risk = (largest_chunk(self.environment) or self.tasks) if self.is_packed else 1
        most = self.runs * self.tasks + self.slots * self.deaths * at_risk + self.more + again
        return Case(outputs or self.outputs, self.outdir, self.ran, self.environment, self.state, most, self.damaged)

    # ---- commands ----

    def start(
        self, *words: str, at: list[Any] | int | None = None, shift_s: int = 0, env: dict[str, str] | None = None
    ) -> Client:
        """Start a command.

        :param at: where it shall be held; see hook.py.
        :param shift_s: how much its clock is ahead.
        """
        gate = self.folder / f"command-{len(self.clients)}"
        gate.mkdir()
        told = {"at": at, "gate": str(gate), "values": self.constants(), "shift_s": shift_s}
        said = gate / "said"
        with said.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, str(HOOK), json.dumps(told), "locusts_fab", *words],
                cwd=self.folder,
                env={**_inherited(), "PYTHONPATH": str(REPOSITORY), **self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        client = Client(words, process, said, gate)
        self.clients.append(client)
        return client

    def end(self, client: Client, codes: Iterable[int], bound_s: float = BOUND_S) -> int:
        """Wait for a command to end, and see that it does so in time, as documented, and with a clear message.

        :param codes: the exit codes that are right.
        """
        told = " ".join(client.words)
        try:
            code = client.process.wait(bound_s)
        except subprocess.TimeoutExpired:
            client.process.kill()
            client.process.wait()
            self.blame("hang", f"`{told}` did not end within {bound_s:g} s: {client.text[-300:]}")
            return -signal.SIGKILL
        if code not in set(codes):
            self.blame("exit", f"`{told}` ended with {code}, not {sorted(set(codes))}: {client.text[-500:]}")
        if "Traceback" in client.text or "should not happen" in client.text:
            self.blame("message", f"`{told}` said: {client.text[-700:]}{self._fault_of(client)}")
        return code

    def _fault_of(self, client: Client) -> str:
        """Read the end of what a command noted of an error that nobody foresaw."""
        noted = [path for path in Path(self.env["TMPDIR"]).glob("locusts-fault-*") if path.name in client.text]
        return "".join(f"\n{path.read_text()[-1200:]}" for path in noted)

    def run(self, *words: str, codes: Iterable[int] = (0,), **more: Any) -> tuple[int, str]:
        """Run a command to its end.

        :returns: its exit code, and what it printed.
        """
        client = self.start(*words, **more)
        return self.end(client, codes), client.text

    def status(self) -> dict[str, Any]:
        """Look once; an empty answer where that failed."""
        code, text = self.run("status", "--json", codes=(0, 1))
        found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1]) if code in {0, 1} else {}
        return found

    def blame(self, kind: str, what: str) -> None:
        """Note something that is not as promised."""
        self.broken.append(Fault(kind, what))

    # ---- tasks and managers ----

    def hold_tasks(self) -> None:
        """Hold tasks at the gate once more, after so many have passed as at first; unless some are held already."""
        (self.gate / "go").unlink(missing_ok=True)
        if not self.held_tasks():
            (self.gate / "ran").unlink(missing_ok=True)

    def held_tasks(self) -> int:
        """Count the tasks that wait at the gate."""
        return sum(is_alive(int(path.suffix[1:])) for path in self.gate.glob("at-work.*"))

    def await_tasks(self, count: int = 1) -> bool:
        """Wait until tasks are held; False: the swarm came to its end before."""
        done = self.tasks - count + 1
        wait_until(lambda: self.held_tasks() >= count or self.ended() >= done, "tasks at the gate", BOUND_S)
        return self.held_tasks() >= count

    def let_tasks_go(self) -> None:
        """Open the gate."""
        (self.gate / "go").touch()

    def ended(self) -> int:
        """Count the tasks that are recorded as done."""
        return len({end.task for end in read_records(self.environment).ends if end.state == "done"})

    def managers(self) -> list[int]:
        """List the main processes of managers that still run."""
        found = processes_of(self.environment)
        starts = [pid for starts in read_records(self.environment).managers.values() for _, pid in starts]
        return [pid for pid in starts if pid in found]

    def struck(self) -> int:
        """Count the managers that a lasting fault strikes, with those of a crowd that are about to run."""
        return max(len(self.managers()), CROWD if self._crowded else 0)

    def processes(self) -> dict[int, str]:
        """List all that runs: managers are of the environment, but tasks may be in a scratch folder."""
        return {**processes_of(self.environment), **processes_of(self.shared)}

    def tell_managers(self, number: signal.Signals) -> None:
        """Send a signal to the main processes of all managers."""
        for pid in self.managers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def add_managers(self) -> None:
        """In mode crowd, start more managers of the latest submission by hand, as a job array would."""
        submission = len(list(self.environment.glob("exec/started.*")))
        if self.place.mode != "crowd" or submission in self._crowded:
            return
        self._crowded.add(submission)
        for element in range(1, CROWD):
            log = self.environment / f"exec/logs/{submission}-{element}.out"
            with log.open("wb") as file:
                process = subprocess.Popen(
                    ["bash", str(self.environment / "exec/manager.sh"), f"{submission}-{element}"],
                    env={**_inherited(), **self.env},
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                )
            self._children.append(process)

    def beside(self) -> World:
        """Make the folder of somebody else, with other tasks, whose swarm has the same name and root."""
        other = World(self.place, self.dice, 10, self.slots, self.nodes, name="other", first=900, root=self.root)
        other.let_tasks_go()
        return other

    def unmount(self) -> None:
        """Take back what was mounted."""
        while self.mounts:
            subprocess.run(["umount", "--lazy", self.mounts.pop()], check=True)

    def await_managers(self, count: int = 1) -> list[int]:
        """Wait until so many managers have said that they run."""
        wait_until(lambda: len(self.managers()) >= count or self.ended() >= self.tasks, "managers", BOUND_S)
        return self.managers()

    def cache_file(self, manager: int) -> Path:
        """Find the file that holds the records of a manager, by its main process."""
        starts = read_records(self.environment).managers
        (name,) = [name for name, found in starts.items() if manager in {pid for _, pid in found}]
        return self.environment / CACHE / f"{name}.tsv"

    # ---- the end ----

    def finish(self, tries: int = 1, *, may_fail: bool = False) -> None:
        """Let the user do what is documented, repeat the command, and judge all that is left then.

        :param tries: how often it may have to be repeated.
        :param may_fail: whether tasks may have failed, as on a full disk, and `retry` is what is documented.
        """
        self.let_tasks_go()
        for _ in range(tries - 1):
            if self.run("run", codes=(0, 1))[0] == 0:
                break
        if may_fail and any(row["state"] == "failed" for row in read_table(self.outdir / "tasks.tsv")):
            self.run("retry")
            self.more += self.tasks
        self.run("run")
        self.judge()

    def judge(self) -> None:
        """Judge a swarm that is done and collected; nothing of it may run any more."""
        found = self.status()
        tasks = {key: found.get("tasks", {}).get(key) for key in ("total", "done", "failed")}
        if tasks != {"total": self.tasks, "done": self.tasks, "failed": 0} or found.get("state") != "finished":
            self.blame("lost", f"`status` says {found.get('state')}, {tasks}")
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.processes(), "the end of all processes", 30)
        if left := self.processes():
            self.blame("processes", f"{len(left)} are left: {next(iter(left.values()))[:200]}")
        self.broken += check(self.case())
        if notes := list(Path(self.env["TMPDIR"]).glob(NOTES)):
            self.blame("left behind", f"{len(notes)} folders of managers that are no more, such as {notes[0].name}")
        self._judge_jobs()

    def judge_results(self) -> None:
        """Judge what is among the results by now: no file is there in part."""
        self.broken += check_results(self.case())

    def ran_by_now(self) -> int:
        """Count executions."""
        return executions(self.ran).total()

    def _judge_jobs(self) -> None:
        """See that no submission has two job arrays."""
        if self.place.slurm is None:
            return
        arrays: dict[str, set[str]] = {}
        for job in self.place.slurm.squeue():
            arrays.setdefault(job.name, set()).add(job.id.partition("_")[0])
        if twice := [name for name, ids in arrays.items() if len(ids) > 1]:
            self.blame("jobs", f"submitted twice: {', '.join(twice)}")

    def close(self) -> None:
        """End whatever is left."""
        for client in self.clients:
            if client.process.poll() is None:
                client.process.kill()
                client.process.wait()
        if self.place.slurm:
            self.place.slurm.cancel_all()
        kill_processes_of(self.environment)
        kill_processes_of(self.folder)
        for process in self._children:
            process.wait()
        self.unmount()


def _inherited() -> dict[str, str]:
    """Return our variables without those that lead a client elsewhere."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SSH_", "SBATCH", "SQUEUE"))
    }
