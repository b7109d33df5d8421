"""How we say who we are: keys, passwords, and answers to what a host asks."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from fabric import Connection
from paramiko import PKey, ServerInterface, Transport
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL
from paramiko.server import InteractiveQuery

from locusts_fab.errors import HostError
from locusts_fab.hosts.auth import Login, NoAnswerError
from locusts_fab.hosts.host_key import HostKeyCheck
from locusts_fab.hosts.ssh import SshHost
from tests.support.logins import assert_refused, assert_works, shared_sshd, sshd
from tests.support.processes import PATIENCE_S, open_files
from tests.support.sshd import Sshd, make_key, needs_sshd, public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = needs_sshd
__all__ = ["shared_sshd", "sshd"]

#: What `ssh-add` exits with if no agent answers.
NO_AGENT = 2


def test_a_key_that_the_host_does_not_know(sshd: Sshd, tmp_path: Path) -> None:
    sshd.trust()
    sshd.ssh_config(key=make_key(tmp_path / "stranger"))
    error = assert_refused(sshd, "login as .* was refused", "strict")
    assert "stranger" in error.message
    assert "publickey" in error.message


def test_refusals_are_final(sshd: Sshd, tmp_path: Path) -> None:
    sshd.trust()
    sshd.ssh_config(key=make_key(tmp_path / "stranger"))
    with sshd.remote() as remote:
        with pytest.raises(HostError, match="refused"):
            remote.run("true")
        knocks = sshd.log.read_text().count("Connection")
        with pytest.raises(HostError, match="refused"):
            remote.run("true")
        assert sshd.log.read_text().count("Connection") <= knocks + 1


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_with_a_passphrase(sshd: Sshd, tmp_path: Path, kind: str) -> None:
    sshd.trust()
    locked = make_key(tmp_path / "locked", kind, "open sesame")
    with (sshd.folder / "authorized_keys").open("a") as file:
        file.write(public(locked) + "\n")
    sshd.ssh_config(key=locked)
    asked: list[str] = []

    def prompt(question: str) -> str:
        asked.append(question)
        return "open sesame"

    with sshd.remote(prompt=prompt) as remote:
        assert remote.run("echo in").text == "in\n"
        assert remote.run("echo in").text == "in\n"
        assert asked == [f"passphrase for {locked}: "]
        sshd.cut()
        with pytest.raises(HostError, match="a new login might ask you again"):
            remote.run("true")
    assert len(asked) == 1
    with sshd.remote(prompt=lambda _: "wrong") as remote, pytest.raises(HostError, match="wrong passphrase"):
        remote.run("true")

    def nobody(question: str) -> str:
        raise NoAnswerError(question)

    with sshd.remote(prompt=nobody) as remote, pytest.raises(HostError, match="needs a passphrase"):
        remote.run("true")


def test_keys_of_an_agent(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sshd.trust()
    locked = make_key(tmp_path / "locked", "ed25519", "x")
    unlocked = make_key(tmp_path / "unlocked")
    with (sshd.folder / "authorized_keys").open("a") as file:
        file.write(public(unlocked) + "\n")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        while subprocess.run(["ssh-add", "-l"], check=False, capture_output=True).returncode == NO_AGENT:
            assert agent.poll() is None
        subprocess.run(["ssh-add", "-q", unlocked], check=True)
        unlocked.unlink()
        sshd.ssh_config(key=unlocked)  # IdentitiesOnly: found in the agent by its public half
        assert_works(sshd)
        sshd.ssh_config(key=locked)
        assert_refused(sshd, "refused", "strict")
        sshd.ssh_config(key=locked, more="Host cluster\n  IdentitiesOnly no\n")
        assert_works(sshd)
    finally:
        agent.terminate()
        agent.wait()


def test_an_agent_that_hangs_up(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no keys, so the files count; and it is let go."""
    sshd.trust()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()

        def hang_up() -> None:
            agent.accept()[0].close()

        caller = threading.Thread(target=hang_up, daemon=True)
        caller.start()
        before = open_files()
        assert_works(sshd)
        caller.join()
        assert open_files() == before


