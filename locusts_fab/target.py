"""Where a swarm runs, as three independent parts: how commands travel, how files travel, and who starts managers.

`open_site` is the one place that looks at a target's mode; everything above uses its `Site` without asking.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from locusts_fab.bounds.names import LONGEST_PATH_BYTES
from locusts_fab.errors import HostError
from locusts_fab.hosts.local import LocalHost
from locusts_fab.layout import Environment
from locusts_fab.schedulers.registry import scheduler_of
from locusts_fab.shell.scripts import remote_script
from locusts_fab.transfer.mounted import MountedTransfer
from locusts_fab.transfer.ssh import SshTransfer
from locusts_fab.transfer.stage import put_copy

if TYPE_CHECKING:
    from pathlib import Path

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.hosts.base import Carrier, Host
    from locusts_fab.schedulers.base import Launcher
    from locusts_fab.transfer.base import Transfer


#: How much of what a host says is shown in a message.
_SHOWN = 200
#: What stands in a text for bytes that are no UTF-8.
_FIRST_BYTE, _LAST_BYTE = "\udc80", "\udcff"


@dataclass(frozen=True)
class Site:
    """The three parts, and the environment that they work on, as the target sees it.

    :param tasks: how many tasks the swarm has there, as far as is known; from that follows what may be there.
    """

    environment: Environment
    host: Host
    transfer: Transfer
    launcher: Launcher
    tasks: int = 0


def open_site(swarm: Swarm, connection: fabric.Connection | None = None, *, root: str | None = None) -> Site:
    """Return the three parts for a target.

    :param connection: an open Fabric connection to use instead of one of ours.
    :param root: the environment, if it is known already; else the host may have to be asked.
    :raises HostError: the host cannot be reached, or its root means nothing there.
    """
    if swarm.target.mode == "local":
        return _make_site(swarm, LocalHost(), Environment(swarm.environment_dir))
    host = _remote(swarm, connection)
    return _make_site(swarm, host, Environment(root or f"{_resolve_root(host, swarm.root)}/{swarm.name}"))


def identified(site: Site, swarm: Swarm, environment_id: str) -> Site:
    """Return a site that works on the environment with this id, and on no other in its place."""
    return _make_site(swarm, site.host, replace(site.environment, id=environment_id))


def _make_site(swarm: Swarm, host: Host, environment: Environment) -> Site:
    target = swarm.target
    transfer: Transfer
    if target.mode == "local":
        transfer = MountedTransfer(environment)
    elif target.mode == "remote-shared":
        mounted = f"{swarm.resolve(target.shared_root or '')}/{swarm.name}"
        homes = (environment.root, mounted)
        transfer = MountedTransfer(Environment(mounted, environment.id), put_copy, homes)
    else:
        transfer = SshTransfer(cast("Carrier", host), environment, swarm.state_dir)
    return Site(environment, host, transfer, scheduler_of(swarm).launcher(host, environment, swarm))


@dataclass(frozen=True)
class Access:
    """The way to a target, before anything was asked there.

    :param host: how commands travel.
    :param needs_rsync: files travel over the same login, by rsync.
    :param mounted: the root as this machine sees it, where files travel through a shared folder.
    """

    host: Host
    needs_rsync: bool = False
    mounted: Path | None = None


def open_access(swarm: Swarm, connection: fabric.Connection | None = None) -> Access:
    """Return the way to a target without connecting to it yet.

    :param connection: an open Fabric connection to use instead of one of ours.
    """
    target = swarm.target
    if target.mode == "local":
        return Access(LocalHost())
    host = _remote(swarm, connection)
    if target.mode == "remote-shared":
        return Access(host, mounted=swarm.resolve(target.shared_root or ""))
    return Access(host, needs_rsync=True)


#: The pause between two looks at a swarm, in seconds: it grows from the first to the second while nothing changes. On
#: this machine a look costs nothing; elsewhere it is a load for others.
POLL_HERE_S = (0.3, 1.0)
POLL_FAR_S = (2.0, 30.0)


def poll_pauses_s(swarm: Swarm) -> tuple[float, float]:
    """Return the shortest and the longest pause between two looks at a swarm, in seconds."""
    return POLL_HERE_S if swarm.is_here else POLL_FAR_S


#: Hosts that this process is logged in to, so that a command of several parts logs in once.
_LOGINS: dict[tuple[str, str], Carrier] = {}


def _remote(swarm: Swarm, connection: fabric.Connection | None) -> Carrier:
    """Return the login to a host; it opens when it is first used."""
    from locusts_fab.hosts.ssh import SshHost  # noqa: PLC0415 - Fabric loads only where it is needed

    name, known_hosts = swarm.target.host or "", swarm.target.known_hosts
    if connection is not None:
        return SshHost(connection, host=name, known_hosts=known_hosts)
    if (name, known_hosts) not in _LOGINS:
        remote = SshHost(host=name, known_hosts=known_hosts)
        atexit.register(remote.close)
        _LOGINS[name, known_hosts] = remote
    return _LOGINS[name, known_hosts]


def forget_logins() -> None:
    """Close all logins; the next use logs in anew."""
    while _LOGINS:
        _LOGINS.popitem()[1].close()


def _resolve_root(host: Host, root: str) -> str:
    """Return the root of a target as an absolute path on its host."""
    if root.startswith("/"):
        return root.rstrip("/")
    result = host.run(remote_script("resolve_root"), root)
    said = result.text
    if result.exit_status != 0 or not _is_path(said):
        shown = f"{said[:_SHOWN]}…" if len(said) > _SHOWN else said
        raise HostError(
            f"{host.name}: the root {root} means nothing there: {shown or result.stderr.strip()}",
            hint="give the target an absolute root in the config",
        )
    return said.rstrip("/")


def _is_path(text: str) -> bool:
    """Return whether a text of a host can be the path of a folder there: absolute, and one that can be shown.

    Bytes that are no UTF-8 may be in it, but nothing that a terminal obeys or that ends a line.
    """
    is_shown = all(char.isprintable() or _FIRST_BYTE <= char <= _LAST_BYTE for char in text)
    return text.startswith("/") and is_shown and len(os.fsencode(text)) <= LONGEST_PATH_BYTES
