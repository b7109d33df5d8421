"""Managers without a scheduler: we start and stop them ourselves, detached from the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from locusts_fab.errors import HostError, SetupError
from locusts_fab.layout import Environment, manager_id
from locusts_fab.manager.render import render
from locusts_fab.manager.setup_failures import advice, failed_setups
from locusts_fab.manager.times import GRACE_S
from locusts_fab.schedulers.base import Queue
from locusts_fab.schedulers.fence import not_ours, put_up_fence
from locusts_fab.shell.scripts import RemoteExit, remote_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.hosts.base import Host
    from locusts_fab.model.findings import Finding
    from locusts_fab.model.swarms import JobStatus, Submission
    from locusts_fab.model.usage import Usage


@dataclass(frozen=True)
class Detached:
    """Managers that run by themselves on a host, one for each submit."""

    host: Host
    environment: Environment

    def start(self, submission: int, token: str, _chunks: int) -> str:
        """Start the manager of a submission; if it was started before, do nothing.

        :returns: an empty id: there is no job.
        :raises StateError: the environment, or the submission, is somebody else's.
        :raises SetupError: an entry of `setup` failed within a few seconds; the manager records one that fails later.
        :raises HostError: it ended at once, or the environment cannot be written.
        """
        name = manager_id(submission)
        where = (self.environment.root, self.environment.id)
        result = self.host.run(remote_script("start_detached"), *where, str(submission), name, token)
        if result.exit_status in {RemoteExit.FOREIGN, RemoteExit.TAKEN}:
            raise not_ours(self.environment, self.host.name)
        if result.exit_status == RemoteExit.SETUP_FAILED:
            raise SetupError(
                "; ".join(failed_setups([(self.host.name, result.text.strip())])),
                hint=advice(self.environment.absolute(self.environment.manager_log(name))),
            )
        if result.exit_status != 0:
            is_shut = result.exit_status == RemoteExit.NO_ENVIRONMENT
            log = self.environment.absolute(self.environment.manager_log(name))
            cause = f"{self.environment.root} can be written" if is_shut else f"`setup` works ({log} is its log)"
            said = result.text.strip() or result.stderr.strip() or "it ended without a word (an `exec` in `setup`?)"
            raise HostError(
                f"{self.host.name}: the manager did not start:\n{said}",
                hint=f"see that {cause} there, then submit again",
                stderr=result.stderr,
            )
        return ""

    def fence(self, submissions: Iterable[Submission]) -> None:
        """Let the managers of earlier submissions take no more tasks; what they run may end.

        :raises HostError: the target cannot be written.
        """
        put_up_fence(self.host, self.environment, submissions)

    def stop(self, managers: Iterable[str], _submissions: Iterable[Submission]) -> None:
        """Ask managers to leave; after a grace they end their tasks."""
        self.host.run(remote_script("stop"), self.environment.root, self.environment.id, *managers)

    def mark_gone(self, managers: Iterable[str]) -> None:
        """End what managers that were killed left running, and mark them as having left."""
        self.host.run(remote_script("mark_gone"), self.environment.root, self.environment.id, *managers)

    def find(self, _submission: Submission) -> str:
        """Return an empty id: there is no job."""
        return ""

    def is_alive(self, submission: Submission) -> bool:
        """Return whether what was started for a submission still runs, though no manager has written anything yet."""
        where = (self.environment.root, self.environment.id)
        result = self.host.run(remote_script("is_alive"), *where, str(submission.number))
        return result.exit_status == 0


@dataclass(frozen=True)
class NoScheduler:
    """The lack of a scheduler, in the form of one; see `Scheduler`."""

    name: ClassVar[str] = "none"
    manager_part: ClassVar[str] = "detached"

    def launcher(self, host: Host, environment: Environment, _swarm: Swarm) -> Detached:
        """See `Scheduler.launcher`."""
        return Detached(host, environment)

    def start_scripts(self, swarm: Swarm, environment: Environment, _bad_nodes: Sequence[str]) -> dict[str, str]:
        """See `Scheduler.start_scripts`: the lines of `setup`, then the manager."""
        values = {
            "setup": swarm.target.setup,
            "manager": environment.absolute(environment.manager_script),
            "logs": environment.absolute(environment.logs_folder),
        }
        return {environment.start_script: render("start.sh.j2", values)}

    def last_call_s(self, _swarm: Swarm) -> int:
        """See `Scheduler.last_call_s`. There is no time limit: that signal means the same as TERM."""
        return GRACE_S

    def queue_script(self) -> str:
        """See `Scheduler.queue_script`."""
        return ""

    def read_queue(self, _status: int, _answer: str) -> Queue:
        """See `Scheduler.read_queue`."""
        return Queue()

    def active_jobs(self, _jobs: Iterable[JobStatus]) -> set[str]:
        """See `Scheduler.active_jobs`."""
        return set()

    def waiting_jobs(self, _jobs: Iterable[JobStatus]) -> list[JobStatus]:
        """See `Scheduler.waiting_jobs`."""
        return []

    def paused_elements(self, _jobs: Iterable[JobStatus]) -> set[tuple[str, int]]:
        """See `Scheduler.paused_elements`."""
        return set()

    def read_job_id(self, _answer: str) -> str:
        """See `Scheduler.read_job_id`."""
        return ""

    def advise(self, _swarm: Swarm, _usage: Usage) -> Iterator[str]:
        """See `Scheduler.advise`."""
        return iter(())

    def probe_script(self) -> str:
        """See `Scheduler.probe_script`."""
        return ""

    def job_to_try(self, _scripts: Mapping[str, str]) -> str:
        """See `Scheduler.job_to_try`."""
        return ""

    def judge(self, _swarm: Swarm, _facts: Mapping[str, str]) -> Iterator[Finding]:
        """See `Scheduler.judge`."""
        return iter(())
