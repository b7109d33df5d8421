"""Entries of `outputs`: what the config says becomes a name or a pattern, in which values are literal."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.bounds.entries import Entry, mark, outputs_of, shown, written
from locusts_fab.bounds.names import Name, UnsafeNameError
from locusts_fab.shell.template import Template


def entry(text: str, value: str = "", *, optional: bool = False, nonempty: bool = False) -> str:
    """Return an entry of the config, with a value in the place of <a>, as the plan has it."""
    marked = mark(text, optional=optional, nonempty=nonempty)
    return written(Template.name(marked, {"a"}).render({"a": value}))


@pytest.mark.parametrize(
    ("text", "value", "plan"),
    [
        ("out.txt", "", "out.txt"),
        ("out", "", "out"),
        ("out/", "", "out"),
        ("a/b/", "", "a/b"),
        ("<a>.txt", "*", "*.txt"),
        ("a[*].csv", "", "a*.csv"),
        ("[?]", "", "?"),
        ("[[]1].txt", "", "[1].txt"),
        ("[]", "", "[]"),
        ("a]", "", "a]"),
        ("*.csv", "", "/g/*.csv"),
        ("**/*.log", "", "/g/**/*.log"),
        ("plots/p?[0-9].png", "", "/g/plots/p?[0-9].png"),
        ("run_*/", "", "/gd/run_*"),
        ("<a>*.csv", "a*?[]b\\", "/g/a[*][?][[]]b[\\\\]*.csv"),
        ("[*]*[[]", "", "/g/[*]*[[]"),
        ("a\\*", "", "/g/a[\\\\]*"),
        ("*[", "", "/g/*[[]"),
        ("[!a-c]x", "", "/g/[!a-c]x"),
        ("[]]x", "", "/g/[]]x"),
        ("[!]", "", "[!]"),
        ("[!]]", "", "/g/[!]]"),
        ("[[:digit:]]x", "", "/g/[[:digit:]]x"),
        ("[a/b]", "", "[a/b]"),
    ],
)
def test_what_the_config_says(text: str, value: str, plan: str) -> None:
    assert entry(text, value) == plan
    assert isinstance(entry(text, value), Entry) == plan.startswith("/g")


def test_letters_of_entries() -> None:
    assert entry("a[*]", optional=True) == "/o/a*"
    assert entry("a*/", optional=True, nonempty=True) == "/gdon/a*"
    assert entry("a", nonempty=True) == "/n/a"
    parsed = Entry("/gdon/a*")
    assert (parsed.is_pattern, parsed.is_optional, parsed.name, shown(parsed)) == (True, True, None, "a*/")
    assert (Entry("/n/a*").name, Entry("/n/a*").is_optional, shown(Entry("/n/a*"))) == ("a*", False, "a*")


def test_a_handle_in_brackets_is_refused() -> None:
    with pytest.raises(ValueError, match="a handle cannot stand in brackets"):
        mark("x[<a>].txt")


def test_a_value_that_looks_like_an_entry_is_none() -> None:
    assert not isinstance(entry("<a>", "/g/*"), Entry)


@pytest.mark.parametrize(
    "text",
    ["/", "//", "/x", "/etc/passwd", "/g/", "/g//a", "/g/../a", "/g/a/..", "/go", "/og/a", "/gg/a", "/g/a\0b", "/i/a"],
)
def test_what_is_no_entry(text: str) -> None:
    with pytest.raises(UnsafeNameError):
        outputs_of(["fine", text])
    with pytest.raises(UnsafeNameError):
        outputs_of([text])


def test_outputs_are_names_or_entries() -> None:
    made = outputs_of(["a", "/g/*", "b/c"])
    assert made == ("a", "/g/*", "b/c")
    assert [type(output) for output in made] == [Name, Entry, Name]
    assert outputs_of([]) == ()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("ab*?[]\\.-!^ \n'\"$é", min_size=1, max_size=6), min_size=1, max_size=8, unique=True))
def test_values_are_literal_to_bash(values: list[str]) -> None:
    """Each pattern that begins with a value matches just what begins with that value."""
    names = [value + tail for value in values for tail in ("", "x", "y.csv")]
    patterns = [Entry(entry("<a>*.csv", value)) for value in values]
    match = 'LC_ALL=C; n=$1; shift; for ((i = 1; i <= n; i++)); do for f in "${@:n+1}"; do'
    match += ' case $f in ${!i}) printf "%s\\0" "$f";; esac; done; printf "\\0"; done'
    words = [str(len(patterns)), *(pattern.text for pattern in patterns), *names]
    said = subprocess.run(["bash", "-c", match, "bash", *words], capture_output=True, check=True, timeout=30).stdout
    groups = re.findall(r"((?:[^\0]+\0)*)\0", os.fsdecode(said))
    for value, pattern, group in zip(values, patterns, groups, strict=True):
        wanted = [name for name in names if re.fullmatch(re.escape(value) + ".*[.]csv", name, re.DOTALL)]
        assert group.split("\0")[:-1] == wanted
        if not value.startswith("."):
            assert all(pattern.matches(Name(name)) for name in wanted)


@pytest.mark.parametrize(
    ("pattern", "name", "is_matched"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", ".csv", False),
        ("*.csv", "a/b.csv", False),
        (".*", ".a", True),
        ("?", "a", True),
        ("??", "é", True),
        ("**/*.log", "x.log", True),
        ("**/*.log", "a/b/x.log", True),
        ("**/*.log", "a/.b/x.log", False),
        ("**", "a/b", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/c/d/b", True),
        ("a/**/b", "ab", False),
        ("[*]*", "*x", True),
        ("[*]*", "ax", False),
        ("[\\\\]*", "\\x", True),
        ("[a-c]*", "ax", True),
        ("[[:digit:]a].x", "1.x", True),
        ("[.]*", ".x", True),
        ("*\n", "a\n", True),
    ],
)
def test_names_that_a_pattern_can_have_matched(pattern: str, name: str, *, is_matched: bool) -> None:
    assert Entry(f"/g/{pattern}").matches(Name(name)) == is_matched
