"""The examples, run as their pages say: by the program, on this machine; and once more, where nothing is left to do."""

from __future__ import annotations

import pytest

from tests.support.examples import EXAMPLES, EXPECTED, assert_right, take
from tests.support.workspace import HERE, Workspace


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_gives_what_it_must(workspace: Workspace, name: str) -> None:
    take(name, workspace.folder, HERE)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert_right(name, workspace.folder / "results")
    code, text = workspace.locusts("run")
    assert (code, "nothing to submit" in text) == (0, True), text
    assert_right(name, workspace.folder / "results")


@pytest.mark.parametrize("name", EXPECTED)
def test_the_page_of_an_example_says_how_it_is_run(name: str) -> None:
    page = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert f"    cd examples/{name}\n    locusts run\n" in page


def test_what_is_added_to_a_product_is_all_that_runs(workspace: Workspace) -> None:
    take("kmers", workspace.folder, HERE)
    assert workspace.locusts("run")[0] == 0
    (workspace.folder / "texts/new.txt").write_text("a new one\n")
    config = workspace.folder / "locusts.toml"
    config.write_text(config.read_text().replace("k = [1, 2, 3]", "k = [4, 1, 2, 3]"))
    code, text = workspace.locusts("run")
    assert (code, "submitted 6 of 12 tasks" in text) == (0, True), text
    assert {row["attempts"] for row in workspace.tasks("").values()} == {"1"}
