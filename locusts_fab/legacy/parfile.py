"""The parameter file of the original `locusts`, read and turned into a table of locusts.toml.

A line is a key and its value with blanks between; # begins a comment, and a key without a value stands for its default.
What the original could not have used is an error, all of them at once. A note names what has no meaning here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from locusts_fab.errors import ConfigError
from locusts_fab.shell.quoting import quote_word
from locusts_fab.text import nearest

#: The type of value that each key takes.
KEYS: dict[str, type[bool | int | str]] = {
    "run_on_hpc": bool,
    "run_on_hpc_local": bool,
    "host_name": str,
    "requested_nodes": int,
    "cpus_per_node": int,
    "local_shared_dir": str,
    "hpc_exec_dir": str,
    "number_of_processors": int,
    "force_redo": bool,
    "singularity": str,
    "singularity_container": str,
    "singularity_modload": str,
    "data_transfer_protocol": str,
    "email_address": str,
    "nodewise_scratch_folder": str,
    "nodewise_scratch_space": str,
    "walltime": str,
    "extra_outer_statements": str,
    "scheduler": str,
    "partition": str,
    "exclusive": bool,
    "constraint": str,
    "min_stack_per_core": int,
    "waiting_time": int,
    "memory": str,
    "memory_per_cpu": str,
    "only_gather": bool,
    "batch_size": int,
    "staggered": bool,
}

#: Keys that had other names in older versions of the original.
_OLD_NAMES = {"nodewise_scratch_memory": "nodewise_scratch_space"}

#: Keys that have no meaning here, and what happens in their place.
_MEANINGLESS = {
    "batch_size": "with more than 10,000 tasks, their folders are spread over batch_000, batch_001, … by themselves",
    "data_transfer_protocol": "files travel by rsync, through the login that is open already",
    "min_stack_per_core": "no node gets a fixed share: each takes tasks as long as there are any",
    "staggered": "a task begins as soon as a slot is free",
    "waiting_time": "the pause between two looks follows how much is new, up to 30 s",
}

#: Keys that only jobs of a scheduler can use.
_FOR_JOBS = {
    "requested_nodes",
    "cpus_per_node",
    "email_address",
    "nodewise_scratch_folder",
    "nodewise_scratch_space",
    "walltime",
    "scheduler",
    "partition",
    "exclusive",
    "constraint",
    "memory",
    "memory_per_cpu",
}
_CONTAINER = {"singularity", "singularity_container", "singularity_modload"}

#: The original's time limit where a file gives none.
WALLTIME = "24:00:00"


@dataclass(frozen=True)
class Parameters:
    """A parameter file that holds no errors.

    :param path: the file, as the user named it.
    :param values: the keys that have a value, each of its kind.
    :param target_name: the name of the target: `here`, or `cluster`.
    :param target: the same as `[targets.<target_name>]` of a locusts.toml would say it.
    :param names: for keys of the target, the parameter that they come from.
    :param notes: what a person should know, a line each.
    """

    path: str
    values: dict[str, Any]
    target_name: str
    target: dict[str, Any]
    names: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def redoes(self) -> bool:
        """Whether all tasks shall run again."""
        return bool(self.values.get("force_redo"))

    @property
    def only_gathers(self) -> bool:
        """Whether nothing shall be started, and only what is done be brought back."""
        return bool(self.values.get("only_gather"))

    def blame(self, problem: str) -> str:
        """Return what is wrong with a key of the target in the words of the parameter file.

        :param problem: a line such as `targets.cluster.host: expected …`.
        """
        where, colon, what = problem.removeprefix(f"targets.{self.target_name}.").partition(":")
        longest = max(
            (key for key in self.names if where == key or where.startswith((f"{key}.", f"{key}["))), default=""
        )
        return f"{self.names.get(longest, where)}{colon}{what}"


def read_parameters(path: str | Path) -> Parameters:
    """Return what a parameter file means.

    :raises ConfigError: it cannot be read, or with all that is wrong in it.
    """
    reader = _Reader()
    for number, line in enumerate(_read(path).split("\n"), 1):
        reader.take(number, line)
    values = reader.values
    problems = [*reader.problems, *_missing(values, reader.spoiled), *_conflicts(values)]
    if problems:
        raise ConfigError(str(path), problems)
    writer = _Writer(values)
    writer.write()
    notes = [*reader.notes, *_notes(values)]
    return Parameters(str(path), values, _target_name(values), writer.table, writer.names, notes)


def _read(path: str | Path) -> str:
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(str(path), [f"the parameter file cannot be read: {reason}"]) from error
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").replace("\r", "\n")


# ---------------------------------------------------------------------------------------------------------------------
# Lines


class _Reader:
    """A reader that takes the lines of a file one by one.

    :param spoiled: keys that the file gives with a bad value or misspelt: they are not missing besides.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.spoiled: set[str] = set()
        self.problems: list[str] = []
        self.notes: list[str] = []

    def take(self, number: int, line: str) -> None:
        """Take in a line, or note what is wrong with it."""
        words = line.partition("#")[0].split()
        if not words:
            return
        key, text = _OLD_NAMES.get(words[0], words[0]), " ".join(words[1:])
        if key not in KEYS:
            guess = nearest(key, KEYS)
            self.spoiled.update({guess} if guess else ())
            rest = f"did you mean {guess}?" if guess else f"the keys are {', '.join(KEYS)}"
            self.problems.append(f"line {number}: {key[:100]}: unknown key; {rest}")
            return
        if text in {"", "None"}:  # the original's default; programs that write such files write None
            return
        try:
            value = _parse(KEYS[key], text)
        except ValueError as error:
            self.spoiled.add(key)
            self.problems.append(f"line {number}: {key}: {error}")
            return
        if self.values.get(key, value) != value:
            self.notes.append(f"{key} stands there twice; the last one counts: {text}")
        self.values[key] = value


