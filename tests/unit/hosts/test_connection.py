"""The way to a host, through gateways or not at all; and the messages about a link that cannot be made."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from fabric import Config, Connection

from locusts_fab.errors import HostError
from locusts_fab.hosts.connection import complete_route, make_route
from locusts_fab.hosts.ssh import SshHost
from tests.support.sshd import free_port

if TYPE_CHECKING:
    from pathlib import Path


def names(path: Path, host: str) -> list[str]:
    """Name the hosts on the way to one, by a config."""
    connection = Connection(host, config=Config(runtime_ssh_path=str(path)))
    return [hop.connection.original_host for hop in complete_route(connection)]


def test_gateways_are_visited_in_the_order_of_proxyjump(tmp_path: Path) -> None:
    path = tmp_path / "ssh_config"
    path.write_text(
        "Host cluster\n  ProxyJump one,two\nHost alone\n  ProxyJump none\nHost one\n  ProxyJump zero\n"
        "Host two\n  ProxyJump nobody\n"
    )
    assert names(path, "cluster") == ["zero", "one", "two", "cluster"]
    assert names(path, "alone") == ["alone"]


def test_gateways_that_go_round_in_circles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host one\n  ProxyJump two\nHost two\n  ProxyJump one\n")
    with pytest.raises(HostError, match="circles"):
        make_route("one")


@pytest.mark.parametrize("host", ["user@host:port", "host:1:2:3@x:y", ""])
def test_a_host_that_cannot_be_understood(host: str) -> None:
    with pytest.raises(HostError):
        SshHost(host=host).run("true")


def test_nobody_answers_there() -> None:
    remote = SshHost(host=f"127.0.0.1:{free_port()}")
    with pytest.raises(HostError, match="refused"):
        remote.run("true")
    remote.close()
    with pytest.raises(HostError, match="no such host"):
        SshHost(host="no-such-host.invalid").run("true")


def test_something_else_answers_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def hang_up() -> None:
            client, _ = server.accept()
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(HostError, match="hung up or speaks no SSH"):
            SshHost(host=f"127.0.0.1:{port}").run("true")
        thread.join()
