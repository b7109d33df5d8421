"""The names of all files and folders, on the target and in what comes back; they are made only here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from locusts_fab.bounds.names import Name

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.bounds.names import TaskId

Owner = TypeVar("Owner")

#: With more tasks than this, what comes back is spread over batch_000, batch_001, …
BATCH_ABOVE = 10_000
#: Tasks of a batch.
BATCH_SIZE = 1_000
#: Tasks of a folder of staged inputs; `copy_inputs` in `templates/manager/sandbox.sh` has the same number.
INPUTS_SIZE = 1_000

#: In outdir, the folder for what tasks left that are not done.
FAILED = "failed"
#: In outdir, the folder for what stays packed.
ARCHIVES = "archives"
_IS_ARCHIVE = re.compile(rf"{ARCHIVES}/[0-9]{{6,}}\.tar").fullmatch
#: An input that is a result of another swarm has as many parts at least: `@SWARM/TASK/OUTPUT`.
RESULT_PARTS = 3
#: What the names of files with the values of tasks end with.
VALUES = ".values"

#: The replica of a custom environment, in the environment.
TREE = "tree"

#: What this machine keeps of a swarm, in its folder: names that an environment could have, and what others begin with.
#: What only passes there begins with a dot, as no name of a swarm does.
_STATE, _LEDGER = frozenset({"lock", "replica.tsv"}), "ledger.sqlite"
#: What stands there besides if it is the folder of results too, as in a custom environment.
_RESULTS = frozenset({"tasks.tsv", "outputs.tsv", "modified.tsv", "logs", FAILED, ARCHIVES})


def is_of_state(name: str, *, has_results: bool) -> bool:
    """Return whether something in the folder with the state of a swarm has, or may get, a name.

    :param has_results: whether that folder is its `outdir`, too.
    """
    return name in _STATE or name.startswith(_LEDGER) or (has_results and name in _RESULTS)


@dataclass(frozen=True)
class Environment:
    """The generic environment of one swarm on its target.

    :param root: its folder, an absolute path there.
    :param id: its identity, made with it: 8 hex digits; empty if it is not known.
    """

    root: str
    id: str = ""

    #: Its folders.
    FOLDERS = (
        "exec",
        "exec/plan",
        "exec/claims",
        "exec/beats",
        "exec/cache",
        "exec/logs",
        "inputs",
        "work",
        "shared",
    )

    @property
    def mark(self) -> str:
        """What claims of its tasks end with; empty if it has no id."""
        return f".{self.id}" if self.id else ""

    @property
    def manager_script(self) -> str:
        """The script of the manager."""
        return "exec/manager.sh"

    @property
    def start_script(self) -> str:
        """The script that starts it on a machine without a scheduler."""
        return "exec/start.sh"

    @property
    def logs_folder(self) -> str:
        """The folder of what managers, and what starts them, print."""
        return "exec/logs"

    def manager_log(self, manager: str) -> str:
        """Return the file with what a manager, and what started it, printed; `manager` is what its id begins with."""
        return f"{self.logs_folder}/{manager}.out"

    def chunk(self, number: int) -> str:
        """Return the path of a chunk's plan, which has a line for each task."""
        return f"exec/plan/{number:06d}"

    def values(self, number: int) -> str:
        """Return the path of the values of tasks, up to those of this chunk; only `attach` reads them."""
        return f"{self.chunk(number)}{VALUES}"

    def tasks_list(self, submission: int) -> str:
        """Return the path of the list of all tasks, by which the last one finds them; see `manager/planfile.py`."""
        return f"exec/tasks.{submission}"

    def known_records(self, submission: int) -> str:
        """Return the path of the records that the target may lack, for the last task; see `records.ended_record`."""
        return f"exec/known.{submission}"

    @property
    def results(self) -> str:
        """The folder that the task after all others finds their results in.

        The word in it is no claim: `place_results` in `templates/manager/final.sh` puts the right one in.
        """
        return "work/CLAIM/results"

    def inputs(self, task: int) -> str:
        """Return the folder of a task's staged inputs, by the task's number; see `INPUTS_SIZE`."""
        return f"inputs/{task // INPUTS_SIZE}/{task}"

    def archive(self, chunk: int) -> str:
        """Return the path of a chunk's inputs that were sent as one file.

        `copy_inputs` in `templates/manager/sandbox.sh` makes the same name.
        """
        return f"inputs/{chunk:06d}.tar"

    def sandbox(self, claim: str, task: int, attempt: int) -> Name:
        """Return the folder in which an attempt ran.

        :param claim: chunk, generation and the id of the environment, such as `000012.1.c0ffee12`.
        :param task: the task's number.
        :param attempt: from 1 on.
        """
        return Name(f"work/{claim}/{task}" + (f".{attempt}" if attempt > 1 else ""))

    def log(self, claim: str, number: int) -> Name:
        """Return the file with what an attempt printed.

        :param claim: chunk, generation and the id of the environment, such as `000012.1.c0ffee12`.
        :param number: of the file, from the attempt's records.
        """
        return Name(f"work/{claim}/log.{number}")

    def packed(self, claim: str) -> Name:
        """Return the file in which a claim's outputs and logs are, with `pack`: its folder, packed.

        :param claim: chunk, generation and the id of the environment, such as `000012.1.c0ffee12`.
        """
        return Name(f"work/{claim}.tar")

    def shared(self, key: str, name: str) -> str:
        """Return the path of a shared file or folder, by its key and its own name."""
        return f"shared/{key}/{name}"

    def absolute(self, path: str) -> str:
        """Return one of these names as a path on the target."""
        return f"{self.root}/{path}"


