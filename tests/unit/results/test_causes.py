"""Failures of one cause are told as one, whatever differs in what the tasks printed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.bounds.names import Name, TaskId
from locusts_fab.manager.records import read_task_reason
from locusts_fab.model.tasks import Outcome, TaskState
from locusts_fab.results.causes import EXAMPLES, find_causes, normalised


def failure(number: int, reason: str, *, task: str = "", code: int = 1, node: str = "n1", found: str = "") -> Outcome:
    """Return a task that failed; its outputs are `o0`, `o1` and so on, with the id in their names."""
    task = task or f"{number:06d}"
    return Outcome(
        number=number,
        id=TaskId(task),
        command="true",
        outputs=tuple(Name(f"{task}_o{at}") for at in range(len(found))),
        state=TaskState.FAILED,
        exit_code=code,
        attempts=1,
        node=node,
        start_s=1.0,
        seconds=1.0,
        reason=reason,
        found=tuple(each == "1" for each in found),
        log=1,
        claim="000001.1.c0ffee12",
        attempt=1,
        place="",
        cause=read_task_reason(reason),
    )


def planted(count: int, seed: int) -> list[Outcome]:
    """Return failures of four causes, in which numbers, paths, ids, times and names differ."""
    dice = random.Random(seed)
    made = []
    for number in range(1, count + 1):
        word = dice.choice(["alpha", "beta", "gamma", "delta", "omega"])
        task = dice.choice(
            [f"{number:06d}", f"{word}_{number}", f"S{number:x}", word + f"{number:b}".translate({48: "o", 49: "l"})]
        )
        folder = "/".join(dice.choice(["data", "scratch", word, "a b"]) for _ in range(dice.randint(1, 4)))
        reason, code = (
            (f"exit 1: FileNotFoundError: [Errno 2] No such file or directory: '/{folder}/{task}.txt'", 1),
            (f"exit 1: {dice.randrange(24):02}:{dice.randrange(60):02}:07 ERROR sample {task} at 0x{number:x}: bad", 1),
            (f"exit 127: /{word}/job.{number}/script.sh: line {number}: blastp: command not found", 127),
            (f"exit 1: {word}.txt: row {number} has {dice.random() * 1000:.3f} of {number + 1:,} values", 1),
        )[number % 4]
        made.append(failure(number, reason, task=task, code=code, node=f"n{number % 3}"))
    dice.shuffle(made)
    return made


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_failures_of_four_causes_are_four_groups(seed: int) -> None:
    causes = find_causes(planted(1000, seed), {})
    assert [cause.count for cause in causes] == [250] * 4
    assert sorted(cause.exit_code or 0 for cause in causes) == [1, 1, 1, 127]
    assert all(len(cause.examples) == EXAMPLES for cause in causes)


@given(st.permutations(planted(40, 7)))
def test_the_order_of_failures_does_not_matter(failures: list[Outcome]) -> None:
    assert find_causes(failures, {"n1": 3}) == find_causes(planted(40, 7), {"n1": 3})


ids = st.text("qvwxyz_", min_size=1, max_size=8)  # letters only, and not those of the words below
LINES = ["exit 1: cannot open {}", "exit 1: {}: bad header", "exit 2: no rows in {}.csv", "exit 1: task {} of many: no"]


@given(st.lists(ids, min_size=2, max_size=12, unique=True), st.lists(ids, min_size=12, max_size=12, unique=True))
def test_other_ids_give_the_same_groups(first: list[str], second: list[str]) -> None:
    def groups(names: list[str]) -> list[tuple[int, ...]]:
        made = [failure(at, LINES[at % len(LINES)].format(name), task=name) for at, name in enumerate(names)]
        numbers = {name: at for at, name in enumerate(names)}
        causes = find_causes(made, {})
        return sorted((cause.count, *(numbers[each] for each in cause.examples)) for cause in causes)

    found = groups(first)
    assert len(found) == min(len(first), len(LINES))
    assert found == groups(second[: len(first)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cannot open '/a/b.txt'", "cannot open '/c d/e.txt'"),
        ("cat: /a/b.txt: No such file", "cat: x/y/z: No such file"),
        ("sample_a.fq.gz is empty", "reads.fq.gz is empty"),
        ("KeyError: 'alpha'", 'KeyError: "it\'s"'),
        ("no column `temp`", "no column \u2018pressure\u2019"),
        ("step 5 of 10: nan", "step 12,345 of 99: nan"),
        ("loss = -1.5e-10", "loss = 3"),
        ("at 0x7fff12: bad", "at 0xdeadbeef00: bad"),
        ("job f3a9c1d2-1234-4321-aaaa-bbccddeeff00 died", "job 00000000-aaaa-bbbb-cccc-0123456789ab died"),
        ("[2024-01-02 12:03:44,123] ERROR bad", "[2025-11-30T01:00:00.5+02:00] ERROR bad"),
        ("Thu Nov 26 17:06:29 UTC 2026: bad", "Sunday March 1 07:06:29 UTC 1999: bad"),
        ("shape (10, 20) is wrong", "shape (3, 4, 5) is wrong"),
        ("https://a.org/x?y=1 refused", "http://b.org:80/z refused"),
        ("rank3 on node12 aborted", "rank11 on node7 aborted"),
    ],
)
def test_lines_that_are_the_same(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("line 3: foo: command not found", "line 3: bar: command not found"),
        ("KeyError: 'a'", "IndexError: 'a'"),
        ("can't open it, don't ask", "can't close it, don't ask"),
        ("/a/b: No such file or directory", "/a/b: Permission denied"),
        ("disk full", "quota exceeded"),
    ],
)
def test_lines_that_are_not(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_how_a_task_ended_tells_causes_apart() -> None:
    reasons = {"exit 1: bad": 1, "exit 2: bad": 2, "signal 9": 137, "signal 11": 139, "timeout after 600 s": 143}
    made = [failure(at, reason, code=code) for at, (reason, code) in enumerate(reasons.items(), 1)]
    assert sorted(cause.kind for cause in find_causes(made, {})) == ["exit", "exit", "signal", "signal", "timeout"]


def test_which_output_is_missing_tells_causes_apart() -> None:
    found = ["01", "10", "01", "00"]
    causes = find_causes([failure(at, "missing output", code=0, found=each) for at, each in enumerate(found, 1)], {})
    assert [(cause.count, cause.reason) for cause in causes] == [
        (2, "missing output: 000001_o0"),
        (1, "missing output: 000002_o1"),
        (1, "missing output: 000004_o0, 000004_o1"),
    ]


def test_an_id_that_is_a_common_word_tears_nothing_apart() -> None:
    made = [failure(at, "exit 1: cannot open file", task=name) for at, name in enumerate(("open", "file", "it"), 1)]
    assert [cause.count for cause in find_causes(made, {})] == [3]


def test_a_cause_of_one_node_names_it() -> None:
    made = [failure(at, "exit 1: no GPU", node="n2") for at in range(1, 5)]
    (bad,) = find_causes(made, {"n1": 10})
    assert (bad.node, "n2" in bad.advice) == ("n2", True)
    (busy,) = find_causes(made, {"n1": 10, "n2": 5})
    assert busy.node == "n2"
    assert [cause.node for cause in find_causes(made, {"n2": 5})] == [""]
    assert [cause.node for cause in find_causes(made[:2], {"n1": 10})] == [""]
    assert [cause.node for cause in find_causes([*made, replace(made[0], number=9, node="n1")], {"n1": 10})] == [""]


def test_reasons_that_begin_alike_are_one_if_there_would_be_too_many() -> None:
    words = [f"{a}{b}" for a in "abcd" for b in "efghi"]
    made = [failure(at, f"exit 1: Error: could not parse {word}") for at, word in enumerate(words, 1)]
    assert [cause.count for cause in find_causes(made, {})] == [len(words)]


def test_what_to_type_next() -> None:
    (cause,) = find_causes([failure(1, "exit 3: no", task="a b", code=3)], {})
    assert cause.advice == "`locusts logs 'a b'` shows all that it printed"
    (cause,) = find_causes([replace(failure(1, "exit 3"), log=0)], {})
    assert cause.advice == "it printed nothing; `locusts logs 000001` shows its command"
    (cause,) = find_causes([replace(failure(1, "exit 1", task="-rf"), log=0)], {})
    assert cause.advice.endswith("`locusts logs -- -rf` shows its command")
    (cause,) = find_causes([failure(1, "exit 127: x: command not found", code=127)], {})
    assert "`setup`" in cause.advice
    (cause,) = find_causes([failure(1, "signal 9", code=137)], {})
    assert "`mem`" in cause.advice
