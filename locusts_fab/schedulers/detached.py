"""Who starts and stops managers where there is no scheduler: we do, detached from the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError
from locusts_fab.layout import Environment, manager_id
from locusts_fab.shell.scripts import RemoteExit, remote_script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.hosts.base import Host
    from locusts_fab.model import Submission


@dataclass(frozen=True)
class Detached:
    """Managers that run by themselves on a host, one for each submit."""

    host: Host
    environment: Environment

    def start(self, submission: int, _token: str, _chunks: int) -> str:
        """Start the manager of a submission; if it was started before, do nothing.

        :returns: nothing that needs to be remembered.
        :raises HostError: it ended at once, or the environment cannot be written.
        """
        name = manager_id(submission)
        result = self.host.run(remote_script("start_detached"), self.environment.root, str(submission), name)
        if result.exit_status != 0:
            is_shut = result.exit_status == RemoteExit.NO_ENVIRONMENT
            cause = f"{self.environment.root} can be written" if is_shut else "`setup` works"
            raise HostError(
                f"{self.host.name}: the manager did not start:\n{result.text.strip() or result.stderr.strip()}",
                hint=f"see that {cause} there, then submit again",
                stderr=result.stderr,
            )
        return ""

    def fence(self, submissions: Iterable[Submission]) -> None:
        """Let the managers of earlier submissions take no more tasks; what they run may end.

        :raises HostError: the target cannot be written.
        """
        result = self.host.run(
            remote_script("fence"), self.environment.root, *[str(each.number) for each in submissions]
        )
        if result.exit_status != 0:
            raise HostError(f"{self.host.name}: {self.environment.root} cannot be written", stderr=result.stderr)

    def stop(self, managers: Iterable[str], _jobs: Iterable[str]) -> None:
        """Ask managers to leave; after a grace they end their tasks."""
        self.host.run(remote_script("stop"), self.environment.root, *managers)

    def bury(self, managers: Iterable[str]) -> None:
        """End what managers left running that are no more, and mark them as having left."""
        self.host.run(remote_script("mark_gone"), self.environment.root, *managers)

    def find(self, _submission: Submission) -> str:
        """Nobody calls what was started by a name."""
        return ""

    def is_alive(self, submission: Submission) -> bool:
        """Tell whether what was started for a submission is still there, though no manager has said anything yet."""
        result = self.host.run(remote_script("is_alive"), self.environment.root, str(submission.number))
        return result.exit_status == 0
