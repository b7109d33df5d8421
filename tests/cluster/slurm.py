"""A real SLURM on 127.0.0.1: a controller, several nodes that are all this machine, and a munged of their own.

Started by root, jobs run as whoever submits them; started by anybody else, as that user.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.processes import await_end

from . import accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

#: On each node; there are none, only files in their places.
GPUS = 2
#: The part of slurm.conf that tests may override. Everything that usually waits for minutes waits for seconds.
SETTINGS: dict[str, str | int] = {
    "MaxArraySize": 1001,
    "MinJobAge": 300,  # seconds that an ended job is still known
    "MessageTimeout": 5,  # seconds until sbatch gives up on a controller that does not answer
    "KillWait": 5,  # seconds from TERM to KILL
    "SlurmdTimeout": 5,  # with the retries it takes about 15 s until a silent node is DOWN
    "InactiveLimit": 0,
    "BatchStartTimeout": 10,
    "CompleteWait": 0,
    "JobRequeue": 1,
    "EnforcePartLimits": "ALL",  # refuse at once what no partition allows
    "SchedulerParameters": "batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2",
}

# No cgroups and no accounting, so that it runs in any container. The CPUs are pretended (config_overrides).
# A requeued job waits for cred_expire, which usually is two minutes.
_SLURM_CONF = """\
ClusterName=testcluster
SlurmctldHost={hostname}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdSpoolDir={folder}/spool-%n
StateSaveLocation={folder}/state
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
LaunchParameters=disable_send_gids
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
{settings}
{nodes}
PartitionName=short Nodes=ALL Default=YES MaxTime=01:00:00 State=UP
PartitionName=long Nodes=ALL MaxTime=7-00:00:00 State=UP
"""


class Job(NamedTuple):
    """One job, or one element of an array, as squeue shows it."""

    id: str
    state: str
    node: str
    name: str


class Slurm:
    """A running SLURM, gone without a trace at the end of the `with`.

    :param nodes: how many nodes, called n1, n2, …
    :param cpus: the CPUs that each claims to have.
    :param settings: lines of slurm.conf in place of those in `SETTINGS`, or beside them.
    """

    def __init__(self, nodes: int = 3, cpus: int = 4, settings: Mapping[str, str | int] | None = None) -> None:
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.cpus = cpus
        self.settings = {**SETTINGS, **(settings or {})}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        accounts.sweep()
        name = f"locusts-{os.getpid()}-slurm-"
        self.folder = Path(tempfile.mkdtemp(prefix=name, dir=accounts.TEMP_FOLDER))
        self.folder.chmod(0o711)
        self.conf_path = self.folder / "slurm.conf"
        try:
            self._write_conf()
            self._start_munged()
            self.start_controller()
            for node in self.nodes:
                self._start_slurmd(node)
            _wait("all nodes to be idle", lambda: all(map(self.is_up, self.nodes)), self._last_log)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def env(self) -> dict[str, str]:
        """The variable that leads SLURM's commands to this cluster."""
        return {"SLURM_CONF": str(self.conf_path)}

    def run(self, *command: str) -> str:
        """Run one of SLURM's commands here, as ourselves.

        :raises subprocess.CalledProcessError: it failed.
        """
        env = {**os.environ, **self.env}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout

    def squeue(self) -> list[Job]:
        """List every job that the controller still knows, ended ones too, array elements one by one."""
        lines = self.run("squeue", "-h", "-r", "-t", "all", "-o", "%i|%T|%N|%j").splitlines()
        return [Job(*line.split("|", 3)) for line in lines]

    def cancel_all(self) -> None:
        """Cancel every job, and wait until none is left that could still run something."""
        ended = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "PREEMPTED"}

        def living() -> list[str]:
            return [job.id for job in self.squeue() if job.state not in ended]

        def all_ended() -> bool:
            if not living():
                return True
            # Each time anew: a job that was about to be queued again comes back after the first time.
            # Unlike `scancel ID…` this does not fail for a job that ends meanwhile.
            for partition in ("short", "long"):
                self.run("scancel", f"--partition={partition}")
            return not living()

        _wait("all jobs to end", all_ended, self._last_log)

    def state_of(self, node: str) -> str:
        """Give the state of a node in sinfo's short form: `idle`, `mix`, `alloc`, `down*`, …."""
        return self.run("sinfo", "-h", "-p", "short", "-n", node, "-o", "%t").strip()

    def is_up(self, node: str) -> bool:
        """Say whether a node takes jobs: neither down nor drained, whoever uses it at the moment."""
        return self.state_of(node) in {"idle", "mix", "alloc", "comp"}

    def kill_node(self, node: str, *, jobs_too: bool = True) -> None:
        """Kill a node.

        :param jobs_too: with all that runs on it, as when the power fails; if not, only its slurmd,
            and the jobs go on while SLURM believes them dead.
        """
        self._kill(f"slurmd-{node}")
        if jobs_too:
            self._kill_jobs_of(node)

    def start_node(self, node: str) -> None:
        """Start a node that was killed, and wait until it takes jobs."""
        self._start_slurmd(node)
        _wait(f"{node} to come back", lambda: self.is_up(node), self._last_log)

    def stop_controller(self) -> None:
        """Stop slurmctld; the jobs run on, SLURM's commands fail after some seconds."""
        self._terminate("slurmctld")

    def freeze_controller(self) -> None:
        """Let slurmctld answer nothing for now: sbatch gives up, and yet its job is there after the thaw."""
        self._processes["slurmctld"].send_signal(signal.SIGSTOP)

    def thaw_controller(self) -> None:
        """Let slurmctld go on, with all that it was asked meanwhile."""
        self._processes["slurmctld"].send_signal(signal.SIGCONT)

    def start_controller(self) -> None:
        """Start slurmctld with the jobs that it knew, and wait until it answers."""
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.conf_path))
        _wait("slurmctld to answer", self._answers, self._last_log)

    def restore(self) -> None:
        """Leave the cluster as it was at first: everything up, and no job alive."""
        if "slurmctld" in self._processes:
            self.thaw_controller()
        else:
            self.start_controller()
        for node in self.nodes:
            if f"slurmd-{node}" not in self._processes:
                self.start_node(node)
        self.cancel_all()

    def close(self) -> None:
        """Stop everything that runs, and remove every file."""
        for name in list(self._processes):
            self._terminate(name)
        for node in self.nodes:
            self._kill_jobs_of(node)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_conf(self) -> None:
        ports = _free_ports(1 + len(self.nodes))
        for name in ("state", *(f"spool-{node}" for node in self.nodes)):
            (self.folder / name).mkdir(mode=0o755)
        nodes = [
            f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port}"
            f" CPUs={self.cpus} RealMemory=8000 Feature=test Gres=gpu:{GPUS}"
            for node, port in zip(self.nodes, ports[1:], strict=True)
        ]
        text = _SLURM_CONF.format(
            hostname=socket.gethostname().split(".")[0],
            ports=ports,
            folder=self.folder,
            user=accounts.own_name(),
            settings="\n".join(f"{key}={value}" for key, value in self.settings.items()),
            nodes="\n".join(nodes),
        )
        self.conf_path.write_text(text, encoding="utf-8")
        for number in range(GPUS):  # SLURM only counts the files
            (self.folder / f"gpu{number}").touch()
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n", encoding="utf-8")

    def _start_munged(self) -> None:
        """Start the daemon that vouches for who sends a message; every account must reach its socket."""
        private = self.folder / "munge-private"
        public = self.folder / "munge"
        private.mkdir(mode=0o700)
        public.mkdir(mode=0o755)
        (private / "key").touch(mode=0o600)
        (private / "key").write_bytes(os.urandom(128))
        names = ("key-file", "log-file", "pid-file", "seed-file")
        options = [f"--{name}={private / name.removesuffix('-file')}" for name in names]
        self._start("munged", "munged", "--foreground", f"--socket={public / 'socket'}", *options)
        _wait("munged to listen", (public / "socket").is_socket, self._last_log)

    def _start_slurmd(self, node: str) -> None:
        self._start(f"slurmd-{node}", "slurmd", "-D", "-f", str(self.conf_path), "-N", node)

    def _start(self, name: str, *command: str) -> None:
        """Start a daemon; it goes when this process is killed."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        with (self.folder / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": path, **self.env},
                cwd=self.folder,
                start_new_session=True,  # a Ctrl-C in the terminal is for the tests
            )

    def _terminate(self, name: str) -> None:
        """Stop a daemon in order, or else kill it."""
        process = self._processes.get(name)
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            self._kill(name)

    def _kill(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def _kill_jobs_of(self, node: str) -> None:
        """Kill what runs on a node: first every slurmstepd, which would tell SLURM of the others' end.

        All others are stopped before any is killed, for a slot that outlives its task by a moment records its end.
        Returns once it is dead, which on a loaded machine takes a moment.
        """
        killed = []
        stop, kill = signal.SIGSTOP, signal.SIGKILL
        order = ((self._is_stepd, kill), (self._is_task, stop), (self._is_task, kill), (self._is_task, kill))
        for is_victim, number in order:
            for process in Path("/proc").glob("[0-9]*"):
                # A process may end while we look at it, or be somebody else's.
                with contextlib.suppress(OSError):
                    if is_victim(process, node):
                        os.kill(int(process.name), number)
                        killed.append(int(process.name))
        for pid in killed:
            await_end(pid)

    def _is_stepd(self, process: Path, node: str) -> bool:
        """Tell a slurmstepd by its log; its environment is overwritten by its title."""
        if not (process / "exe").readlink().name.startswith("slurmstepd"):
            return False
        log = self.folder / f"slurmd-{node}.log"
        return any(descriptor.readlink() == log for descriptor in (process / "fd").iterdir())

    def _is_task(self, process: Path, node: str) -> bool:
        """Tell what a job started by its environment."""
        marks = {f"SLURMD_NODENAME={node}".encode(), f"SLURM_CONF={self.conf_path}".encode()}
        return marks <= set((process / "environ").read_bytes().split(b"\0"))

    def _answers(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            return "UP" in self.run("scontrol", "ping")
        return False

    def _last_log(self) -> str:
        """Give the end of every log, for the message when something does not start."""
        texts = []
        for path in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")]):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
            texts.append("\n".join([f"{path.name}:", *lines]))
        return "\n".join(texts)


def _wait(what: str, done: Callable[[], bool], explain: Callable[[], str], timeout_s: float = 180) -> None:
    """Wait until `done`.

    :raises RuntimeError: it took too long; the text holds what `explain` gives.
    """
    give_up = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > give_up:
            raise RuntimeError(f"waited {timeout_s:g} s for {what}:\n{explain()}")
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]
