"""The original's parameter file: what it means here, what is wrong with it, and what has no meaning any more."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.config.tables import make_config
from locusts_fab.errors import ConfigError
from locusts_fab.legacy.parfile import KEYS, Parameters, read_parameters

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.config.schema import Target

HPC = "run_on_hpc True\nhost_name biowulf\nhpc_exec_dir /data/me/try\nrequested_nodes 2\ncpus_per_node 10\n"
REMOTE: dict[str, Any] = {
    "mode": "remote",
    "host": "biowulf",
    "root": "/data/me/try",
    "scheduler": "slurm",
    "nodes": 2,
    "slots": 10,
}
SLURM: dict[str, Any] = {"time": "24:00:00", "ntasks_per_core": 1}

PUBLISHED = """### Generic
run_on_hpc\t\tTrue\t\t\t# True -> HPC; False: Local multithreading

### HPC
host_name\t\tbiowulf\t\t\t# HPC name for SSH connection (see README file)
requested_nodes\t\t2\t\t\t# Number of nodes to be requested on HPC
cpus_per_node\t\t10\t\t\t# CPU cores per node (not counting hyperthreading)
hpc_exec_dir\t\t/data/me/try\t\t\t# HPC path where the jobs will be executed
local_shared_dir\t\t\t\t# Do the HPC service and the local machine share a directory?

### Local multithreading
number_of_processors\t4\t\t\t# Number of processors to use on the local machine