def test_a_link_that_comes_to_nothing_is_let_go(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError("known_hosts cannot be read")

    monkeypatch.setattr(HostKeyCheck, "prefer_known_kinds", fail)
    with sshd.remote() as remote:
        before = open_files()
        with pytest.raises(HostError, match="cannot be read") as caught:
            remote.run("true")
        assert open_files() == before, caught


def test_what_a_script_gave_to_fabric_counts(sshd: Sshd, tmp_path: Path) -> None:
    sshd.trust()
    sshd.ssh_config(key=tmp_path / "absent")
    given = PKey.from_path(sshd.key)
    for kwargs in ({"pkey": given}, {"key_filename": str(sshd.key)}):
        config = sshd.connection().config
        with Connection("cluster", config=config, connect_kwargs=kwargs) as connection:
            assert SshHost(connection, host="cluster").run("echo in").text == "in\n"


def test_no_terminal_no_answer() -> None:
    program = """if True:
        from locusts_fab.hosts import auth as login
        try:
            login.ask_on_terminal("code: ")
        except login.NoAnswerError:
            print("nobody")
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # no terminal to open
        check=True,
    )
    assert done.stdout == b"nobody\n"


# Questions, asked by a server of a few lines, for sshd asks them only through PAM.


class Questioner(ServerInterface):
    """A server that wants a list of ways, one after the other.

    :param ways: such as `publickey`, `keyboard-interactive`, `password`.
    :param rounds: the questions of each round of keyboard-interactive, with their answers.
    """

    def __init__(self, ways: list[str], rounds: list[list[tuple[str, str]]], password: str = "") -> None:
        self.ways = [*ways]
        self.rounds = [*rounds]
        self.password = password
        self.attempts: list[str] = []

    def get_allowed_auths(self, username: str) -> str:
        return ",".join(self.ways[:1])

    def _next(self, way: str) -> int:
        self.ways.remove(way)
        return AUTH_PARTIALLY_SUCCESSFUL if self.ways else AUTH_SUCCESSFUL

    def check_auth_none(self, username: str) -> int:
        return AUTH_FAILED if self.ways else AUTH_SUCCESSFUL

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        self.attempts.append("publickey")
        return self._next("publickey") if "publickey" in self.ways[:1] else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        self.attempts.append("password")
        return self._next("password") if password == self.password else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        self.attempts.append("keyboard-interactive")
        return self._ask()

    def _ask(self) -> InteractiveQuery:
        query = InteractiveQuery("The \x1b[31mCluster", "Second factor")
        for question, _ in self.rounds[0]:
            query.add_prompt(question, echo=False)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> int | InteractiveQuery:
        if [*responses] != [answer for _, answer in self.rounds.pop(0)]:
            return AUTH_FAILED
        return self._ask() if self.rounds else self._next("keyboard-interactive")


@contextlib.contextmanager
def questioner(sshd: Sshd, server: Questioner) -> Iterator[Callable[[Callable[[str], str]], Login]]:
    """Serve one login; gives a function that logs in with a prompt and returns the login."""
    host_key = PKey.from_path(sshd.host_key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sshd.trust(name=f"[127.0.0.1]:{port}")
        transports: list[Transport] = []

        def serve() -> None:
            client, _ = listener.accept()
            transport = Transport(client)
            transport.add_server_key(host_key)
            transports.append(transport)
            transport.banner_timeout = transport.handshake_timeout = PATIENCE_S  # this machine may be busy
            # with an event it does not wait, so nothing that the client does next, such as to leave, is raised here
            transport.start_server(event=threading.Event(), server=server)

        thread = threading.Thread(target=serve)
        thread.start()

        def log_in(prompt: Callable[[str], str]) -> Login:
            config = sshd.connection().config
            patience = {"banner_timeout": PATIENCE_S}
            with Connection(f"127.0.0.1:{port}", config=config, connect_kwargs=patience) as connection:
                remote = SshHost(connection, host="cluster", prompt=prompt)
                remote._link.transport()
                return next(iter(remote._link._logins.values()))

        try:
            yield log_in
        finally:
            thread.join()
            for transport in transports:
                transport.close()


def answers(book: dict[str, str], asked: list[str]) -> Callable[[str], str]:
    """Return a prompt that answers from a book."""

    def prompt(question: str) -> str:
        asked.append(question)
        return next((answer for part, answer in book.items() if part in question), "no idea")

    return prompt


@pytest.mark.parametrize(
    ("ways", "rounds", "questions"),
    [
        (["publickey"], [], 0),
        (["password"], [], 1),
        (["keyboard-interactive"], [[("Password: ", "pw")]], 1),
        (["publickey", "keyboard-interactive"], [[("Code: ", "123")]], 1),
        (["keyboard-interactive"], [[("Password: ", "pw")], [("Code: ", "123")], []], 2),
        (["keyboard-interactive"], [[("Password: ", "pw"), ("Code: ", "123")]], 2),
        (["publickey", "password", "keyboard-interactive"], [[("Code: ", "123")]], 2),
        ([], [], 0),
    ],
)
def test_each_question_is_asked_once(
    sshd: Sshd, ways: list[str], rounds: list[list[tuple[str, str]]], questions: int
) -> None:
    asked: list[str] = []
    server = Questioner(ways, rounds, "pw")
    with questioner(sshd, server) as log_in:
        login = log_in(answers({"assword": "pw", "Code": "123"}, asked))
    assert len(asked) == questions
    assert login.asked is (questions > 0)
    assert not any("\x1b" in question for question in asked)


@pytest.mark.parametrize("ways", [["password"], ["keyboard-interactive"]])
def test_a_wrong_answer_ends_the_login(sshd: Sshd, ways: list[str]) -> None:
    asked: list[str] = []
    server = Questioner(ways, [[("Password: ", "pw")]], "pw")
    with questioner(sshd, server) as log_in, pytest.raises(HostError, match="was refused"):
        log_in(answers({}, asked))
    assert len(asked) == 1
    assert server.attempts.count(ways[0]) == 1


@pytest.mark.parametrize("ways", [["password"], ["keyboard-interactive"]])
def test_nobody_there_to_ask(sshd: Sshd, ways: list[str]) -> None:
    def nobody(question: str) -> str:
        raise NoAnswerError(question)

    server = Questioner(ways, [[("Password: ", "pw")]], "pw")
    with questioner(sshd, server) as log_in, pytest.raises(HostError, match="no terminal"):
        log_in(nobody)


@pytest.mark.parametrize(
    ("way", "option"),
    [
        ("password", "PasswordAuthentication no"),
        ("password", "PreferredAuthentications publickey,keyboard-interactive"),
        ("password", "BatchMode yes"),
        ("keyboard-interactive", "KbdInteractiveAuthentication no"),
    ],
)
def test_nobody_is_asked_for_what_ssh_config_forbids(sshd: Sshd, way: str, option: str) -> None:
    sshd.ssh_config(more=f"Host *\n  {option}\n")
    asked: list[str] = []
    server = Questioner([way], [[("Password: ", "pw")]], "pw")
    with questioner(sshd, server) as log_in, pytest.raises(HostError, match="was refused"):
        log_in(answers({"assword": "pw"}, asked))
    assert (asked, server.attempts.count(way)) == ([], 0)


def test_an_impatient_person(sshd: Sshd) -> None:
    def interrupt(question: str) -> str:
        raise KeyboardInterrupt(question)

    server = Questioner(["keyboard-interactive"], [[("Password: ", "pw")]])
    with questioner(sshd, server) as log_in, pytest.raises(KeyboardInterrupt):
        log_in(interrupt)
