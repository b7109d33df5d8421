"""The tables and panels of rich for the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from locusts_fab.model.swarms import SwarmState, summary_of
from locusts_fab.text import counted, duration, printable, rate
from locusts_fab.ui.show import Hanging

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

    from locusts_fab.model.findings import Finding
    from locusts_fab.model.swarms import Cause, Status
    from locusts_fab.model.usage import Spread, Usage

_STYLES = {
    SwarmState.FINISHED: "green",
    SwarmState.RUNNING: "cyan",
    SwarmState.SUBMITTED: "cyan",
    SwarmState.STALLED: "red",
    SwarmState.CANCELLED: "yellow",
    SwarmState.PLANNED: "white",
}
_STATE_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}
_MOST_MANAGERS = 8
#: Times below this are told with a fraction.
_EXACT_S = 10
#: Causes that are shown beside other things; `failures` shows all.
_MOST_CAUSES = 5


def status_panel(status: Status, most: int = _MOST_MANAGERS) -> RenderableType:
    """Return a status to be drawn: a headline, a bar, managers, jobs, why tasks failed, and notes.

    :param most: no more managers than that, nor jobs.
    """
    parts: list[RenderableType] = [headline(status)]
    if status.tasks.total:
        parts.append(_Bar(status))
    if status.elapsed_s is not None and (not status.is_over or status.state is SwarmState.FINISHED):
        parts.append(Text(_times(status, status.elapsed_s), style="dim"))
    if status.usage is not None and status.usage.seconds is not None:
        parts.append(Hanging(Text(_used(status.usage, status.usage.seconds), style="dim")))
    if status.managers:
        parts.append(_manager_table(status, most))
    if status.jobs:
        parts.append(_job_table(status, most))
    if status.causes:
        parts.append(cause_list(status.tasks.failed, status.causes, _MOST_CAUSES))
    parts.extend(note_text(note) for note in status.notes)
    return Group(*parts)


def ending_panel(status: Status) -> RenderableType:
    """Return how a swarm stands at the end of a command, to be drawn: without what only matters while it runs."""
    parts: list[RenderableType] = [headline(status)]
    if status.elapsed_s is not None and status.state is SwarmState.FINISHED:
        parts.append(Text(_times(status, status.elapsed_s), style="dim"))
    if status.causes:
        parts.append(cause_list(status.tasks.failed, status.causes, _MOST_CAUSES))
    parts.extend(note_text(note) for note in status.notes)
    if status.usage is not None:
        parts.extend(Hanging(Text(printable(f"next time: {line}"), style="dim")) for line in status.usage.advice)
    return Group(*parts)


def headline(status: Status) -> Text:
    """Return a status in a line: red where something failed, whatever else is well."""
    text = Text(printable(replace(status, eta_s=None).summary), style=_STYLES[status.state])
    if status.tasks.failed:
        if status.is_over:
            text.stylize("bold red")
        else:
            text.highlight_regex(r"[\d,]+ failed", "bold red")
    return text


def note_text(note: str) -> RenderableType:
    """Return what a person should know."""
    return Hanging(Text(printable(note), style="yellow"))


def _times(status: Status, elapsed_s: float) -> str:
    """Return how long it has run and will, and its rate, in a line of its own: the headline is long enough without."""
    ran = f"{'took' if status.is_over else 'since'} {duration(elapsed_s)}"
    speed = f", {rate(status.rate)}" if status.rate else ""
    return f"{ran}{speed}{f', about {duration(status.eta_s)} left' if status.eta_s is not None else ''}"


def _used(usage: Usage, seconds: Spread) -> str:
    """Return what a task used, in a line: time, CPUs, memory, as far as it is known."""
    parts = [f"a task took {_brief(seconds.median)}, at most {_brief(seconds.largest)}"]
    if usage.cpus is not None:
        parts.append(f"{usage.cpus:.2g} CPUs")
    if usage.peak_mb is not None:
        parts.append(f"at most {usage.peak_mb.largest:,.0f} MB")
    return "; ".join(parts)


def _brief(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < _EXACT_S else duration(seconds)


class _Bar:
    """Done, failed and the rest as parts of a line; as wide as a terminal, and nothing where there is none."""

    def __init__(self, status: Status) -> None:
        self._tasks = status.tasks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the line."""
        if console.is_terminal:
            tasks, width = self._tasks, options.max_width - len(" 100 %")
            done, failed = (self._part(count, width) for count in (tasks.done, tasks.failed))
            done = min(done, width - failed)
            percent = 100 * tasks.ended // tasks.total
            well, badly, not_yet = "#x." if options.ascii_only else "━━╌"
            rest = (not_yet * (width - done - failed), "dim")
            yield Text.assemble((well * done, "green"), (badly * failed, "red"), rest, f"{percent:>4} %")

    def _part(self, count: int, width: int) -> int:
        """Return the part of a line for so many tasks: what there is shows, however few."""
        return max(round(width * count / self._tasks.total), 1) if count else 0


