"""The Invoke tasks: arguments in, exit codes out; what they do is in the rooms below, which load only when needed."""

from __future__ import annotations

import functools
import inspect
import json
import sys
import tempfile
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.tasks import task as invoke_task

from locusts_fab.errors import ExitStatus, LocustsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from invoke.context import Context

    from locusts_fab.config.swarm import Swarm

Body = TypeVar("Body", bound="Callable[..., ExitStatus]")

#: As wide as a table ever gets, where no terminal sets an end to its lines.
_WIDE = 100_000

COMMON_HELP = {
    "swarm": "Name of the swarm; needed only if the config has several.",
    "target": "Name of the target, in place of the one the config gives.",
    "config": "The config file (default: locusts.toml).",
}


def command(*, lists: Sequence[str] = (), **help_texts: str) -> Callable[[Body], Any]:
    """Make an Invoke task of a function that returns an exit status.

    Errors that a person can act on become a message and an exit code; Ctrl-C becomes 130. No traceback gets out.

    :param lists: arguments that can be given several times. A command with such takes no one-letter options.
    :param help_texts: a line for each of the function's own arguments.
    """

    def wrap(body: Body) -> Any:
        @functools.wraps(body)
        def guarded(c: Context, *args: Any, **kwargs: Any) -> None:
            try:
                code = body(c, *args, **kwargs)
            except KeyboardInterrupt:
                raise Exit("interrupted; the same command again carries on", code=ExitStatus.INTERRUPTED) from None
            except LocustsError as error:
                raise Exit(_shown(error), code=int(error.exit_status)) from None
            except Exit:
                raise
            except BrokenPipeError:  # somebody reads our output with head
                sys.stdout = None  # so that Python does not complain once more on exit
                code = ExitStatus.DONE
            except Exception as error:  # noqa: BLE001 - no traceback reaches a user; it goes to a file
                raise Exit(_explain_fault(error), code=int(ExitStatus.USAGE)) from None
            if code != ExitStatus.DONE:
                raise Exit(code=int(code))

        texts = {**COMMON_HELP, **help_texts}
        known = inspect.signature(body).parameters
        texts = {name: text for name, text in texts.items() if name in known}
        return invoke_task(guarded, help=texts, iterable=list(lists), auto_shortflags=not lists)

    return wrap


