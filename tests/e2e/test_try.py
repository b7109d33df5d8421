"""`locusts try`: a few tasks first, looked at closely, before all others run."""

from __future__ import annotations

import contextlib
import os
import re

import pytest

from tests.support.workspace import COPY, HERE, Workspace

CHOOSY = COPY.replace("cat f", "echo at <id>; test <id> != 1 && cat f")


@pytest.fixture
def four(workspace: Workspace) -> Workspace:
    """Return a workspace of four tasks, of which the second fails."""
    workspace.pairs(4)
    workspace.write(HERE + CHOOSY)
    return workspace


def states(workspace: Workspace) -> list[str]:
    """Return the state of each task, as the program lists them."""
    return [line.split()[1] for line in workspace.locusts("tasks")[1].splitlines()[1:]]


def test_the_first_task_is_tried_and_no_other(four: Workspace) -> None:
    code, text = four.locusts("try")
    assert code == 0
    assert "task     0: done\ncommand  echo at 0; test 0 != 1" in text
    assert "printed:\nat 0\n" in text
    assert f"output   out_0.txt, 2 bytes: {four.result('0/out_0.txt')}\n" in text
    assert "sandbox  " in text
    assert "3 tasks are left; `locusts run` runs them" in text  # nobody is there to be asked
    assert states(four) == ["done", "pending", "pending", "pending"]


def test_one_that_failed_is_tried_again_once_it_is_fixed(four: Workspace) -> None:
    code, text = four.locusts("try", "--limit", "2", "--yes")
    assert code == 1
    assert "output   out_1.txt is missing" in text
    assert "fix the cause, then `locusts try` again" in text
    assert states(four) == ["done", "failed", "pending", "pending"]
    four.write(HERE + COPY)
    code, text = four.locusts("try", "--yes")
    assert code == 0
    assert "task     1: done" in text
    assert "submitted 2 of 4 tasks" in text
    assert four.locusts("collect", "--wait")[0] == 0
    assert states(four) == ["done"] * 4
    assert four.locusts("try")[0] == 2


@pytest.mark.parametrize(
    ("words", "tried"),
    [
        (["--only", "2"], "2"),
        (["--only", "[23]", "--limit", "9"], "23"),
        (["--only", "3", "--only", "2", "-n", "1"], "2"),
    ],
)
def test_certain_tasks_are_tried(four: Workspace, words: list[str], tried: str) -> None:
    code, text = four.locusts("try", *words)
    assert code == 0
    assert [line[9] for line in text.splitlines() if line.startswith("task  ")] == list(tried)
    assert [number for number, state in enumerate(states(four)) if state == "done"] == list(map(int, tried))


def test_others_that_failed_stay_as_they_are(four: Workspace) -> None:
    assert four.locusts("try", "--only", "1")[0] == 1
    assert four.locusts("try", "--only", "2")[0] == 0
    assert states(four) == ["pending", "failed", "done", "pending"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [(["--limit", "0"], "say how many"), (["--only", "7"], "`locusts tasks` lists them"), (["-n", "x"], "--help`")],
)
def test_what_cannot_be_tried(four: Workspace, words: list[str], hint: str) -> None:
    code, text = four.locusts("try", *words)
    assert code == 2
    assert hint in text


def rows(*words: str) -> str:
    """Return a config with a task for each of some words, whose ids are numbers."""
    args = [[word] for word in words]
    return f"{HERE}[swarms.s]\ncommand = 'echo <arg0> > out.txt'\nargs = {args}\noutputs = ['out.txt']\n"


def test_tasks_are_known_by_what_they_are(workspace: Workspace) -> None:
    """Numbers stay with their rows, whatever comes and goes before them."""
    workspace.write(rows("w", "y"))
    assert workspace.locusts("run")[0] == 0
    workspace.write(rows("y", "z"))
    code, text = workspace.locusts("try", "--only", "000003")
    assert (code, "task     000003: done" in text) == (0, True), text
    assert workspace.result("000003/out.txt").read_text() == "z\n"
    workspace.write(rows("y", "z", "v"))
    code, text = workspace.locusts("try")
    assert (code, "task     000004: done" in text, "that was all" in text) == (0, True, True), text
    code, text = workspace.locusts("try")
    assert (code, "all are done" in text) == (2, True), text


