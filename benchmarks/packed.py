"""Packed against not: the files that a swarm leaves on its target, at the end and at the worst moment, and its time.

    python benchmarks/packed.py [--tasks 100000] [--archive]

Tasks of one output and one log each, over SSH, on a real SLURM of its own (tests/cluster) with one node of two CPUs.
Every output is checked. With --archive, results stay packed here too. The budgets are those of docs/design.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for tests/cluster

from tests.cluster.slurm import Slurm
from tests.cluster.sshd import ALIAS, Sshd

_HERE = Path(__file__).resolve().parent.parent
_MOST_FILES = 5_000
_LOOK_S = 10.0
CONFIG = """
[targets.far]
mode = "remote"
host = "{host}"
root = "{root}"
nodes = 1
slots = 2

[swarms.s]
command = "echo <n> > out.txt; echo printed <n>"
args_file = "rows.csv"
id = "t<n>"
outputs = ["out.txt"]
{more}"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--archive", action="store_true", help="keep results packed here too")
    options = parser.parse_args()
    packed = 'pack = true\nresults = "archive"\n' if options.archive else "pack = true\n"
    seconds, most = {}, {}
    with Slurm(nodes=1, cpus=2) as slurm, Sshd(slurm.env) as sshd, tempfile.TemporaryDirectory() as folder:
        for name, more in (("packed", packed), ("not packed", "")):
            workspace = Path(folder, name.replace(" ", "-"))
            seconds[name], most[name] = run(workspace, sshd, options.tasks, more)
    ratio = seconds["packed"] / seconds["not packed"]
    print(f"whole run, packed / not: {ratio:.2f}")
    verdict = "reached" if most["packed"] <= _MOST_FILES else "missed"
    print(f"files on the target, packed: {most['packed']}, budget {_MOST_FILES}: {verdict}")
    return 0


def run(workspace: Path, sshd: Sshd, tasks: int, more: str) -> tuple[float, int]:
    """Run a swarm from nothing to its results, check these, and return the time in seconds and the most files there."""
    workspace.mkdir()
    rows = "\n".join(map(str, range(1, tasks + 1)))
    (workspace / "rows.csv").write_text(f"n\n{rows}\n")
    root = sshd.home / workspace.name
    (workspace / "locusts.toml").write_text(CONFIG.format(host=ALIAS, root=root, more=more))
    env = {**os.environ, "HOME": str(sshd.client_home), "PYTHONPATH": str(_HERE)}
    over = threading.Event()
    counts: list[int] = []

    def look() -> None:
        while not over.wait(_LOOK_S):
            counts.append(count(root))

    looker = threading.Thread(target=look)
    looker.start()
    start = time.monotonic()
    try:
        subprocess.run([sys.executable, "-m", "locusts_fab", "run", "--quiet"], cwd=workspace, env=env, check=True)
    except subprocess.CalledProcessError:
        print((workspace / "results/s/tasks.tsv").read_text()[:2000])
        raise
    finally:
        over.set()
        looker.join()
    took_s = time.monotonic() - start
    at_end = count(root)
    check(workspace, tasks, env)
    print(
        f"{workspace.name}: {took_s:.0f} s; files and folders on the target {at_end} at the end,"
        f" {max([*counts, at_end])} at the worst moment that was seen"
    )
    return took_s, max([*counts, at_end])


def count(folder: Path) -> int:
    """Return how many files and folders there are below a folder."""
    found = 0
    with contextlib.suppress(OSError):  # they come and go meanwhile
        for _, folders, files in os.walk(folder):
            found += len(folders) + len(files)
    return found


def check(workspace: Path, tasks: int, env: dict[str, str]) -> None:
    """See that every output is there, and right."""
    outdir = workspace / "results/s"
    for line in (outdir / "outputs.tsv").read_text().splitlines()[1:]:
        task, _, status, path, *place = line.split("\t")
        assert status == "present", line  # noqa: S101 - a benchmark of work that was not done would be worth nothing
        if place:
            with (outdir / path).open("rb") as file:
                file.seek(int(place[0]))
                content = file.read(int(place[1]))
        else:
            content = (outdir / path).read_bytes()
        assert content == f"{task[1:]}\n".encode(), (line, content)  # noqa: S101 - the same
    words = [sys.executable, "-m", "locusts_fab", "status", "--json"]
    said = subprocess.run(words, cwd=workspace, env=env, check=True, capture_output=True).stdout
    assert json.loads(said)["tasks"]["done"] == tasks  # noqa: S101 - the same


if __name__ == "__main__":
    sys.exit(main())
