"""The commands as an Invoke collection, for a tasks.py of somebody's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.parser.argument import Argument as Option
from invoke.tasks import Task

from locusts_fab.cli.registry import COMMANDS

if TYPE_CHECKING:
    from locusts_fab.cli.command import Command


class CommandTask(Task[Callable[..., None]]):
    """A command as an Invoke task: called with a context and the command's arguments, it ends with Invoke's `Exit`."""

    def __init__(self, command: Command) -> None:
        def body(*args: Any, **kwargs: Any) -> None:
            ending = command.run(*args, **kwargs)
            if ending.code or ending.message:
                raise Exit(ending.message or None, code=ending.code)

        body.__signature__ = command.signature  # type: ignore[attr-defined]  # Invoke looks at it
        body.__doc__ = inspect.cleandoc(command.body.__doc__ or "")
        self.command = command
        positional = [each.name for each in command.arguments if each.is_positional]
        super().__init__(body, name=command.name, positional=positional)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Option]:  # noqa: FBT001 - as Invoke has it
        """Return its options, as the command declares them."""
        del ignore_unknown_help
        return [
            Option(
                names=tuple(filter(None, (each.option, each.letter))),
                attr_name=each.name if each.name != each.option else None,
                kind=list if each.is_list else each.kind,
                default=[] if each.is_list else None if each.is_needed else each.default,
                positional=each.is_positional,
                help=each.help,
            )
            for each in sorted(self.command.arguments, key=lambda each: not each.is_positional)
        ]


def make_collection() -> Collection:
    """Make a collection of all commands."""
    made = Collection("locusts")
    for each in COMMANDS.values():
        made.add_task(CommandTask(each))
    return made


#: What `locusts_fab.collection` is.
collection = make_collection()
