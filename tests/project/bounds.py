"""Run tests with the lowest and with the newest dependencies, on every Python that is at hand: `invoke dev.bounds`.

    python -m tests.project.bounds [--python 3.12] [--bound lowest] [TESTS]...

Each run has a virtual environment of its own, in a temp folder that goes afterwards. The lowest are what
`pyproject.toml` asks for at least; what these need in turn, and the tools for the tests, are the newest.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tomli

ROOT = Path(__file__).resolve().parents[2]
#: What uv calls them.
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
LOWEST_MINOR, HIGHEST_MINOR = 10, 19

_DEPENDENCIES = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
#: Prints the versions of what we depend on.
_VERSIONS = "import sys; from importlib.metadata import version; print(*[f'{n} {version(n)}' for n in sys.argv[1:]])"


@dataclass(frozen=True)
class Run:
    """One run of the tests, and what came of it."""

    python: str
    bound: str
    result: str
    is_good: bool


def find_pythons() -> dict[str, str]:
    """Return the interpreters at hand, from 3.10 on, by version: of pyenv, on the PATH, and the one that runs this."""
    of_pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob("3.*/bin/python"))
    names = [f"python3.{minor}" for minor in range(LOWEST_MINOR, HIGHEST_MINOR + 1)]
    found: dict[str, str] = {}
    for path in [*map(str, of_pyenv), *filter(None, map(shutil.which, names)), sys.executable]:
        version = _ask(path, "-c", "import sys; print(*sys.version_info[:2], sep='.')")
        if version and int(version.partition(".")[2]) >= LOWEST_MINOR:
            found.setdefault(version, path)
    return dict(sorted(found.items(), key=lambda item: int(item[0].partition(".")[2])))


def _ask(*command: str) -> str:
    """Return what a program prints; nothing if it fails, as the stand-ins that pyenv puts on the PATH may."""
    return subprocess.run(
        command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout.strip()


def _uv(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *words], cwd=ROOT, check=True)


def run_tests(version: str, interpreter: str, bound: str, words: list[str]) -> Run:
    """Make an environment, run the tests in it while they print, and remove it."""
    with tempfile.TemporaryDirectory(prefix="locusts-bounds-") as folder:
        python = f"{folder}/bin/python"
        last, begin_s = "it printed nothing", time.monotonic()
        try:
            _uv("venv", "--quiet", "--python", interpreter, "--allow-existing", folder)
            _uv("pip", "install", "--quiet", "--python", python, "--resolution", RESOLUTIONS[bound], "--editable", ".")
            _uv("pip", "install", "--quiet", "--python", python, "--editable", ".[dev]")  # leaves those as they are
        except subprocess.CalledProcessError:
            return Run(version, bound, "could not be installed", is_good=False)
        versions = _ask(python, "-c", _VERSIONS, *(each.partition(">=")[0] for each in _DEPENDENCIES))
        print(f"\n==== Python {version}, {bound}: {versions}", flush=True)
        command = [python, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *words]
        with subprocess.Popen(command, cwd=ROOT, text=True, errors="replace", stdout=subprocess.PIPE) as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                last = line.strip() or last
            status = process.wait()
        return Run(version, bound, f"{last} ({time.monotonic() - begin_s:.0f} s in all)", is_good=status == 0)


def main() -> int:
    """Run what the command line asks for, print a table, and return 1 if something failed."""
    parser = argparse.ArgumentParser(description="Run tests with the lowest and the newest dependencies.")
    parser.add_argument("--python", action="append", help="only this version, such as 3.12; may be given several times")
    parser.add_argument("--bound", choices=RESOLUTIONS, help="only these dependencies")
    parser.add_argument("tests", nargs="*", default=["tests/unit", "tests/bash", "tests/project"])
    given = parser.parse_args()
    at_hand = find_pythons()
    wanted = given.python or list(at_hand)
    if missing := [version for version in wanted if version not in at_hand]:
        parser.error(f"not at hand: Python {', '.join(missing)}; at hand: {', '.join(at_hand)}")
    bounds = [given.bound] if given.bound else list(RESOLUTIONS)
    runs = [run_tests(version, at_hand[version], bound, given.tests) for version in wanted for bound in bounds]
    print(f"\n{'Python':<8}{'bound':<8}result")
    for run in runs:
        print(f"{run.python:<8}{run.bound:<8}{'' if run.is_good else 'FAILED: '}{run.result}")
    return 0 if all(run.is_good for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
