"""What OpenSSH makes of its config for one host, as `ssh -G` prints it: everything else reads that answer.

Where there is no `ssh`, `lone_config.py` gives the same answers from paramiko's reader, as far as it can.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError
from locusts_fab.hosts.openssh.settings import HostSettings, Tokens, make_settings
from locusts_fab.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from locusts_fab.config.hostnames import HostName

#: `Match exec` runs commands, and CanonicalizeHostname asks name servers.
_LIMIT_S = 60
_SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
#: Options whose value is a list of files, printed on one line with spaces between.
_FILE_LISTS = ("globalknownhostsfile", "revokedhostkeys", "userknownhostsfile")


def find_ssh() -> str | None:
    """Return the program `ssh`; None if there is none."""
    return shutil.which("ssh")


def ask_ssh(ssh: str, asked: HostName, config: str | None = None) -> HostSettings:
    """Return what `ssh` would do for a host.

    :param ssh: the program.
    :param asked: the host as somebody wrote it; its user and port count more than what the config says.
    :param config: the one config file that counts; None: those that ssh reads by itself, the user's in $HOME.
    :raises HostError: the config is wrong, ssh refuses the host, it gives no answer, or one that cannot be understood.
    """
    account, home = Path(pwd.getpwuid(os.getuid()).pw_dir), Path.home()
    if config is not None:
        answers = _parse(_run(ssh, asked, ["-F", config]), asked.host)
    elif os.path.realpath(account) == os.path.realpath(home):
        answers = _parse(_run(ssh, asked, []), asked.host)
    else:  # ssh looks for the config in the account's home folder
        with tempfile.NamedTemporaryFile("wb", prefix="ssh_config.") as file:
            file.write(_config_of(home))
            file.flush()
            answers = _parse(_run(ssh, asked, ["-F", file.name]), asked.host)
        answers = {**answers, "userknownhostsfile": list(_moved(answers["userknownhostsfile"], account, home))}
    return make_settings(asked.host, answers, Tokens.of(asked.host, answers, home))


def _run(ssh: str, asked: HostName, options: list[str]) -> str:
    """Return what `ssh -G` prints."""
    who = [*(["-l", asked.user] if asked.user else []), *(["-p", str(asked.port)] if asked.port else [])]
    command = [ssh, "-G", *options, *who, "--", asked.host]
    hint = "see that `ssh -G` prints the settings for this host, and correct ~/.ssh/config"
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False, env=_environment()
        )
    except subprocess.TimeoutExpired:
        raise HostError(f"{asked.host}: `ssh -G` gave no answer within {_LIMIT_S} s", hint=hint) from None
    except (OSError, ValueError) as error:
        raise HostError(f"{asked.host}: `ssh -G` cannot be run: {error}", hint=hint) from error
    if done.returncode != 0:
        complaint = printable(os.fsdecode(done.stderr).strip()) or f"exit status {done.returncode}"
        raise HostError(f"{asked.host}: ssh refuses this host or its config: {complaint}", hint=hint)
    return os.fsdecode(done.stdout)


def _environment() -> Mapping[str, str]:
    """Return the environment for ssh, with which it speaks English."""
    return {**os.environ, "LC_MESSAGES": "C"}


def _config_of(home: Path) -> bytes:
    """Return the config that ssh would read if `home` were the account's home folder; -F leaves out the system's."""
    try:
        text = (home / ".ssh" / "config").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        text = b""
    except OSError as error:
        raise HostError(f"{home}/.ssh/config cannot be read: {error.strerror}", hint="make it readable") from error
    lines = [_with_whole_paths(line, os.fsencode(home)) for line in text.split(b"\n")]
    system = b"Include " + os.fsencode(_SYSTEM_CONFIG) + b"\n" if _SYSTEM_CONFIG.exists() else b""
    return b"\n".join(lines) + b"\nMatch all\n" + system


def _with_whole_paths(line: bytes, home: bytes) -> bytes:
    """Return a line of the user's config; the files of an `Include` are taken from the home folder that counts."""
    found = re.match(rb"(\s*include(?:\s*=\s*|\s+))(.*)", line, re.IGNORECASE)
    if found is None:
        return line
    words = re.findall(rb'"[^"]*"|\S+', found[2])
    bare = [word.strip(b'"') for word in words]
    whole = [
        home + word[1:]
        if word.startswith(b"~/")
        else word
        if word.startswith((b"/", b"~"))
        else home + b"/.ssh/" + word
        for word in bare
    ]
    return found[1] + b" ".join(b'"' + word.replace(b'"', b'\\"') + b'"' for word in whole)


def _moved(files: Sequence[str], account: Path, home: Path) -> Iterator[str]:
    """Yield files with those of $HOME in place of the account's; what ssh itself would read comes after them."""
    for file in files:
        if file.startswith(f"{account}/"):
            yield f"{home}/{file.removeprefix(f'{account}/')}"
    yield from files


def _parse(text: str, name: str) -> dict[str, list[str]]:
    """Return the lines that ssh printed: the values of each option, in their order."""
    answers: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        answers.setdefault(key.lower(), []).append(value)
    for key in ("hostname", "port", "user", "stricthostkeychecking", "userknownhostsfile"):
        if key not in answers:
            raise HostError(f"{name}: `ssh -G` says nothing of {key}", hint="use OpenSSH 7.0 or newer")
    for key in _FILE_LISTS:
        if key in answers:
            answers[key] = _split_files(answers[key][0], key, name)
    return answers


def _split_files(line: str, key: str, name: str) -> list[str]:
    """Return the files of a list, which ssh prints with spaces between and nothing around names that have some.

    :raises HostError: there is more than one way to read it.
    """
    starts = [0, *[found.end() for found in re.finditer(r" +(?=[/~])", line)], len(line) + 1]
    files = [line[start:end].rstrip(" ") for start, end in pairwise(starts)]
    spaces = [found.start() for found in re.finditer(" ", line)]
    ends = {start: start for start in starts}
    others = [
        line[start:end]
        for start in [0, *(space + 1 for space in spaces)]
        for end in [*spaces, len(line)]
        if end > start and not (start in ends and line[start:end] in files)
    ]
    odd = next((other for other in others if other.strip() == other and os.path.lexists(other)), None)
    if odd is not None:
        raise HostError(
            f"{name}: it cannot be told which files {key} names: {printable(line)} ({printable(odd)} is one too)",
            hint="give these files names without spaces, and absolute ones, in ssh_config",
        )
    return [file for file in files if file and file.lower() != "none"]
