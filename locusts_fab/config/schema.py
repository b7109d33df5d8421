"""The keys of locusts.toml as typed models: what each one means, its default, and which values it takes.

The descriptions here are the reference that users read: `reference.py` makes its tables of them.
`problems.py` turns what pydantic finds wrong into lines that a person can act on.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from locusts_fab.config.types import (
    NAME,
    NAME_RULE,
    BashEntry,
    Column,
    Duration,
    Filled,
    HerePath,
    Host,
    InnerPath,
    InputPath,
    Line,
    Memory,
    Most,
    Name,
    OutputPath,
    SbatchOption,
    Scalar,
    Scratch,
    SharedPath,
    SlurmTime,
    SlurmValue,
    Switch,
    Text,
    Variable,
    VariableValue,
)

__all__ = [
    "NAME",
    "NAME_RULE",
    "Container",
    "Final",
    "Slurm",
    "SwarmSettings",
    "Table",
    "Target",
]


class Table(BaseModel):
    """The base of all tables: unknown keys are errors, `"4"` is not taken for `4`, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Slurm(Table):
    """`[targets.NAME.slurm]`: what the managers' jobs ask SLURM for; each key becomes an #SBATCH line."""

    partition: SlurmValue | None = Field(default=None, description="Partition, or several with commas between.")
    time: SlurmTime | None = Field(
        default=None,
        description='Time limit of each job, as SLURM writes it: `"04:00:00"`, `"2-00:00:00"`, or minutes, `"90"`.',
    )
    mem: Memory | None = Field(default=None, description='Memory for each node: `"8G"`, or a number of megabytes.')
    mem_per_cpu: Memory | None = Field(default=None, description="Memory for each CPU, in place of `mem`.")
    constraint: SlurmValue | None = Field(default=None, description="Features that the nodes must have.")
    exclusive: Switch = Field(
        default=False, description='`true`: share the node with no other job; or `"user"`, `"mcs"`, `"topo"`.'
    )
    gres: SlurmValue | None = Field(default=None, description='Generic resources for each node, such as `"gpu:2"`.')
    account: SlurmValue | None = Field(default=None, description="Account that is charged.")
    qos: SlurmValue | None = Field(default=None, description="Quality of service.")
    reservation: SlurmValue | None = Field(default=None, description="Reservation to run in.")
    licenses: SlurmValue | None = Field(default=None, description="Licenses that the jobs need.")
    mail_user: SlurmValue | None = Field(default=None, description="Address that SLURM writes to.")
    mail_type: SlurmValue | None = Field(default=None, description='When SLURM writes: `"END,FAIL"`.')
    nodelist: SlurmValue | None = Field(default=None, description="Nodes to ask for.")
    exclude: SlurmValue | None = Field(default=None, description="Nodes to avoid.")
    ntasks_per_core: int | None = Field(
        default=None, ge=1, le=64, description="SLURM tasks for each core; `1` keeps hyperthreads free."
    )
    extra: list[SbatchOption] = Field(
        default=[],
        description='Any other sbatch options, passed on as they are: `["--hint=nomultithread"]`; what managers '
        "rely on, or cannot run with, is refused.",
    )


class Container(Table):
    """`container = { … }` of a target: the container that each task runs in."""

    runtime: Literal["apptainer", "singularity"] = Field(default="apptainer", description="The program that runs it.")
    image: Line = Field(description="The image, as the target sees it.")
    options: list[Text] = Field(
        default=[], description='More options for `exec` of the runtime, one word each: `["--nv"]`.'
    )


class Final(Table):
    """`[swarms.NAME.final]`: one task more, run on the target after all others."""

    command: Filled = Field(
        description="Command template. `<results>` is a folder on the target with `<task>/<output>` of all tasks that "
        "are done, and `tasks.tsv`, which says what became of each; `<shared>key` is as in other commands."
    )
    outputs: list[OutputPath] = Field(default=[], description="As those of the swarm; they come to `<outdir>/final`.")
    timeout_s: Duration | None = Field(
        default=None,
        alias="timeout",
        description="Time for each attempt; that of the swarm is not for it.",
        json_schema_extra={"type_text": "time"},
    )
    when: Literal["done", "ended"] = Field(
        default="done",
        description="`done`: only if all others are done, else it fails without being run. `ended`: in any case.",
    )


