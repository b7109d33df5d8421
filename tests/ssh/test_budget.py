"""A host that sends without end, or more than it should, is cut off: neither memory, disk nor time are its own."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from locusts_fab.bounds import budget
from locusts_fab.bounds.budget import FreeSpace, Most
from locusts_fab.errors import HostError
from locusts_fab.hosts import patience, untar
from locusts_fab.hosts.local import LocalHost
from tests.support.sshd import needs_sshd, no_waiting, running_sshd
from tests.support.transfers import content, fill, fresh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from locusts_fab.hosts.base import Host
    from locusts_fab.hosts.ssh import SshHost

pytestmark = needs_sshd
__all__ = ["no_waiting"]

#: Nothing that one exchange holds in memory is more than this, in bytes.
MOST_MEMORY = 120_000_000


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder of programs that the host finds before others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


@pytest.fixture
def far(tmp_path: Path, programs: Path) -> Iterator[SshHost]:
    """Return a host whose sessions find these programs first."""
    path = f"{programs}:{os.environ['PATH']}"
    with running_sshd(tmp_path / "sshd", f"SetEnv PATH={path}") as sshd:
        sshd.trust()
        with sshd.remote() as remote:
            yield remote


@pytest.fixture(params=["here", "there"])
def host(request: pytest.FixtureRequest) -> Host:
    """Return this machine, or one that is reached over SSH."""
    if request.param == "here":
        return LocalHost()
    found: SshHost = request.getfixturevalue("far")
    return found


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """See that what Python held at any time was little."""
    tracemalloc.start()
    yield
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < MOST_MEMORY


def program(folder: Path, name: str, text: str) -> None:
    """Put a program in Python into a folder."""
    (folder / name).write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
    (folder / name).chmod(0o755)


# ---- scripts ----


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("exec cat /dev/zero", "the answer of a script has more than 16 MB"),
        ("exec yes", "the answer of a script has more than 16 MB"),
        ("exec cat /dev/zero >&2", "what it prints to its stderr has more than 16 MB"),
        ("exec yes >&2", "what it prints to its stderr has more than 16 MB"),
        ("cat /dev/zero >&2 & exec sleep 1000", "what it prints to its stderr has more than 16 MB"),
    ],
)
def test_a_script_without_end(host: Host, script: str, what: str) -> None:
    with pytest.raises(HostError, match=what) as caught:
        host.run(script)
    assert host.name in caught.value.message
    assert host.run("echo on").text == "on\n"


def test_entries_without_end(host: Host) -> None:
    with pytest.raises(HostError, match="the list has more than 1000 fields"):
        host.run("exec cat /dev/zero", most=Most(entries=1_000, what="the list"))
    assert host.run("printf '%s\\0' {1..1000}", most=Most(entries=1_000)).stdout.count(b"\0") == 1_000


def test_just_what_may_come_comes(host: Host) -> None:
    done = host.run("head -c 999000 /dev/zero; head -c 15000000 /dev/zero >&2", most=Most(1_000_000))
    assert done.stdout == bytes(999_000)
    assert len(done.stderr) <= 1 << 16


def test_a_byte_now_and_then_for_ever(host: Host) -> None:
    with pytest.raises(HostError, match="did not end within 2 s"):
        host.run("while :; do printf x; sleep 0.1; done", quiet_s=60, timeout_s=2)
    assert host.run("echo on").text == "on\n"


# ---- archives ----

#: The beginning of a program that stands for tar: `member` prints the head of a member.
TAR = """
import os, sys, tarfile
out = sys.stdout.buffer

def member(name, size=0, kind=tarfile.REGTYPE, more=b""):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    out.write(info.tobuf(tarfile.GNU_FORMAT))
    out.write(more + bytes(-len(more) % 512))

def without_end(piece):
    while True:
        out.write(piece)
