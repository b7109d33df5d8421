"""What is shipped: the wheel holds the package, its templates and its licence; the sdist builds the same wheel.

It takes a second, and no network: hatchling, which builds, comes with the `dev` extra.
"""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
import tomli

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build an sdist or a wheel, and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, timeout=60, stdin=subprocess.DEVNULL)
    (built,) = folder.iterdir()
    return built


def wheel_names(wheel: Path) -> set[str]:
    """List the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_below(folder: str) -> set[str]:
    """List the files of a folder of this repository, by their paths in it."""
    names = (path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file())
    return {name for name in names if not re.search(r"(^|/)(\.|__pycache__/)", name)}  # what tools leave


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_the_package_and_its_templates_and_nothing_else(wheel: Path) -> None:
    names = wheel_names(wheel)
    of_package = {name for name in names if name.startswith("locusts_fab/")}
    assert of_package == {*files_below("locusts_fab"), *(f"locusts_fab/{name}" for name in files_below("templates"))}
    assert "locusts_fab/py.typed" in names
    (folder,) = {PurePosixPath(name).parts[0] for name in names - of_package}
    rest = {name.removeprefix(f"{folder}/") for name in names - of_package}
    assert rest == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_the_sdist_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    again = build("wheel", source, tmp_path / "dist")
    assert wheel_names(again) == wheel_names(wheel)
    assert again.read_bytes() == wheel.read_bytes()


def test_the_sdist_holds_what_it_takes_to_work_on_it(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    wanted = set().union(*map(files_below, ("locusts_fab", "templates", "tests", "docs", "benchmarks")))
    assert wanted <= names
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "tasks.py", "locusts.toml"} <= names
    assert [name for name in names if {".locusts", "__pycache__"} & set(name.split("/"))] == []
    assert [name for name in names if re.match(r"(examples/\w+/)?results/", name)] == []


def test_the_package_runs_from_what_the_wheel_holds(wheel: Path, tmp_path: Path) -> None:
    """Its templates too, which lie elsewhere in a checkout."""
    shutil.unpack_archive(wheel, tmp_path / "lib", "zip")
    (tmp_path / "locusts.toml").write_text('[swarms.s]\ncommand = "true"\nargs = [["1"]]\n', "utf-8")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "lib")}
    code = "import locusts_fab; print(locusts_fab.__file__)"
    for words in (["-c", code], ["-m", "locusts_fab", "submit", "--dry-run"], ["-m", "locusts_fab", "--version"]):
        result = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=env, check=True, timeout=60, text=True, stdout=subprocess.PIPE
        )
        if words[0] == "-c":
            assert result.stdout.startswith(str(tmp_path / "lib"))
    assert PROJECT["version"] in result.stdout


def test_the_wheel_says_what_it_is(metadata: Message) -> None:
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_the_pythons_that_are_named_begin_with_the_lowest(metadata: Message) -> None:
    named = re.findall(r":: 3\.(\d+)$", "\n".join(metadata.get_all("Classifier", [])), re.MULTILINE)
    minors = sorted(map(int, named))
    assert f">=3.{minors[0]}" == PROJECT["requires-python"]
    assert minors == list(range(minors[0], minors[-1] + 1)), "and leave none out"


@pytest.mark.parametrize("requirement", PROJECT["dependencies"])
def test_every_dependency_has_a_lower_bound_alone(requirement: str) -> None:
    """An upper bound would keep people from other packages; `invoke dev.bounds` runs the tests with the lowest."""
    assert re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", requirement)
