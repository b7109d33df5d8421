"""What the commands share: the options that they all take, and what becomes of an error.

Listing the commands loads this module and all of `commands/`. So here and there, what takes long to load is imported
where it is used.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import tempfile
import traceback
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter
from typing import TYPE_CHECKING, Any, TypeAlias

from invoke.exceptions import Exit
from invoke.tasks import Task

from locusts_fab import early
from locusts_fab.errors import ExitStatus, LocustsError
from locusts_fab.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import fabric
    from invoke.context import Context

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.ui.screen import Screen

    #: What a command does; None as its exit code means that all went well.
    Body: TypeAlias = Callable[..., ExitStatus | None]
    Command: TypeAlias = Task[Callable[..., None]]

_CONTEXT = Parameter("c", Parameter.POSITIONAL_OR_KEYWORD)
_COMMON = (
    Parameter("swarm", Parameter.POSITIONAL_OR_KEYWORD, default=None),
    Parameter("target", Parameter.POSITIONAL_OR_KEYWORD, default=None),
    Parameter("config", Parameter.POSITIONAL_OR_KEYWORD, default="locusts.toml"),
)
_COMMON_HELP = {
    "swarm": "Name of the swarm; needed only if the config has several.",
    "target": "Name of the target, in place of the one the config gives.",
    "config": "The config file (default: locusts.toml).",
}


@dataclass(frozen=True)
class Invocation:
    """One call of a command: the swarm that it is about, and the means to work on it.

    :param context: what Invoke calls tasks with; an ops script may call them with a Fabric connection instead.
    :param swarm_name: the swarm that was chosen, if any.
    :param target_name: the target that was chosen, if any.
    :param config: the path of the config file.
    """

    context: Context
    swarm_name: str | None
    target_name: str | None
    config: str

    @cached_property
    def swarm(self) -> Swarm:
        """The swarm; the config is read when it is first asked for.

        :raises ConfigError: the config is wrong, or a name is unknown or missing.
        """
        from locusts_fab.config.load import load

        return load(self.config, self.swarm_name, self.target_name)

    @property
    def connection(self) -> fabric.Connection | None:
        """The connection of an ops script; a plain Invoke context is none."""
        return self.context if hasattr(self.context, "is_connected") else None

    @cached_property
    def screen(self) -> Screen:
        """Where progress is shown."""
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


def whole_number(option: str, text: str | int | None) -> int | None:
    """Return the number that an option was given; None if it was not given.

    :raises LocustsError: it is none.
    """
    try:
        return None if text is None else int(text)
    except ValueError:
        raise LocustsError(f"--{option}: {text!r} is no number", hint=f"write --{option} 10") from None


def command(*, lists: Sequence[str] = (), **help_texts: str) -> Callable[[Body], Command]:
    """Return a decorator that makes a command on a swarm: an Invoke task with the common options.

    The function gets an `Invocation`, then its own arguments by name. On the command line, those that it needs come
    before the common options, the others after them.

    :param lists: arguments that can be given several times.
    :param help_texts: a line for each of the function's own arguments.
    """

    def decorate(body: Body) -> Command:
        own = list(inspect.signature(body).parameters.values())[1:]
        needed = [parameter for parameter in own if parameter.default is Parameter.empty]
        optional = [parameter for parameter in own if parameter not in needed]
        signature = inspect.Signature([_CONTEXT, *needed, *_COMMON, *optional])

        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> ExitStatus | None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            given = bound.arguments
            common = [given.pop(parameter.name) for parameter in (_CONTEXT, *_COMMON)]
            return body(Invocation(*common), **given)

        run.__signature__ = signature  # type: ignore[attr-defined]  # Invoke makes the options of it
        return plain_command(lists=lists, has_letters=True, **_COMMON_HELP, **help_texts)(run)

    return decorate


def plain_command(
    *, lists: Sequence[str] = (), has_letters: bool | None = None, **help_texts: str
) -> Callable[[Body], Command]:
    """Return a decorator that makes an Invoke task of a function, with its own options only, and guards it.

    Errors that a person can act on become a message and an exit code; Ctrl-C becomes 130. No traceback gets out.

    :param lists: arguments that can be given several times.
    :param has_letters: it takes one-letter options; None: unless it has lists.
    :param help_texts: a line for each argument.
    """

    def decorate(body: Body) -> Command:
        @functools.wraps(body)
        def guarded(*args: Any, **kwargs: Any) -> None:
            code = None
            with _errors_explained(), _waits_shown():
                code = body(*args, **kwargs)
            if code:
                raise Exit(code=int(code))

        return Task(
            guarded,
            help=help_texts,
            iterable=list(lists),
            auto_shortflags=not lists if has_letters is None else has_letters,
        )

    return decorate


@contextlib.contextmanager
def _errors_explained() -> Iterator[None]:
    """Replace whatever is raised within by Invoke's `Exit`, which ends the program with a message and an exit code."""
    try:
        with early.ordinary_interrupts():
            yield
    except KeyboardInterrupt:
        raise Exit(early.INTERRUPTED, code=ExitStatus.INTERRUPTED) from None
    except LocustsError as error:
        raise Exit(printable(str(error)), code=int(error.exit_status)) from None
    except Exit:
        raise
    except BrokenPipeError:  # somebody reads our output with head
        sys.stdout = None  # so that Python does not complain once more on exit
    except Exception as error:
        raise Exit(_explain_fault(error), code=int(ExitStatus.USAGE)) from error


def _explain_fault(error: Exception) -> str:
    """Write an error that nobody foresaw to a file, for those who can fix it, and return a message that names it."""
    text = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace")  # it may name any file
    with tempfile.NamedTemporaryFile(prefix="locusts-fault-", suffix=".txt", delete=False) as file:
        file.write(text)
    return printable(
        f"this should not happen: {type(error).__name__}: {error}\n"
        f"  the same command again may carry on; if not, please report it, with {file.name}"
    )
