"""A tree and its replica on a host: what moves when it is sent again, and that all that changed does."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.errors import TransferError
from locusts_fab.replica import sync
from locusts_fab.transfer.ssh import SshTransfer
from tests.support.sshd import host, module_sshd, needs_sshd
from tests.support.trees import Sides, files

if TYPE_CHECKING:
    from locusts_fab.hosts.ssh import SshHost

pytestmark = needs_sshd
__all__ = ["host", "module_sshd"]

SECOND_NS = 1_700_000_000_000_000_000
SIZE = 100_000


class Far(Sides):
    """A local tree and its replica on a host.

    :ivar moved: how many bytes came with each run of rsync.
    """

    def __init__(self, folder: Path, host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moved: list[int] = []
        self._host = host
        push_names = host.push_names

        def counted(*args: Any, **options: Any) -> int:
            self.moved.append(push_names(*args, **options))
            return self.moved[-1]

        monkeypatch.setattr(host, "push_names", counted)
        super().__init__(folder, names=())

    def submit(self) -> list[str]:
        """Send the tree by way of the host."""
        transfer = SshTransfer(self._host, self.site.environment, self.swarm.state_dir)
        self.site = replace(self.site, transfer=transfer)
        return super().submit()

    def put(self, name: str, letter: str, ns: int = 0) -> None:
        """Write a file here that has the same size and second as any other."""
        (self.here / name).write_text(letter * SIZE)
        os.utime(self.here / name, ns=(SECOND_NS + ns, SECOND_NS + ns))

    def letters(self) -> str:
        """Return what is in each file there, by their names."""
        return "".join(text[0] for _, text in sorted(files(self.there).items()))


@pytest.fixture
def sides(tmp_path: Path, host: SshHost, monkeypatch: pytest.MonkeyPatch) -> Far:
    return Far(tmp_path, host, monkeypatch)


def test_a_change_within_the_second_is_sent(sides: Far) -> None:
    for name in ("one", "two"):
        sides.put(name, "a")
    sides.submit()
    sides.start()
    sides.put("one", "b", ns=1)
    assert sides.submit() == []
    assert sides.letters() == "ba"
    assert sum(sides.moved) <= 4 * SIZE
    sides.moved.clear()
    assert sides.submit() == []
    assert sides.moved == [0]


def test_a_mode_alone_moves_no_bytes(sides: Far) -> None:
    for name in ("one", "two"):
        sides.put(name, "a")
    sides.submit()
    sides.start()
    sides.moved.clear()
    (sides.here / "one").chmod(0o755)
    assert sides.submit() == []
    assert stat.S_IMODE((sides.there / "one").stat().st_mode) == 0o755
    assert sides.moved == [0]


def test_a_first_submit_that_was_cut_off_moves_only_the_rest(sides: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what came already, what changed since does move, even within the same second."""

    def die(*_: object) -> None:
        raise TransferError("cut off")

    sync.forget_manifest(sides.swarm)
    Path(sides.site.environment.root, "exec/replica.tsv").unlink()
    for name in ("one", "two"):
        sides.put(name, "a")
    with monkeypatch.context() as patch, pytest.raises(TransferError, match="cut off"):
        patch.setattr(sync, "save_manifest", die)
        sides.submit()
    sides.moved.clear()
    sides.put("one", "b", ns=1)
    sides.put("new", "c")
    assert sides.submit() == []
    assert sides.letters() == "cba"
    assert SIZE < sum(sides.moved) <= 2 * SIZE
