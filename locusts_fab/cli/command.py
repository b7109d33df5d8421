"""What a command is, declared once for both faces: its options, their help, and what becomes of an error.

`cli/collection.py` makes Invoke tasks of the commands, `cli/program.py` the program `locusts`. Listing the commands
loads this module and all of `commands/`. So here and there, what takes long to load is imported where it is used.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter
from typing import TYPE_CHECKING, Any, TypeAlias

from locusts_fab import early
from locusts_fab.errors import ExitStatus, LocustsError
from locusts_fab.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import fabric

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.progress import Silent
    from locusts_fab.ui.screen import Screen

#: What a command does; it returns its exit code, or how it ends; None means that all went well.
Body: TypeAlias = Callable[..., "ExitStatus | Ending | None"]

#: The letter of each option that has one, for all commands: a letter means one thing everywhere.
LETTERS = {
    "swarm": "s",
    "target": "t",
    "config": "c",
    "quiet": "q",
    "json": "j",
    "dry-run": "d",
    "redo": "r",
    "wait": "w",
    "apply-removals": "a",
    "force": "f",
    "limit": "n",
    "yes": "y",
}
_QUIET = Parameter("quiet", Parameter.POSITIONAL_OR_KEYWORD, default=False, annotation="bool")
_COMMON = (
    Parameter("swarm", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation="str | None"),
    Parameter("target", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation="str | None"),
    Parameter("config", Parameter.POSITIONAL_OR_KEYWORD, default="locusts.toml", annotation="str"),
    _QUIET,
)
_COMMON_HELP = {
    "swarm": "The swarm; needed only if the config has several.",
    "target": "The target, in place of the one that the config gives.",
    "config": "The config file (default: locusts.toml).",
    "quiet": "Print nothing but errors (and what --json prints).",
}


@dataclass(frozen=True)
class Argument:
    """An argument of a command.

    :param name: the name of the function's parameter.
    :param kind: bool, int or str.
    :param default: its value if it is not given.
    :param is_positional: it is given without a name.
    :param is_needed: the command cannot do without it.
    :param is_list: it can be given several times.
    """

    name: str
    kind: type
    default: Any
    help: str
    is_positional: bool
    is_needed: bool
    is_list: bool

    @property
    def option(self) -> str:
        """Its name on a command line, without the dashes."""
        return self.name.rstrip("_").replace("_", "-")

    @property
    def letter(self) -> str | None:
        """The letter that stands for it, if one does."""
        return None if self.is_positional else LETTERS.get(self.option)


@dataclass(frozen=True)
class Ending:
    """How a command ended: its exit code, and its last words, if it has any."""

    code: int = 0
    message: str = ""


@dataclass(frozen=True)
class Invocation:
    """One call of a command: the swarm that it is about, and the means to work on it.

    :param context: what Invoke calls tasks with; an ops script may call them with a Fabric connection instead. The
        program itself has none.
    :param swarm_name: the swarm that was chosen, if any.
    :param target_name: the target that was chosen, if any.
    :param config: the path of the config file.
    :param quiet: nothing but errors is to be printed.
    """

    context: object
    swarm_name: str | None
    target_name: str | None
    config: str
    quiet: bool = False

    @cached_property
    def swarm(self) -> Swarm:
        """The swarm; the config is read when it is first asked for.

        :raises ConfigError: the config is wrong, or a name is unknown or missing.
        """
        from locusts_fab.config.load import load

        return load(self.config, self.swarm_name, self.target_name)

    @cached_property
    def swarms(self) -> list[Swarm]:
        """The swarm that was chosen; else all of the config.

        :raises ConfigError: as `swarm`.
        """
        from locusts_fab.config.load import load_all

        return load_all(self.config, self.target_name) if self.swarm_name is None else [self.swarm]

    @cached_property
    def swarms_to_run(self) -> list[Swarm]:
        """As `swarms`, but in an order in which they can run, those that come after others after them.

        :raises ConfigError: as `swarm`.
        """
        from locusts_fab.config.load import load_all

        if self.swarm_name is not None:
            return [self.swarm]
        return load_all(self.config, self.target_name, to_run=True)

    @property
    def connection(self) -> fabric.Connection | None:
        """The connection of an ops script; a plain Invoke context is none."""
        return self.context if hasattr(self.context, "is_connected") else None

    @cached_property
    def screen(self) -> Screen | Silent:
        """Where progress is shown."""
        if self.quiet:
            from locusts_fab.progress import Silent

            return Silent()
        return _screen()


@functools.cache
def _screen() -> Screen:
    """Return the one screen of this process."""
    from locusts_fab.ui.screen import Screen

    return Screen()


class _Onlooker:
    """Shows what is waited for on the screen, which is loaded only then."""

    def waits(self, what: str, seconds: float) -> None:
        """See `Onlooker.waits`."""
        _screen().waits(what, seconds)

    def goes_on(self) -> None:
        """See `Onlooker.goes_on`."""
        _screen().goes_on()


@contextlib.contextmanager
def _waits_shown() -> Iterator[None]:
    """Show what is waited for within."""
    from locusts_fab.progress import looking_on

    with looking_on(_Onlooker()):
        yield


@dataclass(frozen=True)
class Command:
    """A command: what it does, and how it is called.

    :param body: gets an `Invocation`, or of a plain command whatever the caller has, then the arguments by name.
    :param arguments: in the order in which a Python caller gives them.
    :param example: a command line that shows it.
    :param is_plain: it is not about a swarm of a config.
    """

    body: Body
    arguments: tuple[Argument, ...]
    example: str
    is_plain: bool

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return self.body.__name__.rstrip("_").replace("_", "-")

    @property
    def text(self) -> str:
        """What it does: a line, and maybe more below."""
        return inspect.getdoc(self.body) or ""

    @property
    def signature(self) -> inspect.Signature:
        """How a Python caller calls it: with a context, then the arguments."""
        kind = Parameter.POSITIONAL_OR_KEYWORD
        parameters = [Parameter("c", kind)]
        for argument in self.arguments:
            default = Parameter.empty if argument.is_needed else argument.default
            parameters.append(Parameter(argument.name, kind, default=default))
        return inspect.Signature(parameters)

    def run(self, *args: Any, **kwargs: Any) -> Ending:
        """Run it as its signature says. Errors that a person can act on become its ending; no traceback gets out."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        context, quiet = given.pop("c"), given.pop("quiet")
        if not self.is_plain:
            common = [given.pop(parameter.name) for parameter in _COMMON if parameter is not _QUIET]
            swarm, target, config = common
            context = Invocation(context, swarm, target, config, quiet)
        with _hushed(quiet=quiet, is_answer_kept=bool(given.get("json_"))):
            return guarded(lambda: self.body(context, **given))


