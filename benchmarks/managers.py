"""How well managers share a plan, with elements of the array that start late or never; see README.md.

    python benchmarks/managers.py [--task-s 1] [--rounds 1] [--dir FOLDER]
    python benchmarks/managers.py --simulate [--link-ms 3] [--look-us 20]

Ends with 1 if a budget is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.simulation import Costs, Outcome, Scenario, simulate, walk_forward, walk_lowest
from locusts_fab.layout import Environment, manager_id
from locusts_fab.manager.records import Ended, parse_records
from locusts_fab.manager.render import render
from locusts_fab.manager.times import BEAT_S, GRACE_S, STALE_S
from locusts_fab.plan.tasks import make_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

MANAGERS, SLOTS, TASKS = 20, 8, 9_576
ENVIRONMENT_ID = "be9c0001"
#: The elements that start late or never.
LATE = 4
MAKESPAN_BUDGET, LARGE_BUDGET, LINKS_BUDGET = 1.10, 1.05, 1.0
#: Counts the calls of a program; it costs a millisecond more.
SHIM = '#!/bin/sh\nprintf x >>"$0.calls"\nexec {program} "$@"\n'


def main() -> int:
    """Measure or simulate, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulate", action="store_true", help="do not start anything; also many more slots")
    parser.add_argument("--link-ms", type=float, default=3.0, help="what a link takes in the simulation")
    parser.add_argument("--look-us", type=float, default=20.0, help="what a test for existence takes there")
    parser.add_argument("--task-s", type=float, default=1.0, help="how long a task sleeps")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--dir", type=Path, default=None, help="where to work (default: the system's temporary folder)")
    options = parser.parse_args()
    print(f"{'':<50}{'end s':>8}{'ideal s':>9}{'ratio':>7}{'budget':>8}", end="   ")
    print(f"{'links':>6}{'claims':>8}{'peak/s':>8}{'looks':>8}{'busy':>7}")
    if options.simulate:
        costs = Costs(options.link_ms / 1e3, options.look_us / 1e6)
        misses = [show(outcome, label, is_bound=is_bound) for outcome, label, is_bound in simulated(costs)]
    else:
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            misses = [
                show(measure(Path(folder) / f"{number}.{place}", scenario), scenario.name)
                for number in range(options.rounds)
                for place, scenario in enumerate(small_scenarios(options.task_s))
            ]
    print("\nbudget with +: and the longest task; links, claims: a slot and second, budget of links 1;")
    print("peak/s: most links of all slots within a second; looks: tests for existence a claim; busy: the processors")
    return int(any(misses))


def show(outcome: Outcome, label: str, *, is_bound: bool = True) -> bool:
    """Print a row, and return whether it misses a budget.

    :param is_bound: false for what is only there for comparison.
    """
    scenario = outcome.scenario
    missed = [
        name
        for name, value, budget in (
            ("makespan", outcome.ratio, scenario.budget),
            ("links", outcome.link_rate, LINKS_BUDGET),
        )
        if value > budget
    ]
    verdict = "" if not is_bound else ("reached" if not missed else "missed: " + ", ".join(missed))
    looks = "-" if outcome.looks is None else f"{outcome.looks / outcome.chunks:.0f}"
    busy = "-" if outcome.busy is None else f"{outcome.busy:.0%}"
    print(
        f"{label:<50}{outcome.end_s:>8.1f}{outcome.ideal_s:>9.1f}{outcome.ratio:>7.3f}{scenario.budget:>8.2f}"
        f"{'+' if scenario.spares_longest else ' '}  {outcome.link_rate:>6.2f}{outcome.claim_rate:>8.2f}"
        f"{outcome.links_peak or '-':>8}{looks:>8}{busy:>7}  {verdict}",
        flush=True,
    )
    return is_bound and bool(missed)


# ==== what is run ===========================================================================================


def small_scenarios(task_s: float) -> Iterator[Scenario]:
    """Yield those that this machine can run."""
    half_s = TASKS * task_s / (MANAGERS * SLOTS) / 2
    rest = [0.0] * (MANAGERS - LATE)
    for name, starts in (
        ("all elements", [0.0] * MANAGERS),
        ("the first four absent", [None] * LATE + rest),
        ("the first four at half time", [half_s] * LATE + rest),
    ):
        yield Scenario(f"{MANAGERS} x {SLOTS}, {name}", starts, SLOTS, TASKS, MAKESPAN_BUDGET, task_s)


def large_scenarios() -> Iterator[Scenario]:
    """Yield those that only the simulation can run. The longest task comes on top of their budget."""
    in_order: list[float | None] = [6.0 * element for element in range(100)]
    for name, starts, sigma in (
        ("over ten minutes", in_order, 1.0),
        ("over ten minutes, the first last", in_order[::-1], 1.0),
        ("at once", [0.0] * 100, 1.0),
        ("at once, equal tasks", [0.0] * 100, 0.0),
    ):
        yield Scenario(f"100 x 64, {name}", starts, 64, 1_000_000, LARGE_BUDGET, 1.0, sigma, spares_longest=True)


def simulated(costs: Costs) -> Iterator[tuple[Outcome, str, bool]]:
    """Yield how each scenario goes, and before that, for comparison, how it went when slots only walked forward."""
    for scenario in (*small_scenarios(1.0), *large_scenarios()):
        yield simulate(scenario, walk_forward, costs), f"{scenario.name} (forward)", False
        yield simulate(scenario, walk_lowest, costs), scenario.name, True


def measure(folder: Path, scenario: Scenario) -> Outcome:
    """Run managers, each in a session of its own as on a node of its own, until all have left.

    :param folder: it must not be there yet.
    """
    environment = lay_out(folder, scenario)
    begun, idle_s = time.time(), idle_seconds()
    with ExitStack() as stack:
        started = []
        for element, start in sorted(enumerate(scenario.starts), key=lambda pair: pair[1] or 0.0):
            if start is not None:
                time.sleep(max(0.0, begun + start - time.time()))
                started.append(stack.enter_context(start_manager(folder, environment, element)))
        for process in started:
            process.wait()
    idle_s = (idle_seconds() - idle_s) / (time.time() - begun)
    return Outcome(
        scenario,
        last_end(environment, scenario) - begun,
        scenario.ideal_s(scenario.tasks * scenario.task_s),
        scenario.task_s,
        len(list(Path(environment.absolute("exec/plan")).iterdir())),
        (folder / "bin/ln.calls").stat().st_size,
        busy=1 - idle_s / (os.cpu_count() or 1),
    )


def idle_seconds() -> float:
    """Return how long the processors of this machine have idled, together."""
    return float(Path("/proc/uptime").read_text().split()[1])


def lay_out(folder: Path, scenario: Scenario) -> Environment:
    """Make an environment as staging does, a program `ln` that counts, and a folder for what is local to a node."""
    environment = Environment(str(folder / "env"))
    for place in environment.FOLDERS:
        Path(environment.absolute(place)).mkdir(parents=True)
    Path(environment.absolute(f"exec/id.{ENVIRONMENT_ID}")).touch()
    chunks = make_chunks(scenario.tasks, len(scenario.starts) * scenario.slots, 1)
    number = 0
    for chunk in chunks:
        tasks = range(number + 1, number + chunk.size + 1)
        lines = [f"{task}\t{task}\tsleep {scenario.task_s:g}\t.\n" for task in tasks]
        lines.append(f"end\t{chunk.size}\t{ENVIRONMENT_ID}\t.\n")
        Path(environment.absolute(environment.chunk(chunk.number))).write_text("".join(lines))
        number += chunk.size
    values = manager_values(environment, scenario.slots, len(chunks))
    Path(environment.absolute(environment.manager_script)).write_text(render("manager.sh.j2", values))
    (folder / "tmp").mkdir()
    (folder / "bin").mkdir()
    shim = folder / "bin/ln"
    shim.write_text(SHIM.format(program="/bin/ln"))
    shim.chmod(0o755)
    return environment


def manager_values(environment: Environment, slots: int, chunks: int) -> dict[str, Any]:
    """Return the settings of the managers, those of a plain swarm whose tasks are `sleep`."""
    return {
        "root": environment.root,
        "environment_id": ENVIRONMENT_ID,
        "submission": 1,
        "first_chunk": 1,
        "last_chunk": chunks,
        "swarm": "sleep",
        "cpus_per_task": 1,
        "gpus": 0,
        "gpus_per_task": 0,
        "pin": 0,
        "slots": slots,
        "tree": "",
        "has_inputs": 0,
        "has_patterns": 0,
        "program": "sleep",
        "strict": 1,
        "retries": 0,
        "timeout_us": 0,
        "timeout_text": "",
        "keep": "failed",
        "breaker": 20,
        "max_failures": 0,
        "alone_from": chunks + 1,
        "beat_s": BEAT_S,
        "stale_s": STALE_S,
        "grace_s": GRACE_S,
        "last_call_s": 60,
        "scratch": "",
        "container": [],
        "env": [],
        "scheduler": "slurm",
    }


def start_manager(folder: Path, environment: Environment, element: int) -> subprocess.Popen[bytes]:
    """Start the manager of an element, as a job of SLURM does, but with nothing of a job around it."""
    output = Path(environment.absolute(f"exec/logs/{manager_id(1, element)}.out"))
    with output.open("wb") as log:
        return subprocess.Popen(
            ["bash", environment.absolute(environment.manager_script), manager_id(1, element)],
            env={
                "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
                "TMPDIR": str(folder / "tmp"),
                "SLURM_ARRAY_TASK_ID": str(element),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def last_end(environment: Environment, scenario: Scenario) -> float:
    """Return when the last task ended, after a look that each was done, and once."""
    caches = Path(environment.absolute("exec/cache")).iterdir()
    ended = [each for cache in caches for each in parse_records(cache.read_bytes())[0] if isinstance(each, Ended)]
    done = sorted(each.task for each in ended if each.state == "done")
    if done != list(range(1, scenario.tasks + 1)):
        raise SystemExit(f"{scenario.name}: {len(set(done))} of {scenario.tasks} tasks done, {len(done)} times in all")
    return max(each.end_s for each in ended)


if __name__ == "__main__":
    sys.exit(main())
