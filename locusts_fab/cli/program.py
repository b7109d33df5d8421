"""The `locusts` program: the commands without a tasks.py, from any folder."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, get_completion_class, shell_complete

from locusts_fab.cli.command import Ending, guarded
from locusts_fab.cli.help import OVERALL, explain, overview, value_name
from locusts_fab.cli.registry import COMMANDS
from locusts_fab.cli.streams import safe_streams
from locusts_fab.errors import ExitStatus, LocustsError
from locusts_fab.text import nearest, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from locusts_fab.cli.command import Argument, Command

#: The variable by which a shell asks what can come next.
_ASKED = "_LOCUSTS_COMPLETE"
_SHELLS = ("bash", "zsh", "fish")


class _Program(click.Group):
    """All commands. Options may stand before the command as well as after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words of a command line, the command first.

        :raises UsageError: no command is there, or an option before it is none.
        """
        try:
            args = _command_first(args)
        except click.UsageError:
            if not ctx.resilient_parsing:  # a shell that completes an unfinished line
                raise
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """List the commands, and the options that all of them take, for a shell."""
        common = (each for each in COMMANDS["status"].arguments if each.option in OVERALL)
        options = [CompletionItem(f"--{each.option}", help=each.help) for each in common] if incomplete else []
        found = super().shell_complete(ctx, incomplete)
        return [*found, *(each for each in options if each.value.startswith(incomplete))]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named first.

        :raises UsageError: there is none of that name.
        """
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise click.UsageError(f"there is no command {args[0]}{_guess(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


def _command_first(words: Sequence[str]) -> list[str]:
    """Return a command line with its command in front; `help` stands for `--help`."""
    before: list[str] = []
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        taken = 2 if _takes_next(words[at]) else 1
        before += words[at : at + taken]
        at += taken
    if at >= len(words):
        if not set(before) & set(_ALONE) and not any(word.startswith("--print-completion=") for word in before):
            raise click.UsageError("a command is missing, such as in: locusts status")
        return before
    if words[at] == "help":
        return _command_first([*before, *words[at + 1 :], "--help"])
    return [words[at], *before, *words[at + 1 :]]


def _takes_next(word: str) -> bool:
    """Return whether the word after an option is its value.

    :raises UsageError: no command has such an option.
    """
    if word in _ALONE or word.startswith("--print-completion="):
        return word == "--print-completion"
    if word.startswith("--"):
        name, has_value, _ = word[2:].partition("=")
        if name not in _KINDS:
            known = [*_KINDS, *(option[2:] for option in _ALONE if option.startswith("--"))]
            raise click.UsageError(f"no command has an option --{name}{_guess(name, known, '--')}")
        return _KINDS[name] is not bool and not has_value
    for place, letter in enumerate(word[1:], 2):
        if letter not in _LETTERS:
            raise click.UsageError(f"no command has an option -{letter}")
        if _KINDS[_LETTERS[letter]] is not bool:
            return place == len(word)
    return False


def _guess(word: str, words: Iterable[str], dashes: str = "") -> str:
    """Return a question whether another word was meant, if one is similar enough."""
    likely = nearest(word, words)
    return f"; did you mean {dashes}{likely}?" if likely else ""


class _Shown(click.Option):
    """An option that prints something, and that is all."""

    def __init__(self, names: Sequence[str], shown: Callable[[str], str], **settings: Any) -> None:
        def show(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
            if value and not ctx.resilient_parsing:
                print(shown(value))
                ctx.exit()

        settings = {"is_flag": "type" not in settings, **settings}
        super().__init__(names, is_eager=True, expose_value=False, callback=show, **settings)


def _names_in(table: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return a function that lists the names in a table of the config, for a shell that completes one."""

    def names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from locusts_fab.config.load import load_config

        try:
            found = getattr(load_config(ctx.params.get("config") or "locusts.toml"), table)
        except LocustsError:
            return []
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]

    return names


_COMPLETED = {"swarm": _names_in("swarms"), "target": _names_in("targets")}


def _click_parameter(argument: Argument) -> click.Parameter:
    """Return an argument as click knows it."""
    kind = click.Path() if value_name(argument) == "FILE" else argument.kind
    if argument.is_positional:
        return click.Argument([argument.name], type=kind, required=argument.is_needed)
    letter = [f"-{argument.letter}"] if argument.letter else []
    return click.Option(
        [argument.name, f"--{argument.option}", *letter],
        type=None if argument.kind is bool else kind,
        is_flag=argument.kind is bool,
        multiple=argument.is_list,
        default=None if argument.is_list else argument.default,
        shell_complete=_COMPLETED.get(argument.name),
    )


def _click_command(command: Command) -> click.Command:
    """Return a command as click knows it; when invoked, it returns its ending."""

    def run(**given: Any) -> Ending:
        lists = {each.name for each in command.arguments if each.is_list}
        values = {name: list(value or ()) if name in lists else value for name, value in given.items()}
        return command.run(None, **values)

    parameters = [_click_parameter(each) for each in command.arguments]
    parameters.append(_Shown(["-h", "--help"], lambda _: explain(command), help="Explain this command."))
    summary = command.text.partition("\n")[0]
    return click.Command(
        command.name, callback=run, params=parameters, add_help_option=False, help=summary, short_help=summary
    )


_KINDS = {each.option: each.kind for command in COMMANDS.values() for each in command.arguments}
_LETTERS = {
    each.letter: each.option for command in COMMANDS.values() for each in command.arguments if each.letter is not None
}
#: What is said without a command.
_ALONE = ("-h", "--help", "-V", "--version", "--print-completion")


def make_program() -> click.Group:
    """Return the program with all its commands."""
    program = _Program("locusts", add_help_option=False, no_args_is_help=False)
    for each in COMMANDS.values():
        program.add_command(_click_command(each))
    program.params += [
        _Shown(["-h", "--help"], lambda _: overview(), help="List the commands."),
        _Shown(["-V", "--version"], lambda _: f"locusts {version('locusts-fab')}", help="Print the version."),
        _Shown(["--print-completion"], _completion, type=click.Choice(_SHELLS), help="Print what completes commands."),
    ]
    return program


def _completion(shell: str) -> str:
    """Return the script with which a shell completes our command lines."""
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - click chose among those that it has
    return made(make_program(), {}, "locusts", _ASKED).source()


def run(words: Sequence[str]) -> Ending:
    """Run a command line, and return how it ended."""
    program = make_program()
    if not words:
        return Ending(ExitStatus.USAGE, overview())
    try:
        with program.make_context("locusts", list(words)) as ctx:
            ending = program.invoke(ctx)
    except click.exceptions.Exit as leaving:
        return Ending(leaving.exit_code)
    except click.UsageError as error:
        return Ending(ExitStatus.USAGE, _explain_usage(error, _named_in(words)))
    return ending if isinstance(ending, Ending) else Ending()


def _named_in(words: Sequence[str]) -> str | None:
    """Return the command of a command line, if there is one."""
    try:
        first = _command_first(words)[0]
    except click.UsageError:
        return None
    return first if first in COMMANDS else None


def _explain_usage(error: click.UsageError, command: str | None) -> str:
    """Return what is wrong with a command line, and where to look.

    :param command: the command that it is about, if there is one.
    """
    if isinstance(error, click.NoSuchOption):
        known = [option.removeprefix("--") for option in _options_of(error.ctx) if option.startswith("--")]
        name = error.option_name
        guess = _guess(name.removeprefix("--"), known, "--") if name.startswith("--") else ""
        text = f"there is no option {name}{guess}"
    elif isinstance(error, click.MissingParameter) and isinstance(error.param, click.Argument) and command:
        text = f"{value_name(_argument(command, error.param.name))} is missing, such as in: {COMMANDS[command].example}"
    else:
        message = error.format_message().rstrip(".")
        text = message[:1].lower() + message[1:]
    told = f"locusts {command} --help" if command else "locusts --help"
    shows = f"`{told}` shows its options" if command else f"`{told}` lists the commands"
    return printable(f"locusts{f' {command}' if command else ''}: {text}\n  {shows}")


def _options_of(ctx: click.Context | None) -> list[str]:
    """Return the options of the command that is parsed."""
    return [option for param in ctx.command.params for option in param.opts] if ctx is not None else []


def _argument(command: str, name: str | None) -> Argument:
    """Return an argument of a command."""
    return next(each for each in COMMANDS[command].arguments if each.name == name)


def main() -> None:
    """Run the program."""
    if _ASKED in os.environ:
        sys.exit(shell_complete(make_program(), {}, "locusts", _ASKED, os.environ[_ASKED]))
    with contextlib.suppress(click.UsageError):  # which is told below
        sys.argv[1:] = _command_first(sys.argv[1:])  # so that who waits for this command reads its name
    ending = guarded(lambda: run(sys.argv[1:]))
    if ending.message:
        with safe_streams():
            sys.stderr.write(f"{ending.message}\n")
    sys.exit(int(ending.code))
