"""What tasks are given by us besides their files: the names of the variables, which `env` cannot give them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What each task is told about itself; `templates/manager/given.sh` sets it.
OWN_VARIABLES = ("LOCUSTS_SWARM", "LOCUSTS_TASK", "LOCUSTS_ATTEMPT", "LOCUSTS_SLOT", "LOCUSTS_NODE", "LOCUSTS_CPUS")


def taken_variables(names: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with names of `env`, if tasks are told something else under them."""
    for name in names:
        if name in OWN_VARIABLES:
            yield f"{name}: each task is told its own; choose another name"
