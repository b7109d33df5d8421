"""An environment made by hand, and managers that run in it: the bash side without the Python side around it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.layout import Environment
from locusts_fab.manager.records import Began, Ended, Left, Manager, Record, parse_records
from locusts_fab.manager.render import render
from locusts_fab.tsv import escape
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from typing_extensions import Self

#: The bash that runs managers in tests; another one to try, such as bash 4.2: LOCUSTS_TEST_BASH=path.
BASH = os.environ.get("LOCUSTS_TEST_BASH", "bash")
#: Whether it knows fractions of seconds; before bash 5, times in records are whole ones.
HAS_FRACTIONS = subprocess.run([BASH, "-c", "[[ -n ${EPOCHREALTIME-} ]]"], check=False).returncode == 0
#: The id of the environment.
ENVIRONMENT_ID = "0123abcd"
#: What a manager is told; a test overrides what it is about.
VALUES: dict[str, Any] = {
    "environment_id": ENVIRONMENT_ID,
    "submission": 1,
    "first_chunk": 1,
    "last_chunk": 1,
    "swarm": "pairs",
    "cpus_per_task": 1,
    "gpus": 0,
    "pin": 0,
    "gpus_per_task": 0,
    "slots": 1,
    "has_inputs": 0,
    "has_patterns": 0,
    "program": "",
    "strict": 1,
    "retries": 0,
    "tree": "",
    "timeout_us": 0,
    "timeout_text": "a while",
    "last_call_s": 5,
    "keep": "failed",
    "breaker": 0,
    "max_failures": 0,
    "alone_from": 1_000_000,
    "beat_s": 1,
    "final_chunk": 0,
    "final_needs_done": 1,
    "final_links": 1,
    "final_timeout_us": 0,
    "final_timeout_text": "0 s",
    "stale_s": 300,
    "grace_s": 1,
    "scratch": [],
    "pack": 0,
    "container": [],
    "env": [],
    "scheduler": "slurm",
}


@dataclass(frozen=True)
class Spec:
    """A task as a test writes it down.

    :param command: bash source.
    :param outputs: the files that it shall leave.
    :param inputs: what its sandbox starts with: contents by name.
    """

    command: str
    outputs: Sequence[str] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    id: str = "t"


def holding(folder: Path, passes: int = 0) -> str:
    """Return a command that waits until there is a file `go` in a folder; at most so many runs of it do not wait.

    Each that waits leaves a file there; see `at_work`.
    """
    counted = f'echo >> "{folder}/ran"; (( $(wc -l < "{folder}/ran") <= {passes} )) || '
    wait = f'{{ : > "{folder}/at-work.$$"; while [[ ! -e "{folder}/go" ]]; do sleep 0.02; done; }}'
    return f'[[ -e "{folder}/go" ]] || {{ {counted if passes else ""}{wait}; }}'


def at_work(folder: Path) -> int:
    """Count the tasks that have come to wait in a folder."""
    return len(list(folder.glob("at-work.*")))


def session_of(pid: int) -> int | None:
    """Return the session of a process that is not a zombie; None if there is no such process."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    state, _parent, _group, session = status.rpartition(")")[2].split()[:4]
    return None if state in "ZX" else int(session)


def in_session(session: int) -> list[int]:
    """List the processes of a session: a manager, its slots and their tasks."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if session_of(pid) == session]


@dataclass
class Running:
    """A manager that was started; it leads a session, in which all its tasks are too."""

    env: ManualEnvironment
    id: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its main process."""
        return self.process.pid

    def wait(self, timeout_s: float = 120) -> int:
        """Wait for it to leave; then nothing of it may be left."""
        status = self.process.wait(timeout_s)
        wait_until(lambda: not in_session(self.pid), f"the end of everything that manager {self.id} started")
        return status

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its main process."""
        self.process.send_signal(number)

    def send_all(self, number: signal.Signals) -> None:
        """Send a signal to its main process, its slots and their tasks, as SLURM does."""
        for pid in in_session(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it and all that it runs at once, as a node does that loses its power."""
        self.send_all(signal.SIGSTOP)  # whoever were killed last could record the end of who was killed first
        while in_session(self.pid):
            self.send_all(signal.SIGKILL)
        self.process.wait()

    def mark_gone(self) -> None:
        """Mark it as having left, as the client does with a manager that is known to be no more."""
        (self.env.root / "exec/beats" / f"{full_id(self.id)}.end").touch()

    def records(self) -> list[Record]:
        """Read what it has recorded so far."""
        return self.env.records(self.id)

    def wait_for(self, count: int, kind: type[Began | Ended]) -> None:
        """Wait until it has made so many records of a kind."""
        wait_until(
            lambda: (
                sum(isinstance(record, kind) for record in self.records()) >= count or self.process.poll() is not None
            ),
            f"{count} records",
        )


