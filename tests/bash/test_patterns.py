"""Outputs that are patterns: which files they match, and how the record says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.manager.records import Ended, Matched
from tests.support.managers import ENVIRONMENT_ID, ManualEnvironment, Spec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from locusts_fab.manager.records import Record


def matched(records: Sequence[Record], task: int = 1) -> dict[int, list[str]]:
    """Return what the patterns of a task matched, by their places; all parts of it must be there, before its end."""
    parts = [record for record in records if isinstance(record, Matched) and record.task == task]
    (end,) = [record for record in records if isinstance(record, Ended) and record.task == task]
    assert [part.part for part in parts] == list(range(1, end.parts + 1))
    found: dict[int, list[str]] = {}
    for part in parts:
        found.setdefault(part.output, []).extend(part.names)
    return found


MANY = "mkdir -p a/b .h; touch x.csv y.csv .z.csv a/1.log a/b/2.log .h/3.log 4.log"


@pytest.mark.parametrize(
    ("command", "outputs", "names"),
    [
        (MANY, ["/g/*.csv"], {0: ["x.csv", "y.csv"]}),
        (MANY, ["x.csv", "/g/?.csv"], {1: ["x.csv", "y.csv"]}),
        (MANY, ["/g/.*.csv"], {0: [".z.csv"]}),
        (MANY, ["/g/**/*.log"], {0: ["4.log", "a/1.log", "a/b/2.log"]}),
        (MANY, ["/g/a/**"], {0: ["a/1.log", "a/b/2.log"]}),
        (MANY, ["/g/*/*.log"], {0: ["a/1.log"]}),
        (MANY, ["/g/a/*"], {0: ["a/1.log", "a/b"]}),
        (MANY, ["/gd/*"], {0: ["a"]}),
        (MANY, ["/g/[x-z].csv"], {0: ["x.csv", "y.csv"]}),
        (MANY, ["/g/[!x].csv"], {0: ["y.csv"]}),
        (MANY, ["/g/a/*.log", "/g/[4].log"], {0: ["a/1.log"], 1: ["4.log"]}),
        ("touch '*.csv' a.csv", ["/g/[*].c*"], {0: ["*.csv"]}),
        ("touch -- -x.csv '$(y).csv' \"a'b.csv\" 'a b.csv'", ["/g/*.csv"],
         {0: ["$(y).csv", "-x.csv", "a b.csv", "a'b.csv"]}),
        ("touch $'a\\nb.csv' $'t\\t\\r.csv' 'b\\n.csv'", ["/g/*.csv"], {0: ["a\nb.csv", "b\\n.csv", "t\t\r.csv"]}),
        ("touch $'\\xff.csv' $'\\xe2\\x82.csv' \u00e9.csv", ["/g/*.csv"],
         {0: ["\u00e9.csv", "\udce2\udc82.csv", "\udcff.csv"]}),
        ("ln -s . loop; mkdir d; touch d/x; ln -s d e", ["/g/**/x"], {0: ["d/x"]}),
        ("ln -s nowhere x; mkfifo p; touch y", ["/g/*"], {0: ["y"]}),
        (MANY, ["/go/core.*", "/o/nothing", "/g/x*"], {2: ["x.csv"]}),
        ("touch a.x; echo > b.x; touch c; mkdir d", ["/gon/*.x", "/on/c", "/on/d", "/n/b.x"], {0: ["b.x"]}),
        ("echo > a.x; mkdir b.x; touch b.x/.y", ["/gn/*.x"], {0: ["a.x", "b.x"]}),
    ],
)  # fmt: skip
def test_what_patterns_match(tmp_path: Path, command: str, outputs: list[str], names: dict[int, list[str]]) -> None:
    with ManualEnvironment(tmp_path, has_patterns=1) as env:
        manager = env.plan([Spec(command, outputs)]).run()
        end = env.end_of()
        del manager
        assert (end.state, end.reason, len(end.found)) == ("done", "", len(outputs))
        assert matched(env.records("1-0")) == names
        sandbox = env.root / "work/000001.1.0123abcd/1"
        for found in names.values():
            assert all(os.path.lexists(f"{sandbox}/{name}") for name in found)


@pytest.mark.parametrize(
    ("command", "outputs", "found", "reason"),
    [
        (":", ["/g/*.csv"], (False,), "missing output"),
        ("touch a b", ["a", "/g/*.csv", "b"], (True, False, True), "missing output"),
        ("mkdir x.csv", ["/g/**/*.csv"], (False,), "missing output"),
        ("touch a; echo > b", ["/n/a", "/n/b"], (False, True), "missing or empty output"),
        ("touch a; echo > b", ["/gn/*"], (False,), "missing or empty output"),
        ("mkdir a b; touch b/.x", ["/n/a", "/n/b"], (False, True), "missing or empty output"),
        ("echo > b", ["/n/a", "/n/b"], (False, True), "missing output"),
        ('cd /; rm -rf "$OLDPWD"', ["/g/*", "/o/x"], (False, False), "missing output"),
        ("touch a.csv; exit 3", ["/g/*.csv"], (True,), "exit 3"),
    ],
)
def test_what_is_missing(
    tmp_path: Path, command: str, outputs: list[str], found: tuple[bool, ...], reason: str
) -> None:
    with ManualEnvironment(tmp_path, has_patterns=1) as env:
        end = env.plan([Spec(command, outputs)]).run().end_of()
        assert (end.state, end.found, end.reason) == ("failed", found, reason)


@pytest.mark.parametrize("is_packed", [False, True], ids=["laid out", "packed"])
def test_inputs_are_no_matches_unless_they_were_changed(tmp_path: Path, *, is_packed: bool) -> None:
    inputs = {"in.txt": "1", "same.txt": "1", "d/x.txt": "1", "d/y.txt": "1", "e/z.txt": "1"}
    command = "echo 2 >> in.txt; echo 2 > d/x.txt; echo 3 > d/new.txt; touch -d 1999-01-01 old.txt"
    outputs = ["/g/*.txt", "/g/**/*.txt", "/g/*", "same.txt", *(f"/i/{name}" for name in inputs)]
    with ManualEnvironment(tmp_path, has_patterns=1, has_inputs=1) as env:
        env.plan([Spec(command, outputs, inputs)])
        for path in (env.root / "inputs").rglob("*.txt"):
            os.utime(path, (1_000_000_000, 1_000_000_000))
        if is_packed:
            env.pack()
        env.run()
        assert (env.end_of().found, env.end_of().state) == ((True,) * 4, "done")
        assert matched(env.records("1-0")) == {
            0: ["in.txt", "old.txt"],
            1: ["in.txt", "old.txt", "d/new.txt", "d/x.txt"],
            2: ["in.txt", "old.txt"],
        }
        sandbox = env.root / "work/000001.1.0123abcd/1"
        assert sorted(path.name for path in sandbox.iterdir()) == ["d", "in.txt", "old.txt", "same.txt"]
        assert not (sandbox.parent / "log.0").exists()


@pytest.mark.parametrize("is_packed", [False, True], ids=["laid out", "packed"])
def test_inputs_of_the_very_second_are_no_matches(tmp_path: Path, *, is_packed: bool) -> None:
    """They may be staged right before the sandbox is made, and be changed right after; bash 4 compares seconds."""
    names = ["a b.txt", "$(touch x).txt", "@.txt", "*.txt", "-n.txt", "n\nl.txt", "b\\n.txt", "\udcff.txt", "]'\".txt"]
    inputs = {"in.txt": "1", "d/x.txt": "1", "d/y.txt": "1", "-": "1", "@": "1", **dict.fromkeys(names, "1")}
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("cp", "tar"):  # all that was copied is as old as the second in which that began
        (tools / tool).write_text(
            f'#!/bin/bash\nPATH=${{PATH#*:}}\n{tool} "$@" || exit\n'
            f'for log in "{tmp_path}"/env/work/*/log.0; do\n  second=$(stat -c %Y "$log")\n'
            '  find "${log%/*}" -type f ! -name log.0 -exec touch -d "@$second" {} +\n'
            '  touch -d "@$second.000000003" "$log"\ndone\n'
        )
        (tools / tool).chmod(0o755)
    command = 'for name in in.txt d/x.txt; do echo 2 >"$name"; touch -d "$(stat -c %y ../log.0)" "$name"; done'
    outputs = ["/g/*", "/g/**/*.txt", *(f"/i/{name}" for name in inputs)]
    with ManualEnvironment(tmp_path, has_patterns=1, has_inputs=1) as env:
        env.plan([Spec(command, outputs, inputs)])
        if is_packed:
            env.pack()
        env.run(env={"PATH": f"{tools}:{os.environ['PATH']}"})
        assert (env.complaints(), env.end_of().state) == ("", "done")
        assert matched(env.records("1-0")) == {0: ["in.txt"], 1: ["in.txt", "d/x.txt"]}
        kept = env.root / f"work/000001.1.{ENVIRONMENT_ID}/1"
        assert sorted(path.name for path in kept.iterdir()) == ["d", "in.txt"]


def test_a_further_attempt_has_matches_of_its_own(tmp_path: Path) -> None:
    command = (
        f'[[ -e "{tmp_path}/second" ]] || {{ : > "{tmp_path}/second"; touch first.csv; exit 1; }}; touch second.csv'
    )
    with ManualEnvironment(tmp_path, has_patterns=1, retries=1) as env:
        records = env.plan([Spec(command, ["/g/*.csv"])]).run().records("1-0")
    assert [(each.attempt, each.names) for each in records if isinstance(each, Matched)] == [
        (1, ("first.csv",)),
        (2, ("second.csv",)),
    ]


def test_ten_thousand_matches_are_recorded_in_lines_that_a_poll_can_bring(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, has_patterns=1) as env:
        env.plan(
            [
                Spec(
                    "seq -f 'a rather long name of a file %05g.csv' 10000 | tr '\\n' '\\0' | xargs -0 touch",
                    ["/g/*.csv"],
                )
            ]
        )
        records = env.run().records("1-0")
        cache = next((env.root / "exec/cache").iterdir()).read_bytes()
    assert matched(records) == {0: [f"a rather long name of a file {number:05}.csv" for number in range(1, 10_001)]}
    assert max(map(len, cache.split(b"\n"))) < 16384


def test_the_longest_names_are_recorded(tmp_path: Path) -> None:
    folder = "/".join(["\\" * 250] * 8)
    with ManualEnvironment(tmp_path, has_patterns=1) as env:
        env.plan([Spec(f"mkdir -p '{folder}'; touch '{folder}'/{{1,2,3}}.csv", ["/g/**/*.csv"])])
        records = env.run().records("1-0")
        cache = next((env.root / "exec/cache").iterdir()).read_bytes()
    assert matched(records) == {0: [f"{folder}/{number}.csv" for number in (1, 2, 3)]}
    assert max(map(len, cache.split(b"\n"))) < 16384


def test_with_scratch_they_are_at_home(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, has_patterns=1, scratch=str(tmp_path)) as env:
        env.plan([Spec("touch a.csv b.txt", ["/g/*.csv"])]).run()
        assert matched(env.records("1-0")) == {0: ["a.csv"]}
        assert [path.name for path in (env.root / "work/000001.1.0123abcd/1").iterdir()] == ["a.csv"]


def test_in_a_tree_that_tasks_share_no_names_are_recorded(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with ManualEnvironment(tmp_path, has_patterns=1, tree=str(tmp_path / "tree")) as env:
        env.plan([Spec("touch a.csv", ["/g/*.csv"]), Spec(":", ["/g/*.png"])]).run()
        assert matched(env.records("1-0")) == {}
        assert [(env.end_of(task).state, env.end_of(task).found) for task in (1, 2)] == [
            ("done", (True,)),
            ("failed", (False,)),
        ]
        assert (tmp_path / "tree/a.csv").exists()


@pytest.mark.parametrize("values", [{}, {"pack": 1}], ids=["files", "packed"])
def test_a_task_without_outputs_where_others_have_patterns(tmp_path: Path, values: dict[str, Any]) -> None:
    """As where only the task after all others has a pattern."""
    with ManualEnvironment(tmp_path, has_patterns=1, **values) as env:
        env.plan([Spec("echo x >> ../../../ran"), Spec(": > a", ["/g/*"])]).run()
        assert env.states() == {1: ["done"], 2: ["done"]}
