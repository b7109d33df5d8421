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

if TYPE_CHECKING:  # the same names as in _MODULES below, for those who check types
    from locusts_fab.cli.collection import collection as collection
    from locusts_fab.config.load import load as load
    from locusts_fab.config.swarm import Swarm as Swarm
    from locusts_fab.errors import ConfigError as ConfigError
    from locusts_fab.errors import ExitStatus as ExitStatus
    from locusts_fab.errors import HostError as HostError
    from locusts_fab.errors import LocustsError as LocustsError
    from locusts_fab.errors import LoginRefusedError as LoginRefusedError
    from locusts_fab.errors import PlanError as PlanError
    from locusts_fab.errors import SchedulerError as SchedulerError
    from locusts_fab.errors import SetupError as SetupError
    from locusts_fab.errors import StateError as StateError
    from locusts_fab.errors import TransferError as TransferError
    from locusts_fab.layout import Results as Results
    from locusts_fab.legacy.convert import convert as convert
    from locusts_fab.legacy.launch import launch as launch
    from locusts_fab.model.findings import Finding as Finding
    from locusts_fab.model.swarms import Cause as Cause
    from locusts_fab.model.swarms import Counts as Counts
    from locusts_fab.model.swarms import Failures as Failures
    from locusts_fab.model.swarms import JobStatus as JobStatus
    from locusts_fab.model.swarms import ManagerState as ManagerState
    from locusts_fab.model.swarms import ManagerStatus as ManagerStatus
    from locusts_fab.model.swarms import Status as Status
    from locusts_fab.model.swarms import SwarmState as SwarmState
    from locusts_fab.model.tasks import Outcome as Outcome
    from locusts_fab.model.tasks import TaskState as TaskState
    from locusts_fab.model.usage import Spread as Spread
    from locusts_fab.model.usage import Usage as Usage
    from locusts_fab.operations.attach import attach as attach
    from locusts_fab.operations.cancel import cancel as cancel
    from locusts_fab.operations.check import check as check
    from locusts_fab.operations.clean import clean as clean
    from locusts_fab.operations.collect import Collected as Collected
    from locusts_fab.operations.collect import collect as collect
    from locusts_fab.operations.look.failures import failures as failures
    from locusts_fab.operations.look.logs import TaskLog as TaskLog
    from locusts_fab.operations.look.logs import logs as logs
    from locusts_fab.operations.look.outputs import open_output as open_output
    from locusts_fab.operations.look.status import status as status
    from locusts_fab.operations.look.status import watch as watch
    from locusts_fab.operations.look.tasks import tasks as tasks
    from locusts_fab.operations.submit import Submitted as Submitted
    from locusts_fab.operations.submit import retry as retry
    from locusts_fab.operations.submit import submit as submit
    from locusts_fab.progress import Silent as Silent
    from locusts_fab.replica.manifest import Change as Change
    from locusts_fab.replica.merge import Brought as Brought
    from locusts_fab.replica.treefile import escape_name as escape_name
    from locusts_fab.tsv import unescape as unescape
    from locusts_fab.ui.screen import Screen as Screen

#: Every public name, and the module of this package that holds it.
_MODULES = {
    "Brought": "replica.merge",
    "Cause": "model.swarms",
    "Change": "replica.manifest",
    "Collected": "operations.collect",
    "ConfigError": "errors",
    "Counts": "model.swarms",
    "ExitStatus": "errors",
    "Failures": "model.swarms",
    "Finding": "model.findings",
    "HostError": "errors",
    "JobStatus": "model.swarms",
    "LocustsError": "errors",
    "LoginRefusedError": "errors",
    "ManagerState": "model.swarms",
    "ManagerStatus": "model.swarms",
    "Outcome": "model.tasks",
    "PlanError": "errors",
    "Results": "layout",
    "SchedulerError": "errors",
    "Screen": "ui.screen",
    "SetupError": "errors",
    "Silent": "progress",
    "StateError": "errors",
    "Spread": "model.usage",
    "Status": "model.swarms",
    "Submitted": "operations.submit",
    "Swarm": "config.swarm",
    "SwarmState": "model.swarms",
    "TaskLog": "operations.look.logs",
    "TaskState": "model.tasks",
    "TransferError": "errors",
    "attach": "operations.attach",
    "cancel": "operations.cancel",
    "check": "operations.check",
    "clean": "operations.clean",
    "collect": "operations.collect",
    "collection": "cli.collection",
    "convert": "legacy.convert",
    "escape_name": "replica.treefile",
    "failures": "operations.look.failures",
    "launch": "legacy.launch",
    "load": "config.load",
    "logs": "operations.look.logs",
    "open_output": "operations.look.outputs",
    "retry": "operations.submit",
    "status": "operations.look.status",
    "submit": "operations.submit",
    "tasks": "operations.look.tasks",
    "Usage": "model.usage",
    "unescape": "tsv",
    "watch": "operations.look.status",
}

__all__ = list(_MODULES)


if not TYPE_CHECKING:  # or type checkers would take any name for a public one

    def __getattr__(name: str) -> Any:
        """Load a public name when it is asked for: `invoke --list` needs none of the modules behind most of them."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
