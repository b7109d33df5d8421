"""A real sshd of whose key the client knows nothing yet, and what comes of logins to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import HostError
from tests.support.sshd import Sshd, running_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.hosts.openssh.known_hosts import KnownHostsMode


@pytest.fixture(scope="module")
def shared_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run one sshd for all tests of a file."""
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture
def sshd(shared_sshd: Sshd) -> Sshd:
    """Return an sshd of whose key the client knows nothing."""
    shared_sshd.known_hosts.unlink(missing_ok=True)
    shared_sshd.ssh_config()
    return shared_sshd


def assert_works(sshd: Sshd, mode: KnownHostsMode = "strict") -> None:
    """Log in and run a script."""
    with sshd.remote(known_hosts=mode) as remote:
        assert remote.run("echo in").text == "in\n"


def assert_refused(sshd: Sshd, why: str, *modes: KnownHostsMode) -> HostError:
    """Try to log in, and check that nobody was let in and that known_hosts stayed as it was.

    :param why: a pattern of the message.
    :param modes: the modes that are tried; none: all.
    :returns: the last error.
    """
    before, logins = known(sshd), sshd.logins()
    tried: tuple[KnownHostsMode, ...] = modes or ("strict", "accept-new")
    for mode in tried:
        with sshd.remote(known_hosts=mode) as remote, pytest.raises(HostError, match=why) as caught:
            remote.run("true")
        assert remote._link._connection is not None
        assert not remote._link._connection.is_connected
    assert known(sshd) == before
    assert sshd.logins() == logins
    return caught.value


def known(sshd: Sshd) -> str | None:
    """Return the content of the client's known_hosts; None if there is no such file."""
    return sshd.known_hosts.read_text() if sshd.known_hosts.exists() else None
