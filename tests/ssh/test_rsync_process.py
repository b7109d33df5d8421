"""rsync through a login to a real sshd, where it is interrupted on the way."""

from __future__ import annotations

import contextlib
import shutil
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import TransferError
from locusts_fab.hosts import ssh
from locusts_fab.hosts.rsync_process import RsyncRun
from tests.support.processes import wait_until
from tests.support.sshd import needs_sshd, no_waiting, running_sshd
from tests.support.transfers import fill, fresh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paramiko import Transport

    from tests.support.sshd import Sshd


pytestmark = needs_sshd
__all__ = ["no_waiting"]


@contextlib.contextmanager
def held_up(folder: Path, size: int) -> Iterator[tuple[Sshd, Path]]:
    """Start an sshd whose rsync is held up on its way: it gets so many bytes, and no more while a file is there.

    :returns: it, and that file.
    """
    tools, hold = fresh(folder / "bin"), folder / "hold"
    hold.touch()
    wait = f"while [ -e {hold} ]; do sleep 0.02; done"
    rsync = tools / "rsync"
    rsync.write_text(
        f"#!/bin/bash\nexec 3<&0\n[ ! -e {hold} ] || exec < <(stdbuf -o0 head -c {size} <&3; {wait}; exec cat <&3)\n"
        f'exec {shutil.which("rsync")} "$@" 3<&-\n'
    )
    rsync.chmod(0o755)
    with running_sshd(folder / "sshd", f'ForceCommand PATH={tools}:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"') as sshd:
        sshd.trust()
        try:
            yield sshd, hold
        finally:
            hold.unlink(missing_ok=True)


def test_a_link_that_breaks_in_a_push(tmp_path: Path) -> None:
    source, there = fresh(tmp_path / "source"), tmp_path / "there"
    for number in range(8):
        (source / str(number)).write_bytes(bytes(1_000_000))
    with held_up(tmp_path, 3_500_000) as (sshd, hold), sshd.remote() as remote:

        def cut_in_the_middle() -> None:
            wait_until(lambda: there.exists() and len([*there.iterdir()]) >= 3, "the third file")
            sshd.cut()
            hold.unlink()

        cutter = threading.Thread(target=cut_in_the_middle)
        cutter.start()
        with pytest.raises(TransferError, match="link broke") as caught:
            remote.push(source, str(there))
        cutter.join()
        assert "run the command again" in str(caught.value)
        moved = remote.push(source, str(there))
    assert 0 < moved < 8_000_000
    assert {path.name: path.stat().st_size for path in there.iterdir() if path.name.isdigit()} == {
        str(number): 1_000_000 for number in range(8)
    }


def test_a_link_that_is_seen_to_have_broken_a_little_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two rsyncs have ended already while the login still looks whole."""
    started: list[Transport] = []

    def run_rsync(transport: Transport, *_: object, **_more: object) -> RsyncRun:
        started.append(transport)
        return RsyncRun()

    monkeypatch.setattr(ssh, "run_rsync", run_rsync)
    monkeypatch.setattr(ssh, "TRANSFER_DELAYS_S", (0,))
    with running_sshd(tmp_path / "sshd") as sshd:
        sshd.trust()
        with sshd.remote() as remote:
            remote.run("true")
            monkeypatch.setattr(ssh, "time", SimpleNamespace(sleep=lambda _: started[0].close()))
            with pytest.raises(TransferError, match="link broke"):
                remote.push(fill(tmp_path / "source", [b"x"]), str(tmp_path / "there"))
        assert sshd.logins() == 1


def test_ctrl_c_ends_both_halves_of_rsync(tmp_path: Path) -> None:
    source, there = fresh(tmp_path / "source"), tmp_path / "there"
    (source / "a").touch()  # the first progress is told at the end of a file
    (source / "big").write_bytes(bytes(20_000_000))  # more than is ever on its way
    with held_up(tmp_path, 1_000_000) as (sshd, hold):

        def interrupt(_files: int, _moved: int) -> None:
            assert "rsync" in sshd.programs()
            raise KeyboardInterrupt

        with sshd.remote() as remote:
            with pytest.raises(KeyboardInterrupt):
                remote.push(source, str(there), progress=interrupt)
            hold.unlink()
            wait_until(lambda: "rsync" not in sshd.programs(), "the end of rsync on the host")
            assert [path for path in there.iterdir() if path.name == "big"] == []
            assert remote.run("echo still in").text == "still in\n"
        assert sshd.logins() == 1
