"""The fence: what keeps managers of earlier submissions from taking more tasks, whoever started them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.errors import HostError
from locusts_fab.shell.scripts import remote_script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.hosts.base import Host
    from locusts_fab.layout import Environment
    from locusts_fab.model import Submission


def put_up_fence(host: Host, environment: Environment, submissions: Iterable[Submission]) -> None:
    """Let the managers of submissions take no more tasks; what they run may end.

    :raises HostError: the environment cannot be written.
    """
    numbers = [str(each.number) for each in submissions]
    result = host.run(remote_script("fence"), environment.root, *numbers)
    if result.exit_status != 0:
        raise HostError(f"{host.name}: {environment.root} cannot be written", stderr=result.stderr)
