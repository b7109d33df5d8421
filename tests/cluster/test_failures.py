"""What goes wrong on the way to a host: its exit code, one clear message, and the same command carries on."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.load import load
from locusts_fab.errors import HostError
from locusts_fab.hosts import link
from locusts_fab.operations.collect import EAGER_WORTH
from locusts_fab.operations.look import status
from locusts_fab.progress import Silent
from locusts_fab.target import forget_logins
from tests.support.processes import wait_until

from .failures import NO_RSYNC, FarWorkspace, assert_clear, small_disk, unwrapped
from .sshd import ALIAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from locusts_fab.progress import Watcher

    from .accounts import Account
    from .conftest import Cluster
    from .sshd import Sshd

USAGE, CONNECTION, SCHEDULER = 2, 3, 4
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
def workspace(sshd: Sshd, tmp_path: Path) -> FarWorkspace:
    return FarWorkspace(tmp_path, sshd)


# Logging in.


def test_the_host_key_has_changed(workspace: FarWorkspace, sshd: Sshd) -> None:
    workspace.swarm()
    sshd.rotate_host_key()
    before = sshd.authentications()
    workspace.fail(CONNECTION, f"{ALIAS}: the host shows another key", "ssh-keygen -R")
    assert sshd.authentications() == before
    sshd.trust_host_key()
    workspace.finish()


def test_the_host_key_is_not_known(workspace: FarWorkspace, sshd: Sshd) -> None:
    workspace.swarm()
    sshd.known_hosts_path.write_text("")
    workspace.fail(CONNECTION, f"{ALIAS}: the host's key", "is not known", f"log in once with `ssh {ALIAS}`")
    sshd.trust_host_key()
    workspace.finish()


def test_the_host_is_down(workspace: FarWorkspace, sshd: Sshd) -> None:
    workspace.swarm()
    sshd.stop()
    workspace.fail(CONNECTION, f"{ALIAS}: the connection was refused", "check host and port")
    sshd.start()
    workspace.finish()


@pytest.fixture(scope="module")
def password_account(sshd: Sshd) -> Account:
    return sshd.add_account("password")


@needs_root
def test_nobody_is_there_to_type_the_password(workspace: FarWorkspace, password_account: Account) -> None:
    workspace.login = password_account
    workspace.swarm()
    workspace.fail(CONNECTION, f"{workspace.host}: the host asks", "there is no terminal to answer it", "ssh-copy-id")
    workspace.finish_at_terminal()


@needs_root
def test_a_wrong_password_is_typed(workspace: FarWorkspace, password_account: Account) -> None:
    workspace.login = password_account
    workspace.swarm()
    with workspace.at_terminal("run") as terminal:
        terminal.read_until(workspace.prompt)
        terminal.type("swordfish")
        assert terminal.end() == CONNECTION
    refused = f"{workspace.host}: the login as {password_account.name} was refused"
    assert_clear(terminal.text, workspace.prompt, refused, "see that `ssh")
    workspace.finish_at_terminal()


# Putting things there.


def test_the_root_cannot_be_written(workspace: FarWorkspace) -> None:
    workspace.root.mkdir(mode=0o555)
    workspace.give(workspace.root)
    workspace.swarm()
    workspace.fail(USAGE, f"root: {workspace.root}: ", "Permission denied", "choose a folder that you may write")
    environment = f"{ALIAS}: the environment {workspace.root}/s cannot be made or written"
    workspace.fail(CONNECTION, environment, "Permission denied", "permissions", words=("run", "--force"))
    workspace.root.chmod(0o700)
    workspace.finish()


@needs_root
def test_the_disk_of_the_host_is_full(workspace: FarWorkspace) -> None:
    with small_disk(workspace.root, workspace.account.home) as disk:
        workspace.swarm(size=LARGE)
        workspace.fail(USAGE, "space: ", "free on", "at least", "--force")
        full = f"{ALIAS}: rsync failed: the disk is full on {ALIAS}"
        workspace.fail(CONNECTION, full, "free some space there", words=("run", "--force"))
        disk.grow()
        workspace.finish()


def test_the_host_has_no_rsync(workspace: FarWorkspace) -> None:
    workspace.swarm()
    workspace.account.write_start_up(NO_RSYNC + "rm -f ~/some/tar\n")
    workspace.fail(CONNECTION, f"rsync on {ALIAS}: missing", "install it there")
    missing = f"{ALIAS}: rsync failed: rsync is not installed on the host"
    workspace.fail(CONNECTION, missing, "install it there", words=("run", "--force"))
    workspace.finish()


def test_the_host_has_tar_but_no_rsync(workspace: FarWorkspace) -> None:
    """All goes well until rsync is needed: some inputs are there already."""
    workspace.swarm()
    workspace.account.write_start_up(NO_RSYNC + "echo noise; echo more of it >&2\n")
    code, text = workspace.locusts("run")
    assert code == 0, text
    workspace.assert_finished()
    (workspace.folder / "in" / "f_more.txt").write_text("more\n")
    workspace.fail(CONNECTION, f"{ALIAS}: rsync failed: rsync is not installed on the host", "install it there")
    workspace.finish()


def test_this_machine_has_no_rsync(workspace: FarWorkspace, tmp_path: Path) -> None:
    workspace.swarm()
    workspace.env["PATH"] = str(tmp_path / "nothing")
    code, text = workspace.locusts("run")
    assert code == 0, text
    workspace.assert_finished()
    (workspace.folder / "in" / "f_more.txt").write_text("more\n")
    workspace.fail(CONNECTION, "rsync could not be started on this machine", "install rsync")
    workspace.env.clear()
    workspace.finish()


# The other half of rsync, on a link that stops half-way.
SLOW_UP = """#!/bin/bash
[[ $* != *--version* ]] || exec {{real}} "$@"
exec 3<&0
{{real}} "$@" < <(stdbuf -o0 head -c {size} <&3; touch {mark}; while [ -e {mark} ]; do sleep 0.1; done)
"""
SLOW_DOWN = """#!/bin/bash
[[ $* != *--version* ]] || exec {{real}} "$@"
exec 3>&1
{{real}} "$@" > >(stdbuf -o0 head -c {size} >&3; touch {mark}; while [ -e {mark} ]; do sleep 0.1; done)
"""


NO_TAR = "#!/bin/bash\nexit 1\n"


def test_the_link_breaks_in_the_first_stream(workspace: FarWorkspace, sshd: Sshd) -> None:
    """A login that asks nobody opens again, and rsync moves the rest."""
    mark = workspace.account.home / f"{workspace.name}.mark"
    workspace.swarm(size=LARGE)
    sshd.wrap("tar", SLOW_UP.format(size=LARGE * 2, mark=mark))
    with workspace.listen("run") as run:
        run.wait_for(mark)
        sshd.cut()
        sshd.unwrap("tar")
        mark.unlink()
        assert run.end() == 0, run.text
    workspace.finish()


def test_the_link_breaks_while_staging(workspace: FarWorkspace, sshd: Sshd) -> None:
    mark = workspace.account.home / f"{workspace.name}.mark"
    workspace.swarm(size=LARGE)
    sshd.wrap("tar", NO_TAR)
    sshd.wrap("rsync", SLOW_UP.format(size=LARGE * 2, mark=mark))
    with workspace.listen("run") as run:
        run.wait_for(mark)
        sshd.cut()
        mark.unlink()
        assert run.end() == CONNECTION, run.text
    assert_clear(run.text, f"{ALIAS}: rsync failed: the link broke", "run the command again")
    sshd.unwrap("rsync")
    sshd.unwrap("tar")
    workspace.finish()


def test_the_link_breaks_while_collecting(workspace: FarWorkspace, sshd: Sshd) -> None:
    mark = workspace.account.home / f"{workspace.name}.mark"
    workspace.swarm(size=LARGE)
    assert workspace.locusts("submit")[0] == 0
    assert workspace.locusts("watch")[0] == 0
    sshd.wrap("tar", NO_TAR)
    sshd.wrap("rsync", SLOW_DOWN.format(size=LARGE * 2, mark=mark))
    with workspace.listen("run") as run:
        run.wait_for(mark)
        sshd.cut()
        mark.unlink()
        assert run.end() == CONNECTION, run.text
    assert_clear(run.text, f"{ALIAS}: rsync failed: the link broke", "run the command again")
    sshd.unwrap("rsync")
    sshd.unwrap("tar")
    workspace.finish()


def test_what_fails_to_come_along_comes_at_the_end(workspace: FarWorkspace, sshd: Sshd) -> None:
    mark, go = (workspace.account.home / f"{workspace.name}.{end}" for end in ("mark", "go"))
    workspace.swarm(count=EAGER_WORTH + 100, wait_for=go)
    config = (workspace.folder / "locusts.toml").read_text()
    workspace.write(config.replace("while [", "[ <id> != 0 ] || while [", 1))
    workspace.account.write_start_up("")
    sshd.wrap("rsync", NO_SENDER.format(option="--sender", mark=mark))
    sshd.wrap("tar", NO_SENDER.format(option="-cf", mark=mark))
    with workspace.listen("run") as run:
        run.wait_for(mark)
        time.sleep(1)
        assert run.process.poll() is None
        assert not list((workspace.folder / "results").rglob("o_*"))
        sshd.unwrap("rsync")
        sshd.unwrap("tar")
        go.touch()
        assert run.end() == 0, run.text
    workspace.assert_finished()


@needs_root
def test_the_disk_for_the_results_is_full(workspace: FarWorkspace) -> None:
    with small_disk(workspace.folder / "results", workspace.folder) as disk:
        workspace.swarm(size=LARGE)
        workspace.fail(
            CONNECTION,
            f"results cannot be written to {workspace.folder}/results/s: No space left on device",
            "collect again",
        )
        disk.grow()
        workspace.finish()


@needs_root
def test_the_disk_for_the_local_state_is_full(workspace: FarWorkspace) -> None:
    with small_disk(workspace.folder / ".locusts", workspace.folder) as disk:
        workspace.swarm(size=LARGE)
        workspace.fail(CONNECTION, "the disk is full on this machine", "free some space there")
        disk.grow()
        workspace.finish()


@needs_root
def test_the_disk_for_the_local_state_is_full_from_the_first(workspace: FarWorkspace) -> None:
    with small_disk(workspace.folder / ".locusts", workspace.folder) as disk:
        workspace.swarm()
        disk.fill()
        workspace.fail(CONNECTION, "the local state", "cannot be written", "free some space there")
        disk.grow()
        workspace.finish()


# The scheduler.


@pytest.mark.usefixtures("cluster")
def test_the_partition_is_unknown(workspace: FarWorkspace) -> None:
    workspace.swarm("[targets.far.slurm]", 'partition = "nosuch"')
    workspace.fail(SCHEDULER, "there is no partition nosuch", "invalid partition", "fix [targets.", "nothing was sent")
    refused = f"{ALIAS}: sbatch refused the job"
    workspace.fail(SCHEDULER, refused, "invalid partition", "fix [targets.", words=("run", "--force"))
    workspace.swarm("[targets.far.slurm]", 'partition = "short"')
    workspace.finish()


def test_the_scheduler_is_silent(workspace: FarWorkspace, cluster: Cluster) -> None:
    workspace.swarm('scheduler = "slurm"')
    cluster.slurm.stop_controller()
    workspace.fail(SCHEDULER, f"{ALIAS}: the scheduler does not say whether the job was made", "repeat this command")
    cluster.slurm.start_controller()
    before = len(cluster.slurm.squeue())
    workspace.finish()
    assert len(cluster.slurm.squeue()) == before + 1


# Watching.


def test_an_outage_while_watching_is_survived(workspace: FarWorkspace, sshd: Sshd) -> None:
    go = workspace.account.home / f"{workspace.name}.go"
    workspace.swarm(wait_for=go)
    workspace.account.write_start_up("")
    with workspace.listen("run") as run:
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
    workspace.assert_finished()


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


def test_an_outage_that_lasts_ends_the_watching(
    workspace: FarWorkspace, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = workspace.account.home / f"{workspace.name}.go"
    workspace.swarm(wait_for=go)
    assert workspace.locusts("submit")[0] == 0
    monkeypatch.setenv("HOME", str(sshd.client_home))
    monkeypatch.setattr(status, "RETRY_S", (0.0,) * 6)
    monkeypatch.setattr(link, "ATTEMPT_DELAYS_S", (0.0,) * 4)
    saboteur = Saboteur(sshd.stop)
    with pytest.raises(HostError, match="the connection was refused"):
        status.watch(load(str(workspace.folder / "locusts.toml")), screen=saboteur)
    assert len(saboteur.notes) == 1
    forget_logins()
    sshd.start()
    go.touch()
    workspace.finish()


@needs_root
def test_an_outage_is_not_survived_where_a_person_would_be_asked_again(
    workspace: FarWorkspace, sshd: Sshd, password_account: Account
) -> None:
    workspace.login = password_account
    go = workspace.account.home / f"{workspace.name}.go"
    workspace.swarm(wait_for=go)
    workspace.account.write_start_up("")
    with workspace.at_terminal("run") as run:
        run.read_until(workspace.prompt)
        run.type(password_account.password)
        run.read_until("0 of 4 done")
        sshd.cut()
        assert run.end() == CONNECTION, run.text
    assert run.text.count(workspace.prompt) == 1
    told = f"{workspace.host}: the link broke, and a new login might ask you again"
    assert unwrapped(run.text).count(told) == 1
    go.touch()
    workspace.finish_at_terminal()
