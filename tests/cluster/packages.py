"""The Debian packages that the test cluster is built from: `python -m tests.cluster.packages` installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: What each package is needed for: a command that it brings, or a file.
PACKAGES = {
    "openssh-server": "sshd",
    "openssh-client": "ssh-keygen",
    "rsync": "rsync",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "slurm-client": "sbatch",
    "munge": "munged",
    "tcsh": "tcsh",
    "locales": "/usr/share/i18n/charmaps/GB18030.gz",  # the sources of a locale to try quoting in
    "libpam-oath": "security/pam_oath.so",  # one-time codes
}

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class PackagesError(Exception):
    """The packages are not there and could not be installed; the text says what to do by hand."""


def missing() -> list[str]:
    """List the packages that are not installed."""
    return [package for package, witness in PACKAGES.items() if not _is_there(witness)]


def install() -> None:
    """Install what is missing, by apt-get, as root or through `sudo -n`.

    :raises PackagesError: we may not, or apt-get failed.
    """
    packages = missing()
    if not packages:
        return
    by_hand = f"install them by hand: sudo apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise PackagesError(f"the test cluster needs Debian's {', '.join(packages)}, and there is no apt-get here")
    prefix = _become_root()
    if prefix is None:
        raise PackagesError(
            f"the test cluster needs packages, and neither are we root nor does sudo -n work; {by_hand}"
        )
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q"]
    # The package lists may be old or absent, so a first failure is no news.
    install_command = [*command, "install", "--no-install-recommends", *packages]
    done = _run(install_command)
    if done.returncode != 0:
        _run([*command, "update"])
        done = _run(install_command)
    if done.returncode != 0 or missing():
        last = "\n".join(done.stdout.splitlines()[-10:])
        raise PackagesError(f"apt-get could not install {', '.join(packages)}; {by_hand}\n{last}")


def _is_there(witness: str) -> bool:
    if witness.startswith("/"):
        return Path(witness).exists()
    if witness.endswith(".so"):
        return any(Path("/").glob(f"lib/*/{witness}"))
    return shutil.which(witness, path=_PATH) is not None


def _become_root() -> list[str] | None:
    """Give what to put before a command so that it runs as root, or nothing where we may not."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and _run([*sudo, "true"]).returncode == 0:
        return sudo
    return None


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def main() -> int:
    """Install what is missing, and say so."""
    try:
        install()
    except PackagesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"the packages of the test cluster are there: {', '.join(PACKAGES)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
