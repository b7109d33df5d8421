"""Where tasks come from: names of files, rows of arguments, the combinations of a sweep, lines of commands.

Each kind gives a `Source`: ids in order, and for each the values of the handles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.plan.commands import from_command_file
from locusts_fab.plan.files import from_inputs
from locusts_fab.plan.product import multiply, sought_inputs
from locusts_fab.plan.rows import from_args_file, from_rows, from_sweep

if TYPE_CHECKING:
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.plan.inputs import Inputs
    from locusts_fab.plan.source import Source


def read_source(swarm: Swarm, there: Inputs | None = None) -> Source:
    """Return the tasks that a config means.

    :param there: what there is of inputs, if that is more than what is in their folder.
    :raises PlanError: a file is missing or malformed, or there are no tasks.
    """
    settings = swarm.settings
    skip = settings.missing_inputs == "skip"
    if settings.command_file is not None:
        return from_command_file(swarm.resolve(settings.command_file), settings.command_file)
    rows = _read_rows(swarm)
    if rows is None:
        return from_inputs(swarm.indir, settings.inputs, skip_incomplete=skip, there=there)
    sought = sought_inputs(settings.inputs, rows, settings.id)
    return multiply(from_inputs(swarm.indir, sought, skip_incomplete=skip, there=there), rows) if sought else rows


def _read_rows(swarm: Swarm) -> Source | None:
    settings = swarm.settings
    if settings.args is not None:
        return from_rows(settings.args, "args")
    if settings.args_file is not None:
        return from_args_file(swarm.resolve(settings.args_file), settings.args_file)
    return from_sweep(settings.sweep) if settings.sweep is not None else None
