"""The test cluster itself does what the other tests take for granted."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import fabric
import paramiko
import pytest

from tests.support.processes import wait_until

from .accounts import PAM_FOLDER, TEMP_FOLDER, sweep
from .slurm import Slurm
from .sshd import ALIAS, Sshd

if TYPE_CHECKING:
    from collections.abc import Callable

    from .accounts import Account
    from .conftest import Cluster

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can add accounts")


def ssh(sshd: Sshd, command: str, alias: str = ALIAS) -> subprocess.CompletedProcess[str]:
    """Run a command by OpenSSH's own client."""
    return subprocess.run(
        ["ssh", "-F", sshd.ssh_config_path, alias, command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def last_line(sshd: Sshd, command: str) -> str:
    """Give the last line that a command prints; those before it are the start-up files'."""
    done = ssh(sshd, command)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def state_of(slurm: Slurm, job: str) -> str:
    """Give the state of a job, or nothing where SLURM does not know it."""
    return next((each.state for each in slurm.squeue() if each.id == job), "")


def test_logs_into_a_noisy_account_of_its_own(sshd: Sshd) -> None:
    done = ssh(sshd, 'cd && printf "%s\\n" "$USER" "$PWD"')
    assert done.stdout.splitlines()[-2:] == [sshd.user, str(sshd.home)]
    assert "Welcome" in done.stdout
    assert "start-up file" in done.stderr
    assert sshd.home != Path.home()

    sshd.account.write_start_up("")
    assert ssh(sshd, "true").stdout == ""


def test_fabric_finds_it_by_a_home_of_its_own(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(sshd.client_home))
    with fabric.Connection(ALIAS) as connection:
        assert connection.run("id -un", hide=True, in_stream=False).stdout.splitlines()[-1] == sshd.user


def test_counts_authentications(sshd: Sshd) -> None:
    before = sshd.authentications()
    for _ in range(3):
        ssh(sshd, "true")
    assert sshd.authentications() == before + 3
    assert ssh(sshd, "true", alias=f"nobody-of-ours@{ALIAS}").returncode == 255
    assert sshd.authentications() == before + 3


def test_a_changed_host_key_is_noticed(sshd: Sshd) -> None:
    sshd.rotate_host_key()
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in ssh(sshd, "true").stderr
    sshd.trust_host_key()
    assert ssh(sshd, "true").returncode == 0


def test_cut_ends_connections_and_nothing_else(sshd: Sshd) -> None:
    # The command waits for a file, not for the connection.
    script = "touch began; while [ ! -e go ]; do sleep 0.1; done; touch survived"
    client = subprocess.Popen(["ssh", "-F", sshd.ssh_config_path, ALIAS, script], stdin=subprocess.DEVNULL)
    with client:
        wait_until((sshd.home / "began").exists)
        sshd.set_env({"LATER": "also \"quoted\" and 'so'"})
        assert client.poll() is None
        assert last_line(sshd, 'echo "$LATER"') == "also \"quoted\" and 'so'"
        sshd.cut()
        assert client.wait(timeout=60) == 255
    (sshd.home / "go").touch()
    wait_until((sshd.home / "survived").exists)
    assert ssh(sshd, "true").returncode == 0


def test_stops_and_comes_back_on_the_same_port(sshd: Sshd) -> None:
    port = sshd.port
    sshd.stop()
    assert "Connection refused" in ssh(sshd, "true").stderr
    sshd.start()
    assert sshd.port == port
    assert ssh(sshd, "true").returncode == 0


def test_wrap_hides_a_command(sshd: Sshd) -> None:
    real = last_line(sshd, "uname -s")
    sshd.wrap("uname", '#!/bin/sh\nprintf "wrapped "\nexec {real} "$@"\n')
    assert last_line(sshd, "uname -s") == f"wrapped {real}"
    sshd.unwrap("uname")
    assert last_line(sshd, "uname -s") == real


def login(sshd: Sshd, account: Account, answer: Callable[[str], str] | None) -> list[str]:
    """Log in with paramiko by the password, or by `answer` to each prompt; list the prompts."""
    prompts: list[str] = []

    def handler(_title: str, _instructions: str, fields: list[tuple[str, bool]]) -> list[str]:
        prompts.extend(prompt for prompt, _echo in fields)
        return [answer(prompt) for prompt, _echo in fields] if answer else []

    transport = paramiko.Transport((sshd.host, sshd.port))
    try:
        transport.start_client(timeout=10)
        if answer is None:
            transport.auth_password(account.name, account.password)
        else:
            transport.auth_interactive(account.name, handler)
        channel = transport.open_session()
        channel.exec_command("id -un")
        assert channel.makefile().read().splitlines()[-1].decode() == account.name
    finally:
        transport.close()
    return prompts


@needs_root
def test_password_account_takes_no_key(sshd: Sshd) -> None:
    account = sshd.add_account("password")
    login(sshd, account, None)
    refused = ssh(sshd, "true", alias=f"{account.name}@{ALIAS}")
    assert refused.returncode == 255
    assert "Permission denied" in refused.stderr


@needs_root
def test_one_time_codes_are_a_second_prompt_and_good_once(sshd: Sshd) -> None:
    account = sshd.add_account("otp")
    codes: list[str] = []

    def answer(prompt: str) -> str:
        if prompt.startswith("Password"):
            return account.password
        codes.append(account.next_code())
        return codes[-1]

    for _ in range(2):
        prompts = login(sshd, account, answer)
        assert [prompt.split()[0] for prompt in prompts] == ["Password:", "One-time"]
    with pytest.raises(paramiko.AuthenticationException):
        login(sshd, account, lambda prompt: account.password if prompt.startswith("Password") else codes[0])


@needs_root
def test_other_login_shells(sshd: Sshd) -> None:
    account = sshd.add_account(shell="/bin/tcsh")  # noqa: S604 - a login shell, not a way to run a command
    done = ssh(sshd, "echo $version", alias=f"{account.name}@{ALIAS}")
    assert done.stdout.splitlines()[-1].startswith("tcsh")
    assert "Welcome" in done.stdout


def test_an_array_runs_on_several_nodes_as_the_account(cluster: Cluster) -> None:
    sshd, slurm = cluster
    # Each waits until three run, which no node has room for.
    wait = "until [ $(ls ran.? | wc -l) -ge 3 ]; do sleep 0.1; done"
    script = f"#!/bin/bash\nid -un > ran.$SLURM_ARRAY_TASK_ID; {wait}\n"
    (sshd.home / "job.sh").write_text(script, encoding="ascii")
    job = last_line(sshd, "sbatch --parsable --array=0-3 --cpus-per-task=2 --output=/dev/null job.sh")
    elements = [f"{job}_{index}" for index in range(4)]
    wait_until(lambda: all(state_of(slurm, element) == "COMPLETED" for element in elements))
    assert len({each.node for each in slurm.squeue() if each.id in elements}) >= 2
    assert all((sshd.home / f"ran.{index}").read_text().strip() == sshd.user for index in range(4))


def test_limits_of_the_partitions(cluster: Cluster) -> None:
    refused = ssh(cluster.sshd, "sbatch --time=02:00:00 --output=/dev/null --wrap=true")
    assert refused.returncode != 0
    assert "time limit" in refused.stderr.lower()
    assert last_line(cluster.sshd, "sbatch --parsable -p long --time=02:00:00 --output=/dev/null --wrap=true").isdigit()


def test_jobs_outlive_a_stopped_controller(cluster: Cluster) -> None:
    sshd, slurm = cluster
    job = last_line(sshd, "sbatch --parsable --output=/dev/null --wrap='sleep 300'")
    wait_until(lambda: state_of(slurm, job) == "RUNNING")
    slurm.stop_controller()
    assert ssh(sshd, "squeue -h").returncode != 0
    slurm.start_controller()
    assert state_of(slurm, job) == "RUNNING"


def test_a_frozen_controller_takes_a_job_that_sbatch_gave_up_on(cluster: Cluster) -> None:
    sshd, slurm = cluster
    slurm.freeze_controller()
    gave_up = ssh(sshd, "sbatch --parsable --job-name=lost --output=/dev/null --wrap='sleep 300'")
    assert gave_up.returncode != 0
    slurm.thaw_controller()
    wait_until(lambda: "lost" in {each.name for each in slurm.squeue()})


def test_a_killed_node_fails_its_jobs_and_comes_back(cluster: Cluster) -> None:
    sshd, slurm = cluster
    script = "#!/bin/bash\nwhile sleep 0.2; do echo $BASHPID > alive.$1; done\n"
    (sshd.home / "beat.sh").write_text(script, encoding="ascii")
    submit = "sbatch --parsable --no-requeue --output=/dev/null --nodelist="
    dead = last_line(sshd, f"{submit}n2 beat.sh dead")
    ghost = last_line(sshd, f"{submit}n3 beat.sh ghost")
    beats = [sshd.home / "alive.dead", sshd.home / "alive.ghost"]
    wait_until(lambda: all(path.exists() and path.read_text().strip() for path in beats))
    pids = [int(path.read_text()) for path in beats]

    slurm.kill_node("n2")
    slurm.kill_node("n3", jobs_too=False)
    assert [Path(f"/proc/{pid}/cwd").exists() for pid in pids] == [False, True]
    wait_until(lambda: {state_of(slurm, dead), state_of(slurm, ghost)} == {"NODE_FAIL"})
    assert Path(f"/proc/{pids[1]}/cwd").exists()

    slurm.start_node("n2")
    job = last_line(sshd, f"{submit}n2 --wrap=true")
    wait_until(lambda: state_of(slurm, job) == "COMPLETED")


@pytest.mark.usefixtures("cluster_packages")
def test_settings_override_slurm_conf() -> None:
    with Slurm(nodes=1, settings={"MaxArraySize": 4}) as small:
        with pytest.raises(subprocess.CalledProcessError) as refused:
            small.run("sbatch", "--array=0-4", "--output=/dev/null", "--wrap=true")
        assert "array" in refused.value.stderr


def leftovers(prefix: str) -> list[str]:
    """List what exists on this machine under names that begin with `prefix`: files, accounts, processes."""
    found = [str(path) for folder in (TEMP_FOLDER, PAM_FOLDER) for path in folder.glob(f"{prefix}*")]
    found += [entry.pw_name for entry in pwd.getpwall() if entry.pw_name.startswith(prefix)]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # A process may end while we look at it.
        with contextlib.suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [text] if f"/{prefix}" in text else []
    return found


@pytest.mark.usefixtures("cluster_packages")
def test_nothing_is_left_behind() -> None:
    with Slurm(nodes=1) as slurm, Sshd(env=slurm.env) as sshd:
        (sshd.home / "job.sh").write_text("#!/bin/bash\ntouch began; trap '' TERM; sleep 300\n", encoding="ascii")
        assert ssh(sshd, "sbatch --output=/dev/null job.sh").returncode == 0
        wait_until((sshd.home / "began").exists)
        prefixes = [sshd.folder.name, slurm.folder.name]
        assert all(map(leftovers, prefixes))
    # What was killed may take a moment to go.
    wait_until(lambda: not any(map(leftovers, prefixes)))


@pytest.mark.usefixtures("cluster_packages")
def test_the_next_run_sweeps_up_after_a_killed_one() -> None:
    began = TEMP_FOLDER / f"began-{os.getpid()}"
    command = [sys.executable, "-m", "tests.cluster"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        log_in = next(line for line in run.stdout if line.startswith("Log in:")).removeprefix("Log in:").split()
        job = f'sbatch --output=/dev/null --wrap="trap : TERM; touch {began}; while :; do sleep 300; done"'
        assert subprocess.run([*log_in, job], check=False, capture_output=True).returncode == 0
        wait_until(began.exists)
        assert leftovers(f"locusts-{run.pid}-")
        run.kill()
    began.unlink()
    sweep()
    wait_until(lambda: not leftovers(f"locusts-{run.pid}-"))
