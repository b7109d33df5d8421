"""Samples of locusts.toml, and what is wrong with a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.config.load import load_config
from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = """
[targets.here]
mode  = "local"
slots = 2
root  = ".locusts/here"

[targets.cluster]
mode      = "remote"
host      = "cluster"
root      = "/scratch/me/locusts"
shared_root = "/mnt/scratch/me/locusts"
scheduler = "slurm"
nodes     = 4
slots     = 16
setup     = ["module load openmpi", "source ~/env.sh"]
container = { runtime = "apptainer", image = "/data/tools.sif", options = ["--nv"] }
scratch   = "$TMPDIR"
known_hosts = "strict"
[targets.cluster.slurm]
partition = "short"
time = "04:00:00"
mem = 8000
mail_user = "me@example.org"
exclusive = true
extra = ["--hint=nomultithread"]
"""

PAIRS = """
[swarms.pairs]
target  = "here"
command = "cat inputfile_<id>.txt secondinputfile_<id>.txt <shared>sf1 > cat_output_<id>.txt"
indir   = "examples/pairs/inputs"
outdir  = "results/pairs"
inputs  = ["inputfile_<id>.txt", "secondinputfile_<id>.txt"]
outputs = ["cat_output_<id>.txt"]
shared  = { sf1 = "sharedfile.txt", sf2 = "/data/it's \\"here\\".txt" }
layout  = "tasks"
retries = 0
timeout = "10m"
cpus_per_task = 1
keep    = "failed"
env     = { OMP_NUM_THREADS = 1 }
"""

OTHERS = """
[swarms.grid]
target = "cluster"
command = "run <arg0> <arg1>"
args = [["1", "a"], [2, true]]
inputs = ["<arg1>.txt"]

[swarms.file]
target = "cluster"
command = "run <temperature>"
args_file = "grid.csv"

[swarms.sweep]
target = "cluster"
command = "run <temperature> <seed>"
sweep = { temperature = [280, 0.5, 1e-5, 1_000.50], seed = [1, 2, 3] }

[swarms.list]
command_file = "commands.txt"

[swarms.world]
environment = "custom"
root    = "tests/data/environment"
tree    = "fs_tree.fst"
workdir = "all_scripts"
command = "bash important_script.sh <arg0>"
args    = [["0-9"], ["10-19"]]
"""

#: A swarm and a target that are sound, for cases in which something else is not.
SWARM = '[swarms.s]\ncommand = "c"\nargs = [["1"]]\n'
CLUSTER = '[targets.t]\nmode = "remote"\nhost = "h"\nroot = "/r"\n'
LOCAL = '[targets.t]\nmode = "local"\n'


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "locusts.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.path == str(path)
    assert all(line.isprintable() for line in caught.value.problems)
    return list(caught.value.problems)


def swarm_on(folder: Path, **target: Any) -> Swarm:
    """Make a swarm with one task, on a target."""
    settings = SwarmSettings.model_validate({"command": "true", "args": [["1"]]})
    return Swarm("s", settings, "there", Target.model_validate(target), folder)