### Singularity
singularity\t\t/usr/local/bin/singularity
singularity_modload\tmodule load singularity
"""


def read(folder: Path, text: str | bytes) -> Parameters:
    """Read a parameter file with this text."""
    path = folder / "x.par"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_parameters(path)


def problems(folder: Path, text: str | bytes) -> list[str]:
    """Return what is wrong with a parameter file."""
    with pytest.raises(ConfigError) as error:
        read(folder, text)
    assert error.value.path == str(folder / "x.par")
    return list(error.value.problems)


def as_target(parameters: Parameters) -> Target:
    """Check the target as a config is checked."""
    name = parameters.target_name
    swarm = {"command": "c", "args": [["1"]]}
    return make_config("x", {"targets": {name: parameters.target}, "swarms": {"s": swarm}}).targets[name]


# ---------------------------------------------------------------------------------------------------------------------
# What it means

MEANINGS: list[tuple[str, dict[str, Any]]] = [
    ("", {"mode": "local", "slots": 1}),
    ("\r\n # only comments \r\n", {"mode": "local", "slots": 1}),
    ("number_of_processors 4", {"mode": "local", "slots": 4}),
    ("run_on_hpc False\nnumber_of_processors 4 # cores", {"mode": "local", "slots": 4}),
    ("number_of_processors\nhost_name None\n", {"mode": "local", "slots": 1}),
    ("number_of_processors 4\nextra_outer_statements  ulimit -s unlimited;  x=1", {
        "mode": "local", "slots": 4, "setup": ["ulimit -s unlimited; x=1"],
    }),
    (HPC, {**REMOTE, "slurm": SLURM}),
    (HPC + "local_shared_dir /mnt/try/\n", {
        **REMOTE, "mode": "remote-shared", "shared_root": "/mnt/try", "slurm": SLURM,
    }),
    (HPC + "scheduler none\nrequested_nodes 1", {**REMOTE, "scheduler": "none", "nodes": 1}),
    ("run_on_hpc_local True\nrequested_nodes 3\ncpus_per_node 8", {
        "mode": "local", "scheduler": "slurm", "nodes": 3, "slots": 8, "slurm": SLURM,
    }),
    (HPC + "run_on_hpc_local True\n", {
        "mode": "local", "root": "/data/me/try", "scheduler": "slurm", "nodes": 2, "slots": 10, "slurm": SLURM,
    }),
    (HPC + "partition norm,quick\nwalltime 04:00:00\nmemory 8G\nconstraint x2680\nexclusive True\n"
     "email_address me@example.org\n", {**REMOTE, "slurm": {
        "partition": "norm,quick", "time": "04:00:00", "mem": "8G", "constraint": "x2680", "exclusive": True,
        "mail_user": "me@example.org", "mail_type": "ALL", "ntasks_per_core": 1,
     }}),
    (HPC + "memory_per_cpu 2G\nexclusive False", {**REMOTE, "slurm": {**SLURM, "mem_per_cpu": "2G"}}),
    (HPC + "nodewise_scratch_folder lscratch\nnodewise_scratch_space 10", {
        **REMOTE, "slurm": {**SLURM, "gres": "lscratch:10"},
    }),
    (HPC + "nodewise_scratch_folder lscratch\nnodewise_scratch_memory 10", {
        **REMOTE, "slurm": {**SLURM, "gres": "lscratch:10"},
    }),
    (HPC + "nodewise_scratch_folder /lscratch/$SLURM_JOB_ID", {
        **REMOTE, "scratch": "/lscratch/$SLURM_JOB_ID", "slurm": SLURM,
    }),
    (HPC + "singularity /opt/s 3/bin/singularity\nsingularity_container /data/x y.sif\n"
     "singularity_modload module load singularity\nextra_outer_statements x=1", {
        **REMOTE,
        "container": {"runtime": "singularity", "image": "/data/x y.sif"},
        "setup": [
            "module load singularity",
            "export PATH='/opt/s 3/bin':\"$PATH\"",
            "export SINGULARITY_BINDPATH=/data/me/try",
            "x=1",
        ],
        "slurm": SLURM,
    }),
    ("singularity apptainer\nsingularity_container x.sif", {
        "mode": "local", "slots": 1, "container": {"runtime": "apptainer", "image": "x.sif"},
    }),
    (PUBLISHED, {**REMOTE, "slurm": SLURM}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "target"), MEANINGS)
def test_what_it_means(tmp_path: Path, text: str, target: dict[str, Any]) -> None:
    parameters = read(tmp_path, text)
    assert parameters.target == target
    assert as_target(parameters).mode == target["mode"]
    assert parameters.target_name == ("cluster" if "True" in text else "here")
    assert not parameters.redoes
    assert not parameters.only_gathers


def test_the_two_that_say_what_to_do(tmp_path: Path) -> None:
    parameters = read(tmp_path, "force_redo True\nonly_gather True")
    assert parameters.redoes
    assert parameters.only_gathers
    assert parameters.notes == []


def test_bytes_that_are_no_text_stay(tmp_path: Path) -> None:
    parameters = read(tmp_path, b"\xef\xbb\xbfextra_outer_statements cd /data/\xff\n")
    assert parameters.target["setup"] == ["cd /data/\udcff"]


# ---------------------------------------------------------------------------------------------------------------------
# What has no effect is said

NOTES: list[tuple[str, list[str]]] = [
    ("", []),
    (HPC, []),
    ("staggered False", []),
    ("waiting_time 60\nstaggered True", [
        "staggered has no meaning here: a task begins as soon as a slot is free",
        "waiting_time has no meaning here: the pause between two looks follows how much is new, up to 30 s",
    ]),
    ("host_name h\npartition p\nexclusive False", [
        "the tasks run on this machine, without jobs, so these are not used: host_name, partition",
    ]),
    ("run_on_hpc_local True\nhost_name h\ncpus_per_node 2\nnumber_of_processors 4", [
        "the tasks run in jobs, so these are not used: host_name, number_of_processors",
    ]),
    ("partition a\npartition b\nrun_on_hpc_local True\ncpus_per_node 2", [
        "partition stands there twice; the last one counts: b",
    ]),
    ("run_on_hpc_local True", ["cpus_per_node is not given, so each node runs one task at a time"]),
    ("singularity_container x.sif", [
        "no container is used, for these are not given: singularity",
    ]),
    (PUBLISHED, [
        "the tasks run in jobs, so these are not used: number_of_processors",
        "no container is used, for these are not given: singularity_container",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "notes"), NOTES)
def test_what_has_no_effect_is_said(tmp_path: Path, text: str, notes: list[str]) -> None:
    assert read(tmp_path, text).notes == notes


@pytest.mark.parametrize("key", KEYS)
def test_no_key_is_dropped_without_a_word(tmp_path: Path, key: str) -> None:
    """Each key changes the target, or what is done, or is named in a note."""
    base = HPC if key != "number_of_processors" else ""
    new = {bool: "True", int: "7", str: "/x/singularity"}[KEYS[key]]
    more = "singularity_container /i\nsingularity singularity\nnodewise_scratch_space 1\nnodewise_scratch_folder l\n"
    before = read(tmp_path, base.replace("run_on_hpc True", "") if key == "run_on_hpc" else base + more)
    if key == "scheduler":
        new = "none"
    after = read(tmp_path, base + more + f"{key} {new}")
    effects = [(each.target, each.redoes, each.only_gathers) for each in (before, after)]
    assert effects[0] != effects[1] or any(key in note for note in after.notes)


# ---------------------------------------------------------------------------------------------------------------------
# What is wrong with it

MISTAKES: list[tuple[str, list[str]]] = [
    ("hostname h\nrequested_node 2\n# x\nexclusive maybe\nnumber_of_processors many\nmemory 1\nmemory_per_cpu 1", [
        "line 1: hostname: unknown key; did you mean host_name?",
        "line 2: requested_node: unknown key; did you mean requested_nodes?",
        'line 4: exclusive: expected True or False; found "maybe"',
        'line 5: number_of_processors: expected a whole number; found "many"',
        "memory_per_cpu: not together with memory; keep one of them",
    ]),
    ("run_on_hpc True\nlocal_shared_dir /x", [
        "host_name: missing; run_on_hpc True needs it: the host to log in to",
        "hpc_exec_dir: missing; run_on_hpc True needs it: the folder on it in which the tasks run",
    ]),
    ("run_on_hpc True\nhost_nam h\nhpc_exec_dir /x", ["line 2: host_nam: unknown key; did you mean host_name?"]),
    ("scheduler oar", ['scheduler: expected slurm (or none, for a plain host); found "oar"']),
    ("nodewise_scratch_space 10", ["nodewise_scratch_folder: missing; nodewise_scratch_space needs it"]),
    ("nodewise_scratch_folder lscratch", ["nodewise_scratch_space: missing; nodewise_scratch_folder needs it"]),
    ("singularity docker", ['singularity: expected singularity or apptainer; found "docker"']),
    ("partition a\0b", ["line 1: partition: the character NUL cannot be used here"]),
    ("xyzzy 1", [f"line 1: xyzzy: unknown key; the keys are {', '.join(KEYS)}"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_what_is_wrong_is_told_all_at_once(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(tmp_path, text) == expected


@pytest.mark.parametrize("name", ["no such file", "folder", "with\0nul"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="the parameter file cannot be read"):
        read_parameters(f"{tmp_path}/{name}")


BLAMED = [
    ("targets.cluster.host: expected x", "host_name: expected x"),
    ("targets.cluster.slurm.partition: must be one line", "partition: must be one line"),
    ("targets.cluster.nodes: expected at least 1; found 0", "requested_nodes: expected at least 1; found 0"),
    ("targets.cluster.setup[0]: x: y", "extra_outer_statements: x: y"),
    ("targets.cluster.other: x", "other: x"),
]


@pytest.mark.parametrize(("problem", "said"), BLAMED)
def test_what_is_wrong_with_the_target_is_said_of_the_parameter(tmp_path: Path, problem: str, said: str) -> None:
    assert read(tmp_path, HPC + "partition p\nextra_outer_statements x").blame(problem) == said


LINES = st.lists(
    st.one_of(st.text(), st.builds("{} {}".format, st.sampled_from(list(KEYS)), st.text() | st.integers())), max_size=6
)


@given(lines=LINES)
def test_any_text_gives_parameters_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.par"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigError):
        assert read_parameters(path).target["mode"] in {"local", "remote", "remote-shared"}
