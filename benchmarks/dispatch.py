"""Tasks per second of one manager with two slots, side by side with peers, and how the cost grows with their number.

    python benchmarks/dispatch.py [--tasks 20000] [--rounds 3] [--rows 1,2] [--dir FOLDER]
                                  [--old CHECKOUT [--alone]]

Contenders take turns, so that what else the machine does hits all alike; ratios are taken round by round, and their
median is compared with the budget. With --old, the manager of an older version takes its turns, too. No figure of one
run means anything beside one of another.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.peers import HyperQueue, Manager, OlderManager, Parallel, WholeRun, Xargs, XargsInSandboxes

if TYPE_CHECKING:
    from benchmarks.peers import Contender, Timing

#: How many times the rate of each peer the manager shall reach.
BUDGETS = {Xargs.name: 1.5, Parallel.name: 3.5, HyperQueue.name: 3.0, OlderManager.name: 0.97}
#: The time per task at many tasks against few.
FLATNESS = 1.15
FEW, MANY = 1_000, 100_000


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20_000, help="tasks of the manager; slow peers run a part of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default="1,2", help="1: rates beside peers; 2: flatness up to 100,000 tasks")
    parser.add_argument("--dir", type=Path, default=None, help="where to work (default: the system's temporary folder)")
    parser.add_argument("--old", type=Path, help="a checkout of an older version to compare the manager with")
    parser.add_argument("--alone", action="store_true", help="with --old: without the peers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        if "1" in options.rows:
            compare(Path(folder), options.tasks, options.rounds, options.old, is_alone=options.alone)
        if "2" in options.rows:
            flatness(Path(folder), options.rounds)
    return 0


def compare(folder: Path, tasks: int, rounds: int, old: Path | None, *, is_alone: bool) -> None:
    """Measure the manager and the peers in turns.

    :param old: a checkout of an older version, whose manager takes its turns, too.
    :param is_alone: leave the peers out.
    """
    ours = Manager()
    contenders: list[Contender] = [ours]
    if old is not None:
        contenders.append(OlderManager(old))
    if not is_alone:
        contenders += [Xargs(), XargsInSandboxes(), Parallel(), HyperQueue(), WholeRun()]
    present = [each for each in contenders if each.missing() is None]
    for each in contenders:
        if (advice := each.missing()) is not None:
            print(f"left out: {advice}")
    timings: dict[str, list[Timing]] = {each.name: [] for each in present}
    for number in range(rounds):
        for place, each in enumerate(present):
            timings[each.name].append(each.measure(folder / f"{number}.{place}", round(tasks * each.share)))
            print(f"round {number + 1}, {each.name}: {timings[each.name][-1].rate:.0f} tasks/s", file=sys.stderr)
    print(f"\n{'':<28}{'tasks':>8}{'tasks/s':>10}{'CPU ms/task':>13}{'manager is':>12}")
    for each in present:
        runs = timings[each.name]
        rate = statistics.median(run.rate for run in runs)
        used = [1000 * run.cpu_s / run.tasks for run in runs if run.cpu_s is not None]
        cpu = f"{statistics.median(used):.2f}" if used else "-"
        pairs = zip(timings[ours.name], runs, strict=True)
        ratio = statistics.median(our.rate / their.rate for our, their in pairs)
        print(f"{each.name:<28}{runs[0].tasks:>8}{rate:>10.0f}{cpu:>13}{ratio:>10.2f} x {verdict(each.name, ratio)}")


def verdict(name: str, ratio: float) -> str:
    """Say how a ratio stands to its budget."""
    budget = BUDGETS.get(name)
    if budget is None:
        return ""
    return f"  budget {budget} x: " + ("reached" if ratio >= budget else f"short by {100 * (1 - ratio / budget):.0f} %")


def flatness(folder: Path, rounds: int) -> None:
    """Measure the time per task at few and at many tasks, in turns."""
    ratios = []
    for number in range(rounds):
        few = statistics.median(1 / Manager().measure(folder / f"few{number}.{turn}", FEW).rate for turn in range(5))
        many = 1 / Manager().measure(folder / f"many{number}", MANY).rate
        ratios.append(many / few)
        print(f"round {number + 1}: {1e3 * few:.3f} ms at {FEW}, {1e3 * many:.3f} ms at {MANY}", file=sys.stderr)
    ratio = statistics.median(ratios)
    reached = "reached" if ratio <= FLATNESS else f"short by {100 * (ratio / FLATNESS - 1):.0f} %"
    print(f"\ntime per task at {MANY} against {FEW} tasks: {ratio:.2f}   budget {FLATNESS}: {reached}")


if __name__ == "__main__":
    sys.exit(main())
