"""Scripts for SLURM as they are sent: what the surroundings of a login say to its programs is kept from them."""

from __future__ import annotations

from locusts_fab.shell.scripts import remote_script


def apart(script: str) -> str:
    """Return a script so that options, filters and formats of the surroundings, and an outer job's, do not reach it.

    :param script: the text of one of `templates/remote/slurm_*.sh`.
    """
    return f"{remote_script('slurm_surroundings')}\n{script}"