def cause_list(failed: int, causes: Sequence[Cause], most: int | None = None) -> RenderableType:
    """Return why tasks failed: each cause with its number of tasks, some of them, and what to do next.

    :param most: no more causes than that.
    """
    shown = causes[:most]
    width = max((len(f"{cause.count:,}") for cause in shown), default=0)
    parts: list[RenderableType] = [Text(f"{summary_of(failed, list(causes))}:", style="bold red")]
    for cause in shown:
        parts.append(Hanging(Text(printable(cause.reason)), Text(f"  {cause.count:>{width},}  ", style="red")))
        blanks = " " * (width + 4)
        parts.append(Hanging(Text(printable(_whom(cause)), style="dim"), blanks))
        parts.append(Hanging(Text(printable(cause.advice)), blanks))
    if len(causes) > len(shown):
        parts.append(Text(f"  and {counted(len(causes) - len(shown), 'more cause')}: `locusts failures`"))
    return Group(*parts)


def _whom(cause: Cause) -> str:
    """Return the tasks that a cause struck."""
    more = cause.count - len(cause.examples)
    tasks = f"task{'s' * (cause.count != 1)} {', '.join(cause.examples)}{f' and {more:,} more' if more else ''}"
    return f"{tasks}; all on node {cause.node}" if cause.node else tasks


def _manager_table(status: Status, most: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("manager", "host", "state", "slots", "done", "failed"):
        table.add_column(column, justify="right" if column in {"slots", "done", "failed"} else "left")
    for manager in status.managers[-most:]:
        row = (manager.id, manager.host, manager.state.value, manager.slots, manager.done, manager.failed)
        table.add_row(*map(_cell, row))
    if len(status.managers) > most:
        table.add_row("...", f"and {len(status.managers) - most} more", "", "", "", "")
    return table


def _job_table(status: Status, most: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("job", "state", "reason"):
        table.add_column(column)
    for job in status.jobs[:most]:
        table.add_row(*map(_cell, (job.id, job.state, job.reason)))
    if len(status.jobs) > most:
        table.add_row("...", f"and {len(status.jobs) - most} more", "")
    return table


def _cell(value: object) -> Text:
    """Return a value to be shown as it is, not as markup (`[word]`, `:word:`) or as orders to the terminal."""
    return Text(printable(str(value)))


def findings_table(findings: Iterable[Finding]) -> Table:
    """Return the table of what `check` found, a row each, for those who search in it."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("state", "what", "found", "advice"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        texts = map(_cell, (finding.what, finding.found, finding.advice))
        table.add_row(Text(finding.state, style=_STATE_STYLES[finding.state]), *texts)
    return table


def findings_list(findings: Sequence[Finding]) -> RenderableType:
    """Return what `check` found, for a terminal: what to do stands below what was found."""
    width = max((cell_len(printable(finding.what)) for finding in findings), default=0)
    parts: list[RenderableType] = []
    for finding in findings:
        what = printable(finding.what)
        blanks = " " * (width - cell_len(what))
        first = Text.assemble((f"{finding.state:<9}", _STATE_STYLES[finding.state]), (what, "bold"), blanks, "  ")
        parts.append(Hanging(Text(printable(finding.found)), first))
        if finding.advice:
            parts.append(Hanging(Text(printable(finding.advice), style="dim"), " " * first.cell_len))
    return Group(*parts)