def guarded(body: Callable[[], int | Ending | None]) -> Ending:
    """Call a function, with safe streams, and return how it ended: no exception comes out of it."""
    from locusts_fab.cli.streams import ReaderGoneError, safe_streams

    try:
        with early.ordinary_interrupts(), safe_streams(), _waits_shown():
            result = body()
            return result if isinstance(result, Ending) else Ending(int(result or 0))
    except KeyboardInterrupt:
        return Ending(ExitStatus.INTERRUPTED, early.INTERRUPTED)
    except LocustsError as error:
        from locusts_fab.cli.streams import for_person

        return Ending(int(error.exit_status), for_person(str(error)))
    except ReaderGoneError:
        return Ending()
    except UnicodeEncodeError as error:
        return Ending(ExitStatus.USAGE, _explain_encoding(error) or _explain_fault(error))
    except Exception as error:  # noqa: BLE001 - it is written down for those who can fix it
        return Ending(ExitStatus.USAGE, _explain_fault(error))


@contextlib.contextmanager
def _hushed(*, quiet: bool, is_answer_kept: bool) -> Iterator[None]:
    """Drop what is printed within, if that is wanted.

    :param is_answer_kept: standard output is not dropped.
    """
    with contextlib.ExitStack() as stack:
        if quiet:
            from locusts_fab.cli.streams import nothing

            stack.enter_context(contextlib.redirect_stderr(nothing()))
            if not is_answer_kept:
                stack.enter_context(contextlib.redirect_stdout(nothing()))
        yield