def manager_id(submission: int, element: int = 0) -> str:
    """Return what the id of a manager begins with: its submission, and its element of the job array.

    The job script of a scheduler, `templates/job.*.j2`, makes the same on the target. The manager itself adds the rest,
    so that no two have the same; `MANAGER_ID` in manager/records.py recognises it.
    """
    return f"{submission}-{element}"


@dataclass(frozen=True)
class Results:
    """The names of what comes back, under `outdir`.

    :param tree_dir: in a custom environment, where in the tree its commands start; outputs come back with the tree.
    :param final: the task that comes after all others, if there is one.
    :param is_final_only: whether only its outputs come back, and the logs of what failed.
    :param is_archive: whether what done tasks left stays packed.
    """

    outdir: Path
    is_flat: bool
    tree_dir: str | None = None
    final: str | None = None
    is_final_only: bool = False
    is_archive: bool = False

    @property
    def tasks_table(self) -> Path:
        """The file that lists what became of every task."""
        return self.outdir / "tasks.tsv"

    @property
    def outputs_table(self) -> Path:
        """The file that lists every designated output."""
        return self.outdir / "outputs.tsv"

    @property
    def modified_table(self) -> Path:
        """The file that lists what tasks of a custom environment did to its tree."""
        return self.outdir / "modified.tsv"

    def brings(self, task_id: str) -> bool:
        """Return whether the outputs of a task come back."""
        return not self.is_final_only or task_id == self.final

    def place(self, task_id: TaskId, number: int, total: int) -> str:
        """Return the folder of a task, relative to outdir; with many tasks they are spread over batches.

        :param number: the task's number, from 1 on.
        :param total: the number of tasks of the swarm.
        """
        if self.is_flat:
            return "."
        if total > BATCH_ABOVE and task_id != self.final:
            return f"batch_{(number - 1) // BATCH_SIZE:03d}/{task_id}"
        return task_id

    def failed_place(self, task_id: TaskId) -> str:
        """Return the folder for what a task left that is not done, relative to outdir."""
        return f"{FAILED}/{task_id}"

    def is_failed_place(self, place: str) -> bool:
        """Return whether a folder, relative to outdir, is for what a task left that is not done."""
        return place.startswith(f"{FAILED}/")

    def archive(self, number: int) -> Name:
        """Return the path of an archive, relative to outdir; of the tasks in it, it is the place."""
        return Name(f"{ARCHIVES}/{number:06d}.tar")

    def is_archive_place(self, place: str) -> bool:
        """Return whether a place, relative to outdir, is an archive and no folder."""
        return _IS_ARCHIVE(place) is not None

    def output(self, place: str, name: Name) -> Name:
        """Return the path of an output, relative to outdir.

        :param place: the folder of its task, as `place` returns it.
        :raises UnsafeNameError: the place is none under outdir.
        """
        return name if place == "." else Name(f"{place}/{name}")

    def log(self, task_id: TaskId) -> Name:
        """Return the file with what a task printed, relative to outdir."""
        return Name(f"logs/{task_id}.log")


def input_path(indir: str, name: str) -> str:
    """Return the path of an input on this machine: relative to the folder of inputs, unless it is absolute."""
    return name if name.startswith("/") else f"{indir}/{name}"


def input_place(name: str) -> str:
    """Return where an input lies in a sandbox: under its own name, or the last part of one that is not of `indir`."""
    return name if is_of_indir(name) else name.rpartition("/")[2]


def is_of_indir(name: str) -> bool:
    """Return whether an input lies in the folder of inputs: it is not absolute, and no result of another swarm."""
    return not name.startswith("/") and named_swarm(name) is None


def named_swarm(name: str) -> str | None:
    """Return the swarm of which an input is a result, `@SWARM/TASK/OUTPUT`; None if it is none of another swarm."""
    return name[1:].partition("/")[0] if name.startswith("@") and "/" in name else None


def folders_above(name: str) -> list[str]:
    """Return the folders that a relative name lies in, the outermost first."""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


class Occupied(Generic[Owner]):
    """The names in one folder that somebody has: each as a file, or as a folder with all that is in it."""

    def __init__(self) -> None:
        self._owners: dict[str, Owner] = {}
        self._users: dict[str, Owner] = {}  # of each folder, the first who has something in it

    def other(self, name: str, owner: Owner) -> Owner | None:
        """Return who else has a name, a folder that it lies in, or something in it; None if nobody has."""
        claims = (self._owners.get(name), self._users.get(name), *map(self._owners.get, folders_above(name)))
        return next((claim for claim in claims if claim is not None and claim != owner), None)

    def take(self, name: str, owner: Owner) -> None:
        """Note who has a name; who had it before keeps it."""
        self._owners.setdefault(name, owner)
        for folder in folders_above(name):
            self._users.setdefault(folder, owner)
