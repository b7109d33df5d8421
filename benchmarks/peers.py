"""What runs the same small task many times: this package, and the peers that it is compared with.

The task is `cat` of one small input into one output, in a folder of its own, with a file for what it prints. Each
contender is prepared (folders and inputs; not timed), run (timed), and then every output is checked.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import locusts_fab
from locusts_fab.bounds.names import TaskId
from locusts_fab.fs import write_whole
from locusts_fab.layout import Environment, Results, manager_id
from locusts_fab.model.tasks import PlannedTask
from locusts_fab.operations.scripts import NO_ID, render_scripts
from locusts_fab.plan.tasks import make_chunks, make_plan
from locusts_fab.transfer.stage import make_environment, stage_tasks

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOTS = 2


class BenchmarkError(Exception):
    """A contender did not do its work."""


@dataclass(frozen=True)
class Timing:
    """What one run cost: by the clock, and processor time of all that it started (None if it cannot be told)."""

    tasks: int
    seconds: float
    cpu_s: float | None

    @property
    def rate(self) -> float:
        """Tasks per second."""
        return self.tasks / self.seconds


class Contender(ABC):
    """Something that can run many small tasks, two at a time.

    :param name: as the table shows it.
    :param share: the part of the tasks that is enough to know the rate of a slow one.
    """

    name: str
    share = 1.0
    tells_cpu = True

    def missing(self) -> str | None:
        """Tell how to install it, if it is not here."""
        return None

    @abstractmethod
    def prepare(self, folder: Path, tasks: int) -> None:
        """Make what the tasks start with, in an empty folder."""

    @abstractmethod
    def run(self, folder: Path, tasks: int) -> None:
        """Run the tasks."""

    @abstractmethod
    def outputs(self, folder: Path, tasks: int) -> Iterable[Path]:
        """Tell where the output of each task is, in order."""

    def measure(self, folder: Path, tasks: int) -> Timing:
        """Prepare, run and check.

        :param folder: it must not be there yet. It stays, to be removed when all is measured: ext4 is slow to make
            files for minutes after it removed many.
        :raises BenchmarkError: some task did not do its work.
        """
        folder.mkdir()
        self.prepare(folder, tasks)
        os.sync()  # what was just written shall not be written out at the expense of what is timed
        cpu_s, start = _cpu_of_children_s(), time.perf_counter()
        self.run(folder, tasks)
        seconds, cpu_s = time.perf_counter() - start, _cpu_of_children_s() - cpu_s
        self._check(folder, tasks)
        return Timing(tasks, seconds, cpu_s if self.tells_cpu else None)

    def _check(self, folder: Path, tasks: int) -> None:
        for task, path in enumerate(self.outputs(folder, tasks), 1):
            if not path.is_file() or path.read_text() != _content(task):
                raise BenchmarkError(f"{self.name}: task {task} of {tasks} did not leave its output at {path}")


def _content(task: int) -> str:
    return f"the input of task {task}\n"


def _cpu_of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _start(command: list[str], folder: Path, stdin: Iterable[str] = ()) -> None:
    """Run a command to its end; what it says about itself goes to a file that is shown if it fails."""
    with (folder / "stdin").open("w+") as numbers, (folder / "messages").open("w+") as messages:
        numbers.writelines(stdin)
        numbers.seek(0)
        status = subprocess.run(command, cwd=folder, stdin=numbers, stdout=messages, stderr=messages, check=False)
        messages.seek(0)
        if status.returncode != 0:
            raise BenchmarkError(f"{command[0]} ended with {status.returncode}:\n{messages.read()[-2000:]}")


# ==== this package ==========================================================================================

CONFIG = """
[targets.here]
mode = "local"
slots = {slots}

