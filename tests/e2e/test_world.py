"""Custom environments on this machine: in the tree itself, and in a copy of it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tests.support.worlds import (
    HOSTILE,
    check_contested,
    check_nothing_moves_again,
    check_tree,
    expected_changes,
    make_world,
    modified,
)

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

TARGET = """
[targets.here]
mode = "local"
slots = 4
"""


def in_a_copy(workspace: Workspace) -> None:
    config = workspace.folder / "locusts.toml"
    config.write_text(config.read_text() + "in_place = false\n")


def test_in_the_tree_itself(workspace: Workspace) -> None:
    world = make_world(workspace, TARGET, "here")
    code, text = workspace.locusts("run")
    assert code == 0, text
    check_tree(world, in_place=True)
    assert modified(workspace) == expected_changes()
    assert not (world / "data" / "doomed.txt").exists()


def test_in_a_copy_and_what_was_changed_on_both_sides_stays(workspace: Workspace) -> None:
    world = make_world(workspace, TARGET, "here")
    in_a_copy(workspace)
    assert workspace.locusts("submit")[0] == 0
    (world / "data" / "contested.txt").write_text("mine\n")
    code, text = workspace.locusts("collect", "--wait")
    assert code == 0, text
    check_tree(world, in_place=False)
    check_contested(workspace, world, "here")
    assert "existing/evil would lead out" in text
    assert (world / "data" / "doomed.txt").exists(), "removed only with --apply-removals"

    check_nothing_moves_again(workspace, world)
    assert modified(workspace)["data/contested.txt"] == "conflict"
    assert workspace.locusts("collect", "--apply-removals")[0] == 0
    assert not (world / "data" / "doomed.txt").exists()


def test_what_was_removed_there_and_changed_here_stays(workspace: Workspace) -> None:
    world = make_world(workspace, TARGET, "here")
    in_a_copy(workspace)
    assert workspace.locusts("submit")[0] == 0
    (world / "data" / "doomed.txt").write_text("still needed\n")
    code, text = workspace.locusts("collect", "--wait", "--apply-removals")
    assert code == 0, text
    assert (world / "data" / "doomed.txt").read_text() == "still needed\n"
    assert modified(workspace)["data/doomed.txt"] == "conflict"


def test_the_copy_goes_on_where_it_was_and_takes_what_is_new_here(workspace: Workspace) -> None:
    world = make_world(workspace, TARGET, "here")
    in_a_copy(workspace)
    assert workspace.locusts("run")[0] == 0
    (world / "data" / "untouched.txt").write_text("touched\n")
    config = workspace.folder / "locusts.toml"
    config.write_text(config.read_text().replace("args = [", "args = [['20'], "))
    code, text = workspace.locusts("run")
    assert code == 0, text
    copy = workspace.folder / ".locusts" / "here" / "s" / "tree" / "data"
    assert (copy / "untouched.txt").read_text() == "touched\n"
    assert (copy / "journal.txt").read_text() == (world / "data" / "journal.txt").read_text()
    assert modified(workspace)["data/existing/made_0"] == "created"


def test_a_folder_becomes_a_file_and_a_file_a_folder(workspace: Workspace) -> None:
    make_world(workspace, TARGET, "here")
    in_a_copy(workspace)
    config = workspace.folder / "locusts.toml"
    change = "rm -r hostile doomed.txt; echo theirs >hostile; mkdir doomed.txt; echo theirs >doomed.txt/new"
    config.write_text(config.read_text().replace("bash ../scripts", f"[ <arg0> = 3 ] || exit 0; {change}; #"))
    code, text = workspace.locusts("run")
    assert code == 0, text
    data = workspace.folder / "world" / "data"
    assert (data / "hostile").read_text() == "theirs\n"
    assert (data / "doomed.txt" / "new").read_text() == "theirs\n"
    removed = {"data/doomed.txt", *(f"data/hostile/{name}" for name in HOSTILE)}
    made = {"data/hostile", "data/doomed.txt/new"}
    assert modified(workspace) == {**dict.fromkeys(removed, "removed"), **dict.fromkeys(made, "created")}
    assert workspace.locusts("collect", "--apply-removals")[0] == 0
    assert workspace.locusts("clean")[0] == 0


def test_dry_run_lists_what_would_be_replicated(workspace: Workspace) -> None:
    make_world(workspace, TARGET, "here")
    assert len(workspace.locusts("submit", "--dry-run")[1].splitlines()) < 24
    code, text = workspace.locusts("submit", "--dry-run", "--files")
    assert code == 0
    assert "6  data/contested.txt" in text
    assert "hostile/new\\nline" in text
    assert "left.skip" not in text
    assert "outside/secret" not in text


def test_outputs_are_checked_where_commands_start(workspace: Workspace) -> None:
    make_world(workspace, TARGET, "here")
    config = workspace.folder / "locusts.toml"
    config.write_text(config.read_text() + 'outputs = ["existing/made_<arg0>", "fresh/3/deep/file"]\n')
    workspace.locusts("run")
    rows = {(row["task"], row["output"]): row for row in workspace.table("outputs.tsv")}
    assert rows["000005", "existing/made_4"]["status"] == "present"
    assert rows["000005", "existing/made_4"]["path"] == "data/existing/made_4"


def test_clean_refuses_while_the_tree_has_not_come_home_and_attach_finds_what_was_agreed(workspace: Workspace) -> None:
    go = workspace.folder / "go"
    world = make_world(workspace, TARGET, "here", hold=f"[ -e {shlex.quote(str(go))} ]")
    in_a_copy(workspace)
    assert workspace.locusts("submit")[0] == 0
    assert workspace.locusts("collect")[0] == 0
    go.touch()
    assert workspace.locusts("watch")[0] == 0
    workspace.forget()
    assert workspace.locusts("attach")[0] == 0
    code, text = workspace.locusts("clean")
    assert (code, "not" in text) == (2, True), text
    assert workspace.locusts("collect")[0] == 0
    check_tree(world, in_place=False)
    assert modified(workspace) == expected_changes()
    assert workspace.locusts("clean")[0] == 0
