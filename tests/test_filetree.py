"""What a tree file and rsync's patterns select: the set replicated is the set that the rules mean."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.errors import ConfigError, PlanError
from locusts_fab.filetree import Selection, escape_name, parse_tree, select, select_patterns

EXAMPLE = Path(__file__).parent.parent / "examples" / "world"


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


# ---- the rules, over one tree of 300 files ----

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


def test_sockets_and_fifos_are_skipped_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "a/file")
    os.mkfifo(tmp_path / "a" / "fifo")
    monkeypatch.chdir(tmp_path / "a")  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for found in (chosen(tmp_path, "**"), select_patterns(tmp_path, [], [])):
            assert found.skipped == ["a/fifo", "a/socket"]
            assert found.files == ["a/file"]
            assert found.folders == ["a"]


def test_a_root_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    made(tmp_path, "file")
    for root in (tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(PlanError, match="cannot be read: No"):
            chosen(root, "**")
        with pytest.raises(PlanError, match="cannot be read: No"):
            select_patterns(root, [], [])


def test_folders_that_no_rule_needs_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "a/1", "b/2", "b/c/3", "b/d/4")
    read: list[str] = []
    scandir = os.scandir

    def noted(path: str) -> object:
        read.append(os.path.relpath(path, tmp_path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noted)
    assert chosen(tmp_path, "b : **\n\t! c").files == ["b/2", "b/d/4"]
    assert sorted(read) == [".", "b", "b/d"]


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

HOSTILE = (
    "-rf", "--delete", "a\nb", "a\tb", "a\rb", " lead", "trail ", "'q'", '"q"', "$(touch x)", "`x`", "a;b", "~", "{}",
    "#c", "!n", "!!n", "*", "**", "?", "[a]", "[", "\\", "\\n", "a:b", "a #b", "...", "é", "日本", "\u2028",
    os.fsdecode(b"\xff\xfe"),
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_an_escaped_name_selects_that_file_and_no_other(tmp_path: Path, name: str) -> None:
    made(tmp_path, *HOSTILE)
    assert chosen(tmp_path, escape_name(name)).files == [name]
    left = chosen(tmp_path, f"**\n! {escape_name(name)}")
    assert left.files == sorted(set(HOSTILE) - {name})


def test_everything_holds_hostile_names(tmp_path: Path) -> None:
    names = [f"{folder}/{name}" for folder in HOSTILE for name in HOSTILE[::7]]
    made(tmp_path, *names)
    for found in (chosen(tmp_path, "**"), select_patterns(tmp_path, [], [])):
        assert found.files == sorted(names)
        assert found.folders == sorted(HOSTILE)


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


# ---- symlinks ----


def test_symlinks_are_replicated_and_never_followed(tmp_path: Path) -> None:
    made(tmp_path, "outside/secret", "root/in/file", "root/data/a.txt")
    root = tmp_path / "root"
    links = {
        "loop": ".",
        "in/up": "..",
        "in/self": "self",
        "out": "../outside",
        "in/abs": str(tmp_path / "outside"),
        "in/secret": "../../outside/secret",
        "in/dangling": "nowhere",
        "data/same.txt": "a.txt",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    for found in (chosen(root, "**"), select_patterns(root, [], [])):
        assert found.links == sorted(links)
        assert found.files == ["data/a.txt", "in/file"]
        assert found.folders == ["data", "in"]
    assert chosen(root, "out : **\nloop :\n\tin : **").links == ["loop", "out"]
    assert chosen(root, "out/secret").links == []
    assert chosen(root, "data : *.txt").links == ["data/same.txt"]
    assert chosen(root, "in : *\n\t! s*").links == ["in/abs", "in/dangling", "in/up"]
    assert chosen(root, "** :").links == sorted(links)


def test_a_root_may_itself_be_a_symlink(tmp_path: Path) -> None:
    made(tmp_path, "real/a")
    (tmp_path / "root").symlink_to("real")
    assert chosen(tmp_path / "root", "*").files == ["a"]


def test_a_tree_deeper_than_the_stack_of_python(tmp_path: Path) -> None:
    deepest = str(tmp_path)
    for _ in range(1500):
        deepest += "/d"
        os.mkdir(deepest)  # noqa: PTH102 - pathlib and makedirs recurse, which is just what fails here
    try:
        assert len(chosen(tmp_path, "**").folders) == 1500
        assert len(select_patterns(tmp_path, [], []).folders) == 1500
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


# ---- rsync's patterns ----

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