[swarms.bench]
command = "cat in_<id>.txt > out.txt"
indir   = "inputs"
outdir  = "results"
inputs  = ["in_<id>.txt"]
outputs = ["out.txt"]
"""


class Manager(Contender):
    """The manager alone, from its start until it has left; it also makes and tidies the sandboxes."""

    name = "locusts_fab: manager"

    def prepare(self, folder: Path, tasks: int) -> None:
        """Stage, as `submit` does, but start nothing."""
        swarm = _make_swarm(folder, tasks)
        environment = Environment(swarm.environment_dir, NO_ID)
        plan = make_plan(swarm, environment.root)
        chunks = make_chunks(plan.count, swarm.slots, 1)
        make_environment(environment)
        Path(environment.absolute(f"exec/id.{NO_ID}")).touch()
        planned = (
            PlannedTask(number, task.id, task.command, task.inputs, task.outputs)
            for number, task in enumerate(plan.tasks(), 1)
        )
        stage_tasks(swarm, environment, planned, chunks)
        for path, text in render_scripts(plan, 1, chunks).items():
            write_whole(Path(environment.absolute(path)), text.encode())

    def run(self, folder: Path, tasks: int) -> None:
        """Run the manager's script."""
        environment = _environment(folder)
        _start(["bash", environment.absolute(environment.manager_script), manager_id(1)], folder)
        cache = Path(environment.absolute(f"exec/cache/{manager_id(1)}-{NO_ID}.tsv")).read_text()
        if cache.count("\tdone\t") != tasks or "\nleft\tfinished\t" not in cache:
            raise BenchmarkError(f"{self.name}: not every task has a record that it is done")

    def outputs(self, folder: Path, tasks: int) -> Iterable[Path]:
        """Look into the sandboxes."""
        environment = _environment(folder)
        chunk_of: list[int] = []
        for chunk in make_chunks(tasks, SLOTS, 1):
            chunk_of += [chunk.number] * chunk.size
        for number, chunk_number in enumerate(chunk_of, 1):
            claim = f"{chunk_number:06d}.1.{NO_ID}"
            yield Path(environment.absolute(environment.sandbox(claim, number, 1))) / "out.txt"


class OlderManager(Manager):
    """The manager of an older version, from a checkout of it, which also plans and stages."""

    name = "locusts_fab: older manager"

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout.resolve()

    def prepare(self, folder: Path, tasks: int) -> None:
        """Stage as that version does."""
        program = (
            "import sys; from pathlib import Path; from benchmarks.peers import Manager;"
            " Manager().prepare(Path(sys.argv[1]), int(sys.argv[2]))"
        )
        env = {**os.environ, "PYTHONPATH": str(self._checkout)}
        words = [sys.executable, "-c", program, str(folder), str(tasks)]
        subprocess.run(words, cwd=self._checkout, env=env, check=True)


class WholeRun(Contender):
    """The command `run`: plan, stage, manager, watch, collect, tables."""

    name = "locusts_fab: whole run"
    tells_cpu = False  # its manager is nobody's child

    def prepare(self, folder: Path, tasks: int) -> None:
        """Make the inputs and the config."""
        _make_swarm(folder, tasks)

    def run(self, folder: Path, tasks: int) -> None:  # noqa: ARG002 - the config says it
        """Call it as a user would."""
        program = "from locusts_fab.cli.program import main; main()"
        _start([sys.executable, "-c", program, "run", "--config", str(folder / "locusts.toml")], folder)

    def outputs(self, folder: Path, tasks: int) -> Iterable[Path]:
        """Look into what came back."""
        results = Results(folder / "results", is_flat=False)
        for number in range(1, tasks + 1):
            yield results.outdir / results.place(TaskId(_id(number)), number, tasks) / "out.txt"


def _id(task: int) -> str:
    return f"{task:06d}"


def _make_swarm(folder: Path, tasks: int) -> locusts_fab.Swarm:
    (folder / "inputs").mkdir()
    for task in range(1, tasks + 1):
        (folder / "inputs" / f"in_{_id(task)}.txt").write_text(_content(task))
    (folder / "locusts.toml").write_text(CONFIG.format(slots=SLOTS))
    return locusts_fab.load(folder / "locusts.toml")


def _environment(folder: Path) -> Environment:
    return Environment(locusts_fab.load(folder / "locusts.toml").environment_dir, NO_ID)


# ==== peers =================================================================================================


