"""The long form: cells of the matrix with one seed after another, for so many minutes; `invoke dev.chaos` calls it.

    python -m tests.chaos --minutes 30 [--seed 1] [--cells 'running/*/local,*/link-cut/*'] [--jobs 2]

At the end comes a table, and for each cell that broke something the words that play it once more.
"""

from __future__ import annotations

import argparse
import itertools
import queue
import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.chaos.cells import CELLS, Cell, matching
from tests.chaos.checker import KINDS, Fault
from tests.chaos.place import Places
from tests.chaos.play import Result, play
from tests.support.processes import heed_signals

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Summary:
    """What came of all cells so far."""

    results: list[Result] = field(default_factory=list)
    start: float = field(default_factory=time.monotonic)

    @property
    def played(self) -> list[Result]:
        """The results of cells that could be played."""
        return [result for result in self.results if not result.skipped]

    @property
    def broken(self) -> list[Result]:
        """The results in which something was not as promised."""
        return [result for result in self.results if result.broken]

    def line(self) -> str:
        """Write the numbers so far in a line."""
        played = self.played
        return (
            f"{round(time.monotonic() - self.start)} s:"
            f" {len(played)} runs of {len({each.cell for each in played})} cells,"
            f" {sum(each.faults for each in played)} faults, {sum(each.tasks for each in played)} tasks,"
            f" {sum(each.executions for each in played)} executions, {len(self.broken)} broken"
        )

    def table(self) -> Iterator[str]:
        """Write a row for each fault and mode, then what broke, and how to see it again."""
        yield f"{'fault':<16}{'mode':<13}{'cells':>6}{'runs':>6}" + "".join(
            f"{head:>{width}}" for head, width in (("faults", 8), ("tasks", 8), ("executions", 12), ("broken", 8))
        )
        groups: dict[tuple[str, str], list[Result]] = {}
        for result in self.played:
            groups.setdefault((result.cell.fault, result.cell.kind), []).append(result)
        for (fault, kind), group in sorted(groups.items()):
            cells, bad = len({each.cell for each in group}), sum(bool(each.broken) for each in group)
            faults, tasks, ran = (
                sum(getattr(each, name) for each in group) for name in ("faults", "tasks", "executions")
            )
            yield f"{fault:<16}{kind:<13}{cells:>6}{len(group):>6}{faults:>8}{tasks:>8}{ran:>12}{bad:>8}"
        kinds = Counter(fault.kind for result in self.broken for fault in result.broken)
        yield "what broke: " + ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS)
        skipped = Counter(result.skipped for result in self.results if result.skipped)
        yield from (f"not possible here, {count} times: {why}" for why, count in skipped.items())
        yield f"total: {self.line()}"


def again(result: Result) -> str:
    """Write the command that plays a cell once more."""
    return f"python -m tests.chaos --cells {result.cell.name} --seed {result.seed} --once"


def main(words: list[str] | None = None) -> int:
    """Play cells until the time is up; return 1 if something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each further round takes the next")
    parser.add_argument("--cells", default="*", help="PHASE/FAULT/MODE, with * and ?; several with commas between")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time; only one has a SLURM")
    parser.add_argument("--once", action="store_true", help="each cell once, however long it takes")
    parser.add_argument("--list", action="store_true", help="only list the cells")
    told = parser.parse_args(words)
    heed_signals()
    cells = matching(told.cells)
    if told.list or not cells:
        say("\n".join(cell.name for cell in cells) or "no cell matches")
        return 0 if cells else 2
    say(f"{len(cells)} of {len(CELLS)} cells, from seed {told.seed} on")
    summary = Summary()
    deadline = float("inf") if told.once else time.monotonic() + told.minutes * 60
    _play_all(_order(cells, told.seed, once=told.once), deadline, told.jobs, summary)
    for result in summary.broken:
        say(f"\n{again(result)}\n" + "\n".join(f"  {fault.kind}: {fault.what}" for fault in result.broken))
    say("\n" + "\n".join(summary.table()))
    return 1 if summary.broken else 0


def say(text: str) -> None:
    """Print for whoever looks on."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _order(cells: list[Cell], seed: int, *, once: bool) -> Iterator[tuple[Cell, int]]:
    """Yield cells and seeds: all cells once, in an order of the seed's, then again with the next."""
    for each in itertools.count(seed):
        yield from ((cell, each) for cell in Random(each).sample(cells, len(cells)))
        if once:
            return


def _play_all(order: Iterator[tuple[Cell, int]], deadline: float, jobs: int, summary: Summary) -> None:
    """Play in several threads; the first of them alone plays cells in mode slurm."""
    lock = threading.Lock()
    for_slurm: queue.SimpleQueue[tuple[Cell, int]] = queue.SimpleQueue()

    def take(*, has_slurm: bool) -> tuple[Cell, int] | None:
        with lock:
            if has_slurm and not for_slurm.empty():
                return for_slurm.get()
            for cell, seed in order if time.monotonic() < deadline else ():
                if cell.mode != "slurm" or has_slurm:
                    return cell, seed
                for_slurm.put((cell, seed))
        return None

    def work(*, has_slurm: bool) -> None:
        with Places() as places:
            while time.monotonic() < deadline and (taken := take(has_slurm=has_slurm)):
                result = _play_safely(*taken, places)
                with lock:
                    summary.results.append(result)
                    _show(result, summary)

    workers = [threading.Thread(target=work, kwargs={"has_slurm": number == 0}) for number in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _play_safely(cell: Cell, seed: int, places: Places) -> Result:
    """Play a cell; a fault of our own is a result too."""
    try:
        return play(cell, seed, places)
    except Exception:  # noqa: BLE001 - the others go on
        return Result(cell, seed, broken=[Fault("phase", traceback.format_exc())])


def _show(result: Result, summary: Summary) -> None:
    """Show where we are: in one line that changes at a terminal, else only what broke."""
    for fault in result.broken:
        say(f"\r{result.cell.name} seed {result.seed}: {fault.kind}: {fault.what[:160]}")
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[K{summary.line()}, last {result.cell.name} {result.seconds:.1f} s")
        sys.stdout.flush()
    elif len(summary.results) % 20 == 0:
        say(summary.line())


if __name__ == "__main__":
    sys.exit(main())