def _parse(kind: type, text: str) -> bool | int | str:
    """Return the value that a text means.

    :raises ValueError: it is not of that kind.
    """
    if "\0" in text:
        raise ValueError("the character NUL cannot be used here")
    if kind is bool:
        if text.lower() not in {"true", "false"}:
            raise ValueError(f'expected True or False; found "{text}"')
        return text.lower() == "true"
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f'expected a whole number; found "{text[:40]}"') from None
    return text


# ---------------------------------------------------------------------------------------------------------------------
# Meaning


def _is_remote(values: dict[str, Any]) -> bool:
    """Return whether tasks run on another machine; run_on_hpc_local wins, as it did."""
    return bool(values.get("run_on_hpc")) and not values.get("run_on_hpc_local")


def _has_jobs(values: dict[str, Any]) -> bool:
    return bool(values.get("run_on_hpc") or values.get("run_on_hpc_local"))


def _target_name(values: dict[str, Any]) -> str:
    return "cluster" if _has_jobs(values) else "here"


def _missing(values: dict[str, Any], spoiled: set[str]) -> list[str]:
    """Return a problem for each missing key without which there is no host to go to."""
    if not _is_remote(values):
        return []
    needed = {"host_name": "the host to log in to", "hpc_exec_dir": "the folder on it in which the tasks run"}
    absent = [key for key in needed if key not in values and key not in spoiled]
    return [f"{key}: missing; run_on_hpc True needs it: {needed[key]}" for key in absent]


def _conflicts(values: dict[str, Any]) -> list[str]:
    """Return problems: values that do not go together, or are not known here."""
    problems = []
    if values.get("scheduler", "slurm") not in {"slurm", "none"}:
        problems.append(f'scheduler: expected slurm (or none, for a plain host); found "{values["scheduler"]}"')
    if {"memory", "memory_per_cpu"} <= values.keys():
        problems.append("memory_per_cpu: not together with memory; keep one of them")
    folder, space = "nodewise_scratch_folder", "nodewise_scratch_space"
    if space in values and folder not in values:
        problems.append(f"{folder}: missing; {space} needs it")
    if folder in values and space not in values and not _is_path(values[folder]):
        problems.append(f"{space}: missing; {folder} needs it")
    if "singularity" in values and Path(values["singularity"]).name not in {"singularity", "apptainer"}:
        problems.append(f'singularity: expected singularity or apptainer; found "{values["singularity"]}"')
    return problems


def _is_path(text: str) -> bool:
    return text.startswith(("/", "$"))


