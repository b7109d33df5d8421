"""Over SSH and SLURM: staging against one raw rsync, and a whole run against rsync, xargs and rsync by hand.

    python benchmarks/remote.py [--tasks 10000] [--rounds 3] [--old CHECKOUT]

It starts a real sshd and a real SLURM of its own (tests/cluster), with one node of two CPUs. Rows 3 and 4 of the table
in docs/design.md's budgets. With --old, the same of an older version, from a checkout of it, in turns. Figures of one
run are compared with each other only, and their median is quoted.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for tests/cluster

from tests.cluster.slurm import Slurm
from tests.cluster.sshd import ALIAS, Sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).resolve().parent.parent
COMMAND = "cat a_{id}.txt b_{id}.txt > out_{id}.txt"
CONFIG = """
[targets.far]
mode = "remote"
host = "{host}"
root = "{root}"
nodes = 1
slots = 2

[swarms.s]
command = "{command}"
indir = "in"
inputs = ["a_<id>.txt", "b_<id>.txt"]
outputs = ["out_<id>.txt"]
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--old", type=Path, help="a checkout of an older version to compare with")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    with Slurm(nodes=1, cpus=2) as slurm, Sshd(slurm.env) as sshd, tempfile.TemporaryDirectory() as folder:
        if sshd.own_account:
            sshd.account.write_start_up("")  # plain rsync cannot bear noise, so there shall be none
        bench = Bench(sshd, Path(folder), options.tasks, seconds)
        bench.make_inputs()
        for checkout in filter(None, (_HERE, options.old)):
            bench.run(sys.executable, "-m", "compileall", "-q", str(checkout / "locusts_fab"))
        for number in range(options.rounds):
            bench.raw_staging(number)
            bench.our_staging(number)
            if options.old:
                bench.our_staging(number, options.old)
            bench.raw_run(number)
            # in turns, for the second pays: where a file was removed within a minute, ext4 is slow to make others
            ours = [bench.our_run, bench.our_packed_run]
            for run in reversed(ours) if number % 2 else ours:
                run(number)
            if options.old:
                bench.our_run(number, options.old)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{options.tasks} tasks of 2 inputs and 1 output, {options.rounds} rounds, medians in seconds\n")
    for name, value in median.items():
        spread = " ".join(f"{each:.2f}" for each in seconds[name])
        print(f"{name:<42}{value:8.2f}   ({spread})")
    print()
    report("stage / raw rsync -a", median["our staging"] / median["raw rsync -a up"], 1.3)
    report("whole run / rsync + xargs + rsync", median["our whole run"] / median["rsync + xargs -P2 + rsync"], 1.0)
    report("whole run, packed / not", median["our whole run, packed"] / median["our whole run"], 0.9)
    if options.old:
        report("stage / the older version", median["our staging"] / median["older staging"], 1.03)
        report("whole run / the older version", median["our whole run"] / median["older whole run"], 1.03)
    return 0


def report(name: str, ratio: float, budget: float) -> None:
    """Print a ratio beside its budget."""
    verdict = "reached" if ratio <= budget else f"short by {100 * (ratio / budget - 1):.0f} %"
    print(f"{name:<42}{ratio:8.2f}   budget {budget}: {verdict}")


