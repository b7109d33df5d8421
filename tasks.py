"""What `invoke` finds in this repository: the commands of locusts_fab, and `dev` for those who work on it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.collection import Collection
from invoke.tasks import task

import locusts_fab

if TYPE_CHECKING:
    from invoke.context import Context

#: The Python that we run under; the virtual environment need not be active.
PYTHON = shlex.quote(sys.executable)
#: The tests that need neither a server nor a whole swarm.
QUICK = "tests/unit tests/bash tests/project"
#: Most of these tests wait for processes of theirs: two workers a CPU.
WORKERS = 2 * (os.cpu_count() or 1)
#: The tests make some 70,000 files, which disks take long for; `dev.test` has them on a disk, as users do.
IN_MEMORY = "/dev/shm"  # noqa: S108 - pytest makes a folder of its own there
#: The page that holds the reference of locusts.toml, and the lines around it.
REFERENCE = Path(__file__).with_name("docs") / "config.md"
#: The page that holds the table of what ssh and we do, between the same lines.
CASES = REFERENCE.with_name("ssh.md")
BEGIN, END = "<!-- reference: begin -->\n", "<!-- reference: end -->\n"


@task
def lint(c: Context) -> None:
    """Check the style and the types of the Python sources; the tests check the bash."""
    for words in ("ruff format --check .", "ruff check .", "mypy"):
        c.run(f"{PYTHON} -m {words}")


@task(pre=[lint], help={"words": "What to pass on to pytest, such as `-x -k quoting`."})
def quick(c: Context, words: str = "") -> None:
    """Check what needs no server, in a minute and a half: style, types, unit tests, the bash scripts, the docs."""
    command = f"{PYTHON} -m pytest -q -n {WORKERS} --dist worksteal --hypothesis-profile quick {QUICK} {words}"
    c.run(command, env={"PYTEST_DEBUG_TEMPROOT": IN_MEMORY} if os.access(IN_MEMORY, os.W_OK) else {})


def with_reference(page: str) -> str:
    """Return a page in which the reference, as it is now, replaces what stands between the two lines."""
    from locusts_fab.config.reference import render_reference  # noqa: PLC0415 - `invoke --list` needs none of this

    return _filled(page, render_reference())


def with_cases(page: str) -> str:
    """Return a page in which the table of what ssh and we do replaces what stands between the two lines."""
    from tests.support.ssh_cases import render_cases  # noqa: PLC0415 - the same

    return _filled(page, render_cases())


def _filled(page: str, text: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{text}\n{end}{after}"


@task(
    iterable=["python"],
    help={
        "python": "Only this version, such as 3.12; can be given several times.",
        "bound": "Only the lowest, or only the newest.",
        "words": "What to pass to pytest in place of the quick tests.",
    },
)
def bounds(c: Context, python: list[str] | None = None, bound: str = "", words: str = QUICK) -> None:
    """Run the quick tests with the lowest and with the newest dependencies, on each Python that is at hand."""
    options = [f"--python {shlex.quote(version)}" for version in python or []]
    options += [f"--bound {shlex.quote(bound)}"] if bound else []
    c.run(f"{PYTHON} -m tests.project.bounds {' '.join(options)} -- {words}")


@task
def docs(_c: Context) -> None:
    """Write the reference of locusts.toml into docs/config.md, and the table of what ssh and we do into docs/ssh.md."""
    REFERENCE.write_text(with_reference(REFERENCE.read_text("utf-8")), "utf-8")
    CASES.write_text(with_cases(CASES.read_text("utf-8")), "utf-8")


@task
def packages(c: Context) -> None:
    """Install what the tests need from Debian: sshd, rsync, SLURM."""
    c.run(f"{PYTHON} -m tests.cluster.packages")


@task(name="test", pre=[lint, packages], help={"words": "What to pass on to pytest, such as `tests/unit/plan -x`."})
def run_tests(c: Context, words: str = "") -> None:
    """Check everything: style, types, and all the tests; those that share the test cluster run one after another."""
    c.run(f"{PYTHON} -m pytest -n {WORKERS} --dist loadgroup {words}")


@task(pre=[packages])
def cluster(c: Context) -> None:
    """Leave a real sshd and a real SLURM running to play with, and print a config for them; Ctrl-C ends it."""
    c.run(f"{PYTHON} -m tests.cluster", pty=True)


@task(help={"name": "Which one: dispatch (on this machine) or remote (over SSH and SLURM)."})
def bench(c: Context, name: str = "dispatch") -> None:
    """Run a benchmark and print its table, side by side with peers."""
    c.run(f"{PYTHON} benchmarks/{shlex.quote(name)}.py")


@task(
    pre=[packages],
    help={
        "minutes": "How long.",
        "seed": "The first seed; each further round of all cells takes the next.",
        "cells": "Only these, as PHASE/FAULT/MODE with * and ?; several with commas between.",
        "words": "What to pass on besides, such as --list or --jobs 4.",
    },
)
def chaos(c: Context, minutes: float = 10.0, seed: int = 1, cells: str = "*", words: str = "") -> None:
    """Break whole swarms in every way there is, and see that nothing is lost, nothing mixed up, and everything ends."""
    options = f"--minutes {minutes} --seed {seed} --cells {shlex.quote(cells)}"
    c.run(f"{PYTHON} -m tests.chaos {options} {words}", pty=sys.stdout.isatty())


@task(
    pre=[packages],
    help={
        "runs": "How many commands to run, in all locales together.",
        "names": "How many cases of names of files to try before.",
        "seed": "The first seed; 0: any.",
    },
)
def fuzz(c: Context, runs: int = 20_000, names: int = 5_000, seed: int = 0) -> None:
    """Match names of files, and put hostile values into commands, run through a real bash in UTF-8, C and GB18030."""
    c.run(f"{PYTHON} -m tests.fuzz --runs {runs} --names {names} --seed {seed}", pty=sys.stdout.isatty())


dev = Collection("dev")
for each in (lint, quick, bounds, docs, packages, run_tests, cluster, chaos, fuzz, bench):
    dev.add_task(each)  # type: ignore[arg-type]  # Invoke types its decorator as any callable

namespace = Collection(*locusts_fab.collection.tasks.values(), dev=dev)
