"""The Invoke tasks: arguments in, exit codes out; what they do is in the rooms below, which load only when needed."""

from __future__ import annotations

import functools
import inspect
import json
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.tasks import task as invoke_task

from .errors import ExitStatus, LocustsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from invoke.context import Context

    from .config import Swarm
    from .model import Status

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
            except BrokenPipeError:  # somebody reads our output with head
                sys.stdout = None  # so that Python does not complain once more on exit
                code = ExitStatus.DONE
            if code != ExitStatus.DONE:
                raise Exit(code=int(code))

        texts = {**COMMON_HELP, **help_texts}
        known = inspect.signature(body).parameters
        texts = {name: text for name, text in texts.items() if name in known}
        return invoke_task(guarded, help=texts, iterable=list(lists), auto_shortflags=not lists)

    return wrap


def _shown(error: LocustsError) -> str:
    from .words import printable  # noqa: PLC0415 - see the module's docstring

    return printable(str(error))


def _load(swarm: str | None, target: str | None, config: str) -> Swarm:
    from .config import load  # noqa: PLC0415 - see the module's docstring

    return load(config, swarm, target)


def _connection(c: Context) -> Any:
    """Hand on the connection of an ops script that calls us with one; a plain Invoke context is none."""
    return c if hasattr(c, "is_connected") else None


def _exit_status(status: Status) -> ExitStatus:
    """Tell the exit code that a look at a swarm comes to."""
    from .model import SwarmState  # noqa: PLC0415 - see the module's docstring

    stuck = status.state in {SwarmState.STALLED, SwarmState.CANCELLED}
    return ExitStatus.FAILED if status.tasks.failed or stuck else ExitStatus.DONE


def _say(text: str) -> None:
    """Print a line for a person on standard error."""
    from .words import printable  # noqa: PLC0415 - see the module's docstring

    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def _screen() -> Any:
    from .progress import Screen  # noqa: PLC0415 - see the module's docstring

    return Screen()


