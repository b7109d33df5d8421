"""How numbers, times and a status are said to a person, and how any text is made safe to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locusts_fab.model import Status


def summary(status: Status) -> str:
    """Say a status in one line."""
    tasks = status.tasks
    parts = [f"{status.swarm} on {status.target}: {status.state.value}", f"{tasks.done} of {tasks.total} done"]
    if tasks.failed:
        parts.append(f"{tasks.failed} failed")
    if tasks.running:
        parts.append(f"{tasks.running} running")
    if tasks.pending and status.started is not None:
        parts.append(f"{tasks.pending} waiting")
    if status.eta_s is not None:
        parts.append(f"about {duration(status.eta_s)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Say a time as a person would: 45 s, 12 min, 3 h 20 min."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 2:  # noqa: PLR2004 - below two minutes, seconds matter
        return f"{minutes * 60 + rest} s"
    if minutes < 120:  # noqa: PLR2004 - below two hours, minutes do
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Say a number of bytes as a person would: 12 kB, 3.4 MB."""
    amount, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:  # noqa: PLR2004 - units of a thousand
        amount, units = amount / 1000, units[1:]
    return f"{amount:.3g} {units[0]}"


def printable(text: str) -> str:
    """Make any text safe to show: control characters and bytes that are no text become escapes; newlines stay."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
