"""Programs on the other side of a login, where something fails here: nothing that was opened stays open."""

from __future__ import annotations

import io
import threading
from typing import IO, Any, NoReturn

import pytest

from locusts_fab.hosts.channel import converse, hear
from tests.support.processes import open_files


class Channel:
    """Stands for a channel; all that can be done with it is to start something and to close it."""

    def __init__(self) -> None:
        self.is_closed = False

    def exec_command(self, command: str) -> None:
        """See paramiko's."""

    def close(self) -> None:
        """See paramiko's."""
        self.is_closed = True


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)


@pytest.mark.usefixtures("no_threads")
def test_nobody_can_feed_a_program() -> None:
    channel: Any = Channel()
    source = io.BytesIO()
    with pytest.raises(RuntimeError, match="new thread"):
        converse(channel, "true", source, len)
    assert channel.is_closed
    assert source.closed


@pytest.mark.usefixtures("no_threads")
def test_nobody_can_listen_to_a_program() -> None:
    channel: Any = Channel()
    before = open_files()
    with pytest.raises(RuntimeError, match="new thread") as caught:
        hear(channel, ["true"], io.BytesIO(), IO.read)
    assert open_files() == before, caught
    assert channel.is_closed
