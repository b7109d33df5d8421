"""A port in front of an sshd that counts what goes through it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING

from fabric import Config, Connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sshd import Sshd


@contextlib.contextmanager
def counted(sshd: Sshd, folder: Path) -> Iterator[tuple[Connection, Counter[str]]]:
    """Yield a Connection that is not open yet, and how many bytes went `there` and `back` so far.

    :param folder: for its ssh_config.
    """
    counts: Counter[str] = Counter()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sshd.trust(name=f"[127.0.0.1]:{port}")
        config = folder / "counting_config"
        config.write_text(f"Host cluster\n  Port {port}\n{(sshd.folder / 'ssh_config').read_text()}")
        relay = threading.Thread(target=_serve, args=(server, sshd.port, counts))
        relay.start()
        with Connection("cluster", config=Config(runtime_ssh_path=str(config))) as connection:
            yield connection, counts
        relay.join()


def _serve(server: socket.socket, port: int, counts: Counter[str]) -> None:
    """Pass on what comes over one connection, both ways, until it ends."""
    here, _ = server.accept()
    with here, socket.create_connection(("127.0.0.1", port)) as there:
        back = threading.Thread(target=_pass_on, args=(there, here, "back", counts))
        back.start()
        _pass_on(here, there, "there", counts)
        back.join()


def _pass_on(source: socket.socket, sink: socket.socket, way: str, counts: Counter[str]) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            counts[way] += len(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
