"""Print the magnetisation of every temperature, from the results of the swarm in this folder's locusts.toml.

    python3 summarise.py [FOLDER]

FOLDER is where the results are, `results` beside this file if it is not given. What is not there is left out and said.
"""

from __future__ import annotations

import math
import re
import statistics
import sys
from collections import defaultdict
from pathlib import Path

CRITICAL_TEMPERATURE = 2 / math.log(1 + math.sqrt(2))  # Onsager 1944, for a square without end
BAR_WIDTH = 30


def read_table(path: Path) -> list[dict[str, str]]:
    r"""Read a table: a header, then a line a row; tab, newline and backslash in a field stand as \t, \n and \\."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        header, *rows = [line.rstrip("\n").split("\t") for line in file]
    return [dict(zip(header, map(unescape, row), strict=True)) for row in rows]


def unescape(field: str) -> str:
    """Undo the escapes of a field."""
    return re.sub(r"\\(.)", lambda found: {"t": "\t", "n": "\n"}.get(found[1], found[1]), field)


def read_runs(folder: Path, done: set[str]) -> dict[float, list[dict[str, float]]]:
    """Gather the runs of each temperature; outputs.tsv tells where they are.

    :param done: the tasks to trust. One that failed may have left half an output.
    """
    runs: dict[float, list[dict[str, float]]] = defaultdict(list)
    for output in read_table(folder / "outputs.tsv"):
        if output["task"] in done and output["status"] == "present":
            for row in read_table(folder / output["path"]):
                run = {name: float(value) for name, value in row.items()}
                runs[run["temperature"]].append(run)
    return runs


def exact_magnetisation(temperature: float) -> float:
    """Tell the magnetisation of a square without end (Yang 1952)."""
    if temperature >= CRITICAL_TEMPERATURE:
        return 0.0
    return float((1 - math.sinh(2 / temperature) ** -4) ** 0.125)


def print_curve(runs: dict[float, list[dict[str, float]]]) -> None:
    """Print a line for each temperature, and where the susceptibility is highest."""
    print("temperature  seeds    energy  |magnetisation|   exact  susceptibility")
    peaks = {}
    for temperature in sorted(runs):
        energy, magnet, peaks[temperature] = (
            statistics.fmean(run[name] for run in runs[temperature])
            for name in ("energy", "magnetisation", "susceptibility")
        )
        bar = "#" * round(magnet * BAR_WIDTH)
        print(
            f"{temperature:11g}  {len(runs[temperature]):5d}  {energy:8.3f}  {magnet:15.3f}  "
            f"{exact_magnetisation(temperature):6.3f}  {peaks[temperature]:14.2f}  {bar}"
        )
    highest = max(peaks, key=lambda temperature: peaks[temperature])
    print(f"susceptibility peaks at {highest:g}; the exact transition is at {CRITICAL_TEMPERATURE:.3f}")


def print_tasks(tasks: list[dict[str, str]]) -> None:
    """Say how the tasks fared, and what did not."""
    done = [task for task in tasks if task["state"] == "done"]
    print(
        f"{len(done)} of {len(tasks)} tasks are done, in {sum(float(task['seconds']) for task in done):.0f} s of work"
    )
    for task in tasks:
        if task["state"] != "done":
            print(f"task {task['task']} is {task['state']}: {task['reason']}")


def main() -> None:
    """Read the results, print."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results"
    if not (folder / "tasks.tsv").exists():
        sys.exit(f"there is no {folder / 'tasks.tsv'}; `locusts run` makes it")
    tasks = read_table(folder / "tasks.tsv")
    print_tasks(tasks)
    runs = read_runs(folder, {task["task"] for task in tasks if task["state"] == "done"})
    if runs:
        print_curve(runs)


if __name__ == "__main__":
    main()
