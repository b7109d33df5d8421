"""The tables and panels of rich for the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from locusts_fab.model import SwarmState
from locusts_fab.text import duration, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from locusts_fab.model import Finding, Status

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
_BAR_WIDTH = 60


def status_panel(status: Status) -> RenderableType:
    """Return a status to be drawn: a headline, a bar, the managers and what should be known besides."""
    tasks = status.tasks
    head = Text(printable(replace(status, eta_s=None).summary), style=_STYLES[status.state])
    parts: list[RenderableType] = [head]
    if tasks.total:
        parts.append(_bar(status))
    if status.elapsed_s is not None and not status.is_over:
        parts.append(Text(_times(status, status.elapsed_s), style="dim"))
    if status.managers:
        parts.append(_manager_table(status))
    if status.jobs:
        parts.append(_job_table(status))
    parts.extend(Text(printable(note), style="yellow") for note in status.notes)
    return Group(*parts)


def _times(status: Status, elapsed_s: float) -> str:
    """Return how long it has run and how long it will, in a line of its own: the headline is long enough without."""
    left = f", about {duration(status.eta_s)} left" if status.eta_s is not None else ""
    return f"since {duration(elapsed_s)}{left}"


def _bar(status: Status) -> Text:
    """Return done, failed and the rest as parts of a line."""
    tasks = status.tasks
    done, failed = (round(_BAR_WIDTH * count / tasks.total) for count in (tasks.done, tasks.failed))
    rest = max(0, _BAR_WIDTH - done - failed)
    return Text.assemble(("━" * done, "green"), ("━" * failed, "red"), ("╌" * rest, "dim"))


def _manager_table(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("manager", "host", "state", "slots", "done", "failed"):
        table.add_column(column, justify="right" if column in {"slots", "done", "failed"} else "left")
    for manager in status.managers[-_MOST_MANAGERS:]:
        row = (manager.id, manager.host, manager.state.value, manager.slots, manager.done, manager.failed)
        table.add_row(*map(_cell, row))
    if len(status.managers) > _MOST_MANAGERS:
        table.add_row("…", f"and {len(status.managers) - _MOST_MANAGERS} more", "", "", "", "")
    return table


def _job_table(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("job", "state", "reason"):
        table.add_column(column)
    for job in status.jobs[:_MOST_MANAGERS]:
        table.add_row(*map(_cell, (job.id, job.state, job.reason)))
    if len(status.jobs) > _MOST_MANAGERS:
        table.add_row("…", f"and {len(status.jobs) - _MOST_MANAGERS} more", "")
    return table


def _cell(value: object) -> Text:
    """Return a value to be shown as it is, not as markup (`[word]`, `:word:`) or as orders to the terminal."""
    return Text(printable(str(value)))


def findings_table(findings: Iterable[Finding]) -> Table:
    """Return the table of what `check` found, a row each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("state", "what", "found", "advice"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        texts = map(_cell, (finding.what, finding.found, finding.advice))
        table.add_row(Text(finding.state, style=_STATE_STYLES[finding.state]), *texts)
    return table