def command(
    *, lists: Sequence[str] = (), positional: Sequence[str] = (), example: str = "", **help_texts: str
) -> Callable[[Body], Command]:
    """Return a decorator that makes a command on a swarm, with the common options.

    The function gets an `Invocation`, then its own arguments by name. For Python callers, those that it needs come
    before the common ones, the others after them.

    :param lists: arguments that can be given several times.
    :param positional: arguments that are given without a name, and may be left out.
    :param example: a command line that shows it.
    :param help_texts: a line for each of the function's own arguments.
    """
    return functools.partial(
        _make_command, _COMMON, lists, positional, example=example, help_texts={**_COMMON_HELP, **help_texts}
    )


def plain_command(
    *, lists: Sequence[str] = (), positional: Sequence[str] = (), example: str = "", **help_texts: str
) -> Callable[[Body], Command]:
    """Return a decorator that makes a command with its own options only.

    :param lists: as in `command`, and so the others.
    """
    help_texts = {"quiet": _COMMON_HELP["quiet"], **help_texts}
    return functools.partial(_make_command, (_QUIET,), lists, positional, example=example, help_texts=help_texts)


def _make_command(
    common: Sequence[Parameter],
    lists: Sequence[str],
    positional: Sequence[str],
    body: Body,
    *,
    example: str,
    help_texts: dict[str, str],
) -> Command:
    own = list(inspect.signature(body).parameters.values())[1:]
    first = [each for each in own if each.default is Parameter.empty or each.name in positional]
    ordered = [*first, *common, *(each for each in own if each not in first)]
    arguments = tuple(
        Argument(
            each.name,
            _kind_of(each),
            each.default,
            help_texts.get(each.name, ""),
            is_positional=each in first,
            is_needed=each.default is Parameter.empty,
            is_list=each.name in lists,
        )
        for each in ordered
    )
    unknown = help_texts.keys() - {each.name for each in ordered}
    if unknown:
        raise ValueError(f"{body.__name__} has no argument {unknown}")
    return Command(body, arguments, example, is_plain=len(common) == 1)


def _kind_of(parameter: Parameter) -> type:
    """Return bool, int or str: what the annotation of a parameter says."""
    words = str(parameter.annotation).split(" | ")
    return bool if "bool" in words else int if "int" in words else str


def _explain_encoding(error: UnicodeEncodeError) -> str:
    """Return what to do where the names of files are in an encoding that has not all characters; else nothing."""
    if sys.getfilesystemencoding() == "utf-8":
        return ""
    chars, encoding = error.object[error.start : error.end], sys.getfilesystemencoding()
    return printable(
        f"{chars} cannot be in the name of a file here, where these are in {encoding}\n"
        "  set LC_ALL=C.UTF-8, or PYTHONUTF8=1"
    )


def _explain_fault(error: Exception) -> str:
    """Write an error that nobody foresaw to a file, for those who can fix it, and return a message that names it."""
    text = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace")  # it may name any file
    said = f"this should not happen: {type(error).__name__}: {error}\n"
    try:
        with tempfile.NamedTemporaryFile(prefix="locusts-fault-", suffix=".txt", delete=False) as file:
            file.write(text)
    except OSError as trouble:
        return printable(f"{said}  please report it; no file could be written that says more: {trouble}")
    return printable(f"{said}  the same command again may carry on; if not, please report it, with {file.name}")
