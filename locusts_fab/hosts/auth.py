"""Logging in: which host keys are accepted, which keys and answers we offer, and what a person is asked.

Fabric accepts any host key, a changed one too, and cannot answer a second factor. So a Connection is prepared here
before it opens, by what ssh_config says (`settings.py`).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import queue
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from paramiko import BadAuthenticationType, PKey, SSHException, Transport

from locusts_fab.errors import HostError, LoginRefusedError
from locusts_fab.hosts.host_key import HostKeyCheck
from locusts_fab.hosts.keys import UserAgent, load_key, may_sign, public_blob
from locusts_fab.hosts.openssh.known_hosts import KnownHostsMode, by_hand
from locusts_fab.text import LAID_OUT, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from paramiko import Message

    from locusts_fab.hosts.connection import Hop
    from locusts_fab.hosts.openssh.settings import HostSettings

#: How long a person may take to answer; sshd itself hangs up after two minutes, unless configured otherwise.
_ANSWER_S = 120
#: What paramiko says if the host does not answer in all that time.
_SILENT = "Authentication timeout."
#: How long bytes may stay unacknowledged before the link counts as broken.
_BROKEN_S = 120


def prepare(hop: Hop, name: str, known_hosts: KnownHostsMode, prompt: Callable[[str], str]) -> Login:
    """Change a Connection that is not open yet, so that it checks host keys and logs in our way.

    :param hop: the connection and its settings; its `connect_kwargs` are replaced.
    :param name: the name of the host in messages.
    :param known_hosts: `strict` or `accept-new`; see `HostKeyCheck`.
    :param prompt: shows its argument to a person and returns what they type.
    :returns: the login to come; afterwards its `asked` says whether a person was asked.
    """
    connection = hop.connection
    login = Login(hop, name, prompt)
    check = HostKeyCheck(hop.settings, name, known_hosts, login.ask)
    given = dict(connection.connect_kwargs)
    make = given.pop("transport_factory", Transport)

    def make_transport(sock: Any, **options: Any) -> Transport:
        try:
            tune(sock)
            options["disabled_algorithms"] = _disabled(hop.settings, options.get("disabled_algorithms"))
            transport: Transport = make(sock, **options)
            transport.auth_timeout = _ANSWER_S
            check.prefer_known_kinds(transport)
            login.listen_for_goodbye(transport)
        except BaseException:
            sock.close()  # paramiko does so only with a transport that it was given
            raise
        return transport

    rest = {key: value for key, value in given.items() if key not in Login.CONNECT_KWARGS}
    connection.connect_kwargs = {**rest, "auth_strategy": login, "transport_factory": make_transport}
    connection.client.set_missing_host_key_policy(check)
    return login


def _disabled(settings: HostSettings, given: Mapping[str, Iterable[str]] | None) -> dict[str, list[str]]:
    """Return the algorithms of paramiko that ssh_config does not allow, by their kind."""
    disabled = {kind: [*names] for kind, names in (given or {}).items()}
    for kind, allowed in settings.allowed.items():
        ours: Iterable[str] = getattr(Transport, f"_preferred_{kind}")
        left_out = [name for name in ours if name not in allowed]
        if len(left_out) == len([*ours]):
            raise HostError(
                f"{settings.alias}: of the {kind} that ssh_config allows, none is known here",
                hint=f"allow one of {', '.join(ours)}",
            )
        disabled[kind] = [*disabled.get(kind, []), *left_out]
    return disabled


def tune(sock: Any) -> None:
    """Set the options of a socket so that small packets leave at once and a dead link is noticed.

    :param sock: a socket; the link through a gateway or a ProxyCommand has no such options and stays as it is.
    """
    if not isinstance(sock, socket.socket) or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _BROKEN_S * 1000)


def ask_on_terminal(question: str) -> str:
    """Ask the person at the terminal, without showing what they type.

    :param question: what to show them.
    :returns: what they typed.
    :raises NoAnswerError: there is no terminal, or they pressed Ctrl-D.
    """
    try:
        with Path("/dev/tty").open("rb"):
            pass
        return getpass.getpass(question)
    except (OSError, EOFError) as error:
        raise NoAnswerError(question) from error


class NoAnswerError(Exception):
    """Raised when nobody is there to answer a question; its argument is the question."""


class Login:
    """Logs in with keys first, then by whatever the host asks; a person is asked every question at most once.

    It serves as an authentication strategy of paramiko.

    :param hop: a connection that is not open yet; its user, settings and `connect_kwargs` are used.
    :param name: the name of the host in messages.
    :param prompt: shows its argument to a person and returns what they type.
    """

    #: What a script may have given Fabric for this; paramiko wants it either so or through us.
    CONNECT_KWARGS = frozenset({"allow_agent", "key_filename", "look_for_keys", "passphrase", "password", "pkey"})

    def __init__(self, hop: Hop, name: str, prompt: Callable[[str], str]) -> None:
        kwargs = hop.connection.connect_kwargs
        self.name = name
        self.user: str = hop.connection.user
        self.settings = hop.settings
        self.given = {key: kwargs[key] for key in self.CONNECT_KWARGS & {*kwargs}}
        self._from_config = hop.connection.ssh_config.get("identityfile", [])
        self.prompt = prompt
        #: Whether a person was asked anything.
        self.asked = False
        #: What the host said when it hung up, if it did.
        self.goodbye = ""
        #: What was tried or left out, for the message when nothing helped.
        self.tried: list[str] = []

    def listen_for_goodbye(self, transport: Transport) -> None:
        """Note it if the host says that it hangs up, as after too many tries. A link that is cut says nothing."""
        self.goodbye = ""
        read = transport._parse_disconnect  # type: ignore[attr-defined]  # noqa: SLF001 - paramiko only logs it

        def noted(message: Message) -> None:
            message.get_int()
            self.goodbye = message.get_text() or "without a reason"
            message.rewind()
            read(message)

        transport._parse_disconnect = noted  # type: ignore[attr-defined]  # noqa: SLF001 - the same

    def authenticate(self, transport: Transport) -> None:
        """Log in; paramiko calls this.

        :param transport: a transport whose host key was checked.
        :raises LoginRefusedError: the host accepted nothing of what we have.
        :raises HostError: the link broke meanwhile, which is no refusal.
        """
        self.tried = []
        accepts = self._accepted_ways(transport)
        known = {
            "publickey": self._ways_with_keys,
            "keyboard-interactive": self._ways_with_answers,
            "password": self._ways_with_password,
        }
        ways = {method: known[method](transport) for method in self.settings.methods}
        try:
            while accepts:
                # Each way yields, once it was accepted, what the host wants besides it.
                left = next((more for way in ways if way in accepts for more in ways[way]), None)
                if left is None:
                    raise self._refusal(transport, accepts)
                accepts = left
        finally:
            for way in ways.values():
                way.close()

    def _accepted_ways(self, transport: Transport) -> Sequence[str]:
        """Ask which ways the host accepts, by trying to log in without any; no ways: that was enough."""
        try:
            return transport.auth_none(self.user)
        except BadAuthenticationType as error:
            return error.allowed_types
        except (SSHException, EOFError):
            if self._was_cut(transport):
                raise self._cut() from None
            raise

    def _was_cut(self, transport: Transport) -> bool:
        """Return whether the link broke, and the host did not say that it would."""
        return not transport.is_active() and not self.goodbye

    def _cut(self) -> HostError:
        """Return the error for a link that broke before anybody was let in, or refused."""
        return HostError(
            f"{self.name}: the link broke during the login",
            hint=f"run the command again; if it lasts, see that `{by_hand(self.name)}` works",
            may_pass=True,
        )

    def _refusal(self, transport: Transport, accepts: Sequence[str]) -> HostError:
        """Return the error for a login that was refused, with what was tried; or that was cut."""
        if self._was_cut(transport):
            return self._cut()
        tried = f"; tried: {', '.join(self.tried)}" if self.tried else "; there was nothing to try"
        if not transport.is_active():
            tried += f"; then the host hung up: {printable(self.goodbye)}"
        return LoginRefusedError(
            f"{self.name}: the login as {self.user} was refused (the host accepts {', '.join(accepts)}{tried})",
            hint=f"see that `{by_hand(self.name)}` works; `ssh-add` unlocks a key for us; with many keys in "
            "the agent, name the right one with IdentityFile and IdentitiesOnly in ssh_config",
        )

    def _attempt(self, transport: Transport, label: str, act: Callable[[], Sequence[str]]) -> Sequence[str] | None:
        """Try one way.

        :returns: which ways are wanted besides it if it was accepted, none if it is enough; None if it was refused.
        """
        if not transport.is_active():
            return None
        self.tried.append(label)
        try:
            return act()
        except (SSHException, EOFError) as error:
            if str(error) == _SILENT:  # which is no answer, so no refusal
                raise self._cut() from error
            return None

    def _ways_with_keys(self, transport: Transport) -> Generator[Sequence[str], None, None]:
        """Try keys one by one."""
        allowed = self.settings.allowed.get("pubkeys")
        for label, key in self._keys():
            if allowed is not None and not may_sign(key.get_name(), allowed):
                self.tried.append(f"{label} (left out: ssh_config does not allow this kind)")
                continue
            more = self._attempt(transport, label, partial(transport.auth_publickey, self.user, key))
            if more is not None:
                yield more

    def _ways_with_password(self, transport: Transport) -> Generator[Sequence[str], None, None]:
        """Try one password."""
        password = self.given.get("password")
        if password is None:
            host = self.name.removeprefix(f"{self.user}@")  # the config may name both
            password = self.ask(f"{self.user}@{host}'s password: ")
        more = self._attempt(
            transport, "password", lambda: transport.auth_password(self.user, password, fallback=False)
        )
        if more is not None:
            yield more

    def _ways_with_answers(self, transport: Transport) -> Generator[Sequence[str], None, None]:
        """Let a person answer the host's questions, such as one for a second factor."""
        asked_before = self.asked
        more = self._attempt(transport, "keyboard-interactive", lambda: self._interview(transport))
        if more is not None:
            yield more
        elif self.asked and not asked_before:
            raise self._refusal(transport, ["keyboard-interactive"])  # asking for a password now would ask twice

    def _interview(self, transport: Transport) -> Sequence[str]:
        """Relay the host's questions to a person.

        paramiko asks in its own thread. We ask in the caller's, where a Ctrl-C arrives and restores the terminal.
        """
        questions: queue.Queue[tuple[str, str, list[tuple[str, bool]]] | None] = queue.Queue()
        answers: queue.Queue[list[str]] = queue.Queue()

        def handler(title: str, instructions: str, fields: list[tuple[str, bool]]) -> list[str]:
            questions.put((title, instructions, fields))
            return answers.get()

        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(transport.auth_interactive, self.user, handler)
            future.add_done_callback(lambda _: questions.put(None))
            try:
                while (question := questions.get()) is not None:
                    answers.put(self._answer(*question))
            except BaseException:
                transport.close()
                answers.put([])
                raise
        return future.result()

    def _answer(self, title: str, instructions: str, fields: list[tuple[str, bool]]) -> list[str]:
        """Answer one round of questions; a round without any only informs."""
        heading = "".join(f"{text.strip()}\n" for text in (title, instructions) if text.strip())
        if not fields:
            sys.stderr.write(printable(heading, LAID_OUT))
            return []
        if len(fields) == 1 and not fields[0][1] and (password := self.given.pop("password", None)) is not None:
            return [password]
        return [
            self.ask(printable((heading if number == 0 else "") + text, LAID_OUT))
            for number, (text, _) in enumerate(fields)
        ]

    def ask(self, question: str) -> str:
        """Ask a person.

        :raises LoginRefusedError: nobody is there.
        """
        try:
            answer = self.prompt(question)
        except NoAnswerError as error:
            raise LoginRefusedError(
                f"{self.name}: the host asks {question.strip()!r} and there is no terminal to answer it",
                hint="run the command in a terminal, or set up a key (`ssh-copy-id`, `ssh-add`)",
            ) from error
        self.asked = True
        return answer

    def _keys(self) -> Iterator[tuple[str, PKey]]:
        """Yield keys in the order of OpenSSH: the agent's (first those that ssh_config names), then files.

        Keys that need a passphrase come last, so that it is asked for only if nothing else helped.
        """
        if (given := self.given.get("pkey")) is not None:
            yield "the key given to Fabric", given
        paths = self._key_files()
        blobs = {path: public_blob(path) for path in paths}
        in_agent = {}
        if self.given.get("allow_agent", True):
            with contextlib.closing(UserAgent(self.settings.identity_agent)) as agent:
                in_agent = {key.asbytes(): key for key in agent.get_keys()}
                wanted = [blob for blob in blobs.values() if blob in in_agent]
                for blob in dict.fromkeys([*wanted, *([] if self.settings.identities_only else in_agent)]):
                    yield f"{in_agent[blob].get_name()} key of the agent", in_agent[blob]
        locked = []
        for path in paths:
            if blobs[path] in in_agent:
                continue
            key = self._load(path, self.given.get("passphrase"))
            if key == "locked":
                locked.append(path)
            elif key is not None:
                yield os.fspath(path), key
        if not self.settings.is_batch:
            for path in locked:
                yield from self._unlocked(path)

    def _load(self, path: Path, passphrase: str | None) -> PKey | Literal["locked"] | None:
        return load_key(path, passphrase, self.settings.certificate_files)

    def _key_files(self) -> list[Path]:
        """Return the key files that Fabric was given, then those that ssh_config names."""
        given = self.given.get("key_filename") or []
        words = [given] if isinstance(given, str) else given
        named = [Path(word).expanduser() for word in words if word not in self._from_config]
        return list(dict.fromkeys([*named, *self.settings.identity_files]))

    def _unlocked(self, path: Path) -> Iterator[tuple[str, PKey]]:
        """Yield a key after asking for its passphrase, if someone knows it."""
        try:
            passphrase = self.prompt(f"passphrase for {path}: ")
        except NoAnswerError:
            self.tried.append(f"{path} (left out: it needs a passphrase)")
            return
        self.asked = True
        key = self._load(path, passphrase) if passphrase else None
        if isinstance(key, PKey):
            yield os.fspath(path), key
        else:
            self.tried.append(f"{path} (left out: wrong passphrase)")
