"""Another outdir than before: all comes again to it, or nothing is changed; what lies there is never taken for ours."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE, Workspace

if TYPE_CHECKING:
    from pathlib import Path

SWARM = (
    HERE
    + """
[swarms.s]
command = "echo {version} <arg0> | tee out.txt"
args = [{rows}]
outputs = ["out.txt"]
outdir = "{outdir}"
{more}
"""
)
PACKED = 'pack = true\nresults = "archive"'


def write(workspace: Workspace, outdir: Path | str, version: str = "v1", rows: str = "ab", more: str = "") -> Path:
    """Write a config, and return where its results come to."""
    listed = ", ".join(f'["{row}"]' for row in rows)
    workspace.write(SWARM.format(outdir=outdir, version=version, rows=listed, more=more))
    return workspace.folder / outdir


def collect(workspace: Workspace, *words: str) -> tuple[int, str]:
    return workspace.locusts("collect", "--wait", *words)


def held(folder: Path) -> dict[str, str]:
    """Return what files hold in a folder, tables aside."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".tsv")
    return {str(path.relative_to(folder)): path.read_text().strip() for path in files}


def both(version: str) -> dict[str, str]:
    """Return what `held` returns of two tasks."""
    outputs = {"000001/out.txt": f"{version} a", "000002/out.txt": f"{version} b"}
    return outputs | {f"logs/{name[:6]}.log": text for name, text in outputs.items()}


def statuses(folder: Path) -> list[str]:
    return [line.split("\t")[2] for line in (folder / "outputs.tsv").read_text().splitlines()[1:]]


def test_what_lies_in_an_outdir_of_before_does_not_count_as_come(workspace: Workspace) -> None:
    first = write(workspace, "A")
    assert workspace.locusts("run")[0] == 0
    second = write(workspace, "B", "v2")
    assert workspace.locusts("submit", "--redo-changed")[0] == 0
    assert collect(workspace)[0] == 0
    assert (held(first), held(second)) == (both("v1"), both("v2"))
    write(workspace, "A", "v2")
    code, said = collect(workspace)
    assert (code, "A/tasks.tsv is here already, and this swarm has not written it" in said) == (2, True), said
    for name in ("tasks.tsv", "outputs.tsv"):
        (first / name).unlink()
    code, said = collect(workspace)
    assert (code, "4 outputs could not be brought back" in said) == (1, True), said  # the logs, too
    assert (held(first), statuses(first)) == (both("v1"), ["error", "error"])
    assert "out.txt did not come back: in the way: 000001/out.txt is here already" in (first / "tasks.tsv").read_text()
    assert workspace.locusts("clean")[0] == 2
    assert collect(workspace, "--overwrite")[0] == 0
    assert (held(first), statuses(first)) == (both("v2"), ["present", "present"])
    assert held(second) == both("v2")


def test_what_is_the_users_own_in_a_new_outdir_is_in_the_way(workspace: Workspace) -> None:
    write(workspace, "A")
    assert workspace.locusts("run")[0] == 0
    mine = workspace.folder / "C/000001/out.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    folder = write(workspace, "C")
    code, said = workspace.locusts("cat", "000001", "out.txt")
    assert (code, said) == (0, "v1 a\n"), "it lies where it was brought to, until it comes again"
    assert "v1 a" in workspace.locusts("logs", "000001")[1]
    assert collect(workspace)[0] == 1
    assert statuses(folder) == ["error", "present"]
    assert mine.read_text() == "mine"
    assert workspace.locusts("cat", "000001", "out.txt")[0] == 2
    assert workspace.locusts("clean")[0] == 2


def test_a_table_of_others_in_a_new_outdir_is_seen_before_anything_runs(workspace: Workspace) -> None:
    write(workspace, "A")
    assert workspace.locusts("run")[0] == 0
    folder = write(workspace, "C", rows="abc")
    folder.mkdir()
    (folder / "tasks.tsv").write_text("of another swarm\n")
    code, said = workspace.locusts("run")
    assert (code, "C/tasks.tsv is here already" in said) == (2, True), said
    assert json.loads(workspace.locusts("status", "--json")[1])["tasks"]["total"] == 2


