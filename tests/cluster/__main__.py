"""Leave a test cluster running to play with: `python -m tests.cluster`, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING

from . import packages
from .slurm import Slurm
from .sshd import ALIAS, Sshd

if TYPE_CHECKING:
    from types import FrameType

_HOW_TO = """\
A cluster of {count} nodes is running: {nodes}, with {cpus} CPUs each. Ctrl-C ends it and removes everything.

Log in:           ssh -F {ssh_config} {alias}
For locusts:      export HOME={client_home}
SLURM from here:  export SLURM_CONF={slurm_conf}
Logs:             {slurm_folder}  {sshd_log}

For locusts.toml:

[targets.cluster]
mode  = "remote"
host  = "{alias}"
root  = "{root}"
nodes = {count}
slots = {cpus}
[targets.cluster.slurm]
partition = "short"
time = "00:10:00"
"""


def describe(sshd: Sshd, slurm: Slurm) -> str:
    """Say how to get in, and what to write into locusts.toml."""
    return _HOW_TO.format(
        count=len(slurm.nodes),
        nodes=", ".join(slurm.nodes),
        cpus=slurm.cpus,
        alias=ALIAS,
        ssh_config=shlex.quote(str(sshd.ssh_config_path)),
        client_home=shlex.quote(str(sshd.client_home)),
        slurm_conf=shlex.quote(str(slurm.conf_path)),
        slurm_folder=slurm.folder,
        sshd_log=sshd.log_path,
        root=sshd.home / "locusts",
    )


def main() -> int:
    """Run a cluster in the foreground until Ctrl-C or TERM."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    try:
        packages.install()
    except packages.PackagesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with contextlib.suppress(KeyboardInterrupt), Slurm() as slurm, Sshd(env=slurm.env) as sshd:
        sys.stdout.write(describe(sshd, slurm))
        sys.stdout.flush()
        if os.geteuid() != 0:
            sys.stdout.write(f"\nNot being root, you log in as yourself, into {sshd.home}.\n")
        while True:
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
