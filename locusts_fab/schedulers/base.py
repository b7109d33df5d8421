"""The protocols of a scheduler, and of what starts managers on one environment.

A new scheduler is one folder beside the others with an object that implements `Scheduler`, and a line in
`registry.py`. Its scripts stand in `templates/`: what managers know of it in `manager/NAME.sh`, what is asked of it in
`remote/NAME_*.sh`. Its settings are a table of the config, in `config/schema.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.hosts.base import Host
    from locusts_fab.layout import Environment
    from locusts_fab.model.findings import Finding
    from locusts_fab.model.swarms import JobStatus, Submission
    from locusts_fab.model.usage import Usage


class Launcher(Protocol):
    """The part that starts, stops and watches over the managers of one environment."""

    def start(self, submission: int, token: str, chunks: int, /) -> str:
        """Start the managers of a submission, once.

        :param token: a name that no other submission has.
        :param chunks: more managers than chunks would find nothing to do.
        :returns: the id of the job; empty if there is no scheduler.
        :raises LocustsError: they were not started, or that is unknown.
        """

    def fence(self, submissions: Iterable[Submission], /) -> None:
        """Let the managers of earlier submissions take no more tasks; what they run may end.

        :raises HostError: the target cannot be written.
        """

    def stop(self, managers: Iterable[str], submissions: Iterable[Submission], /) -> None:
        """Ask managers to leave, and let nothing of these submissions start any more.

        :param managers: those that may run.
        :param submissions: all that there were, the latest last.
        :raises SchedulerError: the scheduler did not take it.
        """

    def mark_gone(self, managers: Iterable[str], /) -> None:
        """Mark managers that have ended without a word as having left, so that others take over what they held."""

    def find(self, submission: Submission, /) -> str:
        """Return the id of a submission's job, if a command was killed before it got it; else nothing."""

    def is_alive(self, submission: Submission, /) -> bool:
        """Return whether a submission may still start, though no manager has written anything yet."""


@dataclass(frozen=True)
class Queue:
    """The answer of a scheduler about our jobs.

    :param jobs: those that it knows.
    :param answered: whether it answered; if not, nothing is known, and nothing follows.
    :param complaint: what it said instead.
    """

    jobs: list[JobStatus] = field(default_factory=list)
    answered: bool = True
    complaint: str = ""


class Scheduler(Protocol):
    """The parts that differ between schedulers: its commands and their answers, its settings, how a job comes back."""

    @property
    def name(self) -> str:
        """The name of the scheduler in the config."""

    @property
    def manager_part(self) -> str:
        """The name of the file in `templates/manager/` with its part of the managers, without `.sh`."""

    def launcher(self, host: Host, environment: Environment, swarm: Swarm) -> Launcher:
        """Return the launcher that starts the managers of a swarm."""

    # ---- scripts

    def start_scripts(self, swarm: Swarm, environment: Environment, bad_nodes: Sequence[str]) -> dict[str, str]:
        """Return the scripts that start managers, by their paths in the environment.

        :param bad_nodes: nodes that no manager is to run on, if that can be chosen.
        """

    def last_call_s(self, swarm: Swarm) -> int:
        """Return how many seconds a manager has from the word ahead of its time limit to the end, at least."""

    # ---- jobs

    def queue_script(self) -> str:
        """Return the text of the script that asks for jobs, for `poll.sh`; empty if there is no scheduler to ask."""

    def read_queue(self, status: int, answer: str) -> Queue:
        """Return the answer in the exit status of that script and what it printed on stdout."""

    def active_jobs(self, jobs: Iterable[JobStatus]) -> set[str]:
        """Return the ids, as submissions have them, of the jobs of which something is not known to be over."""

    def waiting_jobs(self, jobs: Iterable[JobStatus]) -> list[JobStatus]:
        """Return the jobs that have not started, or wait to be started again."""

    def paused_elements(self, jobs: Iterable[JobStatus]) -> set[tuple[str, int]]:
        """Return which jobs, by id and element, were stopped for a while: what runs in them is silent, and not gone."""

    def read_job_id(self, answer: str) -> str:
        """Return the id of a job, as submissions have it, from what submitting it printed; empty if there is none."""

    # ---- looking back

    def advise(self, swarm: Swarm, usage: Usage) -> Iterator[str]:
        """Yield what to ask the scheduler for next time, by what the tasks used: a line each."""

    # ---- looking beforehand

    def probe_script(self) -> str:
        """Return the text of the script that looks at the scheduler, for `probe.sh`; empty if there is none."""

    def job_to_try(self, scripts: Mapping[str, str]) -> str:
        """Return the one of the rendered scripts that `probe_script` is to try."""

    def judge(self, swarm: Swarm, facts: Mapping[str, str]) -> Iterator[Finding]:
        """Yield findings on what `probe_script` found, by its keys."""
