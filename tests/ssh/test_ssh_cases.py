"""Each case of the table in docs/ssh.md, by the real ssh and by us: nobody is let in whom ssh refuses."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.errors import HostError
from locusts_fab.hosts.auth import NoAnswerError
from locusts_fab.hosts.openssh.known_hosts import hash_name
from locusts_fab.hosts.ssh import SshHost
from tests.support.ssh_cases import CASES, RIGHT, WRONG, Case
from tests.support.sshd import Sshd, make_key, needs_sshd, no_waiting, public

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from locusts_fab.hosts.openssh.known_hosts import KnownHostsMode

pytestmark = needs_sshd
__all__ = ["no_waiting"]

#: The gateways of the cases, all of them the same sshd.
GATES = ("gate", "gate2", "bad", "unknown", "keyless")

#: A ProxyCommand: connects to a port of this machine.
PROXY = """
import os, socket, sys, threading
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def send():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while data := sock.recv(65536):
    os.write(1, data)
"""


class World:
    """An sshd, an agent, and files that the cases name.

    :param folder: where everything is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.here = folder / "here"
        (self.here / "a file").mkdir(parents=True)
        authority = make_key(self.here / "authority")
        certificate = folder / "sshd" / "host_key-cert.pub"
        self.sshd = Sshd(folder / "sshd", f"TrustedUserCAKeys {authority}.pub", f"HostCertificate {certificate}")
        sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "x"]
        subprocess.run([*sign, "-h", f"{self.sshd.host_key}.pub"], check=True)
        keys = {name: make_key(self.here / name) for name in ("other", "stranger", "certified", "in_agent")}
        subprocess.run([*sign, "-n", getpass.getuser(), f"{keys['certified']}.pub"], check=True)
        (self.here / "certified-cert.pub").rename(self.here / "certificate.pub")
        with (self.sshd.folder / "authorized_keys").open("a") as file:
            file.write(public(keys["in_agent"]) + "\n")
        self.words = {
            "port": str(self.sshd.port),
            "here": str(self.here),
            "host_key": public(self.sshd.host_key),
            "other_host_key": public(keys["other"]),
            "authority": public(authority),
            "hashed": hash_name(f"[127.0.0.1]:{self.sshd.port}"),
            "key": str(self.sshd.key),
            "stranger": str(keys["stranger"]),
            "certified": str(keys["certified"]),
            "agent": str(folder / "agent"),
            "proxy": f"{sys.executable} {self.here}/proxy.py",
        }
        self._write_files(keys["other"])
        self.sshd.start()
        self.agent = subprocess.Popen(["ssh-agent", "-D", "-a", folder / "agent"], stdout=subprocess.DEVNULL)
        environment = {**os.environ, "SSH_AUTH_SOCK": self.words["agent"]}
        add = ["ssh-add", "-q", str(keys["in_agent"])]
        while subprocess.run(add, check=False, env=environment, capture_output=True).returncode:
            assert self.agent.poll() is None
        shutil.copy(f"{keys['in_agent']}.pub", self.here / "public.pub")
        keys["in_agent"].unlink()

    def _write_files(self, other: Path) -> None:
        host_key, other_key = self.words["host_key"], self.words["other_host_key"]
        right, wrong = self.fill(RIGHT) + "\n", self.fill(WRONG) + "\n"
        files = {
            "127.0.0.1.keys": wrong,
            f"{self.sshd.port}.right": right,
            "right": right,
            "a file/right": right,
            "wrong": wrong,
            "revoked": f"# ours\n{host_key} comment\n",
            "unrevoked": f"{other_key}\n",
            "nonsense": "nonsense\n",
            "identity": f"Host far\n  IdentityFile {self.sshd.key}\n",
            "careful": "StrictHostKeyChecking yes\n",
            "gates": f"gate,gate2,keyless {host_key}\nbad {other_key}\n",
            "proxy.py": PROXY,
        }
        for name, text in files.items():
            (self.here / name).write_text(text)
        for krl, key in (("krl", self.sshd.host_key), ("other_krl", other)):
            subprocess.run(["ssh-keygen", "-q", "-k", "-f", self.here / krl, f"{key}.pub"], check=True)

    def fill(self, text: str) -> str:
        """Fill in the words of a case."""
        return text.format(**self.words)

    def make_home(self, home: Path, case: Case) -> None:
        """Write the config and the known hosts of a case into a home folder."""
        (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        (home / ".ssh/known_hosts").write_text(self.fill(case.known) + "\n")
        gates = "".join(f"Host {name}\n  HostKeyAlias {name}\n  ProxyJump none\n" for name in GATES)
        key = "" if "IdentityFile" in case.config else f"  IdentityFile {self.sshd.key}\n"
        (home / ".ssh/config").write_text(
            f"Host far\n{self.fill(case.config)}\n{gates}Host unknown\n  StrictHostKeyChecking yes\n"
            "Host keyless\n  PubkeyAuthentication no\nHost far gate gate2 bad unknown keyless\n"
            f"  HostName 127.0.0.1\n  Port {self.sshd.port}\n  User {getpass.getuser()}\nHost *\n"
            f"  UserKnownHostsFile {home}/.ssh/known_hosts\n  GlobalKnownHostsFile {self.here}/gates\n"
            f"{key}  HashKnownHosts no\n"
        )

    def stop(self) -> None:
        """Stop what runs."""
        self.agent.terminate()
        self.agent.wait()
        self.sshd.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run an sshd and an agent for all cases."""
    made = World(tmp_path_factory.mktemp("w"))
    yield made
    made.stop()


def by_ssh(home: Path) -> tuple[str, str]:
    """Log in by ssh."""
    command = ["ssh", "-F", str(home / ".ssh/config"), "-o", "BatchMode=yes", "far", "echo in"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return ("in" if done.stdout == "in\n" else "refused"), done.stderr


def by_us(mode: KnownHostsMode) -> tuple[str, str]:
    """Log in by us, with nobody to ask."""

    def nobody(question: str) -> Any:
        raise NoAnswerError(question)

    host = SshHost(host="far", known_hosts=mode, prompt=nobody)
    try:
        return host.run("echo in").text.strip(), ""
    except HostError as error:
        return "refused", str(error)
    finally:
        host.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_nobody_is_let_in_whom_ssh_refuses(
    world: World, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if case.agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", world.words["agent"])
    else:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    answers = []
    for mode in ("ssh", "accept-new", "strict"):
        world.make_home(tmp_path, case)  # anew: a new key may have been kept
        answers.append(by_ssh(tmp_path) if mode == "ssh" else by_us("strict" if mode == "strict" else "accept-new"))
    expected = [case.ssh, case.accepting, case.strict]
    assert [result for result, _ in answers] == expected, "\n".join(said for _, said in answers)


def test_no_case_lets_in_whom_ssh_refuses() -> None:
    assert not [case.what for case in CASES if case.ssh == "refused" and "in" in {case.accepting, case.strict}]
    assert all(case.why for case in CASES if {case.ssh} != {case.accepting, case.strict})
