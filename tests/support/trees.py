"""Trees of files: some to select from, and one with its replica."""

from __future__ import annotations

import fnmatch
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.layout import Environment
from locusts_fab.progress import Silent
from locusts_fab.replica.merge import bring_back
from locusts_fab.replica.select import select
from locusts_fab.replica.sync import read_manifest, stage_replica
from locusts_fab.replica.treefile import parse_tree
from locusts_fab.target import open_site
from locusts_fab.transfer.stage import make_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locusts_fab.replica.manifest import Agreed
    from locusts_fab.replica.merge import Brought
    from locusts_fab.replica.walk import Selection

#: Names that some program or other takes for something else.
HOSTILE = (
    "-rf", "--delete", "a\nb", "a\tb", "a\rb", " lead", "trail ", "'q'", '"q"', "$(touch x)", "`x`", "a;b", "~", "{}",
    "#c", "!n", "!!n", "*", "**", "?", "[a]", "[", "\\", "\\n", "a:b", "a #b", "...", "é", "日本", "\u2028",
    os.fsdecode(b"\xff\xfe"),
)  # fmt: skip


def made(root: Path, *names: str) -> Path:
    """Make files that each hold their own name; a name that ends in `/` is an empty folder."""
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.fsencode(name))
    return root


def chosen(root: Path, text: str) -> Selection:
    return select(root, parse_tree(text, "fs_tree.fst"))


# ---- a tree of 300 files ----

LOOSE = (
    "README.md", ".hidden", "setup.cfg",
    "scripts/important.sh", "scripts/useless.sh", "scripts/.profile", "scripts/helpers/polite.sh",
    "scripts/helpers/deep/er.sh", "scripts/__pycache__/a.pyc", "scripts/helpers/__pycache__/b.pyc",
    "results/A/big.bin", "results/A/logs/1.log", "results/A/logs/old/0.log", "results/A/sum.txt", "results/B/sum.txt",
    ".git/config", ".git/objects/aa",
    "runs/run_1/out.txt", "runs/run_2/out.txt", "runs/notes.txt", "runs/run_3.txt",
    "a b/c d.txt", "x:y/1:2.txt", "#hash/#1.txt", "!bang/!1.txt", "my #1.txt",
)  # fmt: skip
DATA = tuple(f"data/m_{number:03d}.{'txt' if number % 2 else 'dat'}" for number in range(274))
EMPTY = ("results/C/", "results/A/logs/empty/", "empty/")
FILES = frozenset(LOOSE + DATA)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert len(FILES) == 300
    return made(tmp_path_factory.mktemp("world"), *FILES, *EMPTY)


def below(*prefixes: str) -> set[str]:
    return {name for name in FILES if name.startswith(prefixes)}


def like(pattern: str) -> set[str]:
    """Find the files whose whole name matches, as the standard library understands it (its `*` crosses slashes)."""
    return set(fnmatch.filter(FILES, pattern))


TOP = {name for name in FILES if "/" not in name}
ALL_FOLDERS = {str(parent) for name in (*FILES, *(f"{name}x" for name in EMPTY)) for parent in Path(name).parents} - {
    "."
}


# ---- a tree and its replica ----


class Sides:
    """A local tree and its replica, in a folder of this machine.

    :param in_place: tasks run in the local tree itself.
    :param names: the files that it holds at first.
    """

    def __init__(
        self,
        folder: Path,
        *,
        in_place: bool = False,
        names: Sequence[str] = ("a", "x", "d/one", "d/deep/two", "z"),
    ) -> None:
        self.here = folder / "world"
        self.here.mkdir()
        for name in names:
            (self.here / name).parent.mkdir(parents=True, exist_ok=True)
            (self.here / name).write_text("start\n")
        settings = SwarmSettings.model_validate(
            {"command": "true", "args": [["1"]], "environment": "custom", "root": "world", "include": ["**"],
             "in_place": in_place, "outdir": "results"}
        )  # fmt: skip
        self.swarm = Swarm("s", settings, "t", Target(mode="local"), folder)
        self.swarm.state_dir.mkdir(parents=True)
        self.site = open_site(self.swarm)
        root = self.site.environment.root
        make_environment(Environment(root))
        self.there = Path(root) / "tree"
        self.submit()

    def submit(self) -> list[str]:
        """Send the tree, and what changed of it since."""
        return stage_replica(self.swarm, self.site, Silent())

    def collect(self, *, apply_removals: bool = False) -> Brought:
        """Bring it back."""
        return bring_back(self.swarm, self.site, self.manifest(), Silent(), apply_removals=apply_removals)

    def manifest(self) -> dict[str, Agreed]:
        """Return what both sides last agreed on."""
        manifest = read_manifest(self.swarm)
        assert manifest is not None
        return manifest

    def start(self) -> None:
        """Note on the target that managers were started, as whoever starts them does."""
        (Path(self.site.environment.root) / "exec/started.1/once").mkdir(parents=True)

    def rows(self) -> dict[str, str]:
        """Read modified.tsv: what became of each path."""
        lines = (self.swarm.outdir / "modified.tsv").read_text().splitlines()[1:]
        return {path: what for what, path, _ in (line.split("\t") for line in lines)}


def files(root: Path) -> dict[str, str]:
    """Return what each file below a folder holds, by its relative path."""
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def to_file(folder: Path, text: str = "theirs\n") -> None:
    """Put a file in the place of a folder."""
    shutil.rmtree(folder)
    folder.write_text(text)


def to_folder(file: Path) -> None:
    """Put a folder in the place of a file, with a file deep in it."""
    file.unlink()
    (file / "deep").mkdir(parents=True)
    (file / "deep" / "new").write_text("theirs\n")