class Target(Table):
    """`[targets.NAME]`: where a swarm runs."""

    mode: Literal["local", "remote", "remote-shared"] = Field(
        description="`local`: this machine. `remote`: a host reached over SSH; files move by rsync. "
        "`remote-shared`: a host reached over SSH that mounts a folder of this machine."
    )
    host: Host | None = Field(default=None, description="Remote modes: an alias of ~/.ssh/config, or `user@host:port`.")
    root: Line | None = Field(
        default=None,
        description="Folder on the target that holds the environments, each in `<root>/<swarm>`. "
        "Remote modes need it, and take it as the host sees it.",
        json_schema_extra={"default_text": "mode `local`: `.locusts/<target>`"},
    )
    shared_root: Line | None = Field(
        default=None,
        description="Mode `remote-shared`: the folder `root`, as this machine sees it. Other remote modes ignore it.",
    )
    scheduler: Literal["none", "slurm"] = Field(
        default="none",
        description="Who starts the managers.",
        json_schema_extra={"default_text": '`"none"` in mode `local`, else `"slurm"`'},
    )
    nodes: int = Field(
        default=1,
        ge=1,
        le=100_000,
        description="Managers to start: elements of one job array. Above 1 with SLURM only.",
    )
    slots: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Tasks at a time on each node; a job asks for slots x cpus_per_task CPUs. By default the CPUs that "
        "may be used there / `cpus_per_task`; of a SLURM job those that it was given, which is the whole node with "
        "`exclusive`, else the CPUs of one task, or of as many as `gpus` allow.",
        json_schema_extra={"default_text": "as many as a node has CPUs for"},
    )
    gpus: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="GPUs of each node, for `gpus_per_task`; a SLURM job asks for them with `--gres=gpu:<gpus>`, "
        "unless `slurm.gres` says which.",
    )
    setup: list[BashEntry] = Field(
        default=[],
        description='Bash run once on each node, before its manager: `["module load openmpi"]`. Each entry must be '
        "complete, and must succeed.",
    )
    container: Container | None = Field(default=None, description="Container that wraps each task.")
    scratch: Scratch = Field(
        default=(),
        description='Node-local folder for the sandboxes, such as `"$TMPDIR"`; or several, `["$TMPDIR", "/scratch"]`, '
        "of which the first is used that can be written.",
        json_schema_extra={"default_text": "the environment's work folder", "type_text": "text, or list of text"},
    )
    known_hosts: Literal["strict", "accept-new"] = Field(
        default="strict",
        description="Remote modes: `strict` refuses hosts that are not in known_hosts, `accept-new` adds new ones as "
        "far as StrictHostKeyChecking of ssh_config allows ([more](ssh.md)); a changed key is refused always.",
    )
    slurm: Slurm = Field(
        default_factory=Slurm,
        description="What the jobs ask of SLURM.",
        json_schema_extra={"default_text": "none"},
    )

    @model_validator(mode="before")
    @classmethod
    def _choose_scheduler(cls, table: Any) -> Any:
        """Fill in the scheduler that goes with the mode."""
        if isinstance(table, dict) and "scheduler" not in table and table.get("mode") in {"remote", "remote-shared"}:
            return {**table, "scheduler": "slurm"}
        return table


