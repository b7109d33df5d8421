"""What tasks are given by us besides their files: the variables, which `env` cannot give them too, and GPUs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What each task is told about itself; `templates/manager/given.sh` sets it.
OWN_VARIABLES = ("LOCUSTS_SWARM", "LOCUSTS_TASK", "LOCUSTS_ATTEMPT", "LOCUSTS_SLOT", "LOCUSTS_NODE", "LOCUSTS_CPUS")


#: What tells programs which GPUs are theirs.
GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
#: GPUs among generic resources of SLURM: `gpu`, `gpu:2`, `gpu:a100:2(S:0)`.
_GRES_GPU = re.compile(r"(?:gres[:/])?gpu(?::[^:,()]*[^:,()0-9][^:,()]*)?(?::(?P<count>[0-9]{1,9}))?(?:\(.*\))?")
#: Options of sbatch that ask for GPUs.
_GPU_OPTIONS = ("--gres", "--gpus", "-G")


def taken_variables(names: Iterable[str], gpus_per_task: int = 0) -> Iterator[str]:
    """Yield what is wrong with names of `env`, if tasks are told something else under them."""
    for name in names:
        if name in OWN_VARIABLES:
            yield f"{name}: each task is told its own; choose another name"
        elif gpus_per_task and name in GPU_VARIABLES:
            yield f"{name}: with gpus_per_task each task is told its own; take one of the two out"


def gpus_in(gres: str) -> int | None:
    """Return how many GPUs are among the generic resources that a job asks for, by node; None if it names none."""
    found = [each for part in gres.split(",") if (each := _GRES_GPU.fullmatch(part.strip()))]
    return sum(int(each["count"] or 1) for each in found) if found else None


def wrong_gres(gpus: int | None, gres: str | None) -> Iterator[str]:
    """Yield what is wrong with the generic resources of a target, if they are not the GPUs that it is to have."""
    asked = gpus_in(gres) if gres else None
    if gpus is not None and asked is not None and asked != gpus:
        yield f"{gres}: that is gpu:{asked}, but gpus = {gpus}; say the same in both, or take gres out"


def full_gres(gpus: int | None, gres: str | None, extra: Iterable[str]) -> str | None:
    """Return the generic resources that a job asks for: those of the config, and GPUs if it does not say which."""
    if gpus is None or (gres and gpus_in(gres)) or any(option.startswith(_GPU_OPTIONS) for option in extra):
        return gres
    return f"{gres},gpu:{gpus}" if gres else f"gpu:{gpus}"


def missing_gpus(target_name: str, gpus: int | None, gpus_per_task: int) -> Iterator[str]:
    """Yield why no task can have its GPUs on a target, if that is so."""
    if gpus_per_task and gpus is None:
        yield f"nobody knows how many there are; write gpus = 4, say, in [targets.{target_name}]: those of a node"
    elif gpus_per_task > (gpus or 0):
        yield f"{gpus_per_task} are more than gpus = {gpus} of [targets.{target_name}], which is what a node has"
