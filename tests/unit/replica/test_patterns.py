"""What rsync's patterns select: the same as the real rsync does by them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.replica.select import select_patterns
from tests.support.trees import FILES, TOP, below, like, made, world

__all__ = ["world"]

PATTERNS = [
    ([], [], FILES),
    ([], ["*.dat"], FILES - like("*.dat")),
    ([], ["/scripts"], FILES - below("scripts/")),
    ([], ["run_*/"], FILES - below("runs/run_1/", "runs/run_2/")),
    ([], ["__pycache__", ".git/"], FILES - like("*.pyc") - below(".git/")),
    ([], ["A/logs"], FILES - below("results/A/logs/")),
    ([], ["results/**/*.log"], FILES - below("results/A/logs/")),
    (["*.sh"], [], like("*.sh")),
    (["/*"], [], TOP),
    (["/scripts/*.sh"], [], {"scripts/important.sh", "scripts/useless.sh"}),
    (["scripts/***"], [], below("scripts/")),
    (
        ["scripts/**"],
        ["helpers"],
        {"scripts/important.sh", "scripts/useless.sh", "scripts/.profile", "scripts/__pycache__/a.pyc"},
    ),
    (["m_00?.txt", "m_27[12].*"], [], like("data/m_00?.txt") | {"data/m_271.txt", "data/m_272.dat"}),
    (["m_0[[:digit:]]0.*"], ["m_0[!1-8]0.*"], {f"data/m_0{tens}0.dat" for tens in range(1, 9)}),
    (["scripts/"], [], set()),
    (["*.txt"], ["*.txt"], set()),
]


@pytest.mark.parametrize(("include", "exclude", "files"), PATTERNS)
def test_patterns(world: Path, include: list[str], exclude: list[str], files: set[str]) -> None:
    found = select_patterns(world, include, exclude)
    assert set(found.files) == files
    on_the_way = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    assert on_the_way <= set(found.folders)
    if include not in ([], ["/*"], ["scripts/"], ["scripts/***"], ["scripts/**"]):
        assert on_the_way == set(found.folders)


def test_a_folder_that_an_include_names_is_kept_alone(world: Path) -> None:
    assert select_patterns(world, ["scripts/"], []).folders == ["scripts"]


def test_patterns_that_match_nothing_are_reported(world: Path) -> None:
    assert select_patterns(world, ["*.sh", "*.rs"], ["*.log", ""]).unmatched == [
        "include: `*.rs` matches nothing",
        "exclude: `` matches nothing",
    ]


PIECES = (
    "a", "b", "x", "é", ".", "-", "]", " ", "*", "**", "***", "?", "/", "/", "a/", "/a", "\\", "\\*",
    "[ab]", "[!a]", "[^a-b]", "[b-a]", "[]a]", "[a-]", "[[:alpha:]]", "[[:nonsense:]]",
)  # fmt: skip
pattern_lists = st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join), max_size=3)


@pytest.fixture(scope="module")
def maze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tree of few names, so that patterns made at random match something."""
    root = tmp_path_factory.mktemp("maze")
    names = ("a", "b", "ab", "a.b", "a*b", "a\\b", "é", "[a]", "-a", " a", "a\nb", "x")
    for number, name in enumerate(names):
        others = (names[number - 1], names[number - 5], names[number - 7])
        made(root, f"{name}/{others[0]}/{others[1]}/{others[2]}", f"{name}/{others[1]}", f"{name}/{others[2]}/{name}/")
        (root / name / "é.x").symlink_to(others[1])
    return made(root, "ab.x", "b.a", "ba")


def rsynced(root: Path, include: list[str], exclude: list[str]) -> dict[str, set[str]]:
    """Let the real rsync tell what it would copy."""
    rules = [f"--filter=- {pattern}" for pattern in exclude]
    if include:
        rules += [*(f"--filter=+ {pattern}" for pattern in include), "--filter=+ */", "--filter=- *"]
    # A dry run into a folder that is not there lists everything: `cd+++++++++ a/`, `cL+++++++++ l`, `>f+++++++++ a/b`.
    command = ["rsync", "-rl", "--dry-run", "--out-format=%i %n", *rules, f"{root}/", f"{root}-copy/"]
    answer = subprocess.run(command, check=True, capture_output=True).stdout
    found: dict[str, set[str]] = {"d": set(), "L": set(), "f": set()}
    for line in answer.splitlines():
        items, _, name = line.partition(b" ")
        # What is not printable comes as `\#ooo`, the byte in octal.
        name = re.sub(rb"\\#(\d{3})", lambda octal: bytes([int(octal[1], 8)]), name.removesuffix(b"/"))
        if items[2:].startswith(b"+") and name != b".":
            found[chr(items[1])].add(os.fsdecode(name))
    return found


needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync to compare with")


@needs_rsync
@given(include=pattern_lists, exclude=pattern_lists)
@settings(max_examples=60, deadline=None)
def test_patterns_mean_what_they_mean_to_rsync(maze: Path, include: list[str], exclude: list[str]) -> None:
    theirs = rsynced(maze, include, exclude)
    ours = select_patterns(maze, include, exclude)
    assert set(ours.files) == theirs["f"]
    assert set(ours.links) == theirs["L"]
    if include:  # there rsync makes every folder that is not excluded, needed or not
        assert set(ours.folders) <= theirs["d"]
    else:
        assert set(ours.folders) == theirs["d"]


@needs_rsync
@pytest.mark.parametrize(("include", "exclude", "files"), PATTERNS)
def test_rsync_agrees_with_the_table(world: Path, include: list[str], exclude: list[str], files: set[str]) -> None:
    assert rsynced(world, include, exclude)["f"] == files