class Bench:
    """The four things that are measured. Folders are removed only at the end: ext4 is slow after it removed many."""

    def __init__(self, sshd: Sshd, folder: Path, tasks: int, seconds: dict[str, list[float]]) -> None:
        self.sshd, self.folder, self.tasks, self.seconds = sshd, folder, tasks, seconds
        self.shell = f"ssh -F {shlex.quote(str(sshd.ssh_config_path))}"
        # with modules compiled, as those of an installed package are, whatever this shell says
        compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        self.env = {**os.environ, **compiled, "HOME": str(sshd.client_home)}

    def make_inputs(self) -> None:
        """Make two small files for each task."""
        indir = self.folder / "in"
        indir.mkdir()
        for number in range(self.tasks):
            (indir / f"a_{number}.txt").write_text(f"first {number}\n")
            (indir / f"b_{number}.txt").write_text(f"second {number}\n")

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """Add the time that it takes to a row. What was written before is on the disk first: nobody pays for others."""
        os.sync()
        start = time.monotonic()
        yield
        self.seconds.setdefault(name, []).append(time.monotonic() - start)

    def run(self, *words: str, checkout: Path | None = None) -> None:
        """Run a program that must succeed, with the package of a checkout."""
        env = {**self.env, "PYTHONPATH": str((checkout or _HERE).resolve())}
        subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder)

    def far(self, script: str) -> None:
        """Run a script on the host."""
        self.run(*shlex.split(self.shell), ALIAS, f"bash -c {shlex.quote(script)}")

    def push(self, destination: str) -> None:
        """Take the inputs there as anybody would."""
        self.run("rsync", "-a", "-e", self.shell, f"{self.folder}/in/", f"{ALIAS}:{destination}/")

    def raw_staging(self, number: int) -> None:
        """Measure one raw rsync."""
        with self.measured("raw rsync -a up"):
            self.push(f"raw{number}")

    def our_staging(self, number: int, old: Path | None = None) -> None:
        """Measure a submit until the moment at which the job is handed in."""
        workspace = self.workspace(f"{'old-' if old else ''}stage{number}", "true")
        with self.measured("older staging" if old else "our staging"):
            self.stage_only(workspace, old)

    def stage_only(self, workspace: Path, checkout: Path | None) -> None:
        """Plan and stage with the package, in a process of its own, and start nothing."""
        program = (
            "import locusts_fab.operations.submit as s, locusts_fab.schedulers.slurm.launcher as t\n"
            "t.SlurmArray.start = lambda *_: ''\n"
            "from locusts_fab.config.load import load\n"
            f"s.submit(load({str(workspace / 'locusts.toml')!r}))\n"
        )
        self.run(sys.executable, "-c", program, checkout=checkout)

    def raw_run(self, number: int) -> None:
        """Measure what one would do by hand: rsync up, xargs on the host, rsync down."""
        away = f"hand{number}"
        each = COMMAND.format(id="{}")  # in one folder, with no sandbox, no log, no record: the least there is
        back = self.folder / f"back{number}"
        with self.measured("rsync + xargs -P2 + rsync"):
            self.push(away)
            self.far(f"cd {away} && seq 0 {self.tasks - 1} | xargs -P2 -I{{}} bash -c {shlex.quote(each)}")
            self.run(
                "rsync",
                "-a",
                "--include=*/",
                "--include=out_*",
                "--exclude=*",
                "-e",
                self.shell,
                f"{ALIAS}:{away}/",
                f"{back}/",
            )
        found = sum(1 for _ in back.rglob("out_*.txt"))
        assert found == self.tasks, found  # noqa: S101 - a benchmark of work that was not done would be worth nothing

    def our_run(self, number: int, old: Path | None = None) -> None:
        """Measure `locusts run` from nothing to the results."""
        workspace = self.workspace(f"{'old-' if old else ''}run{number}", COMMAND.format(id="<id>"))
        words = (sys.executable, "-m", "locusts_fab", "run", "--config", str(workspace / "locusts.toml"))
        with self.measured("older whole run" if old else "our whole run"):
            self.run(*words, checkout=old)
        found = sum(1 for _ in (workspace / "results").rglob("out_*.txt"))
        assert found == self.tasks, found  # noqa: S101 - the same

    def our_packed_run(self, number: int) -> None:
        """Measure the same with what tasks leave packed."""
        workspace = self.workspace(f"packed{number}", COMMAND.format(id="<id>"), "pack = true\n")
        with self.measured("our whole run, packed"):
            self.run(sys.executable, "-m", "locusts_fab", "run", "--config", str(workspace / "locusts.toml"))
        found = sum(1 for _ in (workspace / "results").rglob("out_*.txt"))
        assert found == self.tasks, found  # noqa: S101 - the same

    def workspace(self, name: str, command: str, more: str = "") -> Path:
        """Make a user's folder; `more` lines go to the end of its config."""
        workspace = self.folder / name
        workspace.mkdir()
        (workspace / "in").symlink_to(self.folder / "in")
        root = self.sshd.home / name
        (workspace / "locusts.toml").write_text(CONFIG.format(host=ALIAS, root=root, command=command) + more)
        return workspace


if __name__ == "__main__":
    sys.exit(main())
