"""Reading a tree file: its mistakes, its workdir, and names that any program could take for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from locusts_fab.errors import ConfigError
from locusts_fab.replica.treefile import escape_name, parse_tree
from tests.support.trees import HOSTILE, chosen, made

if TYPE_CHECKING:
    from pathlib import Path

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
    assume(folder != "y")  # which is a file here
    root = made(tmp_path_factory.mktemp("any"), f"{folder}/{name}", "x/x", "y")
    assert chosen(root, f"{escape_name(folder)} :\n\t{escape_name(name)}").files == [f"{folder}/{name}"]