class SwarmSettings(Table):
    """`[swarms.NAME]`: a set of tasks with one command template."""

    target: Filled | None = Field(
        default=None,
        description="Name of the target to run on; `--target` overrides it.",
        json_schema_extra={"default_text": "the only target, or this machine if there is none"},
    )
    command: Filled | None = Field(
        default=None,
        description="Command template, a line of bash. Handles such as `<id>`, `<arg0>`, `<shared>key` are filled in, "
        "quoted; `<arg0:raw>` goes in as it is.",
    )
    strict: bool = Field(
        default=True,
        description="`true`: commands run as `bash -e -o pipefail -c`, so the first line, or program in a pipe, "
        "that fails ends the task. `false`: as `bash -c`; only the exit code of the last line counts.",
    )
    indir: HerePath | None = Field(
        default=None,
        description="Folder of the inputs, relative to locusts.toml.",
        json_schema_extra={"default_text": "the folder of locusts.toml"},
    )
    outdir: HerePath | None = Field(
        default=None,
        description="Folder for what comes back, relative to locusts.toml.",
        json_schema_extra={"default_text": "`results/<swarm>`; custom environment: `.locusts/<swarm>`"},
    )
    inputs: list[InputPath] = Field(
        default=[],
        description="Files that each task gets: of `indir`, under the same names; or absolute, under the last part of "
        "their names; or `@SWARM/TASK/OUTPUT`, results of another swarm, under the last part, too ([more](quoting.md"
        "#in-file-names)). Each file that matches an entry with handles, `in_<id>.txt` or `reads/<sample>_<lane>.fq`, "
        "gives a task; entries with fewer, `meta/<sample>.json`, are looked up. "
        "With `args`, `args_file` or `sweep` entries may have columns as handles, `<arg0>.txt`; with other handles, "
        "every file with every row is a task ([more](quoting.md#in-file-names)).",
    )
    outputs: list[OutputPath] = Field(
        default=[],
        description="Files and folders that each task must leave in its sandbox, and that come back; templates. "
        "`*.csv`, `plots/*.png` and `**/*.log` are patterns: at least one file must match. `*` does not match names "
        "that begin with a dot, nor inputs that the task left as they were. `[*]`, `[?]` and `[[]` stand for the "
        "character itself; values of handles are always literal.",
    )
    optional_outputs: list[OutputPath] = Field(
        default=[],
        description="More of them, such as `core.*`, that come back if they are there.",
    )
    nonempty: bool = Field(
        default=False,
        description="A file or folder of `outputs` that holds nothing makes its task fail, as if it were missing.",
    )
    shared: dict[Name, SharedPath] = Field(
        default={},
        description="Files and folders that all tasks read, `key = path`; `<shared>key` is the path on the target. "
        "Relative to `indir`, or absolute. Each lies in a folder of its own there: of files that belong side by side, "
        "such as `nt.fa` and `nt.fa.nhr`, share the folder, and write `<shared>key/nt.fa`.",
    )
    layout: Literal["tasks", "flat"] = Field(
        default="tasks",
        description="`tasks`: `<outdir>/<task>/<output>`. `flat`: `<outdir>/<output>`; no two may collide.",
    )
    final: Final | None = Field(default=None, description="A task that comes after all others, such as a summary.")
    collect: Literal["all", "final"] = Field(
        default="all",
        description="What comes back. `final`: only the outputs of `final`, and the logs of what failed.",
    )
    pack: bool = Field(
        default=False,
        description="`true`: few files on the target, however many tasks there are. Sandboxes are in `scratch`, by "
        "default `$TMPDIR` or `/tmp` of the node; what tasks leave is packed there, into one file for about a hundred "
        "tasks. Needs GNU tar there.",
    )
    results: Literal["files", "archive"] = Field(
        default="files",
        description="How the outputs of done tasks lie under `outdir`. `archive`, with `pack`: packed, in "
        "`<outdir>/archives/*.tar`; `outputs.tsv` says where in which, and `locusts cat TASK OUTPUT` prints one.",
    )
    retries: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Extra attempts after a failure, on the same node, each in a clean sandbox.",
    )
    timeout_s: Duration | None = Field(
        default=None,
        alias="timeout",
        description='Time for each attempt, in seconds or as `"10m"`, `"1h30m"`.',
        json_schema_extra={"type_text": "time"},
    )
    cpus_per_task: int = Field(default=1, ge=1, le=10_000, description="CPUs that each task uses.")
    gpus_per_task: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="GPUs that each task has for itself, of the target's `gpus`: those in CUDA_VISIBLE_DEVICES and "
        "ROCR_VISIBLE_DEVICES. There are no more slots than they allow. 0: tasks see all GPUs that the manager sees.",
    )
    pin: bool = Field(
        default=False,
        description="`true`: each slot has `cpus_per_task` CPUs of its own, to which its tasks are bound with taskset.",
    )
    keep: Literal["none", "failed", "all"] = Field(default="failed", description="Sandboxes that stay on the target.")
    env: dict[Variable, VariableValue] = Field(
        default={},
        description="Environment variables of tasks, the same for all. Nothing in a value is expanded; `$$` is a "
        "plain `$`.",
    )
    args: list[list[Scalar]] | None = Field(
        default=None, min_length=1, description="A task for each row; its values are `<arg0>`, `<arg1>`, …"
    )
    args_file: HerePath | None = Field(
        default=None, description="CSV or TSV file with a header, a task for each row: `<column>`, and `<arg0>`, … too."
    )
    sweep: dict[Column, Annotated[list[Scalar], Field(min_length=1)]] | None = Field(
        default=None,
        min_length=1,
        description="`name = [values]`: a task for every combination; `<name>` gives the value.",
    )
    command_file: HerePath | None = Field(
        default=None,
        description="File with a command a line, a task each, in place of `command`; blank and # lines do nothing.",
    )
    id: Filled | None = Field(
        default=None,
        description="Name of each task, a template: `<temperature>_<seed>`. Without it, the values in the file names "
        "joined by `_`, a column `id`, or a number that a task keeps as long as it has the same values.",
    )
    missing_inputs: Literal["error", "skip"] = Field(
        default="error", description="What to do about tasks that lack an input: stop and list them, or leave them out."
    )
    environment: Literal["default", "custom"] = Field(
        default="default",
        description="`default`: a clean sandbox for each task. `custom`: one replicated tree that all tasks share.",
    )
    root: HerePath | None = Field(default=None, description="Custom environment: the local tree to replicate.")
    tree: HerePath | None = Field(
        default=None, description="Custom environment: a tree file that says which part of `root`."
    )
    include: list[Filled] = Field(
        default=[], description="Custom environment: rsync patterns of what to replicate, in place of `tree`."
    )
    exclude: list[Filled] = Field(
        default=[], description="Custom environment: rsync patterns of what to leave out, in place of `tree`."
    )
    workdir: InnerPath | None = Field(
        default=None,
        description="Custom environment: where commands start, relative to `root`.",
        json_schema_extra={"default_text": "`#WORKDIR` of the tree file, or `root`"},
    )
    in_place: bool = Field(
        default=True,
        description="Custom environment on this machine: `true` runs inside the tree itself, `false` in a replica.",
    )
    breaker: int = Field(
        default=20,
        ge=0,
        le=1_000_000,
        description="A manager stops itself if N tasks in a row all fail within about a second; 0: never.",
    )
    after: list[Filled] = Field(
        default=[],
        description="Names of swarms that come before this one: it is submitted only when each of their tasks is done, "
        "and `run` without `--swarm` runs them first. An input `@SWARM/…` implies it.",
    )
    max_failures: Most | None = Field(
        default=None,
        description='The swarm takes no more tasks when so many have failed: a number, or a share such as `"5%"`.',
    )
