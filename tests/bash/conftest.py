"""What tests of scripts share."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.fs import remove
from locusts_fab.hosts.base import Result
from locusts_fab.hosts.local import LocalHost
from locusts_fab.shell.scripts import remote_script, templates_folder
from tests.support import disks
from tests.support.environments import founded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locusts_fab.layout import Environment
    from tests.support.remote_scripts import Run

FOLDER = templates_folder() / "remote"


def run_here(name: str, *args: str) -> Result:
    return LocalHost().run(remote_script(name), *args)


def run_file(name: str, *args: str) -> Result:
    """Run a script as somebody would who found its file."""
    words = ["bash", str(FOLDER / f"{name}.sh"), *args]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return Result(done.returncode, done.stdout, os.fsdecode(done.stderr))


@pytest.fixture(params=[run_here, run_file], ids=["sent", "file"])
def run(request: pytest.FixtureRequest) -> Run:
    way: Run = request.param
    return way


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return founded(tmp_path / "it's $(an) environment")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Make a folder that other accounts can reach; whoever starts pytest closes those of all runs of it."""
    folder = Path(tempfile.mkdtemp(prefix="locusts-test-"))
    folder.chmod(0o755)
    yield folder
    remove(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 1 MiB, which only root can."""
    with disks.small_disk(tmp_path / "disk", "size=1m") as disk:
        yield disk
