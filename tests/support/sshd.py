"""A real sshd on a free port of this machine, with throwaway keys, as whoever runs the tests.

Nothing of the machine's own SSH set-up takes part: ssh_config, known_hosts and keys are files in one folder.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fabric import Config, Connection

from locusts_fab.hosts import link, ssh
from locusts_fab.hosts.ssh import SshHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locusts_fab.hosts.openssh.known_hosts import KnownHostsMode

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")

needs_sshd = pytest.mark.skipif(SSHD is None or shutil.which("rsync") is None, reason="needs sshd and rsync")


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", path], check=True)
    return path


def public(path: Path) -> str:
    """Return the public half of a key: its kind and the key."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Sshd:
    """An sshd, and the configuration of a client for it.

    :param folder: where everything is kept.
    :param options: more lines of sshd_config.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.log = folder / "sshd.log"
        self.known_hosts = folder / "client" / "known_hosts"
        self.host_key = make_key(folder / "host_key")
        self.key = make_key(folder / "key")
        (folder / "authorized_keys").write_text(public(self.key) + "\n")
        (folder / "sshd_config").write_text(
            "\n".join(
                [
                    *options,
                    f"Port {self.port}",
                    "ListenAddress 127.0.0.1",
                    f"HostKey {self.host_key}",
                    f"AuthorizedKeysFile {folder / 'authorized_keys'}",
                    f"PidFile {folder / 'sshd.pid'}",
                    "StrictModes no",
                    "UsePAM no",
                    "PermitRootLogin yes",
                    "PrintMotd no",
                    "MaxStartups 100",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                ]
            )
        )
        self.ssh_config()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command: list[str | Path] = [SSHD or "sshd", "-D", "-f", self.folder / "sshd_config", "-E", self.log]
        self.process = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise RuntimeError(self.log.read_text())

    def stop(self) -> None:
        """Stop it, and end the connections of all who are logged in."""
        if self.process is not None:
            self.cut()
            self.process.terminate()
            self.process.wait()
            self.process = None

    def children(self, parent: int | None = None) -> list[int]:
        """Return the child processes of one process, by default those that serve one connection each."""
        assert self.process is not None
        parent = parent or self.process.pid
        try:
            return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def programs(self) -> set[str]:
        """Return the names of the programs that run in all sessions."""
        names, parents = set(), self.children()
        while parents:
            pid = parents.pop()
            parents += self.children(pid)
            with contextlib.suppress(FileNotFoundError):
                names.add(Path(f"/proc/{pid}/comm").read_text().strip())
        return names

    def cut(self) -> None:
        """Break every connection, as if the network had failed."""
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def logins(self) -> int:
        """Return the number of logins so far."""
        return self.log.read_text().count("Accepted ")

    def trust(self, key: str | None = None, *, marker: str = "", name: str | None = None) -> None:
        """Add a line to the client's known_hosts; by default the right one."""
        self.known_hosts.parent.mkdir(mode=0o700, exist_ok=True)
        with self.known_hosts.open("a") as file:
            name = name or f"[127.0.0.1]:{self.port}"
            file.write(f"{marker} {name} {key or public(self.host_key)}\n".lstrip())

    def ssh_config(self, *, key: Path | None = None, more: str = "") -> None:
        """Write the client's ssh_config, in which `cluster` and `gate` are this sshd."""
        (self.folder / "ssh_config").write_text(
            f"{more}\nHost cluster gate\n"
            f"  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"Host *\n  IdentityFile {key or self.key}\n  IdentitiesOnly yes\n  StrictHostKeyChecking accept-new\n"
            f"  UserKnownHostsFile {shlex.quote(str(self.known_hosts))}\n  GlobalKnownHostsFile none\n"
        )

    def connection(self, host: str = "cluster") -> Connection:
        """Return a Fabric Connection that is not open yet."""
        return Connection(host, config=Config(runtime_ssh_path=str(self.folder / "ssh_config")))

    @contextlib.contextmanager
    def remote(
        self,
        host: str = "cluster",
        known_hosts: KnownHostsMode = "strict",
        prompt: Callable[[str], str] | None = None,
    ) -> Iterator[SshHost]:
        """Yield a host that is this sshd; its connection is closed afterwards."""
        with self.connection(host) as connection:
            try:
                yield SshHost(connection, host=host, known_hosts=known_hosts, prompt=prompt)
            finally:
                if not isinstance(connection.gateway, (type(None), str)):
                    connection.gateway.close()


@contextlib.contextmanager
def running_sshd(folder: Path, *options: str) -> Iterator[Sshd]:
    """Start an sshd, and stop it afterwards."""
    sshd = Sshd(folder, *options)
    try:
        sshd.start()
        yield sshd
    finally:
        sshd.stop()


@pytest.fixture(scope="module")
def module_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run one sshd for all tests of a file; its host key is known."""
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        sshd.trust()
        yield sshd


@pytest.fixture(scope="module")
def host(module_sshd: Sshd) -> Iterator[SshHost]:
    """Return a host with one login that all tests of a file share."""
    with module_sshd.remote() as remote:
        yield remote


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait before a connection is made, or used, again."""
    monkeypatch.setattr(link, "ATTEMPT_DELAYS_S", (0, 0, 0))
    monkeypatch.setattr(ssh, "TRANSFER_DELAYS_S", (0, 0))
