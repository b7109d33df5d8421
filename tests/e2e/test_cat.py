"""`locusts cat`: an output that came back, byte by byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

CONFIG = """
[targets.here]
mode = "local"
slots = 2
[swarms.s]
command = "mkdir d; head -c 300000 /dev/urandom > d/in; cp d/in out_<arg0>; [[ <arg0> != bad ]]"
args = [["1"], ["bad"], ["it's $(x)"]]
id = "<arg0>"
outputs = ["out_<arg0>", "d", "out.*"]
"""


def printed(workspace: Workspace, *words: str) -> bytes:
    """Return the bytes that a command prints on standard output, and see that it prints no others."""
    with workspace.start(*words) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    return bytes(out)


@pytest.mark.parametrize("more", ["", "pack = true\n", 'pack = true\nresults = "archive"\n'])
def test_it_prints_what_came_back(workspace: Workspace, more: str) -> None:
    workspace.write(CONFIG.replace(', "out.*"', "") + more)
    code, text = workspace.locusts("cat", "1", "out_1")
    assert code == 2
    assert "was never run here" in text
    assert workspace.locusts("run")[0] == 1
    for task in ("1", "it's $(x)", "bad"):
        whole, inner = (printed(workspace, "cat", task, name) for name in (f"out_{task}", "d/in"))
        assert len(whole) == 300_000
        assert whole == inner
    for words, told in (
        (("1", "nothing"), "task 1 has left no output 'nothing'\n  what it left: out_1, d"),
        (("1", "d"), "d is a folder"),
        (("1", "d/y"), "d/y"),
        (("1", "../1/out_1"), "has left no output"),
        (("7", "out_1"), "swarm s has no task '7'"),
        (("bad", "out_bad/.."), "out_bad/.."),
    ):
        code, text = workspace.locusts("cat", *words)
        assert code == 2, text
        assert told in text


def test_what_has_not_come_back_is_told(workspace: Workspace) -> None:
    workspace.write(CONFIG)
    workspace.locusts("submit")
    workspace.locusts("watch")
    text = workspace.locusts("cat", "bad", "out_bad")[1]
    assert "task bad is not collected yet" in text
    assert "`locusts collect --wait` brings what it leaves" in text
    workspace.locusts("collect")
    assert "has left no output 'out.*'" in workspace.locusts("cat", "1", "out.*")[1]


def test_another_archive_in_its_place_is_not_read(workspace: Workspace) -> None:
    workspace.write(CONFIG.replace(', "out.*"', "") + 'pack = true\nresults = "archive"\n')
    assert workspace.locusts("run")[0] == 1
    archive = workspace.result("archives/000001.tar")
    whole = archive.read_bytes()
    for other in (whole[:1024], b"\0" * len(whole), whole[512:] + whole[:512]):
        archive.write_bytes(other)
        code, text = workspace.locusts("cat", "1", "out_1")
        assert code == 2
        assert "out_1 cannot be read: it is not as it was written" in text
    archive.unlink()
    assert workspace.locusts("collect")[0] == 1
    assert len(printed(workspace, "cat", "1", "out_1")) == 300_000
