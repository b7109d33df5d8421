"""What goes wrong on the way to a host: its exit code, one clear message, and the same command carries on."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.load import load
from locusts_fab.errors import HostError
from locusts_fab.hosts import ssh
from locusts_fab.operations import status
from locusts_fab.operations.collect import ALONG_WORTH
from locusts_fab.progress import Silent
from locusts_fab.target import forget_logins

from .failures import NO_RSYNC, FarDesk, assert_clear, small_disk, wait_until
from .sshd import ALIAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from locusts_fab.progress import Watcher

    from .accounts import Account
    from .conftest import Cluster
    from .sshd import Sshd

CONNECTION, SCHEDULER = 3, 4
#: More than the pipes and windows between two programs hold, so that a transfer that is stopped is stopped half-way.
LARGE = 2_000_000

#: Refuses to send files.
NO_SENDER = """\
#!/bin/bash
for word; do
  [[ $word != {option} ]] || {{ touch {mark}; exit 1; }}
done
exec {{real}} "$@"
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can add accounts and mount disks")


@pytest.fixture
def desk(sshd: Sshd, tmp_path: Path) -> FarDesk:
    return FarDesk(tmp_path, sshd)


# Logging in.


def test_the_host_key_has_changed(desk: FarDesk, sshd: Sshd) -> None:
    desk.swarm()
    sshd.rotate_host_key()
    before = sshd.authentications()
    desk.fail(CONNECTION, f"{ALIAS}: the host shows another key", "ssh-keygen -R")
    assert sshd.authentications() == before
    sshd.trust_host_key()
    desk.finish()


def test_the_host_key_is_not_known(desk: FarDesk, sshd: Sshd) -> None:
    desk.swarm()
    sshd.known_hosts_path.write_text("")
    desk.fail(CONNECTION, f"{ALIAS}: the host's key", "is not known", f"log in once with `ssh {ALIAS}`")
    sshd.trust_host_key()
    desk.finish()


def test_the_host_is_down(desk: FarDesk, sshd: Sshd) -> None:
    desk.swarm()
    sshd.stop()
    desk.fail(CONNECTION, f"{ALIAS}: the connection was refused", "check host and port")
    sshd.start()
    desk.finish()


@pytest.fixture(scope="module")
def password_account(sshd: Sshd) -> Account:
    return sshd.add_account("password")


@needs_root
def test_nobody_is_there_to_type_the_password(desk: FarDesk, password_account: Account) -> None:
    desk.login = password_account
    desk.swarm()
    desk.fail(CONNECTION, f"{desk.host}: the host asks", "there is no terminal to answer it", "ssh-copy-id")
    desk.finish_at_terminal()


@needs_root
def test_a_wrong_password_is_typed(desk: FarDesk, password_account: Account) -> None:
    desk.login = password_account
    desk.swarm()
    with desk.at_terminal("run") as terminal:
        terminal.read_until(desk.prompt)
        terminal.type("swordfish")
        assert terminal.end() == CONNECTION
    refused = f"{desk.host}: the login as {password_account.name} was refused"
    assert_clear(terminal.text, desk.prompt, refused, "see that `ssh")
    desk.finish_at_terminal()


# Putting things there.


def test_the_root_cannot_be_written(desk: FarDesk) -> None:
    desk.root.mkdir(mode=0o555)
    desk.give(desk.root)
    desk.swarm()
    desk.fail(CONNECTION, f"{ALIAS}: the folder {desk.root}/s cannot be made", "Permission denied", "permissions")
    desk.root.chmod(0o700)
    desk.finish()


@needs_root
def test_the_disk_of_the_host_is_full(desk: FarDesk) -> None:
    with small_disk(desk.root, desk.account.home) as disk:
        desk.swarm(size=LARGE)
        desk.fail(CONNECTION, f"{ALIAS}: rsync failed: the disk is full on {ALIAS}", "make room there")
        disk.grow()
        desk.finish()


def test_the_host_has_no_rsync(desk: FarDesk) -> None:
    desk.swarm()
    desk.account.write_start_up(NO_RSYNC + "rm -f ~/some/tar\n")
    desk.fail(CONNECTION, f"{ALIAS}: rsync failed: rsync is not installed on the host", "install it there")
    desk.finish()


