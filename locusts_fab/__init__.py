"""Run a huge number of small shell tasks here or on a SLURM cluster, and get back exactly the outputs you named.

    import locusts_fab

    swarm = locusts_fab.load("locusts.toml", "pairs")
    locusts_fab.submit(swarm)
    locusts_fab.watch(swarm)
    print(locusts_fab.collect(swarm).status.tasks)

`locusts_fab.collection` holds the same as Invoke tasks, for a tasks.py of your own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from locusts_fab.errors import (
    ConfigError,
    ExitStatus,
    HostError,
    LocustsError,
    PlanError,
    SchedulerError,
    StateError,
    TransferError,
)

if TYPE_CHECKING:
    from invoke.collection import Collection

    from locusts_fab.config.load import load
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.legacy.convert import convert
    from locusts_fab.legacy.launch import launch
    from locusts_fab.operations.attach import attach
    from locusts_fab.operations.cancel import cancel
    from locusts_fab.operations.check import check
    from locusts_fab.operations.clean import clean
    from locusts_fab.operations.collect import collect
    from locusts_fab.operations.logs import logs
    from locusts_fab.operations.status import status, watch
    from locusts_fab.operations.submit import retry, submit

    collection: Collection

__all__ = [
    "ConfigError",
    "ExitStatus",
    "HostError",
    "LocustsError",
    "PlanError",
    "SchedulerError",
    "StateError",
    "Swarm",
    "TransferError",
    "attach",
    "cancel",
    "check",
    "clean",
    "collect",
    "collection",
    "convert",
    "launch",
    "load",
    "logs",
    "retry",
    "status",
    "submit",
    "watch",
]

_HOMES = {
    "Swarm": "config.swarm",
    "load": "config.load",
    "launch": "legacy.launch",
    "convert": "legacy.convert",
    "attach": "operations.attach",
    "clean": "operations.clean",
    "collect": "operations.collect",
    "logs": "operations.logs",
    "status": "operations.status",
    "watch": "operations.status",
    "check": "operations.check",
    "cancel": "operations.cancel",
    "retry": "operations.submit",
    "submit": "operations.submit",
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for: `invoke --list` needs none of the rooms behind them."""
    if name == "collection":
        return import_module(".cli.collection", __name__).make_collection()
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
