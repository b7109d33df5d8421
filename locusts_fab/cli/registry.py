"""All commands, in groups: those of every day come first."""

from __future__ import annotations

from locusts_fab.cli.commands.attach import attach
from locusts_fab.cli.commands.cancel import cancel
from locusts_fab.cli.commands.check import check
from locusts_fab.cli.commands.clean import clean
from locusts_fab.cli.commands.collect import collect
from locusts_fab.cli.commands.convert import convert
from locusts_fab.cli.commands.init import init
from locusts_fab.cli.commands.look.cat import cat
from locusts_fab.cli.commands.look.failures import failures
from locusts_fab.cli.commands.look.logs import logs
from locusts_fab.cli.commands.look.status import status
from locusts_fab.cli.commands.look.tasks import tasks
from locusts_fab.cli.commands.look.watch import watch
from locusts_fab.cli.commands.retry import retry
from locusts_fab.cli.commands.run import run
from locusts_fab.cli.commands.submit import submit
from locusts_fab.cli.commands.try_ import try_

GROUPS = {
    "every day": (run, status, failures, logs, retry),
    "by steps": (check, try_, submit, watch, tasks, collect, cat, cancel),
    "now and then": (init, attach, clean, convert),
}
COMMANDS = {each.name: each for group in GROUPS.values() for each in group}
