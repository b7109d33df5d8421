"""The commands as an Invoke collection: for our program, and for a tasks.py of somebody's own."""

from __future__ import annotations

from invoke.collection import Collection

from locusts_fab.cli.commands.attach import attach
from locusts_fab.cli.commands.cancel import cancel
from locusts_fab.cli.commands.check import check
from locusts_fab.cli.commands.clean import clean
from locusts_fab.cli.commands.collect import collect
from locusts_fab.cli.commands.convert import convert
from locusts_fab.cli.commands.failures import failures
from locusts_fab.cli.commands.logs import logs
from locusts_fab.cli.commands.retry import retry
from locusts_fab.cli.commands.run import run
from locusts_fab.cli.commands.status import status
from locusts_fab.cli.commands.submit import submit
from locusts_fab.cli.commands.watch import watch


def make_collection() -> Collection:
    """Make a collection of all commands."""
    made = Collection("locusts")
    for each in (run, submit, status, watch, collect, retry, cancel, failures, logs, check, clean, attach, convert):
        made.add_task(each)
    return made


#: What `locusts_fab.collection` is.
collection = make_collection()
