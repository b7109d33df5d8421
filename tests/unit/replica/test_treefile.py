"""What a tree file selects: the set replicated is the set that the rules mean."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.errors import ConfigError
from locusts_fab.replica.treefile import escape_name, parse_tree, select, select_patterns
from tests.support.trees import ALL_FOLDERS, FILES, HOSTILE, TOP, below, chosen, like, made, world

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


# ---- mistakes in a tree file ----

MISTAKES = [
    ("a :\n    b", "line 2: indented with spaces; write one tab for each folder"),
    (" a", "line 1: indented with spaces"),
    ("a :\n\t b", "line 2: indented with spaces"),
    ("\ta", "line 1: too many tabs: 1, where 0 folders"),
    ("a :\n\t\tb", "line 2: too many tabs: 2, where 1 folders"),
    ("a.txt\n\tb", "line 2: too many tabs: 1, where 0 folders"),
    ("! a\n\tb", "line 2: too many tabs: 1, where 0 folders"),
    ("a : b : c", "line 1: more than one colon; write `\\:`"),
    ("! a : *", "line 1: a line with `!` takes no colon"),
    ("!! a : *", "line 1: a line with `!!` takes no colon"),
    (": *", "line 1: no name"),
    ("!", "line 1: no name"),
    (".", "line 1: no name"),
    ("a/", "line 1: `a/` is a folder; write it with a colon: `a :`"),
    ("/a", "line 1: `/a` may lead out of the root"),
    ("../a : **", "line 1: `../a` may lead out"),
    ("a : ../../b", "line 1: `../../b` may lead out"),
    ("a\\b", "line 1: `\\b` means nothing; write `\\\\`"),
    ("a\\/b", "line 1: `\\/` means nothing"),
    ("a\\", "line 1: `\\` means nothing"),
    ("[ab", "line 1: a `[` has no `]`"),
    ("#WORKDIR a", "line 1: write `#WORKDIR : path`"),
    ("#WORKDIR :", "line 1: write `#WORKDIR : path`"),
    ("#WORKDIR : /a", "line 1: `/a` may lead out of the root"),
    ("#WORKDIR : a/../..", "line 1: `a/../..` may lead out of the root"),
    ("#WORKDIR : a\n#WORKDIR : b", "line 2: a second #WORKDIR"),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_named_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_tree(text, "fs_tree.fst")
    (line,) = caught.value.problems
    assert line.startswith(problem)
    assert str(caught.value).startswith(f"fs_tree.fst: {problem}")


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_tree("a : b : c\n\tfine\n  spaces\n\t\t\tdeep\n../out\nfine", "fs_tree.fst")
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["line 1", "line 3", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("text", "workdir"),
    [
        ("a : **", None),
        ("#WORKDIR : a/b/\n", "a/b"),
        ("#WORKDIR:./a//b", "a/b"),
        ("#WORKDIR : .", "."),
        ("#WORKDIR : with space: [and] *colon* #1", "with space: [and] *colon* #1"),
        ("#WORKDIRECTORY is no such line", None),
        ("\ufeff#WORKDIR : a\r\n", "a"),
    ],
)
def test_the_workdir(text: str, workdir: str | None) -> None:
    assert parse_tree(text, "fs_tree.fst").workdir == workdir


# ---- hostile names ----


@pytest.mark.parametrize("name", HOSTILE)
def test_an_escaped_name_selects_that_file_and_no_other(tmp_path: Path, name: str) -> None:
    made(tmp_path, *HOSTILE)
    assert chosen(tmp_path, escape_name(name)).files == [name]
    left = chosen(tmp_path, f"**\n! {escape_name(name)}")
    assert left.files == sorted(set(HOSTILE) - {name})


file_name = st.text(min_size=1, max_size=12).filter(
    lambda name: (
        name not in {".", ".."}
        and "/" not in name
        and "\0" not in name
        and not any("\ud800" <= c <= "\udfff" for c in name)
    )
)


@given(file_name, file_name)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_can_be_written(tmp_path_factory: pytest.TempPathFactory, folder: str, name: str) -> None:
    root = made(tmp_path_factory.mktemp("any"), f"{folder}/{name}", "x/x", "y")
    assert chosen(root, f"{escape_name(folder)} :\n\t{escape_name(name)}").files == [f"{folder}/{name}"]


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