@pytest.mark.parametrize("more", ["", PACKED])
def test_what_cannot_come_again_stays_known_where_it_is(workspace: Workspace, more: str) -> None:
    first = write(workspace, "A", more=more)
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("clean")[0] == 0
    before = {path.name: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    write(workspace, "B", rows="abc", more=more)
    for words in (["collect"], ["run"]):
        code, said = workspace.locusts(*words)
        assert (code, "what 2 tasks left was brought to" in said) == (2, True), said
        assert "it cannot come again, for the target has it no more, so nothing was changed" in said
        assert "set outdir back" in said
    assert not (workspace.folder / "B").exists()
    assert {path.name: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before
    assert workspace.locusts("cat", "000002", "out.txt") == (0, "v1 b\n")
    write(workspace, "A", rows="abc", more=more)
    assert workspace.locusts("run")[0] == 0
    assert statuses(first) == ["present"] * 3
    write(workspace, "B", rows="abc", more=more)  # now some of it could come
    assert workspace.locusts("collect")[0] == 2
    first.rename(workspace.folder / "B")
    assert workspace.locusts("run")[0] == 0
    assert statuses(workspace.folder / "B") == ["present"] * 3
    assert [workspace.locusts("cat", f"00000{number}", "out.txt")[1] for number in (1, 2, 3)] == [
        "v1 a\n", "v1 b\n", "v1 c\n",
    ]  # fmt: skip


@pytest.mark.parametrize("words", ["--redo", "--redo-changed"])
def test_where_all_runs_again_nothing_need_come(workspace: Workspace, words: str) -> None:
    first = write(workspace, "A")
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("clean")[0] == 0
    second = write(workspace, "B", "v2")
    assert workspace.locusts("submit", words)[0] == 0
    assert collect(workspace)[0] == 0
    assert (held(first), held(second)) == (both("v1"), both("v2"))


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_folder_that_was_moved_or_copied_is_the_same(workspace: Workspace, *, is_moved: bool) -> None:
    first = write(workspace, "A")
    assert workspace.locusts("run")[0] == 0
    second = write(workspace, "deep/B")
    if is_moved:
        second.parent.mkdir()
        first.rename(second)
    else:
        shutil.copytree(first, second)
    assert workspace.locusts("clean")[0] == 0
    code, said = collect(workspace)
    assert (code, "collected now" in said) == (0, False), said
    assert (held(second), statuses(second)) == (both("v1"), ["present", "present"])


@pytest.mark.parametrize("inside", [True, False])
def test_a_project_that_was_moved_keeps_its_results(workspace: Workspace, tmp_path: Path, *, inside: bool) -> None:
    """With an absolute outdir elsewhere, too."""
    far = tmp_path / "far away"
    outdir = write(workspace, "A" if inside else far)
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("clean")[0] == 0
    moved = Workspace(tmp_path / "moved")
    workspace.folder.rename(moved.folder)
    outdir = moved.folder / "A" if inside else far
    assert moved.locusts("collect")[0] == 0
    assert (held(outdir), statuses(outdir)) == (both("v1"), ["present", "present"])


def test_a_link_to_the_folder_is_no_other_folder(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.folder / "link").symlink_to(tmp_path / "far")
    (tmp_path / "far").mkdir()
    write(workspace, "link")
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("clean")[0] == 0
    write(workspace, tmp_path / "far")
    assert workspace.locusts("collect")[0] == 0
    assert statuses(tmp_path / "far") == ["present", "present"]


def test_other_swarms_take_inputs_from_where_they_came_to(workspace: Workspace) -> None:
    stage = '[swarms.t]\ncommand = "cat out.txt > got.txt"\ninputs = ["@s/<id>/out.txt"]\noutputs = ["got.txt"]\n'
    write(workspace, "A", more=stage)
    assert workspace.locusts("run", "--swarm", "s")[0] == 0
    assert workspace.locusts("clean", "--swarm", "s")[0] == 0
    mine = workspace.folder / "C/000001/out.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    write(workspace, "C", more=stage)
    assert workspace.locusts("run", "--swarm", "t")[0] == 0
    assert workspace.result("000001/got.txt", "t").read_text() == "v1 a\n"