def test_the_host_has_tar_but_no_rsync(desk: FarDesk) -> None:
    """All goes well until rsync is needed: some inputs are there already."""
    desk.swarm()
    desk.account.write_start_up(NO_RSYNC + "echo noise; echo more of it >&2\n")
    code, text = desk.locusts("run")
    assert code == 0, text
    desk.assert_finished()
    (desk.folder / "in" / "f_more.txt").write_text("more\n")
    desk.fail(CONNECTION, f"{ALIAS}: rsync failed: rsync is not installed on the host", "install it there")
    desk.finish()


def test_this_machine_has_no_rsync(desk: FarDesk, tmp_path: Path) -> None:
    desk.swarm()
    desk.env["PATH"] = str(tmp_path / "nothing")
    code, text = desk.locusts("run")
    assert code == 0, text
    desk.assert_finished()
    (desk.folder / "in" / "f_more.txt").write_text("more\n")
    desk.fail(CONNECTION, "rsync could not be started on this machine", "install rsync")
    desk.env.clear()
    desk.finish()


# The other half of rsync, on a link that stops half-way.
SLOW_UP = """#!/bin/bash
exec 3<&0
{{real}} "$@" < <(stdbuf -o0 head -c {size} <&3; touch {mark}; while [ -e {mark} ]; do sleep 0.1; done)
"""
SLOW_DOWN = """#!/bin/bash
exec 3>&1
{{real}} "$@" > >(stdbuf -o0 head -c {size} >&3; touch {mark}; while [ -e {mark} ]; do sleep 0.1; done)
"""


NO_TAR = "#!/bin/bash\nexit 1\n"


def test_the_link_breaks_in_the_first_stream(desk: FarDesk, sshd: Sshd) -> None:
    """A login that asks nobody opens again, and rsync moves the rest."""
    mark = desk.account.home / f"{desk.name}.mark"
    desk.swarm(size=LARGE)
    sshd.wrap("tar", SLOW_UP.format(size=LARGE * 2, mark=mark))
    with desk.listen("run") as run:
        run.wait_for(mark)
        sshd.cut()
        sshd.unwrap("tar")
        mark.unlink()
        assert run.end() == 0, run.text
    desk.finish()


def test_the_link_breaks_while_staging(desk: FarDesk, sshd: Sshd) -> None:
    mark = desk.account.home / f"{desk.name}.mark"
    desk.swarm(size=LARGE)
    sshd.wrap("tar", NO_TAR)
    sshd.wrap("rsync", SLOW_UP.format(size=LARGE * 2, mark=mark))
    with desk.listen("run") as run:
        run.wait_for(mark)
        sshd.cut()
        mark.unlink()
        assert run.end() == CONNECTION, run.text
    assert_clear(run.text, f"{ALIAS}: rsync failed: the link broke", "run the command again")
    sshd.unwrap("rsync")
    sshd.unwrap("tar")
    desk.finish()


def test_the_link_breaks_while_collecting(desk: FarDesk, sshd: Sshd) -> None:
    mark = desk.account.home / f"{desk.name}.mark"
    desk.swarm(size=LARGE)
    assert desk.locusts("submit")[0] == 0
    assert desk.locusts("watch")[0] == 0
    sshd.wrap("tar", NO_TAR)
    sshd.wrap("rsync", SLOW_DOWN.format(size=LARGE * 2, mark=mark))
    with desk.listen("run") as run:
        run.wait_for(mark)
        sshd.cut()
        mark.unlink()
        assert run.end() == CONNECTION, run.text
    assert_clear(run.text, f"{ALIAS}: rsync failed: the link broke", "run the command again")
    sshd.unwrap("rsync")
    sshd.unwrap("tar")
    desk.finish()


def test_what_fails_to_come_along_comes_at_the_end(desk: FarDesk, sshd: Sshd) -> None:
    mark, go = (desk.account.home / f"{desk.name}.{end}" for end in ("mark", "go"))
    desk.swarm(count=ALONG_WORTH + 100, wait_for=go)
    config = (desk.folder / "locusts.toml").read_text()
    desk.write(config.replace("while [", "[ <id> != 0 ] || while [", 1))
    desk.account.write_start_up("")
    sshd.wrap("rsync", NO_SENDER.format(option="--sender", mark=mark))
    sshd.wrap("tar", NO_SENDER.format(option="-cf", mark=mark))
    with desk.listen("run") as run:
        run.wait_for(mark)
        time.sleep(1)
        assert run.process.poll() is None
        assert not list((desk.folder / "results").rglob("o_*"))
        sshd.unwrap("rsync")
        sshd.unwrap("tar")
        go.touch()
        assert run.end() == 0, run.text
    desk.assert_finished()


