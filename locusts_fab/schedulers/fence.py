"""The fence: what keeps managers of earlier submissions from taking more tasks, whoever started them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.errors import HostError, StateError
from locusts_fab.shell.scripts import RemoteExit, remote_script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.hosts.base import Host
    from locusts_fab.layout import Environment
    from locusts_fab.model.swarms import Submission


def not_ours(environment: Environment, host: str) -> StateError:
    """Return the error for an environment that became somebody else's while a command was at work."""
    return StateError(
        f"the environment {environment.root} ({host}) is not ours any more: somebody made it anew just now",
        hint="repeat the command, which says who; nothing was started",
    )


def put_up_fence(host: Host, environment: Environment, submissions: Iterable[Submission]) -> None:
    """Let the managers of submissions take no more tasks; what they run may end.

    :raises HostError: the environment cannot be written.
    """
    numbers = [str(each.number) for each in submissions]
    result = host.run(remote_script("fence"), environment.root, environment.id, *numbers)
    if result.exit_status == RemoteExit.FOREIGN:
        raise not_ours(environment, host.name)
    if result.exit_status != 0:
        raise HostError.of_script(
            f"{host.name}: {environment.root} cannot be written",
            result.stderr,
            hint="see permissions and free space there; then repeat this",
        )