def full_id(manager: str) -> str:
    """Return the id that a manager gives itself, which ends in that of its environment."""
    return manager if manager.endswith(ENVIRONMENT_ID) else f"{manager}-{ENVIRONMENT_ID}"


def full_claim(claim: str) -> str:
    """Return a claim such as `000001.1` with the id of the environment."""
    return claim if claim.endswith(ENVIRONMENT_ID) else f"{claim}.{ENVIRONMENT_ID}"


class ManualEnvironment:
    """An environment made by hand.

    :param folder: a folder of the test; the environment and the managers' TMPDIR are made in it.
    :param name: the environment's own name.
    :param values: what the managers are told, where it differs from VALUES.
    """

    def __init__(self, folder: Path, name: str = "env", **values: Any) -> None:
        self.layout = Environment(str(folder / name))
        self.root = Path(self.layout.root)
        self.temp = folder / "tmp"
        self.temp.mkdir(exist_ok=True)
        self.values: dict[str, Any] = {**VALUES, "root": self.layout.root, **values}
        self.managers: list[Running] = []
        self.tasks = 0
        for place in self.layout.FOLDERS:
            (self.root / place).mkdir(parents=True, exist_ok=True)
        (self.root / f"exec/id.{ENVIRONMENT_ID}").write_text("me\there\t/home/me/project\t1.0\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for manager in self.managers:
            manager.kill()

    def leave(self, manager: Running, gate: Path, number: signal.Signals) -> None:
        """Tell a manager to leave, let go the tasks that wait at a gate once it has heard, and wait for its end.

        :param gate: the folder that `holding` was told.
        :param number: the signal.
        """
        manager.send(number)
        wait_until(lambda: not list(self.temp.glob("locusts.*/go")), "the manager's reply")
        (gate / "go").touch()
        manager.wait()

    def plan(self, *chunks: Sequence[Spec | str]) -> ManualEnvironment:
        """Write the plan, a chunk after another, and the inputs; tasks are numbered from 1 on."""
        for number, chunk in enumerate(chunks, 1):
            lines = []
            for entry in chunk:
                spec = Spec(entry) if isinstance(entry, str) else entry
                self.tasks += 1
                fields = [escape(spec.id), escape(spec.command), *map(escape, spec.outputs), "."]
                lines.append("\t".join([str(self.tasks), *fields]) + "\n")
                for name, content in spec.inputs.items():
                    path = self.root / self.layout.inputs(self.tasks) / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(os.fsencode(content))
            lines.append(f"end\t{len(chunk)}\t{ENVIRONMENT_ID}\t.\n")
            (self.root / self.layout.chunk(number)).write_bytes(os.fsencode("".join(lines)))
        self.values["last_chunk"] = len(chunks)
        return self

    def pack(self, *, inputs: bool = True) -> ManualEnvironment:
        """Pack the inputs of each chunk into an archive, as the first submit to a host far away does."""
        for plan in (self.root / "exec/plan").iterdir() if inputs else ():
            tasks = [int(line.split("\t")[0]) for line in os.fsdecode(plan.read_bytes()).splitlines()[:-1]]
            folders = [self.layout.inputs(task).removeprefix("inputs/") for task in tasks]
            there = [folder for folder in folders if (self.root / "inputs" / folder).exists()]
            archive = self.layout.absolute(self.layout.archive(int(plan.name)))
            subprocess.run(["tar", "-cf", archive, "-C", self.root / "inputs", "--", *there], check=True, timeout=30)
            for folder in there:
                shutil.rmtree(self.root / "inputs" / folder)
        return self

    def start(
        self,
        manager: str = "1-0",
        env: Mapping[str, str] | None = None,
        *,
        wrapper: Sequence[str] = (BASH,),
        **values: Any,
    ) -> Running:
        """Start a manager.

        :param manager: its submission and element; it makes an id of that.
        :param env: further variables of its environment.
        :param wrapper: the words before the script on its command line.
        :param values: what only this one is told.
        """
        script = self.root / f"exec/manager.{manager}.sh"
        beside = script.with_suffix(".new")  # in one step: a bash that has just been started may be reading it
        beside.write_bytes(os.fsencode(render("manager.sh.j2", {**self.values, **values})))
        beside.replace(script)
        element = manager.partition("-")[2]
        with (self.root / "exec/logs" / f"{manager}.out").open("ab") as log:
            process = subprocess.Popen(
                [*wrapper, script, manager],
                cwd=self.root,
                env={
                    "PATH": os.environ["PATH"],
                    "TMPDIR": str(self.temp),
                    "SLURM_ARRAY_TASK_ID": element,
                    **(env or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running = Running(self, manager, process)
        self.managers.append(running)
        return running

    def run(self, manager: str = "1-0", env: Mapping[str, str] | None = None, **values: Any) -> ManualEnvironment:
        """Run a manager until it leaves."""
        self.start(manager, env, **values).wait()
        return self

    def records(self, manager: str | None = None) -> list[Record]:
        """Read the records of one manager, or of all."""
        files = sorted((self.root / "exec/cache").glob(f"{full_id(manager) if manager else '*'}.tsv"))
        return [record for file in files for record in parse_records(file.read_bytes())[0]]

    def ended(self) -> list[Ended]:
        """Read the records of attempts that ended."""
        return [record for record in self.records() if isinstance(record, Ended)]

    def end_of(self, task: int = 1) -> Ended:
        """Read the last record of a task."""
        return [record for record in self.ended() if record.task == task][-1]

    def states(self) -> dict[int, list[str]]:
        """Return the states of each task's attempts, in order."""
        states: dict[int, list[str]] = defaultdict(list)
        for record in self.ended():
            states[record.task].append(record.state)
        return dict(states)

    def left(self, manager: str = "1-0") -> str | None:
        """Return why a manager left; None if it did not say."""
        for record in self.records(manager):
            if isinstance(record, Left):
                return record.reason
        return None

    def announced(self, manager: str = "1-0") -> Manager:
        """Read a manager's first record."""
        (record,) = [record for record in self.records(manager) if isinstance(record, Manager)]
        return record

    def has_left_in_order(self, manager: str = "1-0") -> bool:
        """Return whether a manager has set the mark that frees its leases."""
        return (self.root / "exec/beats" / f"{full_id(manager)}.end").exists()

    def complaints(self, manager: str = "1-0") -> str:
        """Read what a manager printed, which is nothing if all is well."""
        return (self.root / "exec/logs" / f"{manager}.out").read_text(errors="surrogateescape")

    def log(self, task: int = 1, claim: str = "000001.1", attempt: int = 1) -> str:
        """Read what an attempt at a task printed."""
        (number,) = {
            record.log
            for record in self.records()
            if isinstance(record, Began)
            and (record.claim, record.task, record.attempt) == (full_claim(claim), task, attempt)
        }
        return (self.root / self.layout.log(full_claim(claim), number)).read_text(errors="surrogateescape")

    def output(self, name: str, task: int = 1, claim: str = "000001.1", attempt: int = 1) -> str:
        """Read an output of a task."""
        return (self.root / self.layout.sandbox(full_claim(claim), task, attempt) / name).read_text(
            errors="surrogateescape"
        )

    def kept(self) -> list[str]:
        """List what is in work/, below the folders of the chunks, without ids of environments; a folder ends in `/`."""
        found = _listing(self.root.glob("work/*/**/*"), self.root / "work")
        return [name.replace(f".{ENVIRONMENT_ID}/", "/", 1) for name in found]


def _listing(paths: Iterable[Path], base: Path) -> list[str]:
    return sorted(str(path.relative_to(base)) + "/" * path.is_dir() for path in paths)


#: The same command may be started by the slot itself, or get a bash of its own.
BOTH_WAYS = pytest.mark.parametrize("is_direct", [False, True])


def printed_by(folder: Path, command: str, *, is_direct: bool, env: dict[str, str] | None = None, **values: Any) -> str:
    """Run one task and tell what it printed."""
    program = command.split(maxsplit=1)[0] if is_direct else ""
    with ManualEnvironment(folder, program=program, **values) as made:
        made.plan([command]).run(env=env)
        assert made.end_of().reason == ""
        return made.log()
