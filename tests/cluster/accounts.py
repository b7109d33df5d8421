"""Throwaway login accounts of the test cluster; root makes them, and removes them again.

Every name begins with `locusts-<pid>-`, the process that made it. So runs side by side do not meet,
and a later run can tell what a killed one left behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.support.processes import await_end

#: How an account lets people in: a key; a password; a password and a one-time code, which are two prompts.
Login = Literal["key", "password", "otp"]

PAM_FOLDER = Path("/etc/pam.d")
TEMP_FOLDER = Path("/tmp")
_OURS = re.compile(r"locusts-(\d+)-")
#: What their programs are called begins so, with Debian's alternatives: `slurmctld-wlm`.
_DAEMONS = ("munged", "slurmctld", "slurmd", "sshd")
_START_UP_FILES = {"bash": (".bashrc", ".profile"), "tcsh": (".cshrc",)}

#: What a start-up file does here, because some of those on real clusters do: talk on both streams, and dawdle.
#: It is valid bash and valid tcsh.
NOISE = """\
echo "Welcome to the test cluster! Maintenance: every second Tuesday."
sh -c 'echo "module: warning: printed by a start-up file" >&2'
sleep 0.3
"""


@dataclass
class Account:
    """One login account.

    :param name: the login name.
    :param home: its home folder, in the temp folder of the cluster.
    :param shell: the login shell.
    :param password: what to answer where a password is asked for.
    :param otp_key: the secret of the one-time codes.
    """

    name: str
    home: Path
    shell: str = "/bin/bash"
    password: str = ""
    otp_key: bytes = b""
    _counter: int = field(default=0, repr=False)

    def next_code(self) -> str:
        """Give the next one-time code (RFC 4226), as the user's phone would; each code is good for one login."""
        digest = hmac.digest(self.otp_key, self._counter.to_bytes(8, "big"), hashlib.sha1)
        self._counter += 1
        start = digest[-1] & 0x0F
        number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
        return f"{number % 10**6:06d}"

    def write_start_up(self, text: str = NOISE) -> None:
        """Make the start-up files of the login shell hold `text`, noise unless said otherwise."""
        for name in _START_UP_FILES.get(Path(self.shell).name, ()):
            (self.home / name).write_text(text, encoding="utf-8")


def add(name: str, home: Path, login: Login = "key", *, shell: str = "/bin/bash") -> Account:
    """Create an account on this machine, its home folder and noisy start-up files.

    :raises RuntimeError: `useradd` or `chpasswd` refused.
    """
    account = Account(name, home, shell)
    home.mkdir(mode=0o700)
    account.write_start_up()
    # With `*` nobody gets in by password, but the account is not locked, so a key is good.
    _administer("useradd", "--no-create-home", "--home-dir", str(home), "--shell", shell, "--password", "*", name)
    entry = pwd.getpwnam(name)
    for path in (home, *home.iterdir()):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    if login != "key":
        account.password = f"{secrets.token_hex(4)} $(x) '\""
        _administer("chpasswd", "--crypt-method", "SHA512", stdin=f"{name}:{account.password}\n")
    if login == "otp":
        account.otp_key = secrets.token_bytes(20)
    return account


def remove(name: str) -> None:
    """Kill what an account still runs and take it off this machine; its home folder stays to the caller."""
    with contextlib.suppress(KeyError):
        uid = pwd.getpwnam(name).pw_uid
        kill_processes_of(uid)
        _administer("userdel", "--force", name)


def own_name() -> str:
    """Give the login name of the user who runs the tests, whatever $USER says."""
    return pwd.getpwuid(os.geteuid()).pw_name


def kill_processes_of(uid: int) -> None:
    """Kill every process of a throwaway account; twice, for what was just being started."""
    for _ in range(2):
        for process in Path("/proc").glob("[0-9]*"):
            # A process may end while we look at it.
            with contextlib.suppress(OSError):
                if process.stat().st_uid == uid:
                    os.kill(int(process.name), signal.SIGKILL)


def sweep() -> None:
    """Remove the accounts, processes and files that killed runs left behind. Does little unless root."""
    mine = [path for path in _left_over(TEMP_FOLDER) if path.stat().st_uid == os.geteuid()]
    for folder in mine:
        _kill_daemons_of(folder)
    if os.geteuid() == 0:
        for entry in pwd.getpwall():
            if _is_left_over(entry.pw_name):
                remove(entry.pw_name)
        for path in _left_over(PAM_FOLDER):
            path.unlink(missing_ok=True)
    for folder in mine:
        _kill_jobs_of(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _left_over(folder: Path) -> list[Path]:
    return [path for path in folder.glob("locusts-*") if _is_left_over(path.name)]


def _kill_daemons_of(folder: Path) -> None:
    """Kill the daemons that run from a folder, and wait for their end.

    They were told to end when their run was killed; but slurmctld saves its state first, into the folder that is
    to go, and a slurmd may yet start a requeued job.
    """
    for pid in [int(process.name) for process in Path("/proc").glob("[0-9]*") if _is_daemon(process, folder)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await_end(pid)


def _is_daemon(process: Path, folder: Path) -> bool:
    # A process may end while we look at it.
    with contextlib.suppress(OSError):
        name = (process / "exe").readlink().name
        return name.startswith(_DAEMONS) and os.fsencode(folder) + b"/" in (process / "cmdline").read_bytes()
    return False


def _kill_jobs_of(folder: Path) -> None:
    """Kill the jobs of the SLURM that a folder belonged to: first each slurmstepd, then what it started."""
    for is_victim in (_is_stepd, _is_task):
        for process in Path("/proc").glob("[0-9]*"):
            # A process may end while we look at it, or be somebody else's.
            with contextlib.suppress(OSError):
                if is_victim(process, folder):
                    os.kill(int(process.name), signal.SIGKILL)


def _is_stepd(process: Path, folder: Path) -> bool:
    if not (process / "exe").readlink().name.startswith("slurmstepd"):
        return False
    return any(folder in descriptor.readlink().parents for descriptor in (process / "fd").iterdir())


def _is_task(process: Path, folder: Path) -> bool:
    environment = (process / "environ").read_bytes().split(b"\0")
    conf = b"SLURM_CONF=" + os.fsencode(folder / "slurm.conf")
    # Somebody's own shell may have that SLURM_CONF too.
    return conf in environment and any(setting.startswith(b"SLURM_JOB_ID=") for setting in environment)


def _is_left_over(name: str) -> bool:
    """Tell whether a name is one of ours, and the process that made it is gone."""
    match = _OURS.match(name)
    return match is not None and not Path("/proc", match[1]).exists()


def _administer(*command: str, stdin: str = "") -> None:
    """Run one of Debian's account tools; another run may hold the lock on /etc/passwd, so try for a while."""
    for _ in range(50):
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if "lock" not in done.stderr or done.returncode == 0:
            break
        time.sleep(0.1)
    # 6, or the entry is not there any more: somebody else has swept the account just now.
    is_swept = command[0] == "userdel" and (done.returncode == 6 or "cannot remove entry" in done.stderr)
    if done.returncode != 0 and not is_swept:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")