"""


#: A head of another format, by which a few bytes stand for a large file of holes.
HOLES_EXTENDED = """
info = tarfile.TarInfo('./wanted')
names = {'major': '1', 'minor': '0', 'realsize': '500000000', 'name': './wanted'}
info.pax_headers = {f'GNU.sparse.{key}': value for key, value in names.items()}
out.write(info.tobuf(tarfile.PAX_FORMAT))
without_end(bytes(512))
"""


def forge_tar(programs: Path, text: str) -> None:
    """Let the host pack what `text` prints; it sees the mark that goes before."""
    program(programs, "tar", f"{TAR}\n{textwrap.dedent(text)}")


@pytest.mark.parametrize(
    "text",
    [
        "member('./wanted', 400_000_000, tarfile.GNUTYPE_LONGNAME); without_end(bytes(1 << 16))",
        "member('./wanted', 400_000_000, tarfile.GNUTYPE_LONGLINK); without_end(bytes(1 << 16))",
        "member('./wanted', 400_000_000, tarfile.XHDTYPE); without_end(b'30 comment=' + bytes(1 << 16))",
        "member('./wanted', 400_000_000, tarfile.XGLTYPE); without_end(bytes(1 << 16))",
        "member('./wanted', 1 << 40, tarfile.GNUTYPE_SPARSE); without_end(bytes(1 << 16))",
        "member('./wanted', -512, tarfile.GNUTYPE_LONGNAME); without_end(bytes(1 << 16))",
        HOLES_EXTENDED,
        "without_end(b'x' * 512)",
        "member('./wanted', 10**6)",
    ],
    ids=["long name", "long link", "extended", "global", "sparse", "negative", "sparse extended", "none", "cut off"],
)
def test_an_archive_that_we_never_asked_for(far: SshHost, programs: Path, tmp_path: Path, text: str) -> None:
    """It is left, and rsync is asked: what comes in the end is what is there."""
    forge_tar(programs, text)
    there, here = fill(tmp_path / "there", [b"wanted"]), fresh(tmp_path / "here")
    assert not far.fetch(str(there), [b"wanted"], here)
    assert content(here) == {}
    assert far.pull(str(there), [b"wanted"], here) == []
    assert content(here) == {b"wanted": b"wanted"}


@pytest.mark.parametrize(
    "text",
    [
        "member('./other', 1 << 40); without_end(bytes(1 << 16))",
        "while True: member('./other')",
        "while True: member('./wanted/', 0, tarfile.DIRTYPE)",
        "while True: member('./wanted', 0, tarfile.SYMTYPE)",
        "member('./wanted', 1 << 40, b'Z'); without_end(bytes(1 << 16))",
    ],
    ids=["a large one", "many", "one folder", "links", "an unknown kind"],
)
def test_an_archive_of_what_nobody_asked_for(
    far: SshHost, programs: Path, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untar, "_MOST_UNWANTED", 1_000_000)
    monkeypatch.setattr(budget, "_UNEXPECTED_ENTRIES", 2_000)  # which takes less long than all that may come
    forge_tar(programs, text)
    here = fresh(tmp_path / "here")
    with pytest.raises(HostError, match="the archive holds what nobody asked for"):
        far.fetch(str(tmp_path), [b"wanted"], here)
    assert set(content(here)) <= {b"wanted"}


def test_noise_without_end_before_an_archive(far: SshHost, programs: Path, tmp_path: Path) -> None:
    program(
        programs,
        "bash",
        f"""
        import os, sys
        if "locusts" not in str(sys.argv):  # a start-up file of whoever runs this may use it, too
            os.execv({shutil.which("bash")!r}, sys.argv)
        while True:
            sys.stdout.write("Welcome! " * 100)
        """,
    )
    with pytest.raises(HostError, match="what start-up files print has more than 16 MB"):
        far.fetch(str(tmp_path), [b"wanted"], fresh(tmp_path / "here"))


@pytest.fixture
def filling_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a disk look nearly full at the second look, so that no test has to fill one."""
    looks = iter([(10_000_000_000, 1_000_000)])
    monkeypatch.setattr(FreeSpace, "_look", lambda _space: next(looks, (1_000_000, 1_000_000)))


@pytest.mark.usefixtures("filling_disk")
def test_a_wanted_file_without_end(far: SshHost, programs: Path, tmp_path: Path) -> None:
    forge_tar(programs, "import time; member('./wanted', 1 << 40); out.flush(); time.sleep(99)")
    with pytest.raises(HostError, match=r"cluster: the disk of .*/here has less than 64 MB left"):
        far.fetch(str(tmp_path), [b"wanted"], fresh(tmp_path / "here"))


# ---- rsync ----


@pytest.mark.parametrize("stream", ["stderr", "stdout"])
def test_an_rsync_without_end(far: SshHost, programs: Path, tmp_path: Path, stream: str) -> None:
    program(programs, "rsync", f"import sys\nwhile True: sys.{stream}.write('no such file ' * 100)")
    with pytest.raises(HostError, match="cluster: "):
        far.pull(str(tmp_path), [b"wanted"], fresh(tmp_path / "here"))
    assert far.run("echo on").text == "on\n"


def test_an_rsync_that_complains_without_end(far: SshHost, programs: Path, tmp_path: Path) -> None:
    program(programs, "rsync", "import sys\nwhile True: sys.stderr.write('x' * 1000)")
    with pytest.raises(HostError, match="what it prints to its stderr has more than 16 MB"):
        far.push(fill(tmp_path / "source", [b"x"]), str(tmp_path / "there"))


def test_an_rsync_that_moves_nothing_for_ever(
    far: SshHost, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LONG_S", 2.0)
    program(programs, "rsync", "import sys, time\nwhile True: sys.stdout.write('x'); sys.stdout.flush(); time.sleep(1)")
    with pytest.raises(HostError, match="did not end within 2"):
        far.push(fill(tmp_path / "source", [b"x"]), str(tmp_path / "there"))


@pytest.mark.usefixtures("filling_disk")
def test_an_rsync_that_fills_the_disk(far: SshHost, programs: Path, tmp_path: Path) -> None:
    program(programs, "rsync", "import time; time.sleep(99)")
    with pytest.raises(HostError, match=r"cluster: the disk of .*/here has less than 64 MB left"):
        far.pull(str(tmp_path), [b"wanted"], fresh(tmp_path / "here"))
