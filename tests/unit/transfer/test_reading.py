"""Single files of an environment, whichever way they come: what cannot be read is not taken for what is not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import pytest

from locusts_fab.bounds.budget import Most
from locusts_fab.errors import TransferError
from locusts_fab.hosts.local import LocalHost
from locusts_fab.layout import Environment
from locusts_fab.transfer.mounted import MountedTransfer
from locusts_fab.transfer.ssh import SshTransfer
from tests.support.forged import Liar, encoded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from locusts_fab.hosts.base import Carrier
    from locusts_fab.transfer.base import Transfer


def over_ssh(root: str) -> Transfer:
    """Return the way over SSH; its scripts run here."""
    return SshTransfer(cast("Carrier", LocalHost()), Environment(root), cast("Path", None))


def mounted(root: str) -> Transfer:
    return MountedTransfer(Environment(root))


@pytest.fixture(params=[over_ssh, mounted])
def way(request: pytest.FixtureRequest) -> Callable[[str], Transfer]:
    made: Callable[[str], Transfer] = request.param
    return made


def test_what_a_file_holds(tmp_path: Path, way: Callable[[str], Transfer]) -> None:
    (tmp_path / "it's a\nfile").write_bytes(b"one\ntwo\n\xff")
    transfer = way(str(tmp_path))
    assert transfer.read("it's a\nfile", Most()) == b"one\ntwo\n\xff"
    assert transfer.read_end("it's a\nfile", 3) == (b"o\n\xff", 6)
    assert transfer.read_end("it's a\nfile", 100) == (b"one\ntwo\n\xff", 0)


def test_what_is_not_there(tmp_path: Path, way: Callable[[str], Transfer]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").touch()
    for name in ("none", "none/deep", "file/deep", "pipe", "link"):
        assert way(str(tmp_path)).read(name, Most()) is None
        assert way(str(tmp_path)).read_end(name, 9) is None
    assert way(str(tmp_path / "none")).read("file", Most()) is None


def test_what_cannot_be_read(way: Callable[[str], Transfer]) -> None:
    """The memory of a process is a file whose beginning is an input/output error."""
    transfer = way("/proc/self")
    for ask in (lambda: transfer.read("mem", Most()), lambda: transfer.read_end("mem", 9)):
        with pytest.raises(TransferError, match="cannot be read") as caught:
            ask()
        assert "repeat this" in str(caught.value.hint)


@pytest.mark.parametrize("said", ["", "x\n", "-1\nx", "9" * 30 + "\n"])
def test_a_size_that_is_none(said: str) -> None:
    transfer = SshTransfer(cast("Carrier", Liar(lambda _: encoded(said))), Environment("/e"), cast("Path", None))
    with pytest.raises(TransferError, match="cannot be read"):
        transfer.read_end("file", 9)