MAKES = """
[swarms.s]
command = "echo 12345 > a; mkdir d e; echo > d/y; echo 1 > e/b; echo log"
args = [["1"]]
outputs = ["a", "d", "e/*"]
optional_outputs = ["no"]
"""
CUSTOM = "environment = 'custom'\nroot = 'tree'\nworkdir = 'w'\ninclude = ['**']\nin_place = "
#: What is added to that config, and what is said of its outputs; {} is the folder of the workspace.
WAYS = {
    "": ["a, 6 bytes: {}/results/s/000001/a", "d: {}/results/s/000001/d", "e/b, 2 bytes: {}/results/s/000001/e/b"],
    "layout = 'flat'": ["a, 6 bytes: {}/results/s/a", "d: {}/results/s/d", "e/b, 2 bytes: {}/results/s/e/b"],
    "pack = true\nresults = 'archive'": [
        "a, 6 bytes, packed in {}/results/s/archives/000001.tar; `locusts cat` prints it",
        "d, *, packed in {}/results/s/archives/000001.tar; `locusts cat` prints it",
        "e/b, 2 bytes, packed in {}/results/s/archives/000001.tar; `locusts cat` prints it",
    ],
    f"{CUSTOM}false": ["a, 6 bytes: {}/tree/w/a", "d: {}/tree/w/d", "e/*: {}/tree/w"],
    f"{CUSTOM}true": ["a, 6 bytes: {}/tree/w/a", "d: {}/tree/w/d", "e/*: {}/tree/w"],
    "collect = 'final'\n[swarms.s.final]\ncommand = 'true'": [
        f'{name} is on the target, where collect = "final" leaves it' for name in ("a", "d", "e/b")
    ],
}
WAYS["pack = true"] = WAYS[""]


@pytest.mark.parametrize("more", WAYS)
def test_outputs_are_found_whatever_way_they_come(workspace: Workspace, more: str) -> None:
    (workspace.folder / "tree/w").mkdir(parents=True)
    workspace.write(HERE + MAKES + more)
    code, text = workspace.locusts("try")
    assert code == 0, text
    told = [line.removeprefix("output   ") for line in text.splitlines() if line.startswith("output ")]
    expected = [re.escape(each.format(workspace.folder)).replace(r"d,\ \*,", r"d, \S+ \w+,") for each in WAYS[more]]
    assert len(told) == len(expected), text
    assert all(re.fullmatch(*pair) for pair in zip(expected, told, strict=True)), text


def test_why_an_output_is_not_here_is_told(workspace: Workspace) -> None:
    workspace.result("000001/a").mkdir(parents=True)
    workspace.result("000001/a/mine").touch()
    workspace.write(HERE + MAKES.replace('"e/*"', '"e/*", "gone"'))
    code, text = workspace.locusts("try")
    assert (code, "output   gone is missing" in text) == (1, True), text
    workspace.write(HERE + MAKES)
    code, text = workspace.locusts("try")
    assert "output   a did not come back: in the way" in text, text


def read(terminal: int) -> bytes:
    """Return what stands on a terminal; nothing once nobody writes there any more."""
    with contextlib.suppress(OSError):
        return os.read(terminal, 4096)
    return b"left"


@pytest.mark.parametrize(("answer", "is_run"), [(b"y\n", True), (b"\n", False), (b"no\n", False)])
def test_a_person_is_asked(four: Workspace, answer: bytes, *, is_run: bool) -> None:
    ours, theirs = os.openpty()
    with four.start("try", stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, answer)
        seen = b""
        while process.poll() is None or b"left" not in seen:
            seen += read(ours)
        assert process.wait(120) == 0
    os.close(ours)
    assert b"run the other 3 tasks? [y/N]" in seen
    assert (b"submitted 3 of 4 tasks" in seen) == is_run
    if is_run:
        assert four.locusts("collect", "--wait")[0] == 1
