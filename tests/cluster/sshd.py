"""A real sshd on 127.0.0.1, with keys, accounts and a log of its own.

Started by root it serves throwaway accounts (see `accounts.py`). Started by anybody else it serves that user,
by key only, with a home folder of its own. Nobody's ~/.ssh is read or written either way.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.processes import is_alive

from . import accounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

#: The name in `ssh_config_path`; further accounts are `testcluster-<login>`.
ALIAS = "testcluster"
_LISTENING = "Server listening on"
# "Accepted key …" is another line, about a key that would be good.
_ACCEPTED = re.compile(r"^Accepted \S+ for ", re.MULTILINE)

_SSHD_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {etc}/host_key
PidFile none
LogLevel VERBOSE
StrictModes no
MaxStartups 100
AuthorizedKeysFile {etc}/authorized_keys
AllowUsers {allowed}
PermitRootLogin yes
PermitUserRC no
PrintMotd no
PrintLastLog no
UseDNS no
Subsystem sftp /usr/lib/openssh/sftp-server
SetEnv {env}
"""

# The suffix of a name says how the account lets people in, so a new one needs no new config.
_ACCOUNTS_CONFIG = """\
UsePAM yes
PasswordAuthentication yes
KbdInteractiveAuthentication yes
AuthenticationMethods publickey
Match User *-password
  AuthenticationMethods password
Match User *-otp
  AuthenticationMethods keyboard-interactive
"""

_SELF_CONFIG = """\
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
ForceCommand {etc}/login
"""

# sshd enters the home folder that /etc/passwd names; this leaves it for ours, which SetEnv put into HOME.
_LOGIN = """\
#!/bin/bash
cd || exit
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then
  exec bash --norc -c "$SSH_ORIGINAL_COMMAND"
fi
exec bash -l
"""

# Two prompts for those who are in the file of one-time codes, one for all others.
_PAM = """\
auth requisite pam_unix.so nodelay
auth [success=ok user_unknown=ignore default=die] pam_oath.so usersfile={etc}/users.oath window=20
account required pam_permit.so
session required pam_permit.so
"""