@command()
def run(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Submit, watch and collect: the main job in one command.

    Safe to repeat: tasks that are done stay done. Ctrl-C leaves the swarm running; the same command carries on.
    """
    from .errors import StateError  # noqa: PLC0415 - see the module's docstring
    from .operations import collect, watch  # noqa: PLC0415 - the same
    from .submitting import submit  # noqa: PLC0415 - the same

    chosen, screen, connection = _load(swarm, target, config), _screen(), _connection(c)
    _tell_submitted(submit(chosen, connection, screen=screen))
    try:
        watch(chosen, connection, screen=screen)
    except KeyboardInterrupt:
        _say(f"swarm {chosen.name} goes on by itself; `locusts watch` looks again, `locusts cancel` stops it")
        raise
    try:
        return _tell_collected(collect(chosen, connection, screen=screen))
    except StateError:
        _say("the results are not collected yet; `locusts collect` brings them")
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
    from .submitting import preview  # noqa: PLC0415 - see the module's docstring
    from .submitting import submit as operation  # noqa: PLC0415 - the same

    chosen = _load(swarm, target, config)
    if dry_run:
        _show_preview(chosen, preview(chosen))
        return ExitStatus.DONE
    _tell_submitted(operation(chosen, _connection(c), redo=redo, screen=_screen()))
    return ExitStatus.DONE


def _tell_submitted(submitted: Any) -> None:
    for note in submitted.notes:
        _say(note)
    if submitted.tasks:
        _say(f"submitted {submitted.tasks} of {submitted.total} tasks")
    elif not any("at work" in note for note in submitted.notes):
        _say(f"nothing to submit: none of the {submitted.total} tasks waits")


def _show_preview(swarm: Swarm, plan: Any) -> None:
    from .records import escape  # noqa: PLC0415 - see the module's docstring

    sizes = (
        f"{len(plan.chunks)} chunks of {min(plan.chunks)} to {max(plan.chunks)} tasks" if plan.chunks else "no chunks"
    )
    print(f"swarm {swarm.name} on target {swarm.target_name}: {plan.plan.count} tasks in {sizes}")  # noqa: T201 - the answer
    print(f"environment: {plan.plan.environment_dir}")  # noqa: T201 - the answer
    print(f"results:     {swarm.outdir}")  # noqa: T201 - the answer
    for warning in plan.plan.warnings:
        _say(warning)
    if plan.replica is not None:
        _show_replica(swarm, plan.replica)
    for task in plan.samples:
        print(f"\ntask {escape(task.id)}: {task.command}")  # noqa: T201 - the answer
        print(f"  inputs:  {'  '.join(map(escape, task.inputs)) or '-'}")  # noqa: T201 - the answer
        print(f"  outputs: {'  '.join(map(escape, task.outputs)) or '-'}")  # noqa: T201 - the answer
    if plan.plan.count > len(plan.samples):
        print(f"\n… and {plan.plan.count - len(plan.samples)} more tasks")  # noqa: T201 - the answer
    for path, text in plan.scripts.items():
        print(f"\n======== {path}\n{text}", end="")  # noqa: T201 - the answer


def _show_replica(swarm: Swarm, replica: Any) -> None:
    """List what of the tree would be replicated, with sizes."""
    from .records import escape  # noqa: PLC0415 - the same
    from .replica import local_root  # noqa: PLC0415 - the same
    from .words import size  # noqa: PLC0415 - see the module's docstring

    root = local_root(swarm)
    folders, files, links = len(replica.folders), len(replica.files), len(replica.links)
    print(f"the tree {root}: {folders} folders, {files} files, {links} links, {size(replica.bytes)}")  # noqa: T201 - the answer
    for name in replica.files:
        print(f"{(root / name).lstat().st_size:>14}  {escape(name)}")  # noqa: T201 - the answer
    for name in replica.links:
        print(f"{'link':>14}  {escape(name)}")  # noqa: T201 - the answer
    for note in replica.unmatched:
        _say(note)


@command(json_="Print one JSON object.")
def status(
    c: Context,
    swarm: str | None = None,
    target: str | None = None,
    config: str = "locusts.toml",
    json_: bool = False,  # noqa: FBT001, FBT002 - Invoke makes flags of such arguments
) -> ExitStatus:
    """Look once: how many tasks are done, failed, running; who is at work; what to do if nobody is."""
    from .operations import status as operation  # noqa: PLC0415 - see the module's docstring

    found = operation(_load(swarm, target, config), _connection(c))
    if json_:
        print(json.dumps(found.to_dict(), indent=2))  # noqa: T201 - the answer
    else:
        from rich.console import Console  # noqa: PLC0415 - see the module's docstring

        from .tables import status_panel  # noqa: PLC0415 - the same

        Console(highlight=False, soft_wrap=True).print(status_panel(found))
    return _exit_status(found)


@command()
def watch(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Show live progress until nothing is left to run. Ctrl-C leaves the swarm running."""
    from .operations import watch as operation  # noqa: PLC0415 - see the module's docstring

    chosen = _load(swarm, target, config)
    try:
        found = operation(chosen, _connection(c), screen=_screen())
    except KeyboardInterrupt:
        _say(f"swarm {chosen.name} goes on by itself; `locusts watch` looks again, `locusts cancel` stops it")
        raise
    _tell_status(found)
    return _exit_status(found)


@command(
    wait="First watch until nothing is left to run.",
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
    from .operations import collect as operation  # noqa: PLC0415 - see the module's docstring

    chosen, connection = _load(swarm, target, config), _connection(c)
    return _tell_collected(operation(chosen, connection, wait=wait, apply_removals=apply_removals, screen=_screen()))


def _tell_status(status: Status) -> None:
    from .words import summary  # noqa: PLC0415 - see the module's docstring

    _say(summary(status))
    for note in status.notes:
        _say(note)


def _tell_collected(collected: Any) -> ExitStatus:
    _tell_status(collected.status)
    new = f"{collected.tasks} tasks collected now; " if collected.tasks else ""
    _say(f"{new}results are in {collected.results.outdir}")
    if collected.brought is not None:
        _tell_brought(collected.brought, collected.results)
    if collected.troubles:
        _say(f"{collected.troubles} outputs could not be brought back; see status error in outputs.tsv")
    if collected.status.tasks.failed:
        _say(
            f"what failed and why: {collected.results.tasks_table};"
            " `locusts logs TASK` shows one, `locusts retry` repeats them"
        )
    return ExitStatus.FAILED if collected.troubles else _exit_status(collected.status)


def _tell_brought(brought: Any, results: Any) -> None:
    """Say what became of the tree of a custom environment."""
    for note in brought.notes:
        _say(note)
    counts: dict[str, int] = {}
    for change in brought.changes:
        counts[change.what] = counts.get(change.what, 0) + 1
    said = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing changed"
    _say(f"the tree: {said}; the list is {results.outdir / 'modified.tsv'}")


@command()
def retry(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Submit again what failed or was lost, with the config as it is now."""
    from .submitting import retry as operation  # noqa: PLC0415 - see the module's docstring

    _tell_submitted(operation(_load(swarm, target, config), _connection(c), screen=_screen()))
    return ExitStatus.DONE


@command()
def cancel(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Stop managers and jobs; what is done stays, and `submit` carries on."""
    from .submitting import cancel as operation  # noqa: PLC0415 - see the module's docstring

    chosen = _load(swarm, target, config)
    left = operation(chosen, _connection(c), screen=_screen())
    if left:
        _say(f"{left} managers were told to stop and have not been seen to; `locusts status` looks again")
        return ExitStatus.FAILED
    _say(f"swarm {chosen.name} is stopped; what is done stays, `locusts submit` carries on")
    return ExitStatus.DONE


@command(task="The task's id, as in tasks.tsv.")
def logs(
    c: Context, task: str, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml"
) -> ExitStatus:
    """Show a task's command, exit code and node, and what it printed."""
    from .operations import logs as operation  # noqa: PLC0415 - see the module's docstring
    from .words import printable  # noqa: PLC0415 - the same

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
        _say("what it printed is not to be had any more")
    elif not found.printed:
        _say("it printed nothing")
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
    from .operations import clean as operation  # noqa: PLC0415 - see the module's docstring

    chosen = _load(swarm, target, config)
    operation(chosen, _connection(c), force=force, screen=_screen())
    _say(f"the environment of swarm {chosen.name} is removed from {chosen.target_name}")
    return ExitStatus.DONE


@command()
def attach(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Rebuild the local state of a swarm from the target alone: other laptop, lost disk."""
    from .operations import attach as operation  # noqa: PLC0415 - see the module's docstring

    found = operation(_load(swarm, target, config), _connection(c))
    _tell_status(found)
    return _exit_status(found)


@command()
def check(c: Context, swarm: str | None = None, target: str | None = None, config: str = "locusts.toml") -> ExitStatus:
    """Look at the target before anything is sent: login, bash, rsync, scheduler, limits, free space and inodes.

    Exit codes: 0 nothing is wrong; else 3 the way there, 4 the scheduler, 2 the rest, in this order.
    """
    from rich.console import Console  # noqa: PLC0415 - see the module's docstring

    from .checking import check as operation  # noqa: PLC0415 - the same
    from .findings import exit_status_of  # noqa: PLC0415 - the same
    from .tables import findings_table  # noqa: PLC0415 - the same

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
    from .converting import convert as operation  # noqa: PLC0415 - see the module's docstring
    from .converting import save  # noqa: PLC0415 - the same

    parts = {"indir": indir, "outdir": outdir, "cmd": cmd, "spcins": spcins, "shdins": shdins, "outs": outs}
    text = operation(par, code, parts)
    if output is None:
        sys.stdout.write(text)
        return ExitStatus.DONE
    save(text, output, force=force)
    _say(f"written to {output}; try it with: locusts submit --dry-run --config {output}")
    return ExitStatus.DONE


def make_collection() -> Collection:
    """Make the Invoke Collection of all commands."""
    made = Collection("locusts")
    running = ("run", "submit", "status", "watch", "collect", "retry", "cancel", "logs")
    for name in (*running, "check", "clean", "attach", "convert"):
        made.add_task(globals()[name])
    return made