def _explain_fault(error: Exception) -> str:
    """Say that something happened which nobody thought of, and keep the details for those who can mend it."""
    with tempfile.NamedTemporaryFile("w", prefix="locusts-fault-", suffix=".txt", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    return (
        f"this should not happen: {type(error).__name__}: {error}\n"
        f"  the same command again may carry on; if not, please report it, with {file.name}"
    )


def _shown(error: LocustsError) -> str:
    from locusts_fab.text import printable  # noqa: PLC0415 - see the module's docstring

    return printable(str(error))


def _load(swarm: str | None, target: str | None, config: str) -> Swarm:
    from locusts_fab.config.load import load  # noqa: PLC0415 - see the module's docstring

    return load(config, swarm, target)


def _connection(c: Context) -> Any:
    """Hand on the connection of an ops script that calls us with one; a plain Invoke context is none."""
    return c if hasattr(c, "is_connected") else None


def _screen() -> Any:
    from locusts_fab.ui.screen import Screen  # noqa: PLC0415 - see the module's docstring

    return Screen()


@command()
def run(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Submit, watch and collect: the main job in one command.

    Safe to repeat: tasks that are done stay done. Ctrl-C leaves the swarm running; the same command carries on.
    """
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.errors import StateError  # noqa: PLC0415 - the same
    from locusts_fab.operations.collect import collect  # noqa: PLC0415 - the same
    from locusts_fab.operations.submit import submit  # noqa: PLC0415 - the same

    chosen, screen, connection = _load(swarm, target, config), _screen(), _connection(c)
    messages.tell_submitted(submit(chosen, connection, screen=screen))
    try:
        with messages.interruptible(chosen):
            return messages.tell_collected(collect(chosen, connection, wait=True, screen=screen))
    except StateError:
        messages.say("the results are not collected yet; `locusts collect` brings them")
        raise


@command(
    dry_run="Show the plan and the rendered scripts; touch nothing.",
    redo="Forget all earlier results and run every task again.",
)
def submit(
    c: Context,
    swarm: str | None = None,
    target: str | None = None,
    config: str = "locusts.toml",
    dry_run: bool = False,  # noqa: FBT001, FBT002 - Invoke makes flags of such arguments
    redo: bool = False,  # noqa: FBT001, FBT002 - the same
) -> ExitStatus:
    """Plan, stage and start what has not ended yet.

    New, lost and interrupted tasks run; failed ones are left for `retry`, done ones stay done.
    """
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.scripts import preview  # noqa: PLC0415 - the same
    from locusts_fab.operations.submit import submit as operation  # noqa: PLC0415 - the same

    chosen = _load(swarm, target, config)
    if dry_run:
        messages.show_preview(chosen, preview(chosen))
        return ExitStatus.DONE
    messages.tell_submitted(operation(chosen, _connection(c), redo=redo, screen=_screen()))
    return ExitStatus.DONE


@command(json_="Print one JSON object.")
def status(
    c: Context,
    swarm: str | None = None,
    target: str | None = None,
    config: str = "locusts.toml",
    json_: bool = False,  # noqa: FBT001, FBT002 - Invoke makes flags of such arguments
) -> ExitStatus:
    """Look once: how many tasks are done, failed, running; who is at work; what to do if nobody is."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.status import status as operation  # noqa: PLC0415 - the same

    found = operation(_load(swarm, target, config), _connection(c))
    if json_:
        print(json.dumps(found.to_dict(), indent=2))  # noqa: T201 - the answer
    else:
        from rich.console import Console  # noqa: PLC0415 - see the module's docstring

        from locusts_fab.ui.tables import status_panel  # noqa: PLC0415 - the same

        Console(highlight=False, soft_wrap=True).print(status_panel(found))
    return messages.exit_status(found)


@command()
def watch(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Show live progress until nothing is left to run. Ctrl-C leaves the swarm running."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.status import watch as operation  # noqa: PLC0415 - the same

    chosen = _load(swarm, target, config)
    with messages.interruptible(chosen):
        found = operation(chosen, _connection(c), screen=_screen())
    messages.tell_status(found)
    return messages.exit_status(found)


@command(
    wait="First watch until nothing is left to run; meanwhile bring what has ended.",
    apply_removals="Custom environment: remove from the local tree what tasks removed from its replica.",
)
def collect(
    c: Context,
    swarm: str | None = None,
    target: str | None = None,
    config: str = "locusts.toml",
    wait: bool = False,  # noqa: FBT001, FBT002 - Invoke makes flags of such arguments
    apply_removals: bool = False,  # noqa: FBT001, FBT002 - the same
) -> ExitStatus:
    """Bring back what is done so far. Safe to repeat; moves only what is new."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.collect import collect as operation  # noqa: PLC0415 - the same

    chosen, connection = _load(swarm, target, config), _connection(c)
    with messages.interruptible(chosen):
        return messages.tell_collected(
            operation(chosen, connection, wait=wait, apply_removals=apply_removals, screen=_screen())
        )


@command()
def retry(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Submit again what failed or was lost, with the config as it is now."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.submit import retry as operation  # noqa: PLC0415 - the same

    messages.tell_submitted(operation(_load(swarm, target, config), _connection(c), screen=_screen()))
    return ExitStatus.DONE


@command()
def cancel(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Stop managers and jobs; what is done stays, and `submit` carries on."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.cancel import cancel as operation  # noqa: PLC0415 - the same

    chosen = _load(swarm, target, config)
    left = operation(chosen, _connection(c), screen=_screen())
    if left:
        messages.say(f"{left} managers were told to stop and have not been seen to; `locusts status` looks again")
        return ExitStatus.FAILED
    messages.say(f"swarm {chosen.name} is stopped; what is done stays, `locusts submit` carries on")
    return ExitStatus.DONE


@command(task="The task's id, as in tasks.tsv.")
def logs(
    c: Context, task: str, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml"
) -> ExitStatus:
    """Show a task's command, exit code and node, and what it printed."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.logs import logs as operation  # noqa: PLC0415 - the same
    from locusts_fab.text import printable  # noqa: PLC0415 - the same

    found = operation(_load(swarm, target, config), task, _connection(c))
    outcome = found.outcome
    lines = [
        f"task     {outcome.id}: {outcome.state.value}" + (f", {found.description}" if found.description else ""),
        f"command  {outcome.command}",
        f"exit     {'-' if outcome.exit_code is None else outcome.exit_code}, attempts {outcome.attempts}",
        f"node     {outcome.node or '-'}",
    ]
    if found.sandbox:
        lines.append(f"sandbox  {found.sandbox}")
    print(printable("\n".join(lines)))  # noqa: T201 - the answer
    if found.printed is None:
        messages.say("what it printed is not to be had any more")
    elif not found.printed:
        messages.say("it printed nothing")
    else:
        print("printed:", flush=True)  # noqa: T201 - the answer
        sys.stdout.buffer.write(found.printed)
        sys.stdout.buffer.flush()
    return ExitStatus.DONE


@command(force="Also while tasks run (they are stopped) or results are uncollected (they are lost).")
def clean(
    c: Context,
    swarm: str | None = None,
    target: str | None = None,
    config: str = "locusts.toml",
    force: bool = False,  # noqa: FBT001, FBT002 - Invoke makes flags of such arguments
) -> ExitStatus:
    """Remove the environment from the target; what was collected stays."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.clean import clean as operation  # noqa: PLC0415 - the same

    chosen = _load(swarm, target, config)
    operation(chosen, _connection(c), force=force, screen=_screen())
    messages.say(f"the environment of swarm {chosen.name} is removed from {chosen.target_name}")
    return ExitStatus.DONE


@command()
def attach(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Rebuild the local state of a swarm from the target alone: other laptop, lost disk."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.operations.attach import attach as operation  # noqa: PLC0415 - the same

    found = operation(_load(swarm, target, config), _connection(c))
    messages.tell_status(found)
    return messages.exit_status(found)


@command()
def check(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Look at the target before anything is sent: login, bash, rsync, scheduler, limits, free space and inodes.

    Exit codes: 0 nothing is wrong; else 3 the way there, 4 the scheduler, 2 the rest, in this order.
    """
    from rich.console import Console  # noqa: PLC0415 - see the module's docstring

    from locusts_fab.model import exit_status_of  # noqa: PLC0415 - the same
    from locusts_fab.operations.check import check as operation  # noqa: PLC0415 - the same
    from locusts_fab.ui.tables import findings_table  # noqa: PLC0415 - the same

    found = operation(_load(swarm, target, config), _connection(c))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE  # a line each, for those who search in it
    console.print(findings_table(found))
    return exit_status_of(found)


@command(
    lists=("spcins", "shdins", "outs"),
    par="The parameter file.",
    code="Name of the swarm (default: swarm).",
    indir="As in launch: folder of the inputs.",
    outdir="As in launch: folder for what comes back.",
    cmd="As in launch: the command template.",
    spcins="As in launch: an input of each task; can be given several times.",
    shdins="As in launch: a shared file, key:file; can be given several times.",
    outs="As in launch: an output of each task; can be given several times.",
    output="File to write, instead of standard output.",
    force="Write over a file that is there.",
)
def convert(
    _c: Context,
    par: str,
    code: str = "swarm",
    indir: str | None = None,
    outdir: str | None = None,
    cmd: str | None = None,
    spcins: list[str] | None = None,
    shdins: list[str] | None = None,
    outs: list[str] | None = None,
    output: str | None = None,
    force: bool = False,  # noqa: FBT001, FBT002 - Invoke makes flags of such arguments
) -> ExitStatus:
    """Make a locusts.toml from a parameter file of the original locusts."""
    from locusts_fab.cli import messages  # noqa: PLC0415 - see the module's docstring
    from locusts_fab.legacy.convert import convert as operation  # noqa: PLC0415 - the same
    from locusts_fab.legacy.convert import save  # noqa: PLC0415 - the same

    parts = {"indir": indir, "outdir": outdir, "cmd": cmd, "spcins": spcins, "shdins": shdins, "outs": outs}
    text = operation(par, code, parts)
    if output is None:
        sys.stdout.write(text)
        return ExitStatus.DONE
    save(text, output, force=force)
    messages.say(f"written to {output}; try it with: locusts submit --dry-run --config {output}")
    return ExitStatus.DONE


def make_collection() -> Collection:
    """Make the Invoke Collection of all commands."""
    made = Collection("locusts")
    running = ("run", "submit", "status", "watch", "collect", "retry", "cancel", "logs")
    for name in (*running, "check", "clean", "attach", "convert"):
        made.add_task(globals()[name])
    return made