@needs_root
def test_the_disk_for_the_results_is_full(desk: FarDesk) -> None:
    with small_disk(desk.folder / "results", desk.folder) as disk:
        desk.swarm(size=LARGE)
        desk.fail(
            CONNECTION,
            f"results cannot be written to {desk.folder}/results/s: No space left on device",
            "collect again",
        )
        disk.grow()
        desk.finish()


@needs_root
def test_the_disk_for_the_local_state_is_full(desk: FarDesk) -> None:
    with small_disk(desk.folder / ".locusts", desk.folder) as disk:
        desk.swarm(size=LARGE)
        desk.fail(CONNECTION, "the disk is full on this machine", "make room there")
        disk.grow()
        desk.finish()


@needs_root
def test_the_disk_for_the_local_state_is_full_from_the_first(desk: FarDesk) -> None:
    with small_disk(desk.folder / ".locusts", desk.folder) as disk:
        desk.swarm()
        disk.fill()
        desk.fail(CONNECTION, "the local state", "cannot be written", "make room there")
        disk.grow()
        desk.finish()


# The scheduler.


@pytest.mark.usefixtures("cluster")
def test_the_partition_is_unknown(desk: FarDesk) -> None:
    desk.swarm("[targets.far.slurm]", 'partition = "nosuch"')
    desk.fail(SCHEDULER, f"{ALIAS}: sbatch refused the job", "invalid partition", "mend [targets.")
    desk.swarm("[targets.far.slurm]", 'partition = "short"')
    desk.finish()


def test_the_scheduler_is_silent(desk: FarDesk, cluster: Cluster) -> None:
    desk.swarm('scheduler = "slurm"')
    cluster.slurm.stop_controller()
    desk.fail(SCHEDULER, f"{ALIAS}: the scheduler does not say whether the job was made", "repeat this command")
    cluster.slurm.start_controller()
    before = len(cluster.slurm.squeue())
    desk.finish()
    assert len(cluster.slurm.squeue()) == before + 1


# Watching.


def test_an_outage_while_watching_is_survived(desk: FarDesk, sshd: Sshd) -> None:
    go = desk.account.home / f"{desk.name}.go"
    desk.swarm(wait_for=go)
    desk.account.write_start_up("")
    with desk.listen("run") as run:
        run.read_until("0 of 4 done")
        logins = sshd.authentications()
        sshd.cut()
        wait_until(lambda: sshd.authentications() > logins)  # that is not worth a word
        assert "again" not in run.text
        sshd.stop()
        run.read_until("; the swarm goes on by itself, and we try again")
        sshd.start()
        go.touch()
        run.read_until(f"{ALIAS} answers again")
        assert run.end() == 0, run.text
    assert run.text.count("we try again") == 1, run.text
    desk.assert_finished()


class Saboteur(Silent):
    """Looks on, and acts once the first status has come."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act
        self.notes: list[str] = []

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watcher]:
        """See `Silent.watching`."""
        yield lambda _status: self.act()

    def note(self, text: str) -> None:
        """See `Silent.note`."""
        self.notes.append(text)


def test_an_outage_that_lasts_ends_the_watching(desk: FarDesk, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    go = desk.account.home / f"{desk.name}.go"
    desk.swarm(wait_for=go)
    assert desk.locusts("submit")[0] == 0
    monkeypatch.setenv("HOME", str(sshd.client_home))
    monkeypatch.setattr(status, "RETRY_S", (0.0,) * 6)
    monkeypatch.setattr(ssh, "ATTEMPT_DELAYS_S", (0.0,) * 4)
    saboteur = Saboteur(sshd.stop)
    with pytest.raises(HostError, match="the connection was refused"):
        status.watch(load(str(desk.folder / "locusts.toml")), screen=saboteur)
    assert len(saboteur.notes) == 1
    forget_logins()
    sshd.start()
    go.touch()
    desk.finish()


@needs_root
def test_an_outage_is_not_survived_where_a_person_would_be_asked_again(
    desk: FarDesk, sshd: Sshd, password_account: Account
) -> None:
    desk.login = password_account
    go = desk.account.home / f"{desk.name}.go"
    desk.swarm(wait_for=go)
    desk.account.write_start_up("")
    with desk.at_terminal("run") as run:
        run.read_until(desk.prompt)
        run.type(password_account.password)
        run.read_until("0 of 4 done")
        sshd.cut()
        assert run.end() == CONNECTION, run.text
    assert run.text.count(desk.prompt) == 1
    assert run.text.count(f"{desk.host}: the link broke, and a new login might ask you again") == 1
    go.touch()
    desk.finish_at_terminal()