class Sshd:
    """A running sshd and its accounts, gone without a trace at the end of the `with`.

    :param env: variables that every session finds set, whatever its start-up files do.
    :param own_account: serve a throwaway account; default: if we are root. Without, the user who runs the tests.
    """

    host = "127.0.0.1"

    def __init__(self, env: Mapping[str, str] | None = None, *, own_account: bool | None = None) -> None:
        self.env = dict(env or {})
        self.own_account = os.geteuid() == 0 if own_account is None else own_account
        self.port = 0
        self.accounts: list[accounts.Account] = []
        self._name = f"locusts-{os.getpid()}-{secrets.token_hex(2)}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        accounts.sweep()
        # Others pass through it to their homes, and see nothing on the way.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self._name}-", dir=accounts.TEMP_FOLDER))
        self.folder.chmod(0o711)
        self.etc = self.folder / "etc"
        self.bin = self.folder / "bin"
        self.etc.mkdir(mode=0o700)
        self.bin.mkdir(mode=0o755)
        (self.folder / "home").mkdir(mode=0o755)
        self.key_path = self.etc / "user_key"
        self.log_path = self.etc / "sshd.log"
        # Given to a client as its HOME, this folder leads Fabric to our ssh_config.
        self.client_home = self.folder / "client"
        (self.client_home / ".ssh").mkdir(mode=0o700, parents=True)
        self.ssh_config_path = self.client_home / ".ssh" / "config"
        self.known_hosts_path = self.client_home / ".ssh" / "known_hosts"
        try:
            self._prepare()
            self.start()
            self.trust_host_key()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def account(self) -> accounts.Account:
        """The account that `ALIAS` logs into."""
        return self.accounts[0]

    @property
    def user(self) -> str:
        """The name of that account."""
        return self.account.name

    @property
    def home(self) -> Path:
        """The home folder of that account, as the session sees it."""
        return self.account.home

    def add_account(self, login: accounts.Login = "key", *, shell: str = "/bin/bash") -> accounts.Account:
        """Create a further account with a noisy start-up file; only root can.

        :param login: what it takes to get in; `"otp"` asks for a password and a one-time code.
        :param shell: its login shell, say `/bin/tcsh`.
        :raises RuntimeError: we are not root, or `useradd` refused.
        """
        if not self.own_account:
            raise RuntimeError("only root can add accounts; run these tests as root")
        # The suffix is what sshd_config matches.
        name = f"{self._name}-{len(self.accounts)}-{login}"
        account = accounts.add(name, self.folder / "home" / name, login, shell=shell)
        self.accounts.append(account)
        if login == "otp":
            with (self.etc / "users.oath").open("a", encoding="ascii") as file:
                file.write(f"HOTP/E/6 {name} - {account.otp_key.hex()}\n")
        self._write_ssh_config()
        return account

    def start(self) -> None:
        """Start the listener, on the same port as before if there was one.

        :raises RuntimeError: it did not come up.
        """
        for _ in range(5):
            # Somebody else may take a free port before sshd does.
            port = self.port or _free_port()
            self._write_config(port)
            command = [str(self.folder / self._name), "-D", "-f", str(self.etc / "sshd_config")]
            seen = self._log().count(_LISTENING)
            # Should this process be killed, sshd goes with it.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command, "-E", str(self.log_path)], stdin=subprocess.DEVNULL
            )
            if self._came_up(seen):
                self.port = port
                self._write_ssh_config()
                return
        raise RuntimeError(f"sshd did not start:\n{self._log()[-2000:]}")

    def stop(self) -> None:
        """Stop the listener and cut every connection, as a login node does that goes down."""
        if self._process is not None:
            self._cut(self._process)
            self._process.kill()
            self._process.wait()
            self._process = None

    def cut(self) -> None:
        """Kill what serves the connections; the listener stays, and so do the commands that run."""
        if self._process is not None:
            self._cut(self._process)
            self._process.send_signal(signal.SIGCONT)

    def _cut(self, listener: subprocess.Popen[bytes]) -> None:
        """Freeze the listener, so that nobody comes in anew, and kill what serves the connections."""
        listener.send_signal(signal.SIGSTOP)
        while servants := [pid for pid in self._servants() if is_alive(pid)]:
            for pid in servants:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def set_env(self, env: Mapping[str, str]) -> None:
        """Set variables for the sessions from now on; open connections stay."""
        self.env.update(env)
        self._reload()

    def rotate_host_key(self) -> None:
        """Come up with another host key, on the same port; `known_hosts_path` keeps the old one."""
        _make_key(self.etc / "host_key")
        self._reload()

    def trust_host_key(self) -> None:
        """Make `known_hosts_path` hold the present host key."""
        key = (self.etc / "host_key.pub").read_text(encoding="ascii")
        self.known_hosts_path.write_text(f"[{self.host}]:{self.port} {key}", encoding="ascii")

    def authentications(self) -> int:
        """Count the logins that succeeded so far, by whatever method."""
        return len(_ACCEPTED.findall(self._log()))

    def wrap(self, name: str, script: str) -> None:
        """Let every session find `script` first on its PATH as the command `name`.

        :param script: with its #! line; `{real}` in it becomes the path of the command that it hides.
        """
        real = shutil.which(name) or f"/usr/bin/{name}"
        path = self.bin / name
        new = path.with_name(f".{name}.new")
        new.write_text(script.replace("{real}", shlex.quote(real)), encoding="utf-8")
        new.chmod(0o755)
        new.replace(path)

    def unwrap(self, name: str) -> None:
        """Take back what `wrap` did."""
        (self.bin / name).unlink(missing_ok=True)

    def restore(self) -> None:
        """Leave the server as it was at first: up, its host key trusted, nothing wrapped, the start-up files noisy."""
        for path in self.bin.iterdir():
            path.unlink()
        if self._process is None:
            self.start()
        self.trust_host_key()
        self.account.write_start_up()

    def close(self) -> None:
        """Stop, and remove the accounts and every file."""
        self.stop()
        for account in self.accounts if self.own_account else ():
            accounts.remove(account.name)
        (accounts.PAM_FOLDER / self._name).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _prepare(self) -> None:
        """Make keys, the first account and what sshd wants to find on the machine."""
        # PAM looks for its rules under the name that sshd was started as.
        (self.folder / self._name).symlink_to("/usr/sbin/sshd")
        _make_key(self.etc / "host_key")
        _make_key(self.key_path)
        shutil.copy(self.key_path.with_suffix(".pub"), self.etc / "authorized_keys")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        if self.own_account:
            # sshd reads the keys in the name of the account.
            self.etc.chmod(0o711)
            (self.etc / "authorized_keys").chmod(0o644)
            (self.etc / "users.oath").touch(mode=0o600)
            (accounts.PAM_FOLDER / self._name).write_text(_PAM.format(etc=self.etc), encoding="ascii")
            self.add_account()
        else:
            home = self.folder / "home" / "self"
            home.mkdir(mode=0o700)
            self.accounts.append(accounts.Account(accounts.own_name(), home))
            self.account.write_start_up()
            (self.etc / "login").write_text(_LOGIN, encoding="ascii")
            (self.etc / "login").chmod(0o755)
            self.env["HOME"] = str(home)

    def _write_config(self, port: int) -> None:
        env = {"PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **self.env}
        config = _SSHD_CONFIG + (_ACCOUNTS_CONFIG if self.own_account else _SELF_CONFIG)
        allowed = f"{self._name}-*" if self.own_account else self.user
        (self.etc / "sshd_config").write_text(
            config.format(port=port, etc=self.etc, allowed=allowed, env=_quote_settings(env.items())), encoding="utf-8"
        )

    def _write_ssh_config(self) -> None:
        """Write what an ssh client needs: `ALIAS` for the first account, `ALIAS-<n>-<login>` for those added."""
        common = (
            f"HostName {self.host}\n  Port {self.port}\n  IdentityFile {self.key_path}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.known_hosts_path}\n  GlobalKnownHostsFile /dev/null\n"
            "  StrictHostKeyChecking yes\n"
        )
        text = "".join(
            f"Host {ALIAS + account.name.removeprefix(self._name) if number else ALIAS}\n"
            f"  User {account.name}\n  {common}"
            for number, account in enumerate(self.accounts)
        )
        self.ssh_config_path.write_text(text, encoding="utf-8")

    def _reload(self) -> None:
        """Have the listener read its config and host key again; it stays the same process."""
        if self._process is not None:
            self._write_config(self.port)
            seen = self._log().count(_LISTENING)
            self._process.send_signal(signal.SIGHUP)
            if not self._came_up(seen):
                raise RuntimeError(f"sshd did not come up again:\n{self._log()[-2000:]}")

    def _came_up(self, seen: int, timeout_s: float = 60) -> bool:
        """Wait until the log says once more than `seen` times that sshd listens."""
        give_up = time.monotonic() + timeout_s
        while self._process is not None and self._process.poll() is None and time.monotonic() < give_up:
            if self._log().count(_LISTENING) > seen:
                return True
            time.sleep(0.01)
        return False

    def _log(self) -> str:
        try:
            return self.log_path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _servants(self) -> list[int]:
        """List the sshd processes below the listener: two for each connection."""
        return [] if self._process is None else [pid for pid in _descendants(self._process.pid) if _is_sshd(pid)]


def _make_key(path: Path) -> None:
    path.unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "locusts test", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _quote_settings(settings: Iterable[tuple[str, str]]) -> str:
    """Format variables as `SetEnv` wants them: all on its one line."""
    words = (f"{name}={value}".replace("\\", "\\\\").replace('"', '\\"') for name, value in settings)
    return " ".join(f'"{word}"' for word in words)


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []
    return [*children, *(deeper for child in children for deeper in _descendants(child))]


def _is_sshd(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name.startswith("sshd")
    except OSError:
        return False
