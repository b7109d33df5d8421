"""ssh_config where there is no `ssh` to ask: what paramiko's reader makes of it, as answers like those of `ssh -G`.

It knows less than OpenSSH. Where that could make us accept more than OpenSSH would, nobody is called.
"""

from __future__ import annotations

import getpass
import glob
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError
from locusts_fab.hosts.openssh.settings import HostSettings, Tokens, make_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paramiko import SSHConfig

    from locusts_fab.config.hostnames import HostName

_DEFAULTS = {
    "userknownhostsfile": "~/.ssh/known_hosts ~/.ssh/known_hosts2",
    "globalknownhostsfile": "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",
}
_USUAL_KEYS = ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"]
#: What OpenSSH follows, or works out, and paramiko does not.
_BEYOND = ("include", "canonicalizehostname", "tag")
_LISTS = ("ciphers", "hostkeyalgorithms", "kexalgorithms", "macs", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes")


def read_alone(config: SSHConfig, asked: HostName, files: Sequence[Path] = ()) -> HostSettings:
    """Return what ssh_config says of a host, as far as paramiko reads it.

    :param config: the config, read by paramiko.
    :param asked: the host as somebody wrote it.
    :param files: the files that it was read from; with them, an `Include` of nothing does no harm.
    :raises HostError: the config holds what only OpenSSH understands.
    """
    try:
        found = config.lookup(asked.host)
    except KeyError as error:
        raise HostError(
            f"{asked.host}: ssh_config holds what only ssh itself understands: no {error.args[0]}"
        ) from None
    if files and not any(map(_includes_something, files)):
        found.pop("include", None)
    answers = {key: [value] if isinstance(value, str) else list(value) for key, value in found.items()}
    for key in _BEYOND:
        if answers.get(key, ["no"])[0].lower() not in {"no", "none"}:
            raise HostError(
                f"{asked.host}: ssh_config holds {key}, which only ssh itself understands, and there is no ssh on PATH",
                hint="install OpenSSH's client, or write what this host needs without it",
            )
    for key in _LISTS:
        value = answers.get(key, [""])[0]
        if value.startswith("-") or "*" in value:
            raise HostError(f"{asked.host}: what {key} {value} leaves over only ssh itself knows")
        if value.startswith(("+", "^")):
            del answers[key]
    answers["hostname"] = answers.get("hostname") or [asked.host]
    answers["user"] = [asked.user] if asked.user else answers.get("user") or [getpass.getuser()]
    answers["port"] = [str(asked.port)] if asked.port else answers.get("port") or ["22"]
    answers.setdefault("identityfile", _USUAL_KEYS)
    tokens = Tokens.of(asked.host, answers, Path.home())
    for key in (*_DEFAULTS, "revokedhostkeys"):
        words = shlex.split(answers.get(key, [_DEFAULTS.get(key, "none")])[0])
        answers[key] = [str(tokens.path(word, key)) if word.lower() != "none" else word for word in words]
    return make_settings(asked.host, answers, tokens)


def _includes_something(path: Path) -> bool:
    """Return whether a file of ssh_config has an `Include` of a file that is there."""
    try:
        text = path.read_text("utf-8", errors="surrogateescape")
    except OSError:
        return False
    for line in text.splitlines():
        words = line.replace("=", " ", 1).replace('"', " ").split()
        if words and words[0].lower() == "include":
            names = [Path(word).expanduser() for word in words[1:]]
            places = [place / name for name in names for place in (path.parent, Path.home() / ".ssh")]
            if any(glob.glob(str(place)) for place in places):  # noqa: PTH207 - the patterns are whole paths
                return True
    return False
