"""What is said of a link that does not come to be."""

from __future__ import annotations

import socket
import threading

import pytest

from locusts_fab.errors import HostError
from locusts_fab.hosts.ssh import SshHost
from tests.support.sshd import free_port


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
