"""The task that comes after all others: what it runs. It finds them by the list that `manager/planfile.py` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import written
from locusts_fab.errors import PlanError
from locusts_fab.layout import Environment
from locusts_fab.model.tasks import FINAL, Task
from locusts_fab.shell.template import Template

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from locusts_fab.config.swarm import Swarm

#: The handle that stands for the folder with the results of all others.
RESULTS = "results"
#: The table in it.
TABLE = "tasks.tsv"


def final_task(swarm: Swarm, environment_dir: str, shared: Mapping[str, str], ids: Collection[str]) -> Task | None:
    """Return the task that comes after all others; None if the config has none.

    :param environment_dir: the environment's folder on the target, absolute.
    :param shared: the path on the target of each shared file, by its key.
    :param ids: of the others.
    :raises PlanError: another task has its id, or its command or outputs cannot be used.
    """
    final = swarm.settings.final
    if final is None:
        return None
    if FINAL in ids:
        raise PlanError(
            f"two tasks have the id {FINAL}: one that the inputs or rows give, and that of [swarms.{swarm.name}.final]",
            hint="give the first one another name with `id`",
            task_ids=[FINAL],
        )
    environment = Environment(environment_dir)
    command = Template.command(final.command, {RESULTS}, shared)
    return Task(
        FINAL,
        command.render({RESULTS: environment.absolute(environment.results)}),
        (),
        tuple([written(Template.name(text, set()).render({})) for text in swarm.designated_of_final]),
        is_strict=swarm.settings.strict,
    )


def needs_links(command: str) -> bool:
    """Return whether a command looks for more in the folder of results than the table, which says where all lies.

    Each link takes a file on the target, and with very many tasks to make them takes minutes.
    """
    mark = f"<{RESULTS}>"
    return command.count(mark) > command.count(f"{mark}/{TABLE}")
