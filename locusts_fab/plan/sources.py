"""Where tasks come from: names of files, rows of arguments, the combinations of a sweep, lines of commands.

Each kind gives a `Source`: ids in order, and for each the values of the handles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.plan.commands import from_command_file
from locusts_fab.plan.files import from_inputs
from locusts_fab.plan.rows import from_args_file, from_rows, from_sweep

if TYPE_CHECKING:
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.plan.source import Source


def read_source(swarm: Swarm) -> Source:
    """Return the tasks that a config means.

    :raises PlanError: a file is missing or malformed, or there are no tasks.
    """
    settings = swarm.settings
    if settings.args is not None:
        return from_rows(settings.args, "args")
    if settings.args_file is not None:
        return from_args_file(swarm.resolve(settings.args_file), settings.args_file)
    if settings.sweep is not None:
        return from_sweep(settings.sweep)
    if settings.command_file is not None:
        return from_command_file(swarm.resolve(settings.command_file), settings.command_file)
    return from_inputs(swarm.indir, settings.inputs, skip_incomplete=settings.missing_inputs == "skip")
