"""What is selected of a local tree: the set replicated is the set that the rules mean."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import ConfigError, PlanError
from locusts_fab.replica.select import select, select_patterns, select_replica, workdir
from locusts_fab.replica.treefile import parse_tree
from tests.support.trees import ALL_FOLDERS, FILES, TOP, below, chosen, like, made, world

__all__ = ["world"]

EXAMPLE = Path(__file__).parents[3] / "examples" / "world"

# rules, the files they mean, the folders they mean besides those that lead to a file
RULES: dict[str, tuple[str, set[str], set[str]]] = {
    "nothing": ("", set(), set()),
    "only comments": ("# one\n\t# two\n\n   \n", set(), set()),
    "everything": ("**", set(FILES), ALL_FOLDERS),
    "everything, through the root's own line": (". : **", set(FILES), ALL_FOLDERS),
    "the root's files": ("*", TOP, set()),
    "the root's files, through its line": (". : *", TOP, set()),
    "one file": ("README.md", {"README.md"}, set()),
    "one file of a folder": ("scripts :\n\timportant.sh", {"scripts/important.sh"}, set()),
    "a path as a pattern": ("scripts/important.sh", {"scripts/important.sh"}, set()),
    "a folder's files, its dot files too, its folders not": (
        "scripts : *",
        {"scripts/important.sh", "scripts/useless.sh", "scripts/.profile"},
        set(),
    ),
    "a folder and all below it": ("scripts : **", below("scripts/"), set()),
    "empty folders come with **": ("results : **", below("results/"), {"results/C", "results/A/logs/empty"}),
    "no blank before the colon": ("scripts:**", below("scripts/"), set()),
    "blanks around the colon": ("scripts   :   **   ", below("scripts/"), set()),
    "a folder alone": ("data :", set(), {"data"}),
    "an empty folder": ("empty : **", set(), {"empty"}),
    "a pattern after the colon": ("data : *.txt", like("data/*.txt"), set()),
    "a pattern below the folder": ("data :\n\t*.txt", like("data/*.txt"), set()),
    "one character": ("data :\n\tm_00?.txt", like("data/m_00?.txt"), set()),
    "a set of characters": ("data :\n\tm_00[1-3a].*", {"data/m_001.txt", "data/m_002.dat", "data/m_003.txt"}, set()),
    "a set of other characters": ("data :\n\tm_00[!0-7].*", {"data/m_008.dat", "data/m_009.txt"}, set()),
    "folders by pattern": ("runs :\n\trun_* : *", {"runs/run_1/out.txt", "runs/run_2/out.txt"}, set()),
    "files by pattern, no folders": ("runs : run_*", {"runs/run_3.txt"}, set()),
    "a folder several levels down": ("results/A/logs : *", {"results/A/logs/1.log"}, set()),
    "a pattern at any depth": ("**/*.sh", like("*.sh"), set()),
    "a pattern at any depth of a folder": ("scripts : **/*.sh", like("scripts/*.sh"), set()),
    "a pattern two levels down": ("results : */*.txt", {"results/A/sum.txt", "results/B/sum.txt"}, set()),
    "every folder and no file": ("** :", set(), ALL_FOLDERS),
    "folders in folders": (
        "results :\n\tA :\n\t\tlogs : *\n\t\tsum.txt\n\tB : **\nREADME.md",
        {"results/A/logs/1.log", "results/A/sum.txt", "results/B/sum.txt", "README.md"},
        set(),
    ),
    "lines stand in a folder whose files are taken": (
        "scripts : *\n\thelpers :\n\t\tdeep : **\n",
        {"scripts/important.sh", "scripts/useless.sh", "scripts/.profile", "scripts/helpers/deep/er.sh"},
        set(),
    ),
    "leave out a file": ("scripts : **\n\t! useless.sh", below("scripts/") - {"scripts/useless.sh"}, set()),
    "leave out a file without a blank": (
        "scripts : **\n\t!useless.sh",
        below("scripts/") - {"scripts/useless.sh"},
        set(),
    ),
    "leave out by pattern": ("data : *\n\t! *.dat", like("data/*.txt"), set()),
    "leave out a folder and all in it": (
        "results : **\n\t! A",
        {"results/B/sum.txt"},
        {"results/C"},
    ),
    "leave out a folder, with a slash": ("results : **\n\t! A/", {"results/B/sum.txt"}, {"results/C"}),
    "a slash leaves files alone": ("runs : **\n\t! run_*/", {"runs/notes.txt", "runs/run_3.txt"}, set()),
    "leave out by a path": (
        "results :\n\tA : **\n\t\t! logs/old\n\t\t! big.bin",
        {"results/A/logs/1.log", "results/A/sum.txt"},
        {"results/A/logs/empty"},
    ),
    "leaving out looks into its own folder only": (
        "scripts : **\n\t! __pycache__",
        below("scripts/") - {"scripts/__pycache__/a.pyc"},
        set(),
    ),
    "leave out at any depth": (
        "**\n! **/__pycache__\n! .git",
        set(FILES) - like("*.pyc") - below(".git/"),
        {"results/C", "results/A/logs/empty", "empty"},
    ),
    "leave out all in a folder, not itself": (
        "results : **\n\t! A/**",
        {"results/B/sum.txt"},
        {"results/A", "results/C"},
    ),
    "no line brings back what another leaves out": (
        "! scripts\nscripts : **\n\timportant.sh\nsetup.cfg",
        {"setup.cfg"},
        set(),
    ),
    "leave out a folder's files, keep its folders": (
        "results : **\n\t!! A",
        {"results/B/sum.txt"},
        {"results/A/logs/old", "results/A/logs/empty", "results/C"},
    ),
    "leave out files, keep the folders called so": (
        "runs : **\n\t!! run_*",
        {"runs/notes.txt"},
        {"runs/run_1", "runs/run_2"},
    ),
    "the skeleton of a folder": (
        "results : **\n\t!! **",
        set(),
        {"results/A/logs/old", "results/A/logs/empty", "results/B", "results/C"},
    ),
    "leave out files at any depth": (
        "results : **\n\t!! **/*.log",
        {"results/A/big.bin", "results/A/sum.txt", "results/B/sum.txt"},
        {"results/A/logs/old", "results/A/logs/empty", "results/C"},
    ),
    "a comment behind a rule": ("scripts :  # ours\n\timportant.sh\t# the one", {"scripts/important.sh"}, set()),
    "blanks in names": ("a b : c d.txt", {"a b/c d.txt"}, set()),
    "a colon in a name": ("x\\:y :\n\t1\\:2.txt", {"x:y/1:2.txt"}, set()),
    "a # first in a name": ("\\#hash :\n\t\\#1.txt", {"#hash/#1.txt"}, set()),
    "a # after a blank": ("my \\#1.txt", {"my #1.txt"}, set()),
    "a ! first in a name": ("\\!bang :\n\t\\!1.txt", {"!bang/!1.txt"}, set()),
    "lines that end as on Windows": ("scripts :\r\n\timportant.sh\r\n", {"scripts/important.sh"}, set()),
    "the folder that commands start in comes along": ("#WORKDIR : results/C\nREADME.md", {"README.md"}, {"results/C"}),
}


@pytest.mark.parametrize("case", RULES)
def test_rules_select_what_they_mean(world: Path, case: str) -> None:
    text, files, folders = RULES[case]
    found = chosen(world, text)
    on_the_way = {str(parent) for name in (*files, *(f"{name}/x" for name in folders)) for parent in Path(name).parents}
    assert set(found.files) == files
    assert set(found.folders) == on_the_way - {"."}
    assert found.files == sorted(files)
    assert found.folders == sorted(found.folders)
    assert found.bytes == sum(len(os.fsencode(name)) for name in files)
    assert not found.links
    assert not found.skipped
    absent = {"no line brings back what another leaves out": ["fs_tree.fst: line 2: `scripts : **` matches nothing"]}
    assert found.unmatched == absent.get(case, [])


# ---- rules that match nothing ----

UNMATCHED = [
    ("absent.txt", ["line 1: `absent.txt` matches nothing"]),
    ("absent : *\n\talso absent", ["line 1: `absent : *` matches nothing"]),
    ("data : *.csv", ["line 1: `data : *.csv` matches nothing"]),
    ("data : **\n\t! *.csv", ["line 2: `! *.csv` matches nothing"]),
    ("data : **\n\t!! *.csv", ["line 2: `!! *.csv` matches nothing"]),
    ("data", ["line 1: `data` matches nothing (what is called so is a folder; write it with a colon, `name :`)"]),
    ("top.txt :", ["line 1: `top.txt :` matches nothing (what is called so is no folder; write it without the colon)"]),
    ("link : **", ["line 1: `link : **` matches nothing (a symlink is replicated as it is and never entered)"]),
    ("#WORKDIR : absent\n**", ["line 1: `#WORKDIR : absent` matches nothing"]),
    ("run_* : *.csv", ["line 1: `run_* : *.csv` matches nothing"]),
    ("dtaa/*\ndtaa/**", ["line 1: `dtaa/*` matches nothing", "line 2: `dtaa/**` matches nothing"]),
    ("link :\ndata : *\nvoid : **\nvoid : *", []),
]


@pytest.mark.parametrize(("text", "lines"), UNMATCHED)
def test_rules_that_match_nothing_are_reported(tmp_path: Path, text: str, lines: list[str]) -> None:
    made(tmp_path, "data/a.txt", "top.txt", "void/", "run_1/a.txt", "run_2.txt")
    (tmp_path / "link").symlink_to("data")
    assert chosen(tmp_path, text).unmatched == [f"fs_tree.fst: {line}" for line in lines]


# ---- the example ----


def test_the_example_replicates_what_its_scripts_need(tmp_path: Path) -> None:
    tree = parse_tree((EXAMPLE / "fs_tree.fst").read_text(encoding="utf-8"), "fs_tree.fst")
    found = select(EXAMPLE / "world", tree)
    assert tree.workdir == "scripts"
    assert found.unmatched == []
    assert "measurements/raw_traces.txt" not in found.files
    replica = tmp_path / "world"
    for name in found.folders:
        (replica / name).mkdir(parents=True, exist_ok=True)
    for name in found.files:
        shutil.copy(EXAMPLE / "world" / name, replica / name)
    for numbers in ("0-9", "10-19", "10-19"):  # a second run changes nothing
        subprocess.run(["bash", "important_script.sh", numbers], cwd=replica / "scripts", check=True)
    rejected = select_patterns(replica, ["/sorted/rejected/*.txt"], []).files
    assert rejected == [f"sorted/rejected/lamp_{number:03d}.txt" for number in (7, 11, 12, 15, 16, 18)]
    assert len(select_patterns(replica, ["/sorted/accepted/*.txt"], []).files) == 14
    summary = (replica / "summaries" / "10-19.tsv").read_text(encoding="utf-8").splitlines()
    assert len(summary) == 10
    assert summary[0] == "lamp_010.txt\t9.118\t0.0202\taccepted"


# ---- what a swarm replicates ----


def custom_swarm(folder: Path, **more: str | list[str]) -> Swarm:
    """Make a swarm whose tasks share the tree `world`."""
    values = {"command": "true", "args": [["1"]], "environment": "custom", "root": "world", **more}
    return Swarm("s", SwarmSettings.model_validate(values), "t", Target(mode="local"), folder)


def test_a_swarm_selects_by_its_tree_file_or_by_its_patterns(tmp_path: Path) -> None:
    made(tmp_path, "world/a/1.txt", "world/a/2.dat", "world/b")
    (tmp_path / "tree.fst").write_text("a : *.txt\nabsent\n")
    by_file = select_replica(custom_swarm(tmp_path, tree="tree.fst"))
    assert (by_file.files, by_file.folders) == (["a/1.txt"], ["a"])
    assert by_file.unmatched == ["tree.fst: line 2: `absent` matches nothing"]
    by_patterns = select_replica(custom_swarm(tmp_path, include=["*.*"], exclude=["*.txt"]))
    assert (by_patterns.files, by_patterns.folders) == (["a/2.dat"], ["a"])


def test_names_that_are_no_utf_8_may_stand_in_a_tree_file(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe")
    made(tmp_path, f"world/{name}", "world/other")
    (tmp_path / "tree.fst").write_bytes(os.fsencode(name))
    assert select_replica(custom_swarm(tmp_path, tree="tree.fst")).files == [name]


def test_a_root_or_a_tree_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    swarm = custom_swarm(tmp_path, tree="tree.fst")
    with pytest.raises(PlanError, match=f"root: there is no folder {tmp_path}/world"):
        select_replica(swarm)
    made(tmp_path, "world/a")
    with pytest.raises(PlanError, match=r"tree: tree\.fst cannot be read: No such file"):
        select_replica(swarm)


@pytest.mark.parametrize(
    ("of_config", "of_file", "found"),
    [
        (None, "", "."),
        (None, "#WORKDIR : a/b", "a/b"),
        ("a/./b/", "", "a/b"),
        ("a//b", "#WORKDIR : a/b", "a/b"),
    ],
)
def test_where_commands_start(tmp_path: Path, of_config: str | None, of_file: str, found: str) -> None:
    (tmp_path / "tree.fst").write_text(f"{of_file}\n**\n")
    more = {} if of_config is None else {"workdir": of_config}
    assert workdir(custom_swarm(tmp_path, tree="tree.fst", **more)) == found


def test_commands_cannot_start_in_two_places(tmp_path: Path) -> None:
    (tmp_path / "tree.fst").write_text("#WORKDIR : b\n**\n")
    with pytest.raises(ConfigError) as caught:
        workdir(custom_swarm(tmp_path, tree="tree.fst", workdir="a"))
    assert caught.value.problems == ("swarms.s.workdir: a, but #WORKDIR in tree.fst says b; keep one",)


def test_without_a_tree_file_the_config_alone_says_where_commands_start(tmp_path: Path) -> None:
    assert workdir(custom_swarm(tmp_path, include=["**"], workdir="./b")) == "b"
    assert workdir(custom_swarm(tmp_path, include=["**"])) == "."
