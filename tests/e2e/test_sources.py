"""What tasks there are, by tables and names of files as people and their machines leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace

TABLE = """[swarms.s]
command = "printf '[%s]' <t> <s>"
args_file = "grid.csv"
"""


def printed(workspace: Workspace, config: str) -> dict[str, str]:
    """Run a swarm and return what each task printed."""
    workspace.write(HERE + config)
    code, text = workspace.locusts("run")
    assert code == 0, text
    return {task: workspace.result(f"logs/{task}.log").read_text() for task in workspace.tasks()}


@pytest.mark.parametrize(
    "table",
    [
        "t,s\n1,a\n,\n2,b\n,\n , \n",
        "t,s,,\n1,a,,\n2,b,,\n,,,\n",
        "t,s\n 1, a\n2 ,b \n",
        "t;s\n1;a\n2;b\n",
        "t\ts\n1\ta\n2\tb\n",
    ],
    ids=["empty rows", "empty columns", "blanks", "semicolons", "tabs"],
)
def test_a_table_as_a_spreadsheet_leaves_it(workspace: Workspace, table: str) -> None:
    (workspace.folder / "grid.csv").write_text(table)
    assert printed(workspace, TABLE) == {"000001": "[1][a]", "000002": "[2][b]"}


def test_a_column_of_ids_and_names_with_blanks(workspace: Workspace) -> None:
    (workspace.folder / "grid.csv").write_text("id,cell line,dose of x\nalpha,HeLa,1\nbeta,K562,2\n")
    config = TABLE.replace("<t> <s>", "<id> <cell_line> <dose_of_x>")
    assert printed(workspace, config) == {"alpha": "[alpha][HeLa][1]", "beta": "[beta][K562][2]"}


@pytest.mark.parametrize(
    ("files", "pattern"),
    [
        (["._a.txt", ".hid.txt", ".#b.txt", "a.txt"], "<id>.txt"),
        ([".git/f", "a/f"], "<id>/f"),
        (["sub/.DS_Store", "sub/a"], "sub/<id>"),
        ([".nfs01.txt", "a.txt", "a.txt~"], "<id>.txt"),
    ],
)
def test_hidden_files_are_no_inputs(workspace: Workspace, files: list[str], pattern: str) -> None:
    for name in files:
        path = workspace.folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    config = f"[swarms.s]\ncommand = 'wc -c {pattern}'\nindir = 'in'\ninputs = ['{pattern}']\n"
    assert list(printed(workspace, config)) == ["a"]