class _Writer:
    """A writer of the target's table that remembers which parameter each key comes from."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.table: dict[str, Any] = {}
        self.names: dict[str, str] = {}

    def write(self) -> None:
        """Write all of it."""
        values = self.values
        is_remote = _is_remote(values)
        shared = is_remote and "local_shared_dir" in values
        switch = "run_on_hpc_local" if values.get("run_on_hpc_local") else "run_on_hpc"
        self._put("mode", switch, "remote-shared" if shared else "remote" if is_remote else "local")
        if is_remote:
            self._copy("host", "host_name")
        if _has_jobs(values):
            self._copy("root", "hpc_exec_dir")
            if shared:
                self._copy("shared_root", "local_shared_dir")
            self._put("scheduler", "scheduler", values.get("scheduler", "slurm"))
            self._copy("nodes", "requested_nodes")
            self._put("slots", "cpus_per_node", values.get("cpus_per_node", 1))
        else:
            self._put("slots", "number_of_processors", values.get("number_of_processors", 1))
        self._write_setup()
        if _has_jobs(values):
            self._write_slurm()

    def _write_setup(self) -> None:
        """Write what runs before the tasks: the container, and lines of shell."""
        values, lines, names = self.values, [], []
        if {"singularity", "singularity_container"} <= values.keys():
            program = Path(values["singularity"])
            container = {"runtime": program.name, "image": values["singularity_container"]}
            self._put("container", "singularity_container", container)
            names.append("singularity")
            if "singularity_modload" in values:
                lines.append(values["singularity_modload"])
                names.append("singularity_modload")
            if "/" in values["singularity"]:
                lines.append(f'export PATH={quote_word(str(program.parent))}:"$PATH"')
            root = self.table.get("root", "")
            if root.startswith("/"):  # tasks in the container see the environment, as they did
                lines.append(f"export {program.name.upper()}_BINDPATH={quote_word(root)}")
        if "extra_outer_statements" in values:
            lines.append(values["extra_outer_statements"])
            names.append("extra_outer_statements")
        if lines:
            self._put("setup", ", ".join(names), lines)

    def _write_slurm(self) -> None:
        """Write what the jobs ask for, and the scratch folder, if it is one."""
        values = self.values
        if "nodewise_scratch_folder" in values and _is_path(values["nodewise_scratch_folder"]):
            self._copy("scratch", "nodewise_scratch_folder")
        if self.table["scheduler"] == "none":
            return
        self.table["slurm"] = {}
        self._copy("slurm.partition", "partition")
        self._put("slurm.time", "walltime", values.get("walltime", WALLTIME))
        self._copy("slurm.mem", "memory")
        self._copy("slurm.mem_per_cpu", "memory_per_cpu")
        self._copy("slurm.constraint", "constraint")
        if values.get("exclusive"):
            self._copy("slurm.exclusive", "exclusive")
        if "nodewise_scratch_space" in values and "scratch" not in self.table:
            resource = f"{values['nodewise_scratch_folder']}:{values['nodewise_scratch_space']}"
            self._put("slurm.gres", "nodewise_scratch_folder", resource)
        if "email_address" in values:
            self._copy("slurm.mail_user", "email_address")
            self.table["slurm"]["mail_type"] = "ALL"
        self.table["slurm"]["ntasks_per_core"] = 1  # the original always asked for whole cores

    def _copy(self, key: str, name: str) -> None:
        """Write the value of a parameter, if it has one; a folder without the slash at its end."""
        if name in self.values:
            value = self.values[name]
            self._put(key, name, (value.rstrip("/") or "/") if name.endswith("_dir") else value)

    def _put(self, key: str, name: str, value: Any) -> None:
        inner, _, own = key.rpartition(".")
        (self.table[inner] if inner else self.table)[own] = value
        self.names[key] = name


def _notes(values: dict[str, Any]) -> list[str]:
    """Return notes on values that have no effect here, and why."""
    given = {key for key, value in values.items() if value is not False}
    notes = [f"{key} has no meaning here: {why}" for key, why in _MEANINGLESS.items() if key in given]
    idle = {"number_of_processors"} if _has_jobs(values) else _FOR_JOBS | {"hpc_exec_dir"}
    if not _is_remote(values):
        idle |= {"host_name", "local_shared_dir"}
    if given & idle:
        where = "in jobs" if _has_jobs(values) else "on this machine, without jobs"
        notes.append(f"the tasks run {where}, so these are not used: {_listed(given & idle)}")
    if len(given & {"singularity", "singularity_container"}) == 1 or given & _CONTAINER == {"singularity_modload"}:
        lacks = {"singularity", "singularity_container"} - given
        notes.append(f"no container is used, for these are not given: {_listed(lacks)}")
    if _has_jobs(values) and "cpus_per_node" not in given:
        notes.append("cpus_per_node is not given, so each node runs one task at a time")
    return notes


def _listed(keys: set[str]) -> str:
    return ", ".join(key for key in KEYS if key in keys)