class Peer(Contender):
    """A peer runs in folders that were made for it before; its logs lie beside them."""

    def prepare(self, folder: Path, tasks: int) -> None:
        """Make a folder with its input for each task."""
        (folder / "work").mkdir()
        for task in range(1, tasks + 1):
            (folder / "work" / _id(task)).mkdir()
            (folder / "work" / _id(task) / "in.txt").write_text(_content(task))

    def outputs(self, folder: Path, tasks: int) -> Iterable[Path]:
        """Look into those folders."""
        return (folder / "work" / _id(task) / "out.txt" for task in range(1, tasks + 1))


def _lines(tasks: int) -> Iterable[str]:
    return (f"{_id(task)}\n" for task in range(1, tasks + 1))


class Xargs(Peer):
    """A fresh bash for each task, and nothing else: no record, no isolation."""

    name = "xargs -P2 bash -c"

    def run(self, folder: Path, tasks: int) -> None:
        """Hand it the names of the folders."""
        script = 'cd "work/$1" && cat in.txt >out.txt 2>"../$1.log"'
        _start(["xargs", "-P", str(SLOTS), "-n", "1", "bash", "-c", script, "task"], folder, _lines(tasks))


class XargsInSandboxes(Peer):
    """xargs again, but each task makes its sandbox, copies its input and notes how it ended, as the manager's do."""

    name = "xargs, sandbox and record"
    share = 0.2

    def prepare(self, folder: Path, tasks: int) -> None:
        """Make the inputs only."""
        for name in ("inputs", "work"):
            (folder / name).mkdir()
        for task in range(1, tasks + 1):
            (folder / "inputs" / _id(task)).write_text(_content(task))

    def run(self, folder: Path, tasks: int) -> None:
        """Hand it the names of the inputs."""
        script = """mkdir "work/$1" && cp "inputs/$1" "work/$1/in.txt" && cd "work/$1" || exit
            cat in.txt >out.txt 2>"../$1.log"
            printf '%s\\t%s\\n' "$1" "$?" >>../../records"""
        _start(["xargs", "-P", str(SLOTS), "-n", "1", "bash", "-c", script, "task"], folder, _lines(tasks))


class Parallel(Peer):
    """GNU parallel, with a line in its job log for each task."""

    name = "GNU parallel --joblog"
    share = 0.2

    def missing(self) -> str | None:
        """Tell how to install it."""
        if shutil.which("parallel"):
            return None
        return "GNU parallel is not here; Debian's package is called `parallel`"

    def run(self, folder: Path, tasks: int) -> None:
        """Hand it the names of the folders."""
        script = "cd work/{} && cat in.txt >out.txt 2>../{}.log"
        _start(["parallel", "--will-cite", f"-j{SLOTS}", "--joblog", "joblog", script], folder, _lines(tasks))


# $1 the folder, $2 the number of tasks, $3 the number of cores
_HYPERQUEUE = """
import sys
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

folder, tasks, cores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with LocalCluster(worker_config=WorkerConfig(cores=cores)) as cluster:
    client = cluster.client()
    job = Job()
    for task in range(1, tasks + 1):
        place = f"{folder}/work/{task:06d}"
        command = ["bash", "-c", "cat in.txt > out.txt"]
        job.program(command, cwd=place, stdout=f"{place}.stdout", stderr=f"{place}.log")
    client.wait_for_jobs([client.submit(job)])
"""


class HyperQueue(Peer):
    """HyperQueue's server and one worker with two cores; its tasks as `bash -c` programs."""

    name = "HyperQueue"
    share = 0.2

    def missing(self) -> str | None:
        """Tell how to install it."""
        if importlib.util.find_spec("hyperqueue"):
            return None
        return "HyperQueue is not here; `pip install 'locusts-fab[bench]'` brings it"

    def run(self, folder: Path, tasks: int) -> None:
        """Start the cluster, submit all tasks as one job, and wait for it."""
        _start([sys.executable, "-c", _HYPERQUEUE, str(folder), str(tasks), str(SLOTS)], folder)
